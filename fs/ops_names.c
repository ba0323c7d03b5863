/* Making, removing and renaming names. What the table does not allow is EPERM. */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

#include "fs/absent.h"
#include "fs/handle.h"
#include "fs/ops.h"
#include "fs/reply.h"
#include "fs/temporary.h"

static const struct tree_listing *listing_of(struct ino directory)
{
	const struct tree_row *row = tree_row(directory.kind);

	return row ? row->listing : NULL;
}

/* The writable file of that name in a directory, or NULL. */
static const struct tree_row *writable(struct ino directory, const char *name)
{
	const struct tree_row *row = tree_find(directory.kind, name);

	return row && row->write ? row : NULL;
}

static fuse_ino_t file_ino(const struct tree_row *row, struct ino directory)
{
	return ino_encode((struct ino){.kind = (int)row->kind, .row = directory.row});
}

/* ---- mkdir ---- */

struct making {
	fuse_req_t req;
	const struct tree_row *child;
};

static void made(void *context, int r, int64_t result, const struct error *err)
{
	struct making *making = context;
	struct node node;
	struct error ignored;

	(void)err;
	if (r == 0)
		r = node_describe(fs_of(making->req), making->child, result, &node, &ignored);
	if (r < 0)
		reply_status(making->req, r);
	else
		reply_entry(making->req, &node);
	free(making);
}

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	const struct ino directory = ino_decode(parent);
	const struct tree_listing *listing = listing_of(directory);
	const struct caller caller = fs_caller(req);
	struct making *making;

	if (!listing || !listing->create) {
		reply_status(req, -EPERM);
		return;
	}
	making = malloc(sizeof(*making));
	if (!making) {
		reply_status(req, -ENOMEM);
		return;
	}
	*making = (struct making){req, tree_row((int)listing->child)};
	listing->create(fs_of(req)->core, &caller, directory.row, name, mode & 07777, made, making);
}

/* ---- rmdir ---- */

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct ino directory = ino_decode(parent);
	const struct tree_listing *listing = listing_of(directory);
	const struct tree_row *row = tree_find(directory.kind, name);
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	struct error err;
	rowid id = 0;
	int r;

	if (!listing || !listing->remove || row) {
		reply_status(req, row && !tree_is_directory(row) ? -ENOTDIR : -EPERM);
		return;
	}
	r = listing->find(fs->core, directory.row, name, &id, &err);
	if (r < 0 && !(r == -ENOENT && caller.resent)) /* resent: it may be gone because it was done */
		reply_status(req, r);
	else
		listing->remove(fs->core, &caller, id, reply_done, req);
}

/* ---- create ---- */

static void create_temporary(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			     struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	const struct fuse_ctx *ctx = fuse_req_ctx(req);
	struct fuse_entry_param entry = {0};
	int r = temporary_create(fs->temporaries, parent, name, mode, ctx->uid, ctx->gid, &entry.ino);

	if (r == 0)
		r = temporary_stat(fs->temporaries, entry.ino, &entry.attr);
	fi->direct_io = 1;
	if (r < 0)
		reply_status(req, r);
	else
		fuse_reply_create(req, &entry, fi);
}

/* mv and install have unlinked the name; or another client's copy of it came back within the second. */
static void create_again(fuse_req_t req, const struct tree_row *row, struct ino directory, struct fuse_file_info *fi)
{
	const fuse_ino_t file = file_ino(row, directory);
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry = {0};
	struct error err;
	struct node node;
	int r = 0;

	if (!absent_is(fs->absent, file, caller.request) && (fi->flags & O_EXCL))
		r = -EEXIST;
	if (r == 0)
		r = node_describe(fs, row, directory.row, &node, &err);
	if (r == 0)
		r = write_open(fs, caller.uid, row, directory.row, true, fi);
	if (r < 0) {
		reply_node_error(req, r);
		return;
	}
	absent_take(fs->absent, file, caller.request);
	entry.ino = node.id;
	entry.attr = node.attr;
	if (fuse_reply_create(req, &entry, fi) == -ENOENT) /* the caller was interrupted: there will be no release */
		handle_drop(fs->handles, fi->fh);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	const struct ino directory = ino_decode(parent);
	const struct tree_row *row = writable(directory, name);

	if (row)
		create_again(req, row, directory, fi);
	else if (temporary_name(name) && tree_takes_uploads(directory.kind) && !fs_of(req)->read_only)
		create_temporary(req, parent, name, mode, fi);
	else
		reply_status(req, fs_of(req)->read_only ? -EROFS : -EPERM);
}

