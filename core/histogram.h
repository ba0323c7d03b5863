/* How long something took, in the buckets of a Prometheus histogram. Safe from any thread, without a lock. */
#ifndef CORE_HISTOGRAM_H
#define CORE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 13 };

/* Zeroed memory is an empty one. */
struct histogram {
	_Atomic uint64_t count[HISTOGRAM_BUCKETS + 1]; /* of each bucket alone; the last one has no bound */
	_Atomic uint64_t nanoseconds;                  /* of all */
};

/* Adds what took from start (clock_monotonic_ns) until now. */
void histogram_add(struct histogram *histogram, int64_t start);

/* The upper bound of a bucket, in seconds. */
double histogram_bound(int bucket);

#endif
