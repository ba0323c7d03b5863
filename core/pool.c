#include "pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 32, SIGNERS_MAX = 8 };

/* Each so manieth task is one that others may overtake, if there is one: nothing waits for ever. */
enum { PATIENCE = 8 };

TAILQ_HEAD(line, task);

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct line urgent; /* protected by lock, as what follows */
	struct line patient;
	unsigned int taken;
	bool ending;
	char name[16];
	int threads;
	pthread_t thread[THREADS_MAX];
};

/* NULL: nobody stands there. */
static struct task *line_take(struct line *line)
{
	struct task *task = TAILQ_FIRST(line);

	if (task)
		TAILQ_REMOVE(line, task, line);
	return task;
}

static bool line_has(const struct line *line, const struct task *task)
{
	const struct task *other;

	TAILQ_FOREACH(other, line, line)
		if (other == task)
			return true;
	return false;
}

static struct task *pool_next(struct pool *pool)
{
	const bool turn = ++pool->taken % PATIENCE == 0;
	struct task *task = line_take(turn ? &pool->patient : &pool->urgent);

	return task ? task : line_take(turn ? &pool->urgent : &pool->patient);
}

static struct task *pool_take(struct pool *pool)
{
	struct task *task;

	pthread_mutex_lock(&pool->lock);
	while (!(task = pool_next(pool)) && !pool->ending)
		pthread_cond_wait(&pool->wake, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
	return task;
}

static void *pool_main(void *context)
{
	struct pool *pool = context;
	struct task *task;

	pthread_setname_np(pthread_self(), pool->name);
	while ((task = pool_take(pool)))
		task->run(task);
	return NULL;
}

static int pool_size(int threads)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (threads == 0)
		threads = processors < 2 ? 2 : processors > SIGNERS_MAX ? SIGNERS_MAX : (int)processors;
	return threads > THREADS_MAX ? THREADS_MAX : threads;
}

int pool_new(int threads, const char *name, struct pool **ret, struct error *err)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	int r = 0;

	if (!pool)
		return error_set(err, ENOMEM, "out of memory");
	TAILQ_INIT(&pool->urgent);
	TAILQ_INIT(&pool->patient);
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->wake, NULL);
	threads = pool_size(threads);
	while (pool->threads < threads && r == 0) {
		r = pthread_create(&pool->thread[pool->threads], NULL, pool_main, pool);
		if (r == 0)
			pool->threads++;
	}
	if (pool->threads == 0) {
		pool_free(pool);
		return error_set(err, r, "can't start the signer threads: raise the number of processes (ulimit -u, TasksMax)");
	}
	*ret = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ending = true;
	pthread_cond_broadcast(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
	for (int i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_mutex_destroy(&pool->lock);
	pthread_cond_destroy(&pool->wake);
	free(pool);
}

void pool_submit(struct pool *pool, struct task *task)
{
	pthread_mutex_lock(&pool->lock);
	TAILQ_INSERT_TAIL(task->patient ? &pool->patient : &pool->urgent, task, line);
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}

void pool_hurry(struct pool *pool, struct task *task)
{
	pthread_mutex_lock(&pool->lock);
	if (atomic_exchange(&task->patient, false) && line_has(&pool->patient, task)) {
		TAILQ_REMOVE(&pool->patient, task, line);
		TAILQ_INSERT_TAIL(&pool->urgent, task, line);
	}
	pthread_mutex_unlock(&pool->lock);
}
