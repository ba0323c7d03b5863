/* Events (SPEC 5.8): what happened, one JSON line each, kept in the transaction of what it tells of. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "certfs/rows.h"
#include "store.h"

struct event {
	const char *severity; /* NOTICE, WARN, ERROR */
	const char *type;     /* device_ca.issued, … */
	rowid project;        /* 0 and "": not of a project */
	const char *project_name;
	rowid app;            /* 0 and "": not of an app instance */
	const char *app_name;
	int64_t generation;   /* 0: none */
	unixtime time;        /* 0: now */
	const char *operation; /* for the log: what it is part of; NULL: nothing */
};

/* An event of a project, or (app not NULL) of an app instance in it at its newest generation. Borrows the names of both rows. */
struct event event_of(const char *severity, const char *type, const struct project_row *project,
		      const struct app_row *app);

/* [w] Adds the event with the formatted message; what is wrong goes to the log, too, after the commit (event_log.h). */
int event_add(struct store *store, const struct event *event, struct error *err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
