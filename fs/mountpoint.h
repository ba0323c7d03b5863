/* The place to mount at: is it there, is it free, is it safe. Each refusal says what to type. */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include <limits.h>
#include <stddef.h>

#include "certfs/config.h"
#include "certfs/error.h"

/* The absolute path without links of what was typed, PATH_MAX bytes. Works for a dead mount too. */
int mountpoint_resolve(const char *typed, char ret[PATH_MAX], struct error *err);

/* EDEADLK if the store or its master key lie below the mount point: the daemon would wait for itself. Both paths absolute. */
int mountpoint_check_store(const char *mountpoint, const struct config *config, struct error *err);

/* 0 if a mount at this absolute path can work. A mount whose server has died is taken away first. */
int mountpoint_prepare(const char *mountpoint, struct error *err);

/* Takes away the mount at this absolute path, whose server has closed the connection. EBUSY: root must do it. */
int mountpoint_release(const char *mountpoint, struct error *err);

#endif
