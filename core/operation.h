/* The triggers of whole projects, and what their job has done so far. See certfs/core.h for the triggers. */
#ifndef CORE_OPERATION_H
#define CORE_OPERATION_H

#include "core_internal.h"

/* Notes the end of a batch: adds row->done and row->failed, takes row->total over the first time, moves the cursor, and takes the state over if it is "done" or "held".
 * What a user wrote to `progress` meanwhile stays. Result: 1 if the job runs on, 0 if it has ended, waits, or is no longer the
 * project's newest. */
void operation_note(struct core *core, const struct operation_row *row, core_done done, void *context);

/* Errors under which a job waits for a signing CA that can be used, or a clock to be believed, instead of counting a failure. */
bool operation_holds(int r);

#endif
