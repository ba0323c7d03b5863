#include "fs/tree_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int tree_find_mount(char *ret, size_t size, struct error *err)
{
	_cleanup_buffer_ struct buffer names = {0};
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int found = 0;

	if (!mounts)
		return error_system(err, errno, "can't read /proc/self/mounts");
	while ((entry = getmntent(mounts))) {
		if (strcmp(entry->mnt_type, "fuse.certfs") != 0)
			continue;
		buffer_printf(&names, " %s", entry->mnt_dir);
		snprintf(ret, size, "%s", entry->mnt_dir);
		found++;
	}
	endmntent(mounts);
	if (found > 1)
		return error_set(err, EINVAL, "there are several mounts of certfs, name one of them:%.*s", (int)names.size,
				 (const char *)names.data);
	return found == 1 ? 0 : error_set(err, ENOENT, "nothing of the type certfs is mounted: `certfs mount MOUNTPOINT` does it");
}

static int read_all(int fd, struct buffer *ret)
{
	char part[16384];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0)
		buffer_add(ret, part, (size_t)n);
	return n < 0 ? -errno : 0;
}

static int unreadable(const char *path, const char *mount, int code, struct error *err)
{
	return error_set(err, code, "can't read %s: %s: is %s the mount point of a certfs, and the name right?", path, strerror(code), mount);
}

int tree_read(const char *mount, const char *path, struct buffer *ret_text, struct error *err)
{
	char full[PATH_MAX];
	int fd, r;

	snprintf(full, sizeof(full), "%s/%s", mount, path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return unreadable(full, mount, errno, err);
	buffer_clear(ret_text);
	r = read_all(fd, ret_text);
	close(fd);
	if (r < 0)
		return unreadable(full, mount, -r, err);
	buffer_add(ret_text, "", 1);
	return buffer_status(ret_text) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}
