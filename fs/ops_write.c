/* Writing: bytes are kept until a flush, and then taken or refused as a whole (SPEC 3). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/log.h"
#include "fs/handle.h"
#include "fs/invalidate.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/reply.h"
#include "fs/temporary.h"

/* ---- opening ---- */

/* What an append, or a write in the middle, adds to. What can't be read now counts as empty. */
static int preload(struct fs *fs, struct handle *handle)
{
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = node_view(fs, handle->row, handle->id, &view, &err);

	if (r == 0 && handle->row->render(view, &handle->content, &err) < 0)
		buffer_clear(&handle->content);
	return r == 0 ? charge_set(&handle->charge, handle->content.room) : r;
}

static bool starts_empty(const struct tree_row *row, bool truncated)
{
	return truncated || row->flags & (TREE_TRIGGER | TREE_WRITE_ONLY);
}

/* Makes the handle anew: at open, and in a worker that finds one of a dead worker's with no bytes in it. *ret is the caller's reference. */
static int handle_make(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, uint64_t fh, struct handle **ret)
{
	const bool secret = row->flags & TREE_UPLOAD;
	const struct charge charge = fs_charge(fs, uid, secret);
	struct handle *handle = handle_add(fs->handles, fh, row, id, secret, &charge);
	int r;

	if (!handle)
		return -ENOMEM;
	handle->writing = true;
	handle->truncated = fh & FH_TRUNCATED;
	r = fh & FH_EMPTY ? 0 : preload(fs, handle);
	if (r == 0) {
		*ret = handle;
		return 0;
	}
	handle_drop(fs->handles, fh);
	handle_put(handle);
	return r;
}

int write_open(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, bool empty, struct fuse_file_info *fi)
{
	_cleanup_handle_ struct handle *handle = NULL;

	if (fs->read_only)
		return -EROFS;
	if (!row->write)
		return -EPERM;
	fi->fh = shared_handle(fs->shared) | (starts_empty(row, empty) ? FH_EMPTY : 0) | (empty ? FH_TRUNCATED : 0);
	fi->direct_io = 1;
	return handle_make(fs, uid, row, id, fi->fh, &handle);
}

/* A handle of a dead worker is made anew if no bytes of it were waiting; else they are lost. *ret is the caller's reference, on failure,
 * too. */
static int handle_get(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, uint64_t fh, struct handle **ret)
{
	enum handle_mark mark;
	int r;

	*ret = NULL;
	if (!row->write)
		return -EBADF;
	*ret = handle_find(fs->handles, fh);
	if (*ret)
		return (*ret)->writing ? 0 : -EBADF;
	mark = shared_mark_of(fs->shared, fh);
	if (mark == MARK_DIRTY)
		return -EIO;
	r = handle_make(fs, uid, row, id, fh, ret);
	if (r < 0)
		return r;
	(*ret)->remade = true;
	(*ret)->mark = mark;
	(*ret)->written = mark == MARK_TAKEN;
	(*ret)->fired = mark == MARK_TAKEN && row->flags & TREE_TRIGGER;
	return 0;
}

/* ---- write ---- */

/* What one request brings. */
struct arrival {
	const char *data;
	size_t size;
	off_t offset;
	bool append; /* the file is open with O_APPEND */
};

static bool set_mark(struct fs *fs, struct handle *handle, enum handle_mark to)
{
	if (handle->mark != to && !shared_mark(fs->shared, handle->fh, handle->mark, to))
		return false;
	handle->mark = to;
	return true;
}

/* Never taken away before the handle ends: a smaller content keeps its block. */
static int resize(struct handle *handle, size_t size)
{
	int r = size > handle->charge.bytes ? charge_set(&handle->charge, size) : 0;

	return r == 0 ? buffer_resize(&handle->content, size) : r;
}

/* Bytes have come, or gone: what the content is now waits for the next flush. */
static void changed(struct handle *handle)
{
	handle->written = true;
	handle->unjudged = true;
}

/* An append is placed by the size that stat shows, which may not be that of what is written to: a trigger's text is not added to
 * what reading it shows, and a file that can't be read yet has a size nevertheless. So bytes begin at the end of what there is. */
