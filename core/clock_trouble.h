/* A clock that is not to be believed (SPEC 8): it stands before this program was built, or more than an hour before the newest
 * certificate. Nothing is issued then; here it becomes an event, when it begins and when it is over. */
#ifndef CORE_CLOCK_TROUBLE_H
#define CORE_CLOCK_TROUBLE_H

#include "core_internal.h"

/* What the status says while the clock is not to be believed: true and the sentence. */
bool clock_trouble(struct core *core, unixtime now, struct error *ret);

/* To be called every few seconds, by one thread. */
void clock_trouble_tick(struct core *core);

#endif
