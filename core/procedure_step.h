/* The steps of one procedure. Shared by procedure.c (what is under way), procedure_step.c (what is done) and
 * procedure_note.c (what the store is told of it) only. */
#ifndef CORE_PROCEDURE_STEP_H
#define CORE_PROCEDURE_STEP_H

#include "hook.h"
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

/* A step has been done, or has failed: in one transaction the store is told, with the event, and what follows begins. hook: HOOK_COUNT for none.
 * output: of the hook details, taken over, or NULL. generation: what was pushed. After all steps: end. */
void procedure_note_done(struct procedure *p, enum hook_kind hook, struct buffer *output, int64_t generation);
void procedure_note_failed(struct procedure *p, enum hook_kind hook, const struct error *err);
void procedure_note_end(struct procedure *p);

/* The store, memory or descriptors fail: a purge waits and goes on, a job is told. */
void procedure_interrupted(struct procedure *p, int r, const struct error *err);

/* A purge has taken a job's place: whoever waits for the job is answered. */
void procedure_becomes_purge(struct procedure *p);

/* What follows. */
void procedure_next(struct procedure *p);
void procedure_wait(struct procedure *p, int seconds);
void procedure_finish(struct procedure *p, int r, const struct error *err); /* frees */

#endif
