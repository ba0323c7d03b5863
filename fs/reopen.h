/* Opens that must not be told a second time that their node is stale. ESTALE makes the kernel look the name up once more, and only once;
 * two kinds of callers would see the second one: one that opens through /proc/self/fd (there is no name), and one whose file is
 * replaced again between the kernel's lookup and its open. They get the current generation on the node that they have, past the
 * kernel's pages (DIRECT_IO): right bytes, whole, though its st_size is that of the older generation until the next lookup.
 */
#ifndef FS_REOPEN_H
#define FS_REOPEN_H

#include "fs/fs.h"

/* True if this thread was told a moment ago that a node of this file is stale; else that is noted. file: the node id with
 * version 0. pid: of the request, which is a thread's. Any thread. */
bool reopen_told(fuse_ino_t file, pid_t pid);

/* True if this thread was told of any file a moment ago. Its file is gone altogether now: no other ESTALE, but ENOENT is true. */
bool reopen_told_any(pid_t pid);

/* An open of this file by this thread has gone well. */
void reopen_forget(fuse_ino_t file, pid_t pid);

#endif
