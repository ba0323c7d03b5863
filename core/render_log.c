/* events and audit: JSON lines, newest last. */
#include <inttypes.h>
#include <string.h>

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

/* Fixed parts of a line, in the order in which the variable ones stand between them. */
static const char *const audit_parts[] = {"{\"id\":",         ",\"time\":\"", "\",\"uid\":",    ",\"gid\":",       ",\"pid\":",
					  ",\"command\":", ",\"action\":\"", "\",\"object\":\"", "\",\"generation\":", "}\n"};

enum { AUDIT_PARTS = sizeof(audit_parts) / sizeof(audit_parts[0]), TIME_SIZE = 20 };

static int add_audit(void *context, const struct audit_row *row)
{
	struct lines *lines = context;
	struct buffer *out = lines->out;
	char time[32];
	int r;

	clock_format(row->time, time);
	buffer_printf(out, "%s%" PRId64 "%s%s%s%u", audit_parts[0], row->id, audit_parts[1], time, audit_parts[2],
		      row->uid);
	buffer_printf(out, "%s%u%s%d%s", audit_parts[3], row->gid, audit_parts[4], (int)row->pid, audit_parts[5]);
	r = store_json_quote(lines->store, span_text(row->command), out, lines->err);
	buffer_printf(out, "%s%s%s%s%s%" PRId64 "%s", audit_parts[6], row->action, audit_parts[7], row->object,
		      audit_parts[8], row->generation, audit_parts[9]);
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
	size_t fixed = TIME_SIZE;
	struct store *store;
	int64_t count;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = audit_bytes(store, ret, &count, err);
	for (size_t i = 0; i < AUDIT_PARTS; i++)
		fixed += strlen(audit_parts[i]);
	if (r == 0)
		*ret += (size_t)count * fixed;
	return r;
}
