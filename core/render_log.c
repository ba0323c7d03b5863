/* events and audit: JSON lines, newest last. */
#include <inttypes.h>

#include "clock.h"
#include "render_internal.h"

struct lines {
	struct buffer *out;
	struct store *store;
	int64_t *cursor;
	struct error *err;
};

static int lines_status(const struct lines *lines)
{
	return buffer_status(lines->out) < 0 ? error_set(lines->err, ENOMEM, "out of memory") : 0;
}

/* ---- events ---- */

static struct event_scope scope_of(const struct view *view)
{
	return (struct event_scope){
		.project = view->project && !view->app ? view->project->row.id : 0,
		.app = view->app ? view->app->row.id : 0,
	};
}

static int add_event(void *context, int64_t id, struct span line)
{
	struct lines *lines = context;

	buffer_printf(lines->out, EVENT_FORMAT, (long long)id, (int)line.size, (const char *)line.data);
	*lines->cursor = id;
	return lines_status(lines);
}

int log_events(const struct view *view, int64_t *cursor, struct buffer *out, struct error *err)
{
	struct lines lines = {.out = out, .cursor = cursor, .err = err};
	int r = core_reader(view->core, &lines.store, err);

	return r == 0 ? event_each(lines.store, scope_of(view), *cursor, add_event, &lines, err) : r;
}

int size_events(const struct view *view, size_t *ret, struct error *err)
{
	struct store *store;
	int r = core_reader(view->core, &store, err);

	return r == 0 ? event_bytes(store, scope_of(view), ret, err) : r;
}

/* ---- audit ---- */

static int add_audit(void *context, const struct audit_row *row)
{
	struct lines *lines = context;
	char time[32];
	int r;

	clock_format(row->time, time);
	buffer_printf(lines->out,
		      "{\"id\":%" PRId64 ",\"time\":\"%s\",\"uid\":%u,\"gid\":%u,\"pid\":%d,\"command\":", row->id, time,
		      row->uid, row->gid, (int)row->pid);
	r = store_json_quote(lines->store, span_text(row->command), lines->out, lines->err);
	buffer_printf(lines->out, ",\"action\":\"%s\",\"object\":\"%s\",\"generation\":%" PRId64 "}\n", row->action,
		      row->object, row->generation);
	*lines->cursor = row->id;
	return r < 0 ? r : lines_status(lines);
}

int log_audit(const struct view *view, int64_t *cursor, struct buffer *out, struct error *err)
{
	struct lines lines = {.out = out, .cursor = cursor, .err = err};
	int r = core_reader(view->core, &lines.store, err);

	return r == 0 ? audit_each(lines.store, *cursor, add_audit, &lines, err) : r;
}

int size_audit(const struct view *view, size_t *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer all = {0};
	int64_t cursor = 0;
	int r = log_audit(view, &cursor, &all, err);

	if (r == 0)
		*ret = all.size;
	return r;
}
