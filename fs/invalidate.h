/* Tells the kernel that names lead to other nodes now, from a thread of its own: inside a handler that can deadlock (facts:
 * store-and-faults). Exact node ids keep reads right without it; it keeps stat right, too.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include "fs/fs.h"

struct invalidate;

int invalidate_new(struct fuse_session *session, struct invalidate **ret, struct error *err);
void invalidate_free(struct invalidate *invalidate); /* does what is queued first */

/* What the kernel remembers of names in a directory is no longer true: nodes, owners. kind: enum kind. Any thread; does not block. */
void invalidate_directory(struct invalidate *invalidate, int kind, rowid row);

/* Calls when everything queued before has been done: to answer a request. Not for one that holds a directory's lock in the kernel
 * (rename, create, unlink, mkdir): the thread may be waiting for just that lock. */
void invalidate_then(struct invalidate *invalidate, void (*call)(void *context), void *context);

#endif
