/* Projects and app instances come and go: the changes behind mkdir, rmdir, chmod, chown and `policy`. See certfs/core.h. */
#ifndef CORE_MANAGE_H
#define CORE_MANAGE_H

#include "core_internal.h"

/* Takes an owner_change over into owner. */
void owner_apply(struct owner *owner, const struct owner_change *change);

/* The owner of what a caller makes, now. */
struct owner owner_new(const struct caller *caller, mode_t mode);

#endif
