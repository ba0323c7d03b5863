/* Memory that outlives the worker (shared.h). */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
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

/* ---- the memory for keep.h, behind the struct ---- */

enum { KEEP_SIZE = 16 << 20, KEEP_SIZE_MIN = 256 << 10, PAGE = 4096 };

static size_t keep_offset(void)
{
	return (sizeof(struct shared) + PAGE - 1) / PAGE * PAGE;
}

void *shared_keep(struct shared *shared)
{
	return shared->keep_size > 0 ? (char *)shared + keep_offset() : NULL;
}

/* Without the privilege to lock any amount there may be that to raise the limit (privilege.c). */
static bool keep_lock(struct shared *shared, size_t size)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	char *at = (char *)shared + keep_offset();

	if (size == 0)
		return true;
	if (madvise(at, size, MADV_DONTDUMP) < 0)
		return false;
	return mlock(at, size) == 0 || (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 && mlock(at, size) == 0);
}

/* ---- all of it ---- */

static struct shared *map(int fd, size_t keep_size)
{
	struct shared *shared = mmap(NULL, keep_offset() + keep_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return shared == MAP_FAILED ? NULL : shared;
}

struct shared *shared_attach(int fd)
{
	struct shared *shared;
	struct stat st;
	size_t keep_size;

	if (fstat(fd, &st) < 0)
		return NULL;
	if (st.st_size < (off_t)keep_offset() || st.st_size > (off_t)(keep_offset() + KEEP_SIZE)) {
		errno = EINVAL;
		return NULL;
	}
	keep_size = (size_t)st.st_size - keep_offset();
	shared = map(fd, keep_size);
	if (shared && shared->keep_size == keep_size && keep_lock(shared, keep_size))
		return shared;
	if (shared)
		munmap(shared, (size_t)st.st_size);
	errno = EINVAL;
	return NULL;
}

/* Under a small RLIMIT_MEMLOCK less is kept, or nothing. */
static struct shared *create_with(int fd, size_t keep_size)
{
	struct shared *shared = ftruncate(fd, (off_t)(keep_offset() + keep_size)) == 0 ? map(fd, keep_size) : NULL;

	if (!shared)
		return NULL;
	if (keep_lock(shared, keep_size)) {
		shared->keep_size = keep_size;
		return shared;
	}
	munmap(shared, keep_offset() + keep_size);
	return create_with(fd, keep_size / 2 >= KEEP_SIZE_MIN ? keep_size / 2 : 0);
}

struct shared *shared_create(int *ret_fd)
{
	const int fd = memfd_create("certfs-shared", MFD_CLOEXEC);
	struct shared *shared = fd >= 0 ? create_with(fd, KEEP_SIZE) : NULL;

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
		munmap(shared, keep_offset() + shared->keep_size);
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
