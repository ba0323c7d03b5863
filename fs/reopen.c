#include "fs/reopen.h"

#include <pthread.h>
#include <time.h>

enum { SLOTS = 1024, MEMORY_SECONDS = 2 };

static struct {
	pthread_mutex_t lock;
	struct told {
		fuse_ino_t file; /* protected by lock, as all; 0: free */
		pid_t pid;
		time_t when;     /* CLOCK_MONOTONIC */
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
	struct timespec now;
	bool before;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&memory.lock);
	before = is(told, file, pid) && now.tv_sec <= told->when + MEMORY_SECONDS;
	*told = (struct told){before ? 0 : file, pid, now.tv_sec};
	pthread_mutex_unlock(&memory.lock);
	return before;
}

bool reopen_told_any(pid_t pid)
{
	struct told *told = slot_of(pid);
	struct timespec now;
	bool before;

	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&memory.lock);
	before = told->file && told->pid == pid && now.tv_sec <= told->when + MEMORY_SECONDS;
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
