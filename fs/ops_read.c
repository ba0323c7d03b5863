/* Reading, waiting for more, closing. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "fs/handle.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/pollers.h"
#include "fs/reopen.h"
#include "fs/reply.h"
#include "fs/temporary.h"

static void read_temporary(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset)
{
	_cleanup_buffer_ struct buffer content = BUFFER_SECRET;
	int r = temporary_read(fs_of(req)->temporaries, id, &content);

	if (r < 0)
		reply_status(req, r);
	else
		reply_slice(req, buffer_span(&content), offset, size);
}

static void read_view(fuse_req_t req, const struct tree_row *row, const struct view *view, size_t size, off_t offset)
{
	_cleanup_buffer_ struct buffer content = {.secret = row->flags & TREE_SECRET};
	int64_t cursor = 0;
	struct error err;
	int r = row->log ? row->log(view, &cursor, &content, &err) : row->render(view, &content, &err);

	if (r < 0)
		reply_node_error(req, r);
	else
		reply_slice(req, buffer_span(&content), offset, size);
}

/* A public certificate: the handle is the generation. The chain that it was opened with may have been swapped since, and the kernel have forgotten
 * what it has read: no part of another one then. */
static void read_generation(fuse_req_t req, const struct tree_row *row, uint64_t fh, size_t size, off_t offset)
{
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = view_generation(fs_of(req)->core, handle_generation(fh), &view, &err);

	if (r < 0)
		reply_node_error(req, r);
	else if (!handle_has_revision(fh, view_version(view).revision))
		reply_status(req, -EIO);
	else
		read_view(req, row, view, size, offset);
}

/* Whether a handle of a dead worker can be read on: what it gave so far is given still. */
static bool is_same(const struct tree_row *row, fuse_ino_t id, const struct view *view)
{
	return row->flags & TREE_VERSIONED ? node_id(row, ino_decode(id).row, view) == id : !(row->flags & TREE_SECRET);
}

/* Where it can't, its end can still be told. */
static bool is_end(struct fs *fs, const struct tree_row *row, fuse_ino_t id, const struct view *view, off_t offset)
{
	struct node node;
	struct error err;

	if (row->flags & TREE_VERSIONED)
		return node_describe_older(fs, row, id, &node, &err) == 0 && offset >= node.attr.st_size;
	return node_describe_view(row, ino_decode(id).row, view, &node, &err) == 0 && offset == node.attr.st_size;
}

/* A handle of a dead worker: the same bytes again, or others if it has read none; never a part of another generation. */
static void read_again(fuse_req_t req, const struct tree_row *row, fuse_ino_t id, uint64_t fh, size_t size, off_t offset)
{
	_cleanup_view_ struct view *view = NULL;
	struct fs *fs = fs_of(req);
	struct error err;
	int r = node_view(fs, row, ino_decode(id).row, &view, &err);

	if (r < 0)
		reply_node_error(req, r);
	else if (is_same(row, id, view))
		read_view(req, row, view, size, offset);
	else if (offset == 0 && size > 0 && row->flags & TREE_SECRET)
		open_again(req, id, row, fh, size);
	else if (offset > 0 && is_end(fs, row, id, view, offset))
		fuse_reply_buf(req, NULL, 0);
	else
		reply_status(req, -EIO);
}

static off_t handle_end(const struct handle *handle)
{
	return handle->gone + (off_t)handle->content.size;
}

/* Who follows a log for months does not keep all of it in memory: what is behind the reader goes. One that goes back makes it anew. */
static void handle_let_go(struct handle *handle, off_t offset)
{
	enum { KEPT = 64 << 10 };
	struct buffer *content = &handle->content;
	const off_t behind = offset - handle->gone;

	if (behind < 0) {
		buffer_clear(content);
		handle->gone = handle->cursor = 0;
	} else if (behind >= KEPT && behind <= (off_t)content->size) {
		memmove(content->data, content->data + behind, content->size - (size_t)behind);
		(void)buffer_resize(content, content->size - (size_t)behind);
		handle->gone += behind;
	}
}

/* A log that is read to its end goes on with what came since. */
static int handle_grow(struct fs *fs, struct handle *handle, off_t offset, off_t end)
{
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = 0;

	if (!handle->row->log)
		return 0;
	handle_let_go(handle, offset);
	if (end > handle_end(handle)) {
		r = node_view(fs, handle->row, handle->id, &view, &err);
		if (r == 0)
			r = handle->row->log(view, &handle->cursor, &handle->content, &err);
	}
	handle->read_to = end < handle_end(handle) ? end : handle_end(handle);
	return r;
}

static void read_handle(fuse_req_t req, struct handle *handle, size_t size, off_t offset)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	r = handle_grow(fs_of(req), handle, offset, offset + (off_t)size);
	if (r < 0)
		reply_node_error(req, r);
	else
		reply_slice(req, buffer_span(&handle->content), offset - handle->gone, size);
	pthread_mutex_unlock(&handle->lock);
}

void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const struct tree_row *row = tree_row(ino_decode(id).kind);
	_cleanup_handle_ struct handle *handle = NULL;

	if (ino_decode(id).kind == KIND_TEMPORARY) {
		read_temporary(req, id, size, offset);
		return;
	}
	if (!row || tree_is_directory(row)) {
		reply_status(req, -EBADF);
		return;
	}
	if (fi->fh & FH_GENERATION && row->flags & TREE_VERSIONED) {
		read_generation(req, row, fi->fh, size, offset);
		return;
	}
	handle = handle_find(fs_of(req)->handles, fi->fh);
	if (handle)
		read_handle(req, handle, size, offset);
	else
		read_again(req, row, id, fi->fh, size, offset);
}

void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);

	if (row && row->flags & TREE_VERSIONED && !fs_caller(req).resent) /* a dead worker may have counted it */
		reopen_released(fs_of(req)->shared, id);
	if (row && !(fi->fh & FH_GENERATION))
		write_release(req, row, ino.row, fi->fh);
	else
		reply_status(req, 0);
}

/* ---- poll: a log is readable when it has more than was read ---- */

static bool has_more(struct fs *fs, struct handle *handle)
{
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	bool more;

	pthread_mutex_lock(&handle->lock);
	if (handle->read_to >= handle_end(handle) && node_view(fs, handle->row, handle->id, &view, &err) == 0)
		(void)handle->row->log(view, &handle->cursor, &handle->content, &err);
	more = handle->read_to < handle_end(handle);
	pthread_mutex_unlock(&handle->lock);
	return more;
}

void op_poll(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct fuse_pollhandle *ph)
{
	const struct tree_row *row = tree_row(ino_decode(id).kind);
	_cleanup_handle_ struct handle *handle = handle_find(fs_of(req)->handles, fi->fh);
	unsigned events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	if (row && row->log) {
		/* Registered first: what comes between the look and the answer wakes, too. */
		if (ph)
			pollers_add(fs_of(req), ph);
		events = !handle || !handle->row->log || has_more(fs_of(req), handle) ? POLLIN | POLLRDNORM : 0;
	} else if (ph) {
		fuse_pollhandle_destroy(ph);
	}
	fuse_reply_poll(req, events);
}
