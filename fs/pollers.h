/* Who waits in poll(2) for a log to grow. In shared memory: a new worker wakes those that wait on a dead one. */
#ifndef FS_POLLERS_H
#define FS_POLLERS_H

#include <linux/fuse.h>

#include "fs/fs.h"

/* worker.c shows each request before libfuse does: libfuse hides the kernel's number of who polls. */
void pollers_request(const struct fuse_in_header *request);

/* The caller of the request in progress waits. Takes libfuse's handle over. When too many wait, one is woken for nothing,
 * and asks again. */
void pollers_add(struct fs *fs, struct fuse_pollhandle *ph);

/* Wakes all. Any thread. */
void pollers_wake(struct fs *fs);

#endif
