/* The time of day, and its one spelling; how time passes is in certfs/clock.h. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include "certfs/clock.h"
#include "certfs/types.h"

/* Now, by the system's clock. */
unixtime clock_now(void);

/* RFC 3339 in UTC: "2026-11-24T10:00:00Z". Years beyond 9999 are shown as the end of 9999. */
void clock_format(unixtime time, char ret[32]);

/* When this program was made: no clock that stands before it is to be believed. */
unixtime clock_build_time(void);

#endif
