/* How fast a project's job goes (policy: [rollout]), and whom an update passes by. */
#ifndef CORE_ROLLOUT_H
#define CORE_ROLLOUT_H

#include "core_internal.h"

struct rollout {
	int room;        /* app instances at once: with hooks no more than max_parallel */
	int per_minute;  /* 0: no limit */
	int64_t next_at; /* clock_monotonic: when per_minute allows another one */
};

/* Reads room, which is at most `most`, and per_minute from the project's policy. */
int rollout_read(struct rollout *rollout, struct core *core, rowid project, int most, struct error *err);

/* How many of these app instances the job may begin now: evenly over the minute, not all at its begin. kind: of the operation. */
int rollout_take(struct rollout *rollout, struct core *core, const char *kind, const rowid *apps, int count);

#endif
