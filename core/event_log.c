#include "event_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/log.h"

enum { KEPT_MAX = 1024 }; /* of one transaction: the log holds most of such a crowd back anyway */

struct line {
	int priority;
	char type[48], project[NAME_SIZE], app[NAME_SIZE], operation[64];
	char *message;
};

static _Thread_local struct {
	struct line *line;
	int count, room;
} kept;

static int priority_of(const char *severity)
{
	return strcmp(severity, "ERROR") == 0 ? LOG_ERR : strcmp(severity, "WARN") == 0 ? LOG_WARNING : LOG_DEBUG;
}

static bool make_room(void)
{
	const int room = kept.room ? kept.room * 2 : 16;
	struct line *more;

	if (kept.count < kept.room)
		return true;
	more = kept.count < KEPT_MAX ? realloc(kept.line, (size_t)room * sizeof(*more)) : NULL;
	if (!more)
		return false;
	kept.line = more;
	kept.room = room;
	return true;
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

void event_log_note(const struct event *event, const char *message)
{
	const int priority = priority_of(event->severity);
	struct line *line;

	if (!log_wanted(priority) || !make_room())
		return;
	line = &kept.line[kept.count];
	line->message = strdup(message);
	if (!line->message)
		return;
	kept.count++;
	line->priority = priority;
	copy(line->type, sizeof(line->type), event->type);
	copy(line->project, sizeof(line->project), event->project ? event->project_name : NULL);
	copy(line->app, sizeof(line->app), event->app ? event->app_name : NULL);
	copy(line->operation, sizeof(line->operation), event->operation);
}

int event_log_mark(void)
{
	return kept.count;
}

void event_log_undo(int mark)
{
	while (kept.count > mark)
		free(kept.line[--kept.count].message);
	if (kept.count == 0) {
		free(kept.line);
		kept.line = NULL;
		kept.room = 0;
	}
}

static void tell(const struct line *line)
{
	log_about(line->priority,
		  LOG_SUBJECT(.project = line->project, .app = line->app, .operation = line->operation, .event = line->type),
		  "%s%s%s%s%s", line->project, *line->app ? "/" : "", line->app, *line->project ? ": " : "", line->message);
}

void event_log_tell(void)
{
	for (int i = 0; i < kept.count; i++)
		tell(&kept.line[i]);
	event_log_undo(0);
}
