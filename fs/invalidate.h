/* Tells the kernel that attributes of nodes are not true any more, so that stat is right at once: of directories that belong to somebody
 * else, and of certificate files that are other ones now. Asked for the attributes of such a file's old node, certfs answers ESTALE (reopen_stat), and the
 * kernel looks the name up again.
 *
 * Never names: to take one from its memory the kernel waits for the directory's lock, which whoever creates, renames or removes something in
 * there holds until certfs has answered. A worker that is killed while it waits for that can't end, so no other one would ever answer.
 *
 * From a thread of its own: what answers a request must not wait for the kernel.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include "certfs/view.h"
#include "fs/fs.h"

struct invalidate;

int invalidate_new(struct fuse_session *session, struct invalidate **ret, struct error *err);
void invalidate_free(struct invalidate *invalidate); /* does what is queued first */

/* What is in a directory belongs to somebody else, or, was != NULL, its certificate files were these (view.h) and are so no more. kind: enum
 * kind. Any thread; does not block. */
void invalidate_directory(struct invalidate *invalidate, int kind, rowid row, const struct view_version *was);

/* Calls when everything queued before has been done: to answer a request. */
void invalidate_then(struct invalidate *invalidate, void (*call)(void *context), void *context);

#endif
