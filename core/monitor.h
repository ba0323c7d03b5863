/* The monitor: tells of what happens by itself, on time and once (SPEC 5.3), and renews where the policy says `auto`.
 *
 * Each app instance and each project has in the store the moment when it is to be looked at again, with an index: nothing is
 * scanned. A look computes the state, adds an event if it is another one than the last told of, and sets the next moment.
 */
#ifndef CORE_MONITOR_H
#define CORE_MONITOR_H

#include "certfs/core.h"

struct monitor;

int monitor_new(struct core *core, struct monitor **ret, struct error *err);
void monitor_free(struct monitor *monitor); /* nothing may be under way */

/* Looks at what is due. To be called every few seconds; returns at once. */
void monitor_tick(struct monitor *monitor);

#endif
