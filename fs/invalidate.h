/* Tells the kernel that names lead to other nodes now, from a thread of its own: inside a handler that can deadlock (facts:
 * store-and-faults). Exact node ids keep reads right without it; it keeps stat right, too.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include "fs/fs.h"

struct invalidate;

int invalidate_new(struct fuse_session *session, struct invalidate **ret, struct error *err);
void invalidate_free(struct invalidate *invalidate); /* does what is queued first */

/* The certificate files of an app instance, and those of its generations, have other nodes. Any thread; does not block. */
void invalidate_app(struct invalidate *invalidate, rowid app);

/* Answers a request when everything queued before has been done. Not for requests that hold a directory's lock in the kernel
 * (rename, create, unlink, mkdir): the thread may be waiting for just that lock. */
void invalidate_then_reply(struct invalidate *invalidate, fuse_req_t req, int r);

#endif
