/* The FUSE connection from one process of a unit to another, through systemd's store of descriptors: who mounts is root in the host's mount
 * namespace, who serves is neither. */
#ifndef FS_HANDOVER_H
#define FS_HANDOVER_H

#include "certfs/error.h"

/* Has systemd close what an earlier start left there, so that its mount, which nobody serves, is dead and not waited for. Then
 * handover_give: gives fd; when it returns 0, systemd has it. Both ENOTSUP: not started by systemd, or built without it. */
int handover_forget(struct error *err);
int handover_give(int fd, struct error *err);

/* The descriptor that this process was started with, its caller's (close-on-exec), and no more systemd's: whoever ends closes the
 * connection. -1: none. Once, before there are threads. */
int handover_take(void);

#endif
