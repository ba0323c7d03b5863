#include "histogram.h"

#include <time.h>

static const double bounds[HISTOGRAM_BUCKETS] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

int64_t histogram_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void histogram_add(struct histogram *histogram, int64_t start)
{
	const int64_t took = histogram_now() - start;
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
