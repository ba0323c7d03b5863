#include "event.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "event_log.h"

static void add_names(struct buffer *line, const struct event *event)
{
	buffer_printf(line, "\"severity\":\"%s\",\"type\":\"%s\"", event->severity, event->type);
	if (event->project)
		buffer_printf(line, ",\"project\":\"%s\"", event->project_name); /* names need no escaping (name.h) */
	if (event->app)
		buffer_printf(line, ",\"app\":\"%s\"", event->app_name);
	if (event->generation)
		buffer_printf(line, ",\"generation\":%" PRId64, event->generation);
}

static int event_line(struct store *store, const struct event *event, const char *message, struct buffer *line,
		      struct error *err)
{
	char time[32];
	int r;

	clock_format(event->time ? event->time : clock_now(), time);
	buffer_printf(line, "\"time\":\"%s\",", time);
	add_names(line, event);
	buffer_add_text(line, ",\"message\":");
	r = store_json_quote(store, span_text(message), line, err);
	buffer_add(line, "}", 2); /* with the NUL */
	return r < 0 ? r : buffer_status(line) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

struct event event_of(const char *severity, const char *type, const struct project_row *project,
		      const struct app_row *app)
{
	return (struct event){
		.severity = severity,
		.type = type,
		.project = project->id,
		.project_name = project->name,
		.app = app ? app->id : 0,
		.app_name = app ? app->name : "",
		.generation = app ? app->last_number : 0,
	};
}

int event_add(struct store *store, const struct event *event, struct error *err, const char *format, ...)
{
	_cleanup_buffer_ struct buffer line = {0};
	char message[640];
	va_list ap;
	int r;

	va_start(ap, format);
	vsnprintf(message, sizeof(message), format, ap);
	va_end(ap);
	r = event_line(store, event, message, &line, err);
	if (r == 0)
		r = event_insert(store, event->project, event->app, (const char *)line.data, err);
	if (r >= 0)
		event_log_note(event, message);
	return r;
}
