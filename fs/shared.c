/* Memory that outlives the worker (shared.h). */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
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

struct shared *shared_attach(int fd)
{
	struct shared *shared;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size != (off_t)sizeof(*shared)) {
		errno = EINVAL;
		return NULL;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return shared == MAP_FAILED ? NULL : shared;
}

struct shared *shared_create(int *ret_fd)
{
	const int fd = memfd_create("certfs-shared", MFD_CLOEXEC);
	struct shared *shared = fd >= 0 && ftruncate(fd, sizeof(*shared)) == 0 ? shared_attach(fd) : NULL;

	if (shared && random_id(&shared->connection)) {
		shared->owner = (struct owner){getuid(), getgid(), 0755, time(NULL), time(NULL)};
		*ret_fd = fd;
		return shared;
	}
	shared_free(shared);
	if (fd >= 0)
		close(fd);
	return NULL;
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

/* ---- marks on handles ---- */

/* Handles are consecutive, so the slot of a handle's own number is nearly always free: the walk is for a handle that is
 * kept open while a whole table's worth of others come and go. */
static _Atomic uint64_t *mark_slot(struct shared *shared, uint64_t handle, unsigned int step)
{
	return &shared->marked[(handle + step) % SHARED_MARKS];
}

static uint64_t mark_value(uint64_t handle, enum handle_mark mark)
{
	const uint64_t taken = 1ULL << 60; /* no handle has this bit (handle.h) */

	return mark == MARK_NONE ? 0 : mark == MARK_TAKEN ? handle | taken : handle;
}

bool shared_mark(struct shared *shared, uint64_t handle, enum handle_mark from, enum handle_mark to)
{
	for (unsigned int step = 0; step < SHARED_MARKS; step++) {
		uint64_t expected = mark_value(handle, from);

		if (atomic_compare_exchange_strong(mark_slot(shared, handle, step), &expected, mark_value(handle, to)))
			return true;
	}
	return false;
}

enum handle_mark shared_mark_of(struct shared *shared, uint64_t handle)
{
	for (unsigned int step = 0; step < SHARED_MARKS; step++) {
		const uint64_t value = atomic_load(mark_slot(shared, handle, step));

		if (value == mark_value(handle, MARK_DIRTY))
			return MARK_DIRTY;
		if (value == mark_value(handle, MARK_TAKEN))
			return MARK_TAKEN;
	}
	return MARK_NONE;
}
