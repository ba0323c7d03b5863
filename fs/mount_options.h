/* The -o options of `certfs mount` and of mount(8). */
#ifndef FS_MOUNT_OPTIONS_H
#define FS_MOUNT_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "certfs/error.h"

struct mount_options {
	bool read_only;
	char source[PATH_MAX]; /* what the table of mounts shows as device; empty: the default */
	char fuse[1024];       /* for libfuse and the kernel, comma-separated, may be empty */
};

/* Takes a comma-separated list in, over what *options holds already; later ones win. EINVAL and the sentence for an unknown
 * option. Options of fstab(5) that say nothing to certfs are taken silently; those that it never follows, with a log line. */
int mount_options_add(struct mount_options *options, const char *list, struct error *err);

#endif
