/* What is done for one app instance in a purge, an update or a force_update, step by step (SPEC 5.6): fetch the details, make
 * certificate and user data anew, push them, purge, restart. Where it stands is in the store: after a crash it goes on there, and each
 * hook runs at least once for each step, with the same operation id. Nobody who reads waits for it.
 */
#ifndef CORE_PROCEDURE_H
#define CORE_PROCEDURE_H

#include "certfs/view.h"
#include "core_internal.h"

enum step { STEP_DETAILS, STEP_ISSUE, STEP_PUSH, STEP_PURGE, STEP_RESTART, STEP_END };

/* Its name, for people: "push", … */
const char *step_name(int step);

struct procedures;

int procedures_new(struct core *core, struct procedures **ret, struct error *err);
void procedures_free(struct procedures *procedures); /* nothing may be under way */

/* Starts what the store says of that app instance, or goes on with it; nothing, if it is under way already or has failed. */
void procedure_start(struct procedures *procedures, rowid app);

/* The same for a project's job: writes the first step, unless this operation stands at one already. done: once, when the
 * last step has ended or was given up (r < 0); at once and with 0 where a purge of the app instance is under way, which makes its
 * certificate anew, too. */
void procedure_run(struct procedures *procedures, const struct procedure_row *row, core_done done, void *context);

/* Goes on with the purges that a dead worker left. */
int procedures_resume(struct procedures *procedures, struct error *err);

/* Tries again what has waited long enough. To be called every few seconds. */
void procedures_tick(struct procedures *procedures);

/* Starts nothing any more: core is about to close. */
void procedures_stop(struct procedures *procedures);

/* A purge that was given up goes on at its step; not one that had issued, if its certificate is no longer handed out (revoked or
 * stale since, its signing CA compromised): there is nothing to push. */
bool procedure_goes_on(const struct procedure_row *row, const struct view *view);

/* The id of a purge: one for each firing of the trigger. */
void procedure_name_purge(struct procedure_row *row, int64_t counter);

/* Has the newest certificate still to be pushed to that gateway? */
bool procedure_pushes(const struct config *config, const struct app_row *app);

/* Is there a hook for any step? */
bool procedure_has_hooks(const struct config *config);

#endif
