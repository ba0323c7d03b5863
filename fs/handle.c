#include "fs/handle.h"

#include <stdlib.h>

enum { BUCKETS = 4096 };

struct handles {
	pthread_mutex_t lock;
	struct handle *bucket[BUCKETS]; /* protected by lock */
};

struct handles *handles_new(void)
{
	struct handles *handles = calloc(1, sizeof(*handles));

	if (handles)
		pthread_mutex_init(&handles->lock, NULL);
	return handles;
}

void handle_put(struct handle *handle)
{
	if (!handle || atomic_fetch_sub(&handle->references, 1) != 1)
		return;
	buffer_clear(&handle->content);
	(void)charge_set(&handle->charge, 0);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

void handle_putp(struct handle **handle)
{
	handle_put(*handle);
}

void handles_free(struct handles *handles)
{
	struct handle *next;

	if (!handles)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct handle *handle = handles->bucket[i]; handle; handle = next) {
			next = handle->next;
			handle_put(handle);
		}
	pthread_mutex_destroy(&handles->lock);
	free(handles);
}

static struct handle **handles_link(struct handles *handles, uint64_t fh)
{
	struct handle **link = &handles->bucket[fh % BUCKETS];

	while (*link && (*link)->fh != fh)
		link = &(*link)->next;
	return link;
}

struct handle *handle_add(struct handles *handles, uint64_t fh, const struct tree_row *row, rowid id,
			  bool secret, const struct charge *charge)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	atomic_init(&handle->references, 2);
	handle->fh = fh;
	handle->row = row;
	handle->id = id;
	handle->content.secret = secret;
	handle->charge = *charge;
	pthread_mutex_init(&handle->lock, NULL);
	pthread_mutex_lock(&handles->lock);
	handle->next = handles->bucket[fh % BUCKETS];
	handles->bucket[fh % BUCKETS] = handle;
	pthread_mutex_unlock(&handles->lock);
	return handle;
}

struct handle *handle_find(struct handles *handles, uint64_t fh)
{
	struct handle *handle;

	pthread_mutex_lock(&handles->lock);
	handle = *handles_link(handles, fh);
	if (handle)
		atomic_fetch_add(&handle->references, 1);
	pthread_mutex_unlock(&handles->lock);
	return handle;
}

void handle_drop(struct handles *handles, uint64_t fh)
{
	struct handle **link;
	struct handle *handle;

	pthread_mutex_lock(&handles->lock);
	link = handles_link(handles, fh);
	handle = *link;
	if (handle)
		*link = handle->next;
	pthread_mutex_unlock(&handles->lock);
	handle_put(handle);
}
