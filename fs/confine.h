/* What the kernel still lets the worker do, whoever it is: its files (Landlock) and its system calls (seccomp). */
#ifndef FS_CONFINE_H
#define FS_CONFINE_H

#include <stdbool.h>

#include "certfs/config.h"
#include "certfs/error.h"

/* Whether keys may stay in a token here: a PKCS#11 module other than that of p11-kit's trusted certificates is registered, the
 * master key is in a token, or keystore.token_paths is set. A token's module is anybody's code: it gets more (below). */
bool confine_token(const struct config *config);

/* All of these are for good, for this process and its children, and need no privilege but no_new_privs, which is to be set before. In a
 * process without threads.
 *
 * Files: the store's directory is read and written, the master key's directory, a systemd credential and what OpenSSL loads are read, and
 * nothing else is opened. With a token: all that the user may read is read, and /dev, keystore.token_paths and SoftHSM's
 * directory of tokens are written, too. No TCP without a token; no signal to other processes. 0 and *ret_version, of the kernel's
 * Landlock, 0: it has none, and nothing is confined. */
int confine_files(const struct config *config, bool token, int *ret_version, struct error *err);

/* System calls: those that a worker makes. One that it has no use for ends it, whoever tries it: other programs, debuggers,
 * mounts, namespaces, modules. Any other is ENOSYS, as under a kernel that is older than it: what glibc of tomorrow tries first, it can do
 * otherwise. Without a token no other process is made, and no socket but AF_UNIX. False and errno: this kernel, or this build's
 * architecture, does not filter. */
bool confine_calls(bool token);

/* False in a build with sanitizers, which write reports where they like and make system calls of their own: there confine_files does
 * nothing, and a call that is neither is let through. */
bool confine_strict(void);

#endif
