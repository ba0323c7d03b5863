/* The place to mount at (mountpoint.h). */
#include <fcntl.h>
#include <libgen.h>
#include <mntent.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certfs/log.h"
#include "fs/mountpoint.h"

enum { DEAD_MOUNTS_MAX = 16 }; /* stacked on one another */

/* ---- names ---- */

static int resolve_failed(const char *typed, struct error *err)
{
	switch (errno) {
	case ENOENT:
		return error_set(err, ENOENT, "the mount point %s doesn't exist: make it with `mkdir -p %s`", typed, typed);
	case ENOTDIR:
		return error_set(err, ENOTDIR, "the mount point %s leads through something that is not a directory", typed);
	case EACCES:
		return error_set(err, EACCES,
				 "no permission to reach the mount point %s: run as root, or choose one that you own", typed);
	default:
		return error_system(err, errno, "can't use the mount point %s", typed);
	}
}

int mountpoint_resolve(const char *typed, char ret[PATH_MAX], struct error *err)
{
	char path[PATH_MAX];

	if (!realpath(typed, path))
		return resolve_failed(typed, err);
	memcpy(ret, path, sizeof(path));
	return 0;
}

static bool is_below(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	if (strcmp(directory, "/") == 0)
		return true;
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/* path without links, as far up as it exists: the store and its directory may still have to be made. */
static void resolve_existing(const char *path, char ret[PATH_MAX])
{
	char parent[PATH_MAX];

	snprintf(parent, sizeof(parent), "%s", path);
	while (!realpath(parent, ret)) {
		if (strcmp(parent, "/") == 0 || strcmp(parent, ".") == 0) {
			snprintf(ret, PATH_MAX, "/");
			return;
		}
		memmove(parent, dirname(parent), strlen(dirname(parent)) + 1);
	}
}

static int check_outside(const char *mountpoint, const char *what, const char *path, struct error *err)
{
	char real[PATH_MAX];

	resolve_existing(path, real);
	if (!is_below(path, mountpoint) && !is_below(real, mountpoint))
		return 0;
	return error_set(err, EDEADLK, "the %s %s lies below the mount point %s, so certfs would wait for itself: move one of them",
			 what, path, mountpoint);
}

int mountpoint_check_store(const char *mountpoint, const struct config *config, struct error *err)
{
	static const char file[] = "file:";
	int r = check_outside(mountpoint, "store", config->store_path, err);

	if (r == 0 && strncmp(config->master_key, file, strlen(file)) == 0)
		r = check_outside(mountpoint, "master key", config->master_key + strlen(file), err);
	return r;
}

/* ---- what is mounted there ---- */

/* The type of the topmost file system mounted at exactly this path; false: none. */
static bool mounted_type(const char *path, char *ret_type, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char line[8192];
	bool found = false;

	if (!mounts)
		return false;
	while (getmntent_r(mounts, &entry, line, sizeof(line)))
		if (strcmp(entry.mnt_dir, path) == 0) {
			snprintf(ret_type, size, "%s", entry.mnt_type);
			found = true;
		}
	endmntent(mounts);
	return found;
}

static bool is_fuse(const char *type)
{
	return strcmp(type, "fuse") == 0 || strncmp(type, "fuse.", 5) == 0 || strcmp(type, "fuseblk") == 0;
}

/* By statfs, which always asks the server: stat may be answered from the kernel's memory long after its death. */
static bool is_dead(const char *path)
{
	struct statfs st;

	return statfs(path, &st) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

/* For those who may not call umount(2): the setuid helper that comes with libfuse. */
static bool unmount_by_helper(const char *path)
{
	char *argv[] = {"fusermount3", "-u", "-z", "--", (char *)path, NULL};
	char *envp[] = {"PATH=/usr/local/bin:/usr/bin:/bin", NULL};
	int status;
	pid_t pid;

	return posix_spawnp(&pid, argv[0], NULL, NULL, argv, envp) == 0 && waitpid(pid, &status, 0) == pid &&
	       status == 0;
}

int mountpoint_release(const char *path, struct error *err)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && !unmount_by_helper(path))
		return error_set(err, EBUSY, "a dead mount is left at %s and can't be taken away: run `umount -l %s` as root",
				 path, path);
	return 0;
}

static int unmount_dead(const char *path, struct error *err)
{
	int r = mountpoint_release(path, err);

	if (r == 0)
		log_write(LOG_NOTICE, "took away the dead mount at %s", path);
	return r;
}

static int check_free(const char *path, struct error *err)
{
	char type[64];

	for (int i = 0; i < DEAD_MOUNTS_MAX && mounted_type(path, type, sizeof(type)) && is_fuse(type); i++) {
		int r = is_dead(path) ? unmount_dead(path, err) :
			error_set(err, EBUSY, "the mount point %s is in use: a %s file system is mounted there; `umount %s` first",
				  path, type, path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_directory(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return resolve_failed(path, err);
	if (!S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "the mount point %s is not a directory: make one with `mkdir -p`", path);
	return 0;
}

/* ---- the device ---- */

static int check_device(struct error *err)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		return error_set(err, errno,
				 "there is no /dev/fuse: load the fuse module with `modprobe fuse` (in a container: give it --device /dev/fuse)");
	if (errno == EACCES || errno == EPERM)
		return error_set(err, errno,
				 "no permission to open /dev/fuse: run as root (in a container: give it --device /dev/fuse)");
	return error_system(err, errno, "can't open /dev/fuse");
}

int mountpoint_prepare(const char *mountpoint, struct error *err)
{
	int r = check_device(err);

	if (r == 0)
		r = check_free(mountpoint, err);
	if (r == 0)
		r = check_directory(mountpoint, err);
	return r;
}