static int write_bytes(struct fs *fs, struct handle *handle, const struct arrival *arrival)
{
	const size_t size = arrival->size;
	off_t offset = arrival->offset;
	int r = 0;

	if (handle->remade && offset > (off_t)handle->content.size)
		return -EIO; /* what came before this is lost */
	if (arrival->append && !handle->written && offset > (off_t)handle->content.size)
		handle->base = offset - (off_t)handle->content.size;
	offset -= handle->base;
	if (offset < 0)
		return -EINVAL;
	if ((uint64_t)offset + size > UPLOAD_MAX)
		return -EFBIG;
	if (!set_mark(fs, handle, MARK_DIRTY))
		return -ENOSPC;
	if ((size_t)offset + size > handle->content.size)
		r = resize(handle, (size_t)offset + size);
	if (r < 0)
		return r;
	if (size > 0)
		memcpy(handle->content.data + offset, arrival->data, size);
	changed(handle);
	return 0;
}

/* Whoever was refused a part must not find the rest taken. */
static int write_or_spoil(struct fs *fs, struct handle *handle, const struct arrival *arrival)
{
	if (handle->spoiled == 0 && !handle->fired)
		handle->spoiled = write_bytes(fs, handle, arrival);
	return handle->spoiled;
}

static int write_to(struct fs *fs, uid_t uid, fuse_ino_t id, uint64_t fh, const struct arrival *arrival)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);
	_cleanup_handle_ struct handle *handle = NULL;
	int r;

	if (ino.kind == KIND_TEMPORARY)
		return temporary_write(fs->temporaries, id, arrival->data, arrival->size, arrival->offset);
	if (!row)
		return -EBADF;
	r = handle_get(fs, uid, row, ino.row, fh, &handle);
	if (r < 0)
		return r;
	pthread_mutex_lock(&handle->lock);
	r = write_or_spoil(fs, handle, arrival);
	pthread_mutex_unlock(&handle->lock);
	return r;
}

void op_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct arrival arrival = {data, size, offset, fi->flags & O_APPEND};
	int r = write_to(fs_of(req), fuse_req_ctx(req)->uid, id, fi->fh, &arrival);

	if (r < 0)
		reply_status(req, r);
	else
		fuse_reply_write(req, size);
}

/* Cut to nothing it waits for what will be written, and has lost nothing so far; any other size is a content by itself. */
static int truncate_bytes(struct fs *fs, struct handle *handle, size_t size)
{
	if (size == 0) {
		handle->spoiled = 0;
		handle->truncated = true;
	} else if (size != handle->content.size) {
		if (handle->remade)
			return -EIO;
		if (!set_mark(fs, handle, MARK_DIRTY))
			return -ENOSPC;
		changed(handle);
	}
	return resize(handle, size);
}

int write_truncate(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, uint64_t fh, off_t size)
{
	_cleanup_handle_ struct handle *handle = NULL;
	int r = handle_get(fs, uid, row, id, fh, &handle);

	if (r < 0)
		return r;
	if (size < 0 || size > UPLOAD_MAX)
		return -EFBIG;
	pthread_mutex_lock(&handle->lock);
	r = truncate_bytes(fs, handle, (size_t)size);
	pthread_mutex_unlock(&handle->lock);
	return r;
}

/* ---- flush: the judgement ---- */

struct judging {
	fuse_req_t req;
	uint64_t fh;      /* 0: there was none, a touch */
	fuse_ino_t touch; /* != 0: a touch of this node, which is answered with its attributes */
	bool trigger;
	int r;
};

/* A refused handle stays dirty until its release: a worker that meets its flush again, because this one died before the answer
 * left, must not take it for one that was done. */
static void handle_taken(struct fs *fs, uint64_t fh)
{
	_cleanup_handle_ struct handle *handle = handle_find(fs->handles, fh);

	if (!handle) { /* a resent flush of a dead worker's handle */
		(void)shared_mark(fs->shared, fh, MARK_DIRTY, MARK_TAKEN);
		return;
	}
	pthread_mutex_lock(&handle->lock);
	if (handle->mark == MARK_DIRTY && !handle->unjudged)
		(void)set_mark(fs, handle, MARK_TAKEN);
	handle->fired = handle->row->flags & TREE_TRIGGER; /* once for each time it was opened, however many programs shared it */
	pthread_mutex_unlock(&handle->lock);
}

static void judging_answer(void *context)
{
	struct judging *judging = context;

	if (judging->r == 0 && judging->touch)
		op_getattr(judging->req, judging->touch, NULL);
	else
		reply_status(judging->req, judging->r);
	free(judging);
}

/* What a trigger changed must be seen everywhere before it is answered. */
static void judged(void *context, int r, int64_t result, const struct error *err)
{
	struct judging *judging = context;
	struct fs *fs = fs_of(judging->req);

	(void)result;
	(void)err;
	judging->r = r;
	if (judging->fh && r == 0)
		handle_taken(fs, judging->fh);
	if (judging->trigger)
		invalidate_then(fs->invalidate, judging_answer, judging);
	else
		judging_answer(judging);
}

