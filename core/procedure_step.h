/* The steps of one procedure. Shared by procedure.c (what is under way) and procedure_step.c (what is done) only. */
#ifndef CORE_PROCEDURE_STEP_H
#define CORE_PROCEDURE_STEP_H

#include "issue.h"
#include "pool.h"
#include "procedure.h"

/* Belongs to one stage at a time, but for next, ready, again, due and waits: protected by the lock of struct procedures. */
struct procedure {
	struct procedure *next, *ready;
	struct procedures *procedures;
	struct core *core;
	struct task task;
	struct issue_order order;
	rowid app;        /* never changes: others look for it under the lock, while the stage writes row */
	struct procedure_row row;
	bool again;       /* another start was wanted meanwhile */
	bool of_job;      /* its row may have to be written first */
	bool loaded;      /* row is as the store has it */
	core_done done;   /* NULL: nobody waits */
	void *context;
	time_t due;       /* monotonic seconds */
	bool waits;
};

/* Tasks: read the row from the store, or write it; do the next step. Core is held open from each to the next. */
void procedure_load(struct task *task);
void procedure_step(struct task *task);

/* How a step ends. */
void procedure_next(struct procedure *p);
void procedure_wait(struct procedure *p, int seconds);
void procedure_finish(struct procedure *p, int r, const struct error *err); /* frees */

#endif
