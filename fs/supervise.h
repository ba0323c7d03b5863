/* The supervisor's loop: forks the worker that serves the mount, and another one when that dies. */
#ifndef FS_SUPERVISE_H
#define FS_SUPERVISE_H

#include "fs/fs.h"
#include "fs/session.h"

/* Blocks the signals that the loop takes. Before the mount, so that none ends the process in between. */
void supervise_block_signals(void);

/* Serves the session, which has been initialised here or by the program that this one replaces, until the mount is gone (0), a signal has ended it (0), or workers can't
 * serve it (-errno and the sentence). No worker is left. *ret_answered: the mount has answered at some time. */
int supervise(struct fs *fs, const struct session_options *options, bool *ret_answered, struct error *err);

#endif
