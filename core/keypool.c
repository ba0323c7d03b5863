#include "keypool.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STOCK_MAX = 16, NICENESS = 10 };

/* How many keys of each type are kept: the slower to make, the fewer are worth the time. */
static const int stock_wanted[KEY_TYPE_COUNT] = {
	[KEY_RSA_2048] = STOCK_MAX,
	[KEY_RSA_3072] = 8,
	[KEY_RSA_4096] = 4,
};

TAILQ_HEAD(line, keypool_waiter);

struct keypool {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool ending; /* protected by lock, as what follows */
	struct shelf {
		bool wanted;
		int count;
		struct keypair *key[STOCK_MAX];
		struct line urgent, patient;
	} shelf[KEY_TYPE_COUNT];
	int last; /* type that was made */
};

/* A type that somebody waits for, each in its turn; -1: there is none. */
static int keypool_awaited(const struct keypool *keypool, bool patient)
{
	for (int i = 1; i <= KEY_TYPE_COUNT; i++) {
		const int type = (keypool->last + i) % KEY_TYPE_COUNT;
		const struct shelf *shelf = &keypool->shelf[type];

		if (!TAILQ_EMPTY(patient ? &shelf->patient : &shelf->urgent))
			return type;
	}
	return -1;
}

/* Which type to make next: what somebody waits for, else the emptiest shelf; -1: nothing to do. */
static int keypool_choose(const struct keypool *keypool)
{
	int choice = keypool_awaited(keypool, false);

	if (choice < 0)
		choice = keypool_awaited(keypool, true);
	if (choice >= 0)
		return choice;
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		const struct shelf *shelf = &keypool->shelf[type];

		if (shelf->wanted && shelf->count < stock_wanted[type] &&
		    (choice < 0 || shelf->count < keypool->shelf[choice].count))
			choice = type;
	}
	return choice;
}

static struct keypool_waiter *shelf_take_waiter(struct shelf *shelf)
{
	struct line *line = TAILQ_EMPTY(&shelf->urgent) ? &shelf->patient : &shelf->urgent;
	struct keypool_waiter *waiter = TAILQ_FIRST(line);

	if (waiter)
		TAILQ_REMOVE(line, waiter, line);
	return waiter;
}

/* Makes one key, without the lock, and hands it to who waits for it or puts it on the shelf. */
static void keypool_make(struct keypool *keypool, int type)
{
	struct shelf *shelf = &keypool->shelf[type];
	struct keypool_waiter *waiter;
	struct keypair *key = NULL;
	struct error err = {0};
	int r;

	keypool->last = type;
	pthread_mutex_unlock(&keypool->lock);
	r = keypair_generate((enum key_type)type, &key, &err);
	pthread_mutex_lock(&keypool->lock);
	waiter = shelf_take_waiter(shelf);
	if (waiter) {
		pthread_mutex_unlock(&keypool->lock);
		waiter->ready(waiter, r == 0 ? key : NULL, &err);
		pthread_mutex_lock(&keypool->lock);
	} else if (r == 0 && shelf->count < STOCK_MAX) {
		shelf->key[shelf->count++] = key;
	} else if (r < 0) {
		shelf->wanted = false; /* until the next one asks */
	}
}

static void *keypool_main(void *context)
{
	struct keypool *keypool = context;
	int type;

	pthread_setname_np(pthread_self(), "certfs-keypool");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
	pthread_mutex_lock(&keypool->lock);
	while (!keypool->ending) {
		type = keypool_choose(keypool);
		if (type < 0)
			pthread_cond_wait(&keypool->wake, &keypool->lock);
		else
			keypool_make(keypool, type);
	}
	pthread_mutex_unlock(&keypool->lock);
	return NULL;
}

int keypool_new(struct keypool **ret, struct error *err)
{
	struct keypool *keypool = calloc(1, sizeof(*keypool));
	int r;

	if (!keypool)
		return error_set(err, ENOMEM, "out of memory");
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		TAILQ_INIT(&keypool->shelf[type].urgent);
		TAILQ_INIT(&keypool->shelf[type].patient);
	}
	pthread_mutex_init(&keypool->lock, NULL);
	pthread_cond_init(&keypool->wake, NULL);
	r = pthread_create(&keypool->thread, NULL, keypool_main, keypool);
	if (r != 0) {
		free(keypool);
		return error_set(err, r, "can't start the key pool's thread: raise the number of processes (ulimit -u, TasksMax)");
	}
	*ret = keypool;
	return 0;
}

void keypool_free(struct keypool *keypool)
{
	if (!keypool)
		return;
	pthread_mutex_lock(&keypool->lock);
	keypool->ending = true;
	pthread_cond_signal(&keypool->wake);
	pthread_mutex_unlock(&keypool->lock);
	pthread_join(keypool->thread, NULL);
	for (int type = 0; type < KEY_TYPE_COUNT; type++)
		for (int i = 0; i < keypool->shelf[type].count; i++)
			keypair_unref(keypool->shelf[type].key[i]);
	pthread_mutex_destroy(&keypool->lock);
	pthread_cond_destroy(&keypool->wake);
	free(keypool);
}

void keypool_want(struct keypool *keypool, enum key_type type)
{
	if (stock_wanted[type] == 0)
		return;
	pthread_mutex_lock(&keypool->lock);
	if (!keypool->shelf[type].wanted) {
		keypool->shelf[type].wanted = true;
		pthread_cond_signal(&keypool->wake);
	}
	pthread_mutex_unlock(&keypool->lock);
}

int keypool_take(struct keypool *keypool, enum key_type type, struct keypool_waiter *waiter, struct keypair **ret,
		 struct error *err)
{
	struct shelf *shelf = &keypool->shelf[type];
	int r = 0;

	if (stock_wanted[type] == 0) {
		r = keypair_generate(type, ret, err);
		return r == 0 ? 1 : r;
	}
	pthread_mutex_lock(&keypool->lock);
	shelf->wanted = true;
	if (shelf->count > 0) {
		*ret = shelf->key[--shelf->count];
		r = 1;
	} else {
		TAILQ_INSERT_TAIL(waiter->patient ? &shelf->patient : &shelf->urgent, waiter, line);
	}
	pthread_cond_signal(&keypool->wake);
	pthread_mutex_unlock(&keypool->lock);
	return r;
}

/* False: it does not stand there. */
static bool shelf_hurry(struct shelf *shelf, struct keypool_waiter *waiter)
{
	struct keypool_waiter *other;

	TAILQ_FOREACH(other, &shelf->patient, line)
		if (other == waiter)
			break;
	if (!other)
		return false;
	TAILQ_REMOVE(&shelf->patient, waiter, line);
	TAILQ_INSERT_TAIL(&shelf->urgent, waiter, line);
	return true;
}

void keypool_hurry(struct keypool *keypool, struct keypool_waiter *waiter)
{
	bool found;

	pthread_mutex_lock(&keypool->lock);
	found = !waiter->patient;
	for (int type = 0; !found && type < KEY_TYPE_COUNT; type++)
		found = shelf_hurry(&keypool->shelf[type], waiter);
	waiter->patient = false;
	pthread_mutex_unlock(&keypool->lock);
}
