/* Open files that need memory: a snapshot being read, or bytes being written. A public certificate needs none: its handle is the
 * number of its generation, so that a new worker goes on where the old one died.
 */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include <pthread.h>

#include "certfs/buffer.h"
#include "certfs/keep.h"
#include "fs/quota.h"
#include "fs/shared.h"
#include "fs/tree.h"

/* What a file handle of FUSE says by itself. */
#define FH_GENERATION (1ULL << 63) /* of a public certificate: see handle_of_generation */
#define FH_TRUNCATED  (1ULL << 61) /* opened with O_TRUNC */
#define FH_EMPTY      (1ULL << 62) /* opened for writing, with nothing in it yet */

/* The row of the generation, and the revision of the chain that it was opened with, as far as it fits in. */
uint64_t handle_of_generation(rowid generation, int64_t revision);
rowid handle_generation(uint64_t fh);

/* False: its chain was swapped since. (A handle of an older program knows no revision.) */
bool handle_has_revision(uint64_t fh, int64_t revision);

struct handle {
	struct handle *next; /* the table's */
	_Atomic int references; /* the table's, and one of each request that uses it */
	uint64_t fh;
	const struct tree_row *row;
	rowid id;
	bool writing;

	pthread_mutex_t lock;  /* protects what follows: threads and processes may share a descriptor */
	struct buffer content; /* the snapshot, or what was written so far */
	struct charge charge;  /* for it */
	int64_t cursor;        /* a log: of the last entry in content */
	off_t gone;            /* a log: how much was read and let go before content */
	off_t read_to;         /* a log: the end of the last read, for poll */
	bool remade;           /* of a dead worker's handle, which may have had bytes that are judged and gone */
	bool truncated;        /* opened with O_TRUNC, created, or cut to nothing */
	bool written;          /* bytes have arrived */
	bool unjudged;         /* since the last flush */
	bool fired;            /* a trigger: it has, and what is still written to it says no more */
	int spoiled;           /* negative errno of a write that was refused: nothing of this is taken any more; 0: none was */
	enum handle_mark mark; /* in the shared table */
	off_t base;            /* what is taken off the offsets of writes: see write_bytes */
};

struct handles;

struct handles *handles_new(void); /* NULL: out of memory */
void handles_free(struct handles *handles);

/* A worker that ends in good order leaves those whose bytes wait for a flush to the next one, which recalls them: once, so that a worker
 * that is killed still loses them (enum handle_mark). locked, unlocked: what they are charged to from now on. */
void handles_leave(struct handles *handles, struct keep *keep);
void handles_recall(struct handles *handles, struct keep *keep, struct quota *locked, struct quota *unlocked);

/* Both give a reference to the caller: the reply to a request lets its caller close the file, so the release may come while that
 * request is not quite over. fh as the kernel knows it. charge: whom the content is charged to.
 * add: NULL: out of memory; find: NULL: not in this worker. */
struct handle *handle_add(struct handles *handles, uint64_t fh, const struct tree_row *row, rowid id,
			  bool secret, const struct charge *charge);
struct handle *handle_find(struct handles *handles, uint64_t fh);
void handle_put(struct handle *handle); /* NULL is fine */
void handle_putp(struct handle **handle);
#define _cleanup_handle_ __attribute__((cleanup(handle_putp)))

/* Takes it out of the table. */
void handle_drop(struct handles *handles, uint64_t fh);

#endif
