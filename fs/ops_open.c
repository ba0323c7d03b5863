/* Opening. One open file sees one generation, whole (SPEC 2). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/handle.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/reopen.h"
#include "fs/reply.h"
#include "fs/temporary.h"

enum { REPLACED_MAX = 100 };

/* How long ago it may be that a thread was told: for the kernel's next request after that, though the worker may be killed meanwhile, and for
 * what says that the kernel's judgement is of now. */
enum { TOLD_MS = 20 * 1000, TOLD_LATELY_MS = 2000 };

/* An open on its way: what it waits for (an issue, an audit record) answers later, from another thread. */
struct opening {
	fuse_req_t req;
	fuse_ino_t id;
	const struct tree_row *row;
	rowid object;
	struct caller caller;
	struct fuse_file_info fi;
	bool judged;      /* this thread was told a moment ago: the kernel has looked at the mode of now */
	bool direct;      /* not through the kernel's pages: see reopen.h */
	int replaced;     /* how often its generation was, while it was being opened */
	reopen_note told; /* that the node is stale, when the request came: not a second time, however long an issue takes; forgotten with a good answer */
	size_t read;      /* it is a first read that waits, for so many bytes: see open_again; 0: an open */
};

static fuse_ino_t opening_file(const struct opening *opening)
{
	return ino_encode((struct ino){.kind = (int)opening->row->kind, .row = opening->object});
}

/* The object is gone: the kernel looks the name up once more, and may find another of that name that is gone, too, by the time it opens
 * it. Then it has to be said. */
static int gone(const struct opening *opening)
{
	struct shared *shared = fs_of(opening->req)->shared;

	if (reopen_told(shared, 0, &opening->caller, TOLD_LATELY_MS))
		return -ENOENT;
	reopen_tell(shared, opening_file(opening), &opening->caller);
	return -ESTALE;
}

static void reading_answer(const struct opening *opening, int r)
{
	_cleanup_handle_ struct handle *handle = handle_find(fs_of(opening->req)->handles, opening->fi.fh);

	if (r < 0 || !handle)
		reply_node_error(opening->req, r < 0 ? r : -EIO);
	else
		reply_slice(opening->req, buffer_span(&handle->content), 0, opening->read);
}

static void open_answer(const struct opening *opening, int r)
{
	const bool counted = r == 0 && opening->row->flags & TREE_VERSIONED;
	struct fs *fs = fs_of(opening->req);

	if (counted)
		reopen_opened(fs->shared, opening->id);
	if (r < 0)
		reply_status(opening->req, r == -ENOENT ? gone(opening) : r);
	/* The caller was interrupted: there will be no release. */
	else if (fuse_reply_open(opening->req, &opening->fi) == -ENOENT) {
		handle_drop(fs->handles, opening->fi.fh);
		if (counted)
			reopen_released(fs->shared, opening->id);
	}
}

static void opening_answer(struct opening *opening, int r)
{
	struct shared *shared = fs_of(opening->req)->shared; /* the request is gone with its answer */

	if (opening->read > 0)
		reading_answer(opening, r);
	else
		open_answer(opening, r);
	if (r == 0)
		reopen_forget(shared, &opening->caller, opening->told);
	free(opening);
}

/* A snapshot in memory, for what is not rendered again at each read. */
static int handle_fill(struct handle *handle, const struct view *view, struct error *err)
{
	if (handle->row->log)
		return handle->row->log(view, &handle->cursor, &handle->content, err);
	return handle->row->render(view, &handle->content, err);
}

static int open_snapshot(struct opening *opening, const struct view *view, struct error *err)
{
	struct fs *fs = fs_of(opening->req);
	const bool secret = opening->row->flags & TREE_SECRET;
	const struct charge charge = fs_charge(fs, opening->caller.uid, secret);
	_cleanup_handle_ struct handle *handle = NULL;
	int r;

	if (opening->read == 0)
		opening->fi.fh = shared_handle(fs->shared);
	handle = handle_add(fs->handles, opening->fi.fh, opening->row, opening->object, secret,
			    &charge);
	if (!handle)
		return error_set(err, ENOMEM, "out of memory");
	r = handle_fill(handle, view, err);
	if (r == 0 && charge_set(&handle->charge, handle->content.room) < 0)
		r = error_set(err, EMFILE, "uid %u holds too much of what it has opened: close some of it", (unsigned int)charge.uid);
	if (r < 0)
		handle_drop(fs->handles, opening->fi.fh);
	return r;
}

