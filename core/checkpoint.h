/* Moves what was committed from the WAL into the database, on a thread and a connection of its own: a commit, and so whoever waits
 * for one, does not pay for the work of those before it.
 */
#ifndef CORE_CHECKPOINT_H
#define CORE_CHECKPOINT_H

#include "certfs/error.h"

struct checkpoint;

int checkpoint_new(const char *path, struct checkpoint **ret, struct error *err);
void checkpoint_free(struct checkpoint *checkpoint); /* NULL is fine */

/* Something was committed. Any thread; returns at once. */
void checkpoint_wanted(struct checkpoint *checkpoint);

#endif
