#include "pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS_MAX = 32, SIGNERS_MAX = 8 };

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task *head; /* protected by lock, as what follows */
	struct task **tail;
	bool ending;
	char name[16];
	int threads;
	pthread_t thread[THREADS_MAX];
};

static struct task *pool_take(struct pool *pool)
{
	struct task *task;

	pthread_mutex_lock(&pool->lock);
	while (!pool->head && !pool->ending)
		pthread_cond_wait(&pool->wake, &pool->lock);
	task = pool->head;
	if (task) {
		pool->head = task->next;
		if (!pool->head)
			pool->tail = &pool->head;
	}
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
	pool->tail = &pool->head;
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
	task->next = NULL;
	pthread_mutex_lock(&pool->lock);
	*pool->tail = task;
	pool->tail = &task->next;
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);
}
