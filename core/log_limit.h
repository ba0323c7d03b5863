/* How often one kind of message is written. Of each kind LOG_LIMIT_BURST in LOG_LIMIT_MS, then they are counted, and told of in one line
 * when the time is over. Not thread-safe. */
#ifndef CORE_LOG_LIMIT_H
#define CORE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_LIMIT_BURST = 10,
	LOG_LIMIT_MS = 30 * 1000,
	LOG_LIMIT_KINDS = 32, /* at once; of more the kind that began first is forgotten, if none of it was held back */
};

struct log_kind {
	uint64_t key;      /* 0: free */
	int64_t began;     /* milliseconds */
	int written;
	int64_t held_back; /* since then */
	int priority;      /* of the last that was held back */
	char text[256];    /* its beginning */
};

/* Zeroed memory is an empty one. */
struct log_limit {
	struct log_kind kind[LOG_LIMIT_KINDS];
};

/* True: to be written. key: what makes messages the same, not 0. now: milliseconds that only grow. */
bool log_limit_pass(struct log_limit *limit, uint64_t key, int priority, const char *text, int64_t now);

/* Takes out a kind whose time is over (all: any) and of which some were held back. False: there is none. To be called until then. */
bool log_limit_take(struct log_limit *limit, int64_t now, bool all, struct log_kind *ret);

#endif
