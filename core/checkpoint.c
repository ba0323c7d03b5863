#include "checkpoint.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "certfs/log.h"
#include "store.h"

enum { PAUSE_MS = 100 };

struct checkpoint {
	struct store *store; /* only the thread's */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool wanted; /* protected by lock, as ending */
	bool ending;
};

/* False: the end has come. */
static bool wait_for_work(struct checkpoint *checkpoint)
{
	bool ending;

	pthread_mutex_lock(&checkpoint->lock);
	while (!checkpoint->wanted && !checkpoint->ending)
		pthread_cond_wait(&checkpoint->wake, &checkpoint->lock);
	checkpoint->wanted = false;
	ending = checkpoint->ending;
	pthread_mutex_unlock(&checkpoint->lock);
	return !ending;
}

static void *checkpoint_main(void *context)
{
	struct checkpoint *checkpoint = context;

	pthread_setname_np(pthread_self(), "certfs-wal");
	while (wait_for_work(checkpoint)) {
		struct error err = {0};
		int r = store_ready(checkpoint->store, &err);

		if (r == 0)
			r = store_checkpoint(checkpoint->store, &err);
		if (r < 0)
			log_about(LOG_WARNING, LOG_SUBJECT(.error = err.code),
			  "the file STORE-wal grows, what is in it can't be moved into the store, tried again: %s", err.text);
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL); /* what comes meanwhile goes together */
	}
	return NULL;
}

int checkpoint_new(const char *path, struct checkpoint **ret, struct error *err)
{
	struct checkpoint *checkpoint = calloc(1, sizeof(*checkpoint));
	int r;

	if (!checkpoint)
		return error_set(err, ENOMEM, "out of memory");
	r = store_open(path, STORE_WRITE, &checkpoint->store, err);
	if (r < 0) {
		free(checkpoint);
		return r;
	}
	pthread_mutex_init(&checkpoint->lock, NULL);
	pthread_cond_init(&checkpoint->wake, NULL);
	r = pthread_create(&checkpoint->thread, NULL, checkpoint_main, checkpoint);
	if (r != 0) {
		store_close(checkpoint->store);
		free(checkpoint);
		return error_set(err, r, "can't start the checkpoint thread: raise the number of processes (ulimit -u, TasksMax)");
	}
	*ret = checkpoint;
	return 0;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
	if (!checkpoint)
		return;
	pthread_mutex_lock(&checkpoint->lock);
	checkpoint->ending = true;
	pthread_cond_signal(&checkpoint->wake);
	pthread_mutex_unlock(&checkpoint->lock);
	pthread_join(checkpoint->thread, NULL);
	store_close(checkpoint->store);
	pthread_mutex_destroy(&checkpoint->lock);
	pthread_cond_destroy(&checkpoint->wake);
	free(checkpoint);
}

void checkpoint_wanted(struct checkpoint *checkpoint)
{
	pthread_mutex_lock(&checkpoint->lock);
	if (!checkpoint->wanted) {
		checkpoint->wanted = true;
		pthread_cond_signal(&checkpoint->wake);
	}
	pthread_mutex_unlock(&checkpoint->lock);
}
