/* Opens through /proc/self/fd: the kernel has no name there to look up again, so ESTALE would reach the caller. A process that
 * opens the very node that it was told is stale, a moment later, is such a one (after a lookup it would come with another node).
 */
#ifndef FS_REOPEN_H
#define FS_REOPEN_H

#include "fs/fs.h"

/* True if this process was told a moment ago that this node is stale; else that is noted. Any thread. */
bool reopen_without_name(fuse_ino_t id, pid_t pid);

#endif