/* Rendered now, and never from the kernel's pages. */
static void open_rendered(struct opening *opening, const struct view *view)
{
	struct error err;

	opening->fi.direct_io = 1;
	opening->fi.noflush = 1;
	opening_answer(opening, open_snapshot(opening, view, &err));
}

static void open_plain(struct opening *opening)
{
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = node_view(fs_of(opening->req), opening->row, opening->object, &view, &err);

	if (r < 0)
		opening_answer(opening, r);
	else
		open_rendered(opening, view);
}

/* ---- certificate files ---- */

static void open_certificate(struct opening *opening);

static void audited(void *context, int r, int64_t result, const struct error *err)
{
	struct opening *opening = context;

	(void)result;
	(void)err;
	if (r < 0)
		handle_drop(fs_of(opening->req)->handles, opening->fi.fh);
	opening_answer(opening, r);
}

/* The record is durable before the key leaves (SPEC 2.8). */
static void open_secret(struct opening *opening, const struct view *view)
{
	const struct generation_row *generation = view_generation_row(view);
	char object[192];
	struct error err;
	int r = open_snapshot(opening, view, &err);

	if (r == -ESTALE && opening->replaced++ < REPLACED_MAX) { /* since the view was taken */
		open_certificate(opening);
		return;
	}
	if (r == -ESTALE)
		r = -EIO; /* a hundred generations in the time of one open */
	if (r < 0) {
		opening_answer(opening, r);
		return;
	}
	snprintf(object, sizeof(object), "projects/%s/apps/%s/%s", view_project_row(view)->name,
		 view_app_row(view)->name, opening->row->name);
	core_audit(fs_of(opening->req)->core, &opening->caller, "read", object, generation->app, generation->number,
		   audited, opening);
}

/* The generation is there. Pages that the kernel has of this node are right, and closing tells us nothing. */
static void open_served(struct opening *opening, const struct view *view)
{
	const bool cached = opening->row->flags & TREE_VERSIONED && !opening->direct;

	opening->fi.keep_cache = cached;
	opening->fi.direct_io = !cached;
	opening->fi.noflush = 1;
	if (opening->row->flags & TREE_SECRET) {
		open_secret(opening, view);
		return;
	}
	opening->fi.fh = handle_of_generation(view_generation_row(view)->id, view_version(view).revision);
	opening_answer(opening, 0);
}

/* The kernel judges by a mode of up to a second ago, and a policy may have closed the keys since: whom the mode of now does not plainly let
 * in, it is to judge anew. (Of capabilities and of further groups it knows, not we.) */
static bool plainly_allowed(const struct opening *opening, const struct view *view)
{
	enum { KERNEL_REMEMBERS = 3 }; /* a second of node.c's, and what is lost in whole seconds */
	const struct owner owner = view_owner(view);
	const struct caller *caller = &opening->caller;

	return !(opening->row->flags & TREE_SECRET) || !view_written_within(view, KERNEL_REMEMBERS) || caller->uid == 0 ||
	       caller->uid == owner.uid || (caller->gid == owner.gid && view_key_mode(view) & S_IRGRP);
}

/* The node is no longer the file's, or no longer the caller's: the kernel looks the name up again, and opens what it finds. */
static bool stale(struct opening *opening, const struct view *view)
{
	struct shared *shared = fs_of(opening->req)->shared;
	bool same, first;

	if (opening->row->flags & TREE_CURRENT && !view_current(view))
		return true; /* that key is gone, whoever asks how often */
	if (opening->direct || !(opening->row->flags & TREE_VERSIONED))
		return false;
	same = node_id(opening->row, opening->object, view) == opening->id;
	if (same && plainly_allowed(opening, view))
		return false;
	opening->direct = opening->told && !same;
	first = same ? !opening->judged : !opening->told;
	if (first)
		reopen_tell(shared, opening_file(opening), &opening->caller);
	return first;
}

