/* The worker: opens core, and answers requests, those first that its predecessor left (supervise.c has them resent).
 *
 * Its signals: SIGTERM drains, SIGHUP and SIGINT are left to the supervisor, SIGUSR1 wakes a receiving thread, SIGUSR2 says that
 * none is left. All are blocked in every thread, and SIGPIPE is ignored: whoever starts another program gives it a clean mask.
 */
#ifndef FS_WORKER_H
#define FS_WORKER_H

#include "fs/fs.h"

/* Exit statuses of a worker, for the supervisor. Anything else, or a signal, is a death. */
enum worker_exit {
	WORKER_UNMOUNTED = 0, /* the kernel closed the connection */
	WORKER_DRAINED = 3,   /* SIGTERM: everything accepted was answered */
	WORKER_UNUSABLE = 4,  /* core did not open: the supervisor tries again, with a pause */
};

/* Serves in a forked child; never returns. report_fd: when the worker receives, one NUL byte is written; before WORKER_UNUSABLE,
 * the sentence why. Then it is closed. background: see session.h. */
_Noreturn void worker_run(struct fs *fs, int report_fd, bool background);

#endif
