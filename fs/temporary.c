#include "fs/temporary.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certfs/clock.h"
#include "certfs/keep.h"
#include "fs/ino.h"
#include "fs/tree.h"

enum { TEMPORARIES_MAX = 1024, LIFE_SECONDS = 60, NAME_LENGTH_MAX = 255, ROWS = 0x7fffffff /* of a node id */ };

/* As many of them, as with bytes (quota.h): for one user, and for all but root. */
enum { OF_ONE_MAX = TEMPORARIES_MAX * 3 / 8, OF_USERS_MAX = TEMPORARIES_MAX * 6 / 8 };

/* What a next worker must know of one. */
struct temporary_head {
	fuse_ino_t id;
	fuse_ino_t directory;
	char name[NAME_LENGTH_MAX + 1];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	time_t written; /* clock_monotonic in seconds, of the last write */
	time_t created; /* of day */
	int spoiled;    /* as of a handle */
	bool closed;    /* nothing has been written since the last flush */
};

struct temporary {
	struct temporary *next;
	struct temporary_head head;
	struct buffer content;
	struct charge charge;
	keep_id kept; /* while it is closed */
};

struct temporaries {
	struct quota *quota;
	struct keep *keep;
	_Atomic uint64_t *last; /* number given */
	pthread_mutex_t lock;
	struct temporary *list; /* protected by lock, as what follows; short */
	int count;
};

/* ---- what outlives the worker; under the lock ---- */

static void put(struct temporaries *t, struct temporary *temporary)
{
	const struct span head = {(const uint8_t *)&temporary->head, sizeof(temporary->head)};

	(void)keep_put(t->keep, KEEP_TEMPORARY, head, buffer_span(&temporary->content), &temporary->kept);
}

/* What was kept is not what it is any more. */
static void changed(struct temporaries *t, struct temporary *temporary)
{
	temporary->head.closed = false;
	keep_drop(t->keep, &temporary->kept);
}

static void renewed(struct temporaries *t, struct temporary *temporary)
{
	if (temporary->head.closed)
		put(t, temporary);
}

static void add(struct temporaries *t, struct temporary *made)
{
	made->next = t->list;
	t->list = made;
	t->count++;
}

/* One of the last worker's. Still open when that ended in good order, its bytes were kept, but from here on they arrive here. */
static void recall(void *context, keep_id id, const void *head, struct buffer *bytes)
{
	struct temporaries *t = context;
	struct temporary *made = calloc(1, sizeof(*made));

	if (!made) {
		keep_drop(t->keep, &id);
		return;
	}
	memcpy(&made->head, head, sizeof(made->head));
	made->content = buffer_take(bytes);
	made->charge = (struct charge){.quota = t->quota, .uid = made->head.uid};
	made->kept = id;
	(void)charge_set(&made->charge, made->content.size);
	if (!made->head.closed)
		changed(t, made);
	add(t, made);
}

struct temporaries *temporaries_new(struct quota *quota, struct keep *keep, _Atomic uint64_t *last)
{
	struct temporaries *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->quota = quota;
	t->keep = keep;
	t->last = last;
	pthread_mutex_init(&t->lock, NULL);
	keep_each(keep, KEEP_TEMPORARY, sizeof(struct temporary_head), recall, t);
	return t;
}

static void temporary_free(struct temporary *temporary)
{
	buffer_clear(&temporary->content);
	(void)charge_set(&temporary->charge, 0);
	free(temporary);
}

static void temporary_unlink(struct temporaries *t, struct temporary **link)
{
	struct temporary *temporary = *link;

	*link = temporary->next;
	t->count--;
	keep_drop(t->keep, &temporary->kept);
	temporary_free(temporary);
}

void temporaries_free(struct temporaries *t)
{
	struct temporary *next;

	if (!t)
		return;
	for (struct temporary *temporary = t->list; temporary; temporary = next) {
		next = temporary->next;
		if (!temporary->head.closed)
			put(t, temporary);
		temporary_free(temporary);
	}
	pthread_mutex_destroy(&t->lock);
	free(t);
}

bool temporary_name(const char *name)
{
	return name[0] == '.';
}

/* ---- finding; under the lock ---- */

