#include "fs/reopen.h"

#include "certfs/clock.h"

/* A note: the file's kind and row (the upper 38 bits of its node id), what the slot's number does not say of the pid, milliseconds. */
enum { FILE_SHIFT = 26, PID_SHIFT = 20, PID_BITS = FILE_SHIFT - PID_SHIFT };
static const uint64_t time_mask = (1ULL << PID_SHIFT) - 1;

static uint64_t now_ms(void)
{
	return (uint64_t)clock_monotonic() & time_mask;
}

/* The slot of a pid is fixed: a thread opens one file at a time. */
static struct told *slot_of(struct shared *shared, const struct caller *caller)
{
	return &shared->told[(size_t)caller->pid % SHARED_TOLD];
}

static uint64_t pid_part(const struct caller *caller)
{
	return ((uint64_t)caller->pid / SHARED_TOLD & ((1U << PID_BITS) - 1)) << PID_SHIFT;
}

void reopen_tell(struct shared *shared, fuse_ino_t file, const struct caller *caller)
{
	struct told *told = slot_of(shared, caller);

	atomic_store(&told->note, 0);
	atomic_store(&told->request, caller->request);
	atomic_store(&told->note, (file >> FILE_SHIFT) << FILE_SHIFT | pid_part(caller) | now_ms());
}

reopen_note reopen_told(struct shared *shared, fuse_ino_t file, const struct caller *caller, unsigned int within_ms)
{
	struct told *told = slot_of(shared, caller);
	const uint64_t note = atomic_load(&told->note);
	const bool same = (!file || note >> FILE_SHIFT == file >> FILE_SHIFT) && (note & ~time_mask & ((1ULL << FILE_SHIFT) - 1)) == pid_part(caller);

	if (!note || !same || ((now_ms() - note) & time_mask) > within_ms)
		return 0;
	return caller->resent && atomic_load(&told->request) == caller->request ? 0 : note;
}

void reopen_forget(struct shared *shared, const struct caller *caller, reopen_note note)
{
	if (note)
		atomic_compare_exchange_strong(&slot_of(shared, caller)->note, &note, 0);
}

/* ---- open files ---- */

static _Atomic uint32_t *opened(struct shared *shared, fuse_ino_t id)
{
	return &shared->opened[id * 0x9e3779b97f4a7c15ULL >> 48 & (SHARED_OPENED - 1)]; /* Knuth's multiplicative hash */
}

void reopen_opened(struct shared *shared, fuse_ino_t id)
{
	atomic_fetch_add(opened(shared, id), 1);
}

void reopen_released(struct shared *shared, fuse_ino_t id)
{
	_Atomic uint32_t *count = opened(shared, id);
	uint32_t now = atomic_load(count);

	while (now > 0 && !atomic_compare_exchange_weak(count, &now, now - 1))
		;
}

bool reopen_is_open(struct shared *shared, fuse_ino_t id)
{
	return atomic_load(opened(shared, id)) > 0;
}
