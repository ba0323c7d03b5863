#include "fs/absent.h"

#include <pthread.h>
#include <stdlib.h>

#include "certfs/clock.h"

enum { LIFE_MS = 1000 };

struct absent {
	pthread_mutex_t lock;
	struct absent_slot *slots; /* protected by lock; the slot of a file is fixed: of two that share one the later is kept, the other is back early */
};

struct absent *absent_new(struct absent_slot *slots)
{
	struct absent *absent = calloc(1, sizeof(*absent));

	if (!absent)
		return NULL;
	absent->slots = slots;
	pthread_mutex_init(&absent->lock, NULL);
	return absent;
}

void absent_free(struct absent *absent)
{
	if (absent)
		pthread_mutex_destroy(&absent->lock);
	free(absent);
}

static struct absent_slot *absent_slot(struct absent *absent, fuse_ino_t file)
{
	return &absent->slots[(file ^ file >> 26 ^ file >> 57) % SHARED_ABSENT];
}

/* The time first: a worker that dies here makes nothing absent for good. */
void absent_set(struct absent *absent, fuse_ino_t file)
{
	struct absent_slot *slot = absent_slot(absent, file);

	pthread_mutex_lock(&absent->lock);
	atomic_store(&slot->taker, 0);
	atomic_store(&slot->until, clock_monotonic() + LIFE_MS);
	atomic_store(&slot->file, file);
	pthread_mutex_unlock(&absent->lock);
}

void absent_take(struct absent *absent, fuse_ino_t file, uint64_t request)
{
	struct absent_slot *slot = absent_slot(absent, file);

	pthread_mutex_lock(&absent->lock);
	if (atomic_load(&slot->file) == file)
		atomic_store(&slot->taker, request);
	pthread_mutex_unlock(&absent->lock);
}

bool absent_is(struct absent *absent, fuse_ino_t file, uint64_t request)
{
	const struct absent_slot *slot = absent_slot(absent, file);
	uint64_t taker;
	bool is;

	pthread_mutex_lock(&absent->lock);
	taker = atomic_load(&slot->taker);
	is = atomic_load(&slot->file) == file &&
	     (taker == 0 ? clock_monotonic() < atomic_load(&slot->until) : taker == request);
	pthread_mutex_unlock(&absent->lock);
	return is;
}
