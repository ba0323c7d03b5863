/* Memory that outlives the worker: a MAP_SHARED memfd that the supervisor makes before its first fork. A change of its layout or meaning
 * raises TAKEOVER_LAYOUT (takeover.h).
 * Only what a new worker can't learn from the store or the kernel. All fields that change are atomics: a worker may die
 * between any two instructions. Behind the struct follows the memory of keep.h.
 */
#ifndef FS_SHARED_H
#define FS_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "certfs/metrics.h"
#include "certfs/rows.h"

enum { SHARED_MARKS = 1 << 17, SHARED_POLLERS = 256, SHARED_TOLD = 1 << 16, SHARED_ABSENT = 256, SHARED_OPENED = 1 << 16 };

/* Who was told that a node is stale (reopen.h). */
struct told {
	_Atomic uint64_t note;
	_Atomic uint64_t request; /* that was told so */
};

/* A name that is not there for now (absent.h). */
struct absent_slot {
	_Atomic uint64_t file; /* 0: free */
	_Atomic int64_t until; /* clock_monotonic */
	_Atomic uint64_t taker; /* the request that made it anew: sent again, it finds the name absent once more; 0: none */
};

struct shared {
	struct owner owner;             /* of the top of the tree: whoever mounted, and when; constant */
	uint64_t connection;            /* random, never 0, constant for the life of the mount */
	bool kernel_resends;            /* FUSE_NOTIFY_RESEND works; constant once the mount answers */
	_Atomic uint64_t answered;      /* requests answered, by all workers: progress, for the supervisor */
	_Atomic uint64_t workers;       /* workers started */
	_Atomic uint64_t requests[REQUEST_KINDS_MAX]; /* received, by the kernel's number of their kind; 0: beyond these */
	_Atomic uint64_t newest_request; /* highest raw id seen; kept only where the kernel can't resend (channel.c) */
	_Atomic uint64_t next_handle;   /* file handle numbers never repeat within a mount */
	/* What a new worker must know of a handle that it meets, see enum handle_mark; 0 is free. */
	_Atomic uint64_t marked[SHARED_MARKS];
	/* Who waits in poll(2), by the kernel's number; 0 is free (pollers.h). */
	_Atomic uint64_t poller[SHARED_POLLERS];
	struct told told[SHARED_TOLD];  /* by pid */
	struct absent_slot absent[SHARED_ABSENT];
	_Atomic uint32_t opened[SHARED_OPENED]; /* open files of certificates' nodes, by a hash of the node id (reopen.h) */
	_Atomic uint64_t last_temporary; /* number of a dot name */
	size_t keep_size;               /* bytes; constant; 0: so much memory can't be locked */
};

/* NULL if out of memory; the connection id is random. *ret_fd: a memfd of it, close-on-exec, the caller's (takeover.h). The memory for keep.h is
 * locked for as long as this process has it, and in no core dump. */
struct shared *shared_create(int *ret_fd);
/* The same memory again, of such a descriptor. NULL and errno: it is something else, or can't be locked. */
struct shared *shared_attach(int fd);
void shared_free(struct shared *shared);

/* Where keep.h may keep its records, keep_size bytes. NULL: nowhere. */
void *shared_keep(struct shared *shared);

/* Never 0, never given twice. */
uint64_t shared_handle(struct shared *shared);

/* What has become of the bytes that a handle wrote. */
enum handle_mark {
	MARK_NONE,  /* there were none */
	MARK_DIRTY, /* they have not been taken: they die with this worker, and the next one answers EIO */
	MARK_TAKEN  /* by a flush; until the release */
};

/* Changes a handle's mark. False: the table is full, or the handle's mark is not what it is said to be (that walks the whole
 * table). */
bool shared_mark(struct shared *shared, uint64_t handle, enum handle_mark from, enum handle_mark to);

/* Walks the whole table if there is none: for handles of a dead worker. */
enum handle_mark shared_mark_of(struct shared *shared, uint64_t handle);

#endif
