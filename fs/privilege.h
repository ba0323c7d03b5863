/* What the worker is allowed to do: it parses what anybody uploads, and it holds the keys. */
#ifndef FS_PRIVILEGE_H
#define FS_PRIVILEGE_H

#include "certfs/config.h"
#include "certfs/error.h"

/* Where daemon.user is set: gives that user the store's files and the master key where they are root's, and the store's directory where
 * it is root's and closed to all others. Nothing that is anybody else's, a link, or has a second name. By root only; else, and where
 * daemon.user is empty, nothing is changed. ENOENT: there is no such user. */
int privilege_give_store(const struct config *config, struct error *err);

/* In the supervisor, once it has mounted, where daemon.user is set and it is root: for good, in it and in all that it starts, no capability
 * but those that it needs for its workers and the unmount; it can still get at the FUSE device and at root's files. A hook that runs as root
 * has no others. no_new_privs is not set, since a hook may be, or call, sudo or ssh's helpers. Where daemon.user is empty, nothing is changed:
 * the worker stays what it is. */
int privilege_reduce(const struct config *config, struct error *err);

/* For good, in this process and in its children; in a process without threads, which may still be root.
 *
 * With daemon.user: that user and its group, no other group, no capability. With and without: no new privileges by execve, no core dump,
 * no debugger, and no files and system calls but those of confine.h.
 * EACCES and the sentence what to change where that user can't use the store. A death of the parent ends this process. */
int privilege_drop(const struct config *config, struct error *err);

/* A line in the log: which of these this kernel gave. After privilege_drop. */
void privilege_tell(const struct config *config);

#endif
