#include "place.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"

int place_open_directory(const char *path, struct error *err)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : error_set(err, errno, "the directory of %s: %s", path, strerror(errno));
}

int place_sync_directory(const char *path, struct error *err)
{
	_cleanup_close_ int fd = place_open_directory(path, err);

	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? error_set(err, errno, "the directory of %s: %s", path, strerror(errno)) : 0;
}

int place_sync(const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return error_set(err, errno, "%s can't be written to the disk: %s", path, strerror(errno));
	return 0;
}

/* A filesystem that has no rename without replacing (NFS) can only be asked beforehand. */
static int rename_new(const char *part, const char *path)
{
	if (renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return rename(part, path);
}

int place_file(const char *part, const char *path, bool replace, struct error *err)
{
	int r = place_sync(part, err);

	if (r < 0)
		return r;
	if ((replace ? rename(part, path) : rename_new(part, path)) < 0)
		return error_set(err, errno, "%s can't be made: %s", path, strerror(errno));
	return place_sync_directory(path, err);
}