static struct judging *judging_new(fuse_req_t req, uint64_t fh, const struct tree_row *row)
{
	struct judging *judging = malloc(sizeof(*judging));

	if (judging)
		*judging = (struct judging){.req = req, .fh = fh, .trigger = row->flags & TREE_TRIGGER};
	else
		reply_status(req, -ENOMEM);
	return judging;
}

/* Nothing is known of this handle here: its bytes died with the worker, unless its flush had been done. */
static void flush_unknown(fuse_req_t req, const struct tree_row *row, uint64_t fh)
{
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	struct judging *judging;

	if (shared_mark_of(fs->shared, fh) != MARK_DIRTY) {
		reply_status(req, 0);
		return;
	}
	judging = judging_new(req, fh, row);
	if (judging)
		core_replay(fs->core, &caller, judged, judging);
}

/* 1: bytes are a copy of what is to be judged, since the answer may come at once and other threads may write meanwhile; 0: there is nothing
 * new. Whoever shares the descriptor may close it at the same moment: only one of them gets 1. */
static int flush_take(struct handle *handle, struct buffer *bytes)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	r = handle->spoiled < 0 ? handle->spoiled : handle->writing && handle->unjudged;
	if (r > 0) {
		buffer_add_span(bytes, buffer_span(&handle->content));
		r = buffer_status(bytes) < 0 ? -ENOMEM : 1;
		handle->unjudged = r < 0;
	}
	pthread_mutex_unlock(&handle->lock);
	return r;
}

static void flush_handle(fuse_req_t req, struct handle *handle)
{
	_cleanup_buffer_ struct buffer bytes = {.secret = handle->row->flags & TREE_UPLOAD};
	const struct caller caller = fs_caller(req);
	const int r = flush_take(handle, &bytes);
	struct judging *judging;

	if (r <= 0) {
		reply_status(req, r);
		return;
	}
	judging = judging_new(req, handle->fh, handle->row);
	if (judging)
		handle->row->write(fs_of(req)->core, &caller, handle->id, buffer_span(&bytes), judged, judging);
}

void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct tree_row *row = tree_row(ino_decode(id).kind);
	_cleanup_handle_ struct handle *handle = handle_find(fs_of(req)->handles, fi->fh);

	if (ino_decode(id).kind == KIND_TEMPORARY)
		reply_status(req, temporary_flush(fs_of(req)->temporaries, id));
	else if (!row || !row->write || fi->fh & FH_GENERATION)
		reply_status(req, 0);
	else if (!handle)
		flush_unknown(req, row, fi->fh);
	else
		flush_handle(req, handle);
}

/* ---- triggers without a text ---- */

static void fired_at_release(void *context, int r, int64_t result, const struct error *err)
{
	(void)result;
	if (r < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err->code),
			  "a truncated trigger did not fire: %s", err->text);
	reply_status(context, 0); /* nobody waits for it; but until then a next worker would get the request again */
}

/* Of an unknown handle, a dead worker's, all that is left is its number and its mark. */
static bool fires_at_release(const struct tree_row *row, const struct handle *handle, uint64_t fh, enum handle_mark mark)
{
	if ((row->flags & (TREE_TRIGGER | TREE_TEXT_ONLY)) != TREE_TRIGGER)
		return false;
	return handle ? handle->writing && handle->truncated && !handle->written && !handle->spoiled : fh & FH_TRUNCATED && mark == MARK_NONE;
}

void write_release(fuse_req_t req, const struct tree_row *row, rowid id, uint64_t fh)
{
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	_cleanup_handle_ struct handle *handle = handle_find(fs->handles, fh);
	enum handle_mark mark;
	bool fires;

	if (handle)
		pthread_mutex_lock(&handle->lock);
	mark = handle ? handle->mark : shared_mark_of(fs->shared, fh);
	fires = fires_at_release(row, handle, fh, mark);
	if (handle)
		pthread_mutex_unlock(&handle->lock);
	if (mark != MARK_NONE)
		(void)shared_mark(fs->shared, fh, mark, MARK_NONE);
	if (handle)
		handle_drop(fs->handles, fh);
	if (fires)
		row->write(fs->core, &caller, id, (struct span){0}, fired_at_release, req);
	else
		reply_status(req, 0);
}

void write_fire(fuse_req_t req, fuse_ino_t id, const struct tree_row *row)
{
	const struct caller caller = fs_caller(req);
	struct judging *judging = judging_new(req, 0, row);

	if (!judging)
		return;
	judging->touch = id;
	row->write(fs_of(req)->core, &caller, ino_decode(id).row, (struct span){0}, judged, judging);
}
