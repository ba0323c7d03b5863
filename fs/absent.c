#include "fs/absent.h"

#include <pthread.h>
#include <stdlib.h>

#include "certfs/clock.h"

enum { SLOTS = 256, LIFE_MS = 1000 };

struct absent {
	pthread_mutex_t lock;
	struct slot {
		fuse_ino_t file; /* protected by lock; 0: free */
		int64_t until;   /* clock_monotonic */
	} slot[SLOTS]; /* the slot of a file is fixed: of two that share one the later is kept, the other is back early */
};

struct absent *absent_new(void)
{
	struct absent *absent = calloc(1, sizeof(*absent));

	if (absent)
		pthread_mutex_init(&absent->lock, NULL);
	return absent;
}

void absent_free(struct absent *absent)
{
	if (absent)
		pthread_mutex_destroy(&absent->lock);
	free(absent);
}

static struct slot *absent_slot(struct absent *absent, fuse_ino_t file)
{
	return &absent->slot[(file ^ file >> 26 ^ file >> 57) % SLOTS];
}

void absent_set(struct absent *absent, fuse_ino_t file)
{
	struct slot *slot = absent_slot(absent, file);

	pthread_mutex_lock(&absent->lock);
	slot->file = file;
	slot->until = clock_monotonic() + LIFE_MS;
	pthread_mutex_unlock(&absent->lock);
}

void absent_clear(struct absent *absent, fuse_ino_t file)
{
	struct slot *slot = absent_slot(absent, file);

	pthread_mutex_lock(&absent->lock);
	if (slot->file == file)
		slot->file = 0;
	pthread_mutex_unlock(&absent->lock);
}

bool absent_is(struct absent *absent, fuse_ino_t file)
{
	const struct slot *slot = absent_slot(absent, file);
	bool is;

	pthread_mutex_lock(&absent->lock);
	is = slot->file == file && clock_monotonic() < slot->until;
	pthread_mutex_unlock(&absent->lock);
	return is;
}
