#include "fs/temporary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/clock.h"
#include "fs/temporary_list.h"
#include "fs/tree.h"

enum { LIFE_SECONDS = 60 };

bool temporary_name(const char *name)
{
	return name[0] == '.';
}

/* The bytes are all there, so far. */
static int usable(const struct temporary *temporary)
{
	return temporary ? temporary->head.spoiled : -EIO;
}

int temporary_create(struct temporaries *t, fuse_ino_t directory, const char *name, mode_t mode, uid_t uid, gid_t gid,
		     fuse_ino_t *ret)
{
	struct temporary *made;
	int r;

	if (strlen(name) > TEMPORARY_NAME_MAX)
		return -ENAMETOOLONG;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	*made = (struct temporary){
		.head = {.directory = directory,
			 .mode = mode & 0777,
			 .uid = uid,
			 .gid = gid,
			 .written = clock_monotonic() / 1000,
			 .created = time(NULL)},
		.content = BUFFER_SECRET,
		.charge = {.quota = t->quota, .uid = uid},
	};
	strcpy(made->head.name, name);
	pthread_mutex_lock(&t->lock);
	r = temporary_add(t, made);
	if (r == 0)
		*ret = made->head.id;
	pthread_mutex_unlock(&t->lock);
	if (r < 0)
		free(made);
	return r;
}

int temporary_lookup(struct temporaries *t, fuse_ino_t directory, const char *name, fuse_ino_t *ret)
{
	const struct temporary *temporary;

	pthread_mutex_lock(&t->lock);
	temporary = *temporary_find_name(t, directory, name);
	if (temporary)
		*ret = temporary->head.id;
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

int temporary_stat(struct temporaries *t, fuse_ino_t id, struct stat *ret)
{
	const struct temporary *temporary;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	if (temporary)
		*ret = (struct stat){
			.st_ino = id,
			.st_mode = S_IFREG | temporary->head.mode,
			.st_nlink = 1,
			.st_uid = temporary->head.uid,
			.st_gid = temporary->head.gid,
			.st_size = (off_t)temporary->content.size,
			.st_blksize = 4096,
			.st_mtim.tv_sec = temporary->head.created,
			.st_ctim.tv_sec = temporary->head.created,
			.st_atim.tv_sec = temporary->head.created,
		};
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

int temporary_chmod(struct temporaries *t, fuse_ino_t id, mode_t mode)
{
	struct temporary *temporary;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	if (temporary) {
		temporary->head.mode = mode & 0777;
		temporary_renewed(t, temporary);
	}
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

static int grow(struct temporary *temporary, off_t size)
{
	int r;

	if (size < 0 || size > UPLOAD_MAX)
		return -EFBIG;
	r = (size_t)size > temporary->charge.bytes ? charge_set(&temporary->charge, (size_t)size) : 0;
	return r == 0 ? buffer_resize(&temporary->content, (size_t)size) : r;
}

int temporary_truncate(struct temporaries *t, fuse_ino_t id, off_t size)
{
	struct temporary *temporary;
	int r;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	r = temporary ? grow(temporary, size) : -ENOENT;
	if (r == 0)
		temporary_changed(t, temporary);
	if (r == 0 && size == 0)
		temporary->head.spoiled = 0;
	pthread_mutex_unlock(&t->lock);
	return r;
}

static int write_locked(struct temporary *temporary, const void *data, size_t size, off_t offset)
{
	const bool fits = offset >= 0 && offset <= UPLOAD_MAX && size <= UPLOAD_MAX;
	const off_t end = fits ? offset + (off_t)size : UPLOAD_MAX + 1;
	int r = end > (off_t)temporary->content.size ? grow(temporary, end) : 0;

	if (r < 0)
		return r;
	if (size > 0)
		memcpy(temporary->content.data + offset, data, size);
	temporary->head.written = clock_monotonic() / 1000;
	return 0;
}

int temporary_write(struct temporaries *t, fuse_ino_t id, const void *data, size_t size, off_t offset)
{
	struct temporary *temporary;
	int r;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	r = usable(temporary);
	if (temporary)
		temporary_changed(t, temporary);
	if (r == 0)
		r = temporary->head.spoiled = write_locked(temporary, data, size, offset);
	pthread_mutex_unlock(&t->lock);
	return r;
}

int temporary_flush(struct temporaries *t, fuse_ino_t id)
{
	struct temporary *temporary;
	int r;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	r = usable(temporary);
	if (temporary)
		temporary_closed(t, temporary);
	pthread_mutex_unlock(&t->lock);
	return r;
}

int temporary_read(struct temporaries *t, fuse_ino_t id, struct buffer *ret)
{
	const struct temporary *temporary;
	int r;

	pthread_mutex_lock(&t->lock);
	temporary = temporary_find(t, id);
	r = usable(temporary);
	if (r == 0)
		buffer_add_span(ret, buffer_span(&temporary->content));
	pthread_mutex_unlock(&t->lock);
	return r == 0 ? buffer_status(ret) : r;
}

int temporary_rename(struct temporaries *t, fuse_ino_t directory, const char *name, const char *new_name)
{
	struct temporary *temporary;
	struct temporary **replaced;

	if (strlen(new_name) > TEMPORARY_NAME_MAX)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&t->lock);
	temporary = *temporary_find_name(t, directory, name);
	replaced = temporary_find_name(t, directory, new_name);
	if (temporary && *replaced && *replaced != temporary)
		temporary_unlink(t, replaced);
	if (temporary) {
		strcpy(temporary->head.name, new_name);
		temporary_renewed(t, temporary);
	}
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

int temporary_remove(struct temporaries *t, fuse_ino_t directory, const char *name)
{
	struct temporary **link;
	int r = -ENOENT;

	pthread_mutex_lock(&t->lock);
	link = temporary_find_name(t, directory, name);
	if (*link) {
		temporary_unlink(t, link);
		r = 0;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

void temporaries_tick(struct temporaries *t)
{
	const time_t now = clock_monotonic() / 1000;

	pthread_mutex_lock(&t->lock);
	for (struct temporary **link = &t->list; *link;) {
		if (now >= (*link)->head.written + LIFE_SECONDS)
			temporary_unlink(t, link);
		else
			link = &(*link)->next;
	}
	pthread_mutex_unlock(&t->lock);
}
