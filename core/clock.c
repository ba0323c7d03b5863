#include "clock.h"

#include <string.h>
#include <time.h>

/* The build passes the time of the commit; this is for builds without one. */
#ifndef CERTFS_BUILD_TIME
#define CERTFS_BUILD_TIME 1793491200 /* 2026-11-01 */
#endif

static const unixtime last_time = 253402300799; /* 9999-12-31T23:59:59Z */

unixtime clock_now(void)
{
	return time(NULL);
}

int64_t clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clock_monotonic(void)
{
	return clock_monotonic_ns() / 1000000;
}

void clock_format(unixtime time, char ret[32])
{
	time_t t = time > last_time ? last_time : time < 0 ? 0 : time;
	struct tm tm;

	gmtime_r(&t, &tm);
	if (strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		strcpy(ret, "9999-12-31T23:59:59Z");
}

unixtime clock_build_time(void)
{
	return CERTFS_BUILD_TIME;
}
