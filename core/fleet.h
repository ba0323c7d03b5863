/* The one walk through all projects, for what tells of the fleet: status, metrics, dashboard. */
#ifndef CORE_FLEET_H
#define CORE_FLEET_H

#include "certfs/view.h"
#include "core_internal.h"
#include "counts.h"

struct fleet_project {
	rowid id;
	char name[NAME_SIZE];
	bool hidden;             /* its directory is closed to others: what everybody may read must not tell of it by name (SPEC 6) */
	enum state signing_ca;   /* STATE_VALID, STATE_NO_SIGNING_CA, … */
	struct app_counts counts;
};

/* Of one project, which is borrowed. What is negative ends the walk. */
typedef int (*fleet_fn)(void *context, const struct project *project, const struct fleet_project *facts, struct error *err);

/* Each project, in the order of their ids; one that is removed meanwhile is left out. */
int fleet_each(const struct view *view, struct store *store, fleet_fn each, void *context, struct error *err);

/* Worst first: the signing CA's own state, or that of the worst app instance. */
enum state fleet_worst(const struct fleet_project *project);

/* Does a project in that state need someone? */
bool fleet_needs_someone(enum state worst);

struct fleet {
	struct fleet_project *project;
	size_t count;
	struct app_counts counts; /* of all projects, hidden ones too */
};

/* All of it. On success to be given to fleet_clear. */
int fleet_load(const struct view *view, struct fleet *ret, struct error *err);
void fleet_clear(struct fleet *fleet);
#define _cleanup_fleet_ __attribute__((cleanup(fleet_clear)))

/* NULL: it is not there. */
const struct fleet_project *fleet_find(const struct fleet *fleet, rowid id);

#endif
