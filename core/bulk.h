/* update and force_update: a trigger that answers at once, and a job that goes over all app instances of the project in the
 * background (SPEC 5.4, 5.5). See certfs/core.h for the calls.
 *
 * What is to be done is in the store: force_update raises the project's epoch in one row, so every certificate is stale from then on,
 * and the job only brings forward what a read would do. So a crash loses nothing: the job goes on at its cursor, and what was
 * done before it is found done.
 */
#ifndef CORE_BULK_H
#define CORE_BULK_H

#include "certfs/core.h"

struct bulks;

int bulks_new(struct core *core, struct bulks **ret, struct error *err);
void bulks_free(struct bulks *bulks); /* nothing may be under way */

/* Goes on with what a dead worker left. */
int bulks_resume(struct bulks *bulks, struct error *err);

/* Something of the project has changed (a signing CA became active): a job that waits for that goes on. Any thread. */
void bulks_kick(struct bulks *bulks, rowid project);

/* Tries again what is held. To be called every few seconds. */
void bulks_tick(struct bulks *bulks);

/* Jobs start nothing new from here on: core is about to close, and they go on after the next start. */
void bulks_stop(struct bulks *bulks);

#endif
