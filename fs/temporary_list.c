#include "fs/temporary_list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/ino.h"
#include "fs/tree.h"

enum { TEMPORARIES_MAX = 1024, ROWS = 0x7fffffff /* of a node id */ };

/* As many of them, as with bytes (quota.h): for one user, and for all but root. */
enum { OF_ONE_MAX = TEMPORARIES_MAX * 3 / 8, OF_USERS_MAX = TEMPORARIES_MAX * 6 / 8 };

/* ---- what outlives the worker; under the lock ---- */

static void put(struct temporaries *t, struct temporary *temporary)
{
	(void)keep_put(t->keep, KEEP_TEMPORARY, &temporary->head, sizeof(temporary->head), buffer_span(&temporary->content),
		       &temporary->kept);
}

/* What was kept is not what it is any more. */
void temporary_changed(struct temporaries *t, struct temporary *temporary)
{
	temporary->head.closed = false;
	keep_drop(t->keep, &temporary->kept);
}

void temporary_closed(struct temporaries *t, struct temporary *temporary)
{
	if (temporary->head.closed)
		return;
	temporary->head.closed = true;
	put(t, temporary);
}

void temporary_renewed(struct temporaries *t, struct temporary *temporary)
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
		temporary_changed(t, made);
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

void temporary_unlink(struct temporaries *t, struct temporary **link)
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

/* ---- finding; under the lock ---- */

struct temporary **temporary_find_name(struct temporaries *t, fuse_ino_t directory, const char *name)
{
	struct temporary **link = &t->list;

	while (*link && ((*link)->head.directory != directory || strcmp((*link)->head.name, name) != 0))
		link = &(*link)->next;
	return link;
}

struct temporary *temporary_find(struct temporaries *t, fuse_ino_t id)
{
	struct temporary *temporary = t->list;

	while (temporary && temporary->head.id != id)
		temporary = temporary->next;
	return temporary;
}

/* ---- making ---- */

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

int temporary_add(struct temporaries *t, struct temporary *made)
{
	if (*temporary_find_name(t, made->head.directory, made->head.name))
		return -EEXIST;
	if (t->count >= TEMPORARIES_MAX)
		return -ENOSPC;
	if (!has_share(t, made->head.uid))
		return -EDQUOT;
	made->head.id = ino_encode((struct ino){.kind = KIND_TEMPORARY, .row = (rowid)(atomic_fetch_add(t->last, 1) % ROWS) + 1});
	add(t, made);
	return 0;
}
