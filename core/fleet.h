/* The facts about every project that the dashboard tells: collected once, at one moment. */
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

struct fleet {
	struct fleet_project *project;
	size_t count;
	struct app_counts counts; /* of all projects, hidden ones too */
};

/* Projects in the order of their ids. On success to be given to fleet_clear. */
int fleet_load(const struct view *view, struct fleet *ret, struct error *err);
void fleet_clear(struct fleet *fleet);
#define _cleanup_fleet_ __attribute__((cleanup(fleet_clear)))

#endif