static struct temporary **find_name(struct temporaries *t, fuse_ino_t directory, const char *name)
{
	struct temporary **link = &t->list;

	while (*link && ((*link)->head.directory != directory || strcmp((*link)->head.name, name) != 0))
		link = &(*link)->next;
	return link;
}

static struct temporary *find_id(struct temporaries *t, fuse_ino_t id)
{
	struct temporary *temporary = t->list;

	while (temporary && temporary->head.id != id)
		temporary = temporary->next;
	return temporary;
}

/* ---- what the operations do ---- */

/* root's only end is that of all. */
static bool has_share(const struct temporaries *t, uid_t uid)
{
	int own = 0, users = 0;

	for (const struct temporary *other = t->list; other; other = other->next) {
		own += other->head.uid == uid;
		users += other->head.uid != 0;
	}
	return uid == 0 || (own < OF_ONE_MAX && users < OF_USERS_MAX);
}

static int create_locked(struct temporaries *t, struct temporary *made)
{
	if (*find_name(t, made->head.directory, made->head.name))
		return -EEXIST;
	if (t->count >= TEMPORARIES_MAX)
		return -ENOSPC;
	if (!has_share(t, made->head.uid))
		return -EDQUOT;
	made->head.id = ino_encode((struct ino){.kind = KIND_TEMPORARY, .row = (rowid)(atomic_fetch_add(t->last, 1) % ROWS) + 1});
	add(t, made);
	return 0;
}

int temporary_create(struct temporaries *t, fuse_ino_t directory, const char *name, mode_t mode, uid_t uid, gid_t gid,
		     fuse_ino_t *ret)
{
	struct temporary *made;
	int r;

	if (strlen(name) > NAME_LENGTH_MAX)
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
	r = create_locked(t, made);
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
	temporary = *find_name(t, directory, name);
	if (temporary)
		*ret = temporary->head.id;
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

int temporary_stat(struct temporaries *t, fuse_ino_t id, struct stat *ret)
{
	const struct temporary *temporary;

	pthread_mutex_lock(&t->lock);
	temporary = find_id(t, id);
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
	temporary = find_id(t, id);
	if (temporary) {
		temporary->head.mode = mode & 0777;
		renewed(t, temporary);
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
	temporary = find_id(t, id);
	r = temporary ? grow(temporary, size) : -ENOENT;
	if (r == 0)
		changed(t, temporary);
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
	temporary = find_id(t, id);
	r = temporary ? temporary->head.spoiled : -EIO;
	if (temporary)
		changed(t, temporary);
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
	temporary = find_id(t, id);
	r = temporary ? temporary->head.spoiled : -EIO;
	if (temporary && !temporary->head.closed) {
		temporary->head.closed = true;
		put(t, temporary);
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

int temporary_read(struct temporaries *t, fuse_ino_t id, struct buffer *ret)
{
	const struct temporary *temporary;
	int r;

	pthread_mutex_lock(&t->lock);
	temporary = find_id(t, id);
	r = temporary ? temporary->head.spoiled : -EIO;
	if (r == 0)
		buffer_add_span(ret, buffer_span(&temporary->content));
	pthread_mutex_unlock(&t->lock);
	return r == 0 ? buffer_status(ret) : r;
}

int temporary_rename(struct temporaries *t, fuse_ino_t directory, const char *name, const char *new_name)
{
	struct temporary *temporary;
	struct temporary **replaced;

	if (strlen(new_name) > NAME_LENGTH_MAX)
		return -ENAMETOOLONG;
	pthread_mutex_lock(&t->lock);
	temporary = *find_name(t, directory, name);
	replaced = find_name(t, directory, new_name);
	if (temporary && *replaced && *replaced != temporary)
		temporary_unlink(t, replaced);
	if (temporary) {
		strcpy(temporary->head.name, new_name);
		renewed(t, temporary);
	}
	pthread_mutex_unlock(&t->lock);
	return temporary ? 0 : -ENOENT;
}

int temporary_remove(struct temporaries *t, fuse_ino_t directory, const char *name)
{
	struct temporary **link;
	int r = -ENOENT;

	pthread_mutex_lock(&t->lock);
	link = find_name(t, directory, name);
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
