/* How much time has passed, whatever is done to the time of day. Any thread. */
#ifndef CERTFS_CLOCK_H
#define CERTFS_CLOCK_H

#include <stdint.h>

/* Since some moment before this process began: milliseconds, and nanoseconds. Only differences mean anything. */
int64_t clock_monotonic(void);
int64_t clock_monotonic_ns(void);

#endif
