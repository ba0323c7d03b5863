#include "fs/invalidate.h"

#include <pthread.h>
#include <stdlib.h>

#include "fs/ino.h"
#include "fs/tree.h"

struct item {
	struct item *next;
	struct ino directory; /* row != 0: what is in it; version: of its certificate files */
	bool versioned;       /* there were some */
	void (*call)(void *context); /* else */
	void *context;
};

struct invalidate {
	struct fuse_session *session;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct item *head, **tail; /* protected by lock, as what follows */
	bool ending;
};

/* Those whose attributes the kernel may believe for a second (node.c). An error says that it does not, and all is well. */
static void invalidate_attributes(struct invalidate *invalidate, const struct item *item)
{
	const struct tree_row *row = NULL;

	while ((row = tree_next(item->directory.kind, row))) {
		struct ino ino = {.kind = (int)row->kind, .row = item->directory.row};

		if (row->flags & TREE_VERSIONED)
			ino.version = item->directory.version;
		if (row->flags & TREE_DIRECTORY || (row->flags & TREE_VERSIONED && item->versioned))
			(void)fuse_lowlevel_notify_inval_inode(invalidate->session, ino_encode(ino), -1, 0);
	}
}

static void item_do(struct invalidate *invalidate, struct item *item)
{
	if (item->directory.row)
		invalidate_attributes(invalidate, item);
	else
		item->call(item->context);
	free(item);
}

static struct item *invalidate_take(struct invalidate *invalidate)
{
	struct item *item;

	pthread_mutex_lock(&invalidate->lock);
	while (!invalidate->head && !invalidate->ending)
		pthread_cond_wait(&invalidate->wake, &invalidate->lock);
	item = invalidate->head;
	if (item) {
		invalidate->head = item->next;
		if (!invalidate->head)
			invalidate->tail = &invalidate->head;
	}
	pthread_mutex_unlock(&invalidate->lock);
	return item;
}

static void *invalidate_main(void *context)
{
	struct invalidate *invalidate = context;
	struct item *item;

	pthread_setname_np(pthread_self(), "certfs-inval");
	while ((item = invalidate_take(invalidate)))
		item_do(invalidate, item);
	return NULL;
}

int invalidate_new(struct fuse_session *session, struct invalidate **ret, struct error *err)
{
	struct invalidate *invalidate = calloc(1, sizeof(*invalidate));
	int r;

	if (!invalidate)
		return error_set(err, ENOMEM, "out of memory");
	invalidate->session = session;
	invalidate->tail = &invalidate->head;
	pthread_mutex_init(&invalidate->lock, NULL);
	pthread_cond_init(&invalidate->wake, NULL);
	r = pthread_create(&invalidate->thread, NULL, invalidate_main, invalidate);
	if (r != 0) {
		free(invalidate);
		return error_set(err, r, "can't start the invalidation thread");
	}
	*ret = invalidate;
	return 0;
}

void invalidate_free(struct invalidate *invalidate)
{
	if (!invalidate)
		return;
	pthread_mutex_lock(&invalidate->lock);
	invalidate->ending = true;
	pthread_cond_signal(&invalidate->wake);
	pthread_mutex_unlock(&invalidate->lock);
	pthread_join(invalidate->thread, NULL);
	pthread_mutex_destroy(&invalidate->lock);
	pthread_cond_destroy(&invalidate->wake);
	free(invalidate);
}

static bool invalidate_queue(struct invalidate *invalidate, struct item what)
{
	struct item *item = malloc(sizeof(*item));

	if (!item)
		return false;
	*item = what;
	item->next = NULL;
	pthread_mutex_lock(&invalidate->lock);
	*invalidate->tail = item;
	invalidate->tail = &item->next;
	pthread_cond_signal(&invalidate->wake);
	pthread_mutex_unlock(&invalidate->lock);
	return true;
}

void invalidate_directory(struct invalidate *invalidate, int kind, rowid row, const struct view_version *was)
{
	struct item item = {.directory = {.kind = kind, .row = row}};

	if (was && was->number) {
		item.versioned = true;
		item.directory.version = ino_version(was->number, was->revision);
	}
	/* Failing, it is right after a second. */
	(void)invalidate_queue(invalidate, item);
}

void invalidate_then(struct invalidate *invalidate, void (*call)(void *context), void *context)
{
	if (!invalidate_queue(invalidate, (struct item){.call = call, .context = context}))
		call(context);
}