/* ---- unlink ---- */

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	const struct ino directory = ino_decode(parent);
	const struct tree_row *row = writable(directory, name);
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	int r;

	if (temporary_name(name)) {
		r = temporary_remove(fs->temporaries, parent, name);
		reply_status(req, r == -ENOENT && caller.resent ? 0 : r); /* the last worker did it, or took it along */
		return;
	}
	if (row)
		absent_set(fs->absent, file_ino(row, directory));
	if (row && row->unlink)
		row->unlink(fs->core, &caller, directory.row, reply_done, req);
	else
		reply_status(req, row ? 0 : -EPERM);
}

/* ---- rename: a temporary file becomes a write ---- */

struct renaming {
	fuse_req_t req;
	fuse_ino_t parent;
	fuse_ino_t target; /* its st_ino */
	uint64_t request;
	char name[];       /* of the temporary file */
};

/* Refused, it stays, for whoever made it to remove. */
static void renamed(void *context, int r, int64_t result, const struct error *err)
{
	struct renaming *renaming = context;
	struct fs *fs = fs_of(renaming->req);

	(void)result;
	(void)err;
	if (r == 0) {
		(void)temporary_remove(fs->temporaries, renaming->parent, renaming->name);
		absent_take(fs->absent, renaming->target, renaming->request);
	}
	reply_status(renaming->req, r);
	free(renaming);
}

static struct renaming *renaming_new(fuse_req_t req, uint64_t request, fuse_ino_t parent, fuse_ino_t target, const char *name)
{
	const size_t size = strlen(name) + 1;
	struct renaming *renaming = malloc(sizeof(*renaming) + size);

	if (!renaming)
		return NULL;
	renaming->req = req;
	renaming->request = request;
	renaming->parent = parent;
	renaming->target = target;
	memcpy(renaming->name, name, size);
	return renaming;
}

static void rename_to_file(fuse_req_t req, fuse_ino_t parent, const char *name, const struct tree_row *row)
{
	_cleanup_buffer_ struct buffer content = BUFFER_SECRET;
	const struct ino directory = ino_decode(parent);
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);
	struct renaming *renaming;
	fuse_ino_t id;
	int r = temporary_lookup(fs->temporaries, parent, name, &id);

	if (r == 0)
		r = temporary_read(fs->temporaries, id, &content);
	if (r < 0 && !caller.resent) {
		reply_status(req, r);
		return;
	}
	renaming = renaming_new(req, caller.request, parent, file_ino(row, directory), name);
	if (!renaming)
		reply_status(req, -ENOMEM);
	else if (r < 0)
		core_replay(fs->core, &caller, renamed, renaming);
	else
		row->write(fs->core, &caller, directory.row, buffer_span(&content), renamed, renaming);
}

/* Resent, it may have been done, and then the other name is there. */
static int rename_temporary(struct fs *fs, const struct caller *caller, fuse_ino_t parent, const char *name, const char *new_name)
{
	int r = temporary_rename(fs->temporaries, parent, name, new_name);
	fuse_ino_t id;

	return r == -ENOENT && caller->resent ? temporary_lookup(fs->temporaries, parent, new_name, &id) : r;
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
	       unsigned int flags)
{
	const struct tree_row *row = writable(ino_decode(parent), new_name);
	const struct caller caller = fs_caller(req);
	struct fs *fs = fs_of(req);

	if (parent != new_parent || !temporary_name(name) || (!row && !temporary_name(new_name)))
		reply_status(req, -EPERM);
	else if (flags & ~(unsigned)RENAME_NOREPLACE)
		reply_status(req, -EINVAL);
	else if (!row)
		reply_status(req, rename_temporary(fs, &caller, parent, name, new_name));
	else if (flags & RENAME_NOREPLACE && !absent_is(fs->absent, file_ino(row, ino_decode(parent)), caller.request))
		reply_status(req, -EEXIST);
	else
		rename_to_file(req, parent, name, row);
}

/* ---- what the tree never allows ---- */

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)device;
	reply_status(req, -EPERM);
}

void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	reply_status(req, -EPERM);
}

void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent, const char *new_name)
{
	(void)id;
	(void)new_parent;
	(void)new_name;
	reply_status(req, -EPERM);
}
