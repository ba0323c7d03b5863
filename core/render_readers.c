/* readers: who has read the key of the current generation, and who has only an older one. From the audit. */
#include <inttypes.h>

#include "clock.h"
#include "render_internal.h"

struct readers {
	struct store *store;
	int64_t current; /* generation */
	struct buffer have, behind;
	struct error *err;
};

static int add_reader(void *context, const struct reader_row *row)
{
	struct readers *readers = context;
	struct buffer *list = row->generation == readers->current ? &readers->have : &readers->behind;
	char last[32];
	int r;

	clock_format(row->last, last);
	buffer_printf(list, "- {generation: %" PRId64 ", uid: %u, command: ", row->generation, row->uid);
	r = store_json_quote(readers->store, span_text(row->command), list, readers->err);
	buffer_printf(list, ", last: %s, reads: %" PRId64 "}\n", last, row->reads);
	return r;
}

static void add_list(struct buffer *out, const char *key, const struct buffer *list)
{
	buffer_printf(out, "%s:%s\n", key, list->size ? "" : " []");
	buffer_add_span(out, buffer_span(list));
}

int render_readers(const struct view *view, struct buffer *out, struct error *err)
{
	struct readers readers = {.current = view->generation.number, .err = err};
	int r = core_reader(view->core, &readers.store, err);

	if (r == 0)
		r = reader_each(readers.store, view->app->row.id, add_reader, &readers, err);
	buffer_printf(out, "generation: %" PRId64 "\n", readers.current);
	add_list(out, "current", &readers.have);
	add_list(out, "older", &readers.behind);
	if (r == 0 && (buffer_status(out) < 0 || buffer_status(&readers.have) < 0 || buffer_status(&readers.behind) < 0))
		r = error_set(err, ENOMEM, "out of memory");
	buffer_clear(&readers.have);
	buffer_clear(&readers.behind);
	return r;
}
