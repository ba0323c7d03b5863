/* The master key in a file. */
#include <fcntl.h>
#include <stdbool.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "place.h"
#include "seal.h"

/* The daemon's own user, where it has one: whoever owns the directory can put another key there anyway. */
static bool owns_directory(const char *path, uid_t owner)
{
	char copy[PATH_MAX];
	struct stat st;

	snprintf(copy, sizeof(copy), "%s", path);
	return stat(dirname(copy), &st) == 0 && st.st_uid == owner;
}

static int master_check(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_system(err, errno, "master key %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0 && !(geteuid() == 0 && owns_directory(path, st.st_uid)))
		return error_set(err, EACCES, "master key %s: it belongs to another user: chown it to root, or to its directory's owner",
				 path);
	if (st.st_mode & 077)
		return error_set(err, EACCES, "master key %s: others may read it: chmod 0600 %s", path, path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EKEYREJECTED, "master key %s: it is not a file: restore the right one", path);
	if (st.st_size != MASTER_KEY_SIZE)
		return error_set(err, EKEYREJECTED, "master key %s: it has %lld bytes, not %d: restore the right file", path,
				 (long long)st.st_size, MASTER_KEY_SIZE);
	return 0;
}

int seal_master_read(const char *path, struct buffer *ret, struct error *err)
{
	/* O_NONBLOCK: a pipe in its place is refused, not waited for */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	int r;

	if (fd < 0)
		return error_set(err, errno, "master key %s: %s: without it the store's keys can't be read", path,
				 strerror(errno));
	r = master_check(fd, path, err);
	if (r == 0)
		r = buffer_resize(&key, MASTER_KEY_SIZE) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
	if (r == 0 && read(fd, key.data, MASTER_KEY_SIZE) != MASTER_KEY_SIZE)
		r = error_set(err, EIO, "master key %s: it can't be read: restore the right file", path);
	if (r < 0)
		return r;
	buffer_clear(ret);
	*ret = buffer_take(&key);
	return 0;
}

static int master_fill(const char *part, const struct buffer *key, struct error *err)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (unlink(part) < 0 && errno != ENOENT)
		return error_system(err, errno, "can't make the master key %s", part);
	fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_system(err, errno, "can't make the master key %s", part);
	n = write(fd, key->data, key->size);
	if (n >= 0 && n < (ssize_t)key->size)
		errno = ENOSPC;
	if (n != (ssize_t)key->size || fsync(fd) < 0)
		return error_system(err, errno, "can't write the master key %s", part);
	return 0;
}

/* Under another name first: a crash never leaves half a key under the right one. link(2) replaces nothing. */
static int master_write(const char *path, const struct buffer *key, struct error *err)
{
	char part[PATH_MAX + 8];
	int r;

	snprintf(part, sizeof(part), "%s.new", path);
	r = master_fill(part, key, err);
	if (r == 0 && link(part, path) < 0)
		r = error_system(err, errno, "can't make the master key %s", path);
	unlink(part);
	return r < 0 ? r : place_sync_directory(path, err);
}

int seal_master_create(const char *path, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;

	if (buffer_resize(&key, MASTER_KEY_SIZE) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (RAND_priv_bytes(key.data, MASTER_KEY_SIZE) != 1)
		return error_set(err, EIO, "the system gives no random bytes for the master key: try again when it does");
	if (master_write(path, &key, err) < 0)
		return -err->code;
	buffer_clear(ret);
	*ret = buffer_take(&key);
	return 0;
}
