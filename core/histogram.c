#include "histogram.h"

#include "certfs/clock.h"

static const double bounds[HISTOGRAM_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

void histogram_add(struct histogram *histogram, int64_t start)
{
	const int64_t took = clock_monotonic_ns() - start;
	int bucket = 0;

	while (bucket < HISTOGRAM_BUCKETS && (double)took > bounds[bucket] * 1e9)
		bucket++;
	atomic_fetch_add_explicit(&histogram->count[bucket], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->nanoseconds, (uint64_t)took, memory_order_relaxed);
}

double histogram_bound(int bucket)
{
	return bounds[bucket];
}
