#include "fs/reopen.h"

#include <pthread.h>

#include "certfs/clock.h"

enum { SLOTS = 1024, MEMORY_MS = 2000 };

static struct {
	pthread_mutex_t lock;
	struct told {
		fuse_ino_t file; /* protected by lock, as all; 0: free */
		pid_t pid;
		int64_t when;    /* clock_monotonic */
	} told[SLOTS]; /* the slot of a pid is fixed: a thread opens one file at a time */
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct told *slot_of(pid_t pid)
{
	return &memory.told[(size_t)pid % SLOTS];
}

static bool is(const struct told *told, fuse_ino_t file, pid_t pid)
{
	return told->file == file && told->pid == pid;
}

bool reopen_told(fuse_ino_t file, pid_t pid)
{
	struct told *told = slot_of(pid);
	const int64_t now = clock_monotonic();
	bool before;

	pthread_mutex_lock(&memory.lock);
	before = is(told, file, pid) && now <= told->when + MEMORY_MS;
	*told = (struct told){before ? 0 : file, pid, now};
	pthread_mutex_unlock(&memory.lock);
	return before;
}

bool reopen_told_any(pid_t pid)
{
	struct told *told = slot_of(pid);
	const int64_t now = clock_monotonic();
	bool before;

	pthread_mutex_lock(&memory.lock);
	before = told->file && told->pid == pid && now <= told->when + MEMORY_MS;
	pthread_mutex_unlock(&memory.lock);
	return before;
}

void reopen_forget(fuse_ino_t file, pid_t pid)
{
	struct told *told = slot_of(pid);

	pthread_mutex_lock(&memory.lock);
	if (is(told, file, pid))
		told->file = 0;
	pthread_mutex_unlock(&memory.lock);
}