static void issued(void *context, int r, int64_t result, const struct error *err)
{
	struct opening *opening = context;

	(void)result;
	(void)err;
	if (r < 0)
		opening_answer(opening, r);
	else
		open_certificate(opening);
}

static void open_certificate(struct opening *opening)
{
	struct fs *fs = fs_of(opening->req);
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = node_view(fs, opening->row, opening->object, &view, &err);
	const enum view_reading reading = r == 0 ? view_reading(view, &err) : VIEW_REFUSES;

	if (r == 0 && opening->row->flags & TREE_UNATTACHED && !view_attached(view))
		open_rendered(opening, view);
	else if (reading == VIEW_REFUSES)
		opening_answer(opening, -err.code);
	else if (stale(opening, view))
		opening_answer(opening, -ESTALE);
	else if (reading == VIEW_SERVES)
		open_served(opening, view);
	else if (opening->row->flags & TREE_ISSUES)
		core_app_read(fs->core, opening->object, issued, opening);
	else
		opening_answer(opening, -ESTALE);
}

/* NULL: out of memory, and the request is answered. */
static struct opening *opening_new(fuse_req_t req, fuse_ino_t id, const struct tree_row *row)
{
	struct opening *opening = calloc(1, sizeof(*opening));

	if (!opening) {
		reply_status(req, -ENOMEM);
		return NULL;
	}
	opening->req = req;
	opening->id = id;
	opening->row = row;
	opening->object = ino_decode(id).row;
	opening->caller = fs_caller(req);
	opening->told = reopen_told(fs_of(req)->shared, opening_file(opening), &opening->caller, TOLD_MS);
	opening->judged = opening->told && reopen_told(fs_of(req)->shared, opening_file(opening), &opening->caller, TOLD_LATELY_MS);
	return opening;
}

static void open_for_reading(fuse_req_t req, fuse_ino_t id, const struct tree_row *row, const struct fuse_file_info *fi)
{
	struct opening *opening = opening_new(req, id, row);

	if (!opening)
		return;
	opening->fi = *fi;
	if (row->flags & (TREE_VERSIONED | TREE_ISSUES))
		open_certificate(opening);
	else
		open_plain(opening);
}

void open_again(fuse_req_t req, fuse_ino_t id, const struct tree_row *row, uint64_t fh, size_t size)
{
	struct opening *opening = opening_new(req, id, row);

	if (!opening)
		return;
	opening->fi.fh = fh;
	opening->direct = true;
	opening->read = size;
	open_certificate(opening);
}

static void open_for_writing(fuse_req_t req, const struct tree_row *row, rowid id, struct fuse_file_info *fi)
{
	int r = write_open(fs_of(req), fuse_req_ctx(req)->uid, row, id, (fi->flags & O_TRUNC) != 0, fi);

	if (r < 0)
		reply_node_error(req, r);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		handle_drop(fs_of(req)->handles, fi->fh);
}

static void open_temporary(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct temporaries *temporaries = fs_of(req)->temporaries;
	struct stat ignored;
	int r = fi->flags & O_TRUNC ? temporary_truncate(temporaries, id, 0) : temporary_stat(temporaries, id, &ignored);

	fi->direct_io = 1;
	if (r < 0)
		reply_node_error(req, r);
	else
		fuse_reply_open(req, fi);
}

void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);

	if (ino.kind == KIND_TEMPORARY)
		open_temporary(req, id, fi);
	else if (!row || tree_is_directory(row))
		reply_status(req, row ? -EISDIR : -ESTALE);
	else if ((fi->flags & O_ACCMODE) != O_RDONLY || fi->flags & O_TRUNC)
		open_for_writing(req, row, ino.row, fi);
	else
		open_for_reading(req, id, row, fi);
}
