/* A few threads that do what takes long: make keys, sign, judge uploads. First come, first served, but for
 * what can wait (a job's certificates), which most others overtake. */
#ifndef CORE_POOL_H
#define CORE_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "certfs/error.h"

struct pool;

/* A piece of work; embed it. run() owns it from the moment it is called. */
struct task {
	TAILQ_ENTRY(task) line; /* the pool's */
	atomic_bool patient;    /* nobody waits for just this one */
	void (*run)(struct task *task);
};

/* threads: how many, at most 32; 0: one for each processor, at least 2 and at most 8. name: what the system calls them, at most 15
 * bytes. */
int pool_new(int threads, const char *name, struct pool **ret, struct error *err);

/* Runs everything that was submitted, then ends the threads. */
void pool_free(struct pool *pool);

/* Any thread. */
void pool_submit(struct pool *pool, struct task *task);

/* Somebody waits for this one from now on, whether it stands in line or will. Any thread. */
void pool_hurry(struct pool *pool, struct task *task);

#endif
