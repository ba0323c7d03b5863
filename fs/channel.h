/* What passes the FUSE descriptor, seen beside libfuse: which requests came in, which were answered, and what happens to those
 * that a dead worker left. libfuse shows none of it, so its replies go through a function of ours (fuse_session_custom_io).
 */
#ifndef FS_CHANNEL_H
#define FS_CHANNEL_H

#include <linux/fuse.h>

#include "fs/fs.h"

/* Sees every reply of this session from now on, libfuse's own included: they count in shared->answered. fd: the connection, which becomes
 * the session's. After fuse_session_mount; the userdata of the session is a struct fs. In one that is taken over, the answer to FUSE_INIT
 * is compared with that of the first program, and not sent. */
int channel_watch(struct fuse_session *session, int fd, struct error *err);

/* A request was read: before it is handed to libfuse. */
void channel_received(struct shared *shared, const struct fuse_in_header *request);

/* Asks the kernel to send everything again that was read and not answered: at once, and before anybody reads.
 * 0; -EINVAL: the kernel can't (before Linux 6.9); other errors as write(2). */
int channel_resend(int fd);

/* Takes over from a dead worker: has its requests resent or, where the kernel can't, answers each with EIO.
 * Returns how many got EIO. Nobody else may be reading or answering yet. */
int channel_take_over(int fd, struct shared *shared);

#endif
