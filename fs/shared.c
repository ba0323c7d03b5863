/* Memory that outlives the worker (shared.h). */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "fs/shared.h"

static bool random_id(uint64_t *ret)
{
	uint64_t id = 0;

	while (id == 0)
		if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id) && errno != EINTR)
			return false;
	*ret = id;
	return true;
}

struct shared *shared_create(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return NULL;
	if (!random_id(&shared->connection)) {
		shared_free(shared);
		return NULL;
	}
	shared->owner = (struct owner){getuid(), getgid(), 0755, time(NULL), time(NULL)};
	return shared;
}

void shared_free(struct shared *shared)
{
	if (shared)
		munmap(shared, sizeof(*shared));
}

uint64_t shared_handle(struct shared *shared)
{
	return atomic_fetch_add(&shared->next_handle, 1) + 1;
}

/* ---- dirty handles ---- */

/* Handles are consecutive, so the slot of a handle's own number is nearly always free: the walk is for a handle that is
 * kept open while a whole table's worth of others come and go. */
static _Atomic uint64_t *dirty_slot(struct shared *shared, uint64_t handle, unsigned int step)
{
	return &shared->dirty[(handle + step) % SHARED_DIRTY_SLOTS];
}

static _Atomic uint64_t *dirty_find(struct shared *shared, uint64_t handle)
{
	for (unsigned int step = 0; step < SHARED_DIRTY_SLOTS; step++)
		if (atomic_load(dirty_slot(shared, handle, step)) == handle)
			return dirty_slot(shared, handle, step);
	return NULL;
}

bool shared_dirty_set(struct shared *shared, uint64_t handle)
{
	for (unsigned int step = 0; step < SHARED_DIRTY_SLOTS; step++) {
		uint64_t found = 0;

		if (atomic_compare_exchange_strong(dirty_slot(shared, handle, step), &found, handle) ||
		    found == handle)
			return true;
	}
	return false;
}

void shared_dirty_clear(struct shared *shared, uint64_t handle)
{
	_Atomic uint64_t *slot = dirty_find(shared, handle);

	if (slot)
		atomic_store(slot, 0);
}

bool shared_dirty(struct shared *shared, uint64_t handle)
{
	return dirty_find(shared, handle) != NULL;
}
