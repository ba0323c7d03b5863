/* What the serving side tells `metrics` of itself. */
#ifndef CERTFS_METRICS_H
#define CERTFS_METRICS_H

#include <stdint.h>

enum { REQUEST_KINDS_MAX = 64 };

struct request_count {
	const char *kind; /* lookup, open, …: a constant */
	uint64_t count;
};

/* Since the mount, by all its workers. */
struct serving {
	uint64_t worker_restarts;
	int kinds; /* of requests */
	struct request_count request[REQUEST_KINDS_MAX];
};

#endif
