#include "fs/handle.h"

#include <errno.h>
#include <stdlib.h>

enum { BUCKETS = 4096 };

struct handles {
	pthread_mutex_t lock;
	struct handle *bucket[BUCKETS]; /* protected by lock */
};

/* ---- a handle that is a generation ---- */

enum { REVISION_SHIFT = 32, REVISION_BITS = 28 };

/* Never 0. */
static uint64_t revision_part(int64_t revision)
{
	return ((uint64_t)revision & ((1U << REVISION_BITS) - 1)) | 1U << REVISION_BITS;
}

uint64_t handle_of_generation(rowid generation, int64_t revision)
{
	return FH_GENERATION | revision_part(revision) << REVISION_SHIFT | (uint64_t)generation;
}

rowid handle_generation(uint64_t fh)
{
	return (rowid)(fh & UINT32_MAX);
}

bool handle_has_revision(uint64_t fh, int64_t revision)
{
	const uint64_t part = (fh & ~FH_GENERATION) >> REVISION_SHIFT;

	return part == 0 || part == revision_part(revision);
}

/* ---- the others ---- */

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

/* ---- from worker to worker ---- */

struct handle_head {
	uint64_t fh;
	enum kind kind; /* of its row */
	rowid id;
	uid_t uid;
	bool secret;
	bool truncated, written, unjudged;
	int spoiled;
	off_t base;
};

static void leave(struct keep *keep, struct handle *handle)
{
	const struct handle_head head = {
		.fh = handle->fh,
		.kind = handle->row->kind,
		.id = handle->id,
		.uid = handle->charge.uid,
		.secret = handle->content.secret,
		.truncated = handle->truncated,
		.written = handle->written,
		.unjudged = handle->unjudged,
		.spoiled = handle->spoiled,
		.base = handle->base,
	};
	keep_id id = 0;

	(void)keep_put(keep, KEEP_HANDLE, &head, sizeof(head), buffer_span(&handle->content), &id);
}

/* Nobody else uses them any more. */
void handles_leave(struct handles *handles, struct keep *keep)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct handle *handle = handles->bucket[i]; handle; handle = handle->next)
			if (handle->writing && handle->mark == MARK_DIRTY)
				leave(keep, handle);
}

struct recall {
	struct handles *handles;
	struct keep *keep;
	struct quota *locked, *unlocked;
};

static void recall(void *context, keep_id id, const void *record, struct buffer *bytes)
{
	const struct recall *of = context;
	const struct handle_head *head = record;
	const struct charge charge = {.quota = head->secret ? of->locked : of->unlocked, .uid = head->uid};
	_cleanup_handle_ struct handle *handle = handle_add(of->handles, head->fh, tree_row((int)head->kind), head->id, head->secret, &charge);

	keep_drop(of->keep, &id);
	if (!handle)
		return;
	handle->writing = true;
	handle->mark = MARK_DIRTY;
	handle->truncated = head->truncated;
	handle->written = head->written;
	handle->unjudged = head->unjudged;
	handle->spoiled = head->spoiled;
	handle->base = head->base;
	buffer_add_span(&handle->content, buffer_span(bytes));
	if (charge_set(&handle->charge, bytes->size) < 0 || buffer_status(&handle->content) < 0)
		handle->spoiled = -EIO;
}

void handles_recall(struct handles *handles, struct keep *keep, struct quota *locked, struct quota *unlocked)
{
	struct recall context = {handles, keep, locked, unlocked};

	keep_each(keep, KEEP_HANDLE, sizeof(struct handle_head), recall, &context);
}
