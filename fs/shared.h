/* Memory that outlives the worker: an anonymous MAP_SHARED page range that the supervisor makes before its first fork.
 * Only what a new worker can't learn from the store or the kernel. All fields that change are atomics: a worker may die
 * between any two instructions.
 */
#ifndef FS_SHARED_H
#define FS_SHARED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "certfs/rows.h"

enum { SHARED_DIRTY_SLOTS = 1 << 14, SHARED_POLLERS = 256 };

struct shared {
	struct owner owner;             /* of the top of the tree: whoever mounted, and when; constant */
	uint64_t connection;            /* random, never 0, constant for the life of the mount */
	bool kernel_resends;            /* FUSE_NOTIFY_RESEND works; constant once the mount answers */
	_Atomic uint64_t answered;      /* requests answered, by all workers: progress, for the supervisor */
	_Atomic uint64_t workers;       /* workers started */
	_Atomic uint64_t newest_request; /* highest raw id seen; kept only where the kernel can't resend (channel.c) */
	_Atomic uint64_t next_handle;   /* file handle numbers never repeat within a mount */
	/* Handles whose bytes have arrived but have not been taken; 0 is free. A new worker that meets a handle which it doesn't
	 * know answers EIO if it is here (the bytes died with the old worker) and goes on if not. */
	_Atomic uint64_t dirty[SHARED_DIRTY_SLOTS];
	/* Who waits in poll(2), by the kernel's number; 0 is free (pollers.h). */
	_Atomic uint64_t poller[SHARED_POLLERS];
};

/* NULL if out of memory; the connection id is random. */
struct shared *shared_create(void);
void shared_free(struct shared *shared);

/* Never 0, never given twice. */
uint64_t shared_handle(struct shared *shared);

/* Marks a handle dirty or clean, and asks. set returns false if the table is full. A handle is set once before it is
 * cleared; clearing one that is not set, or asking for it, walks the whole table. */
bool shared_dirty_set(struct shared *shared, uint64_t handle);
void shared_dirty_clear(struct shared *shared, uint64_t handle);
bool shared_dirty(struct shared *shared, uint64_t handle);

#endif
