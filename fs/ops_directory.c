/* Finding names and listing them. Never issues. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fs/absent.h"
#include "fs/ops.h"
#include "fs/reply.h"
#include "fs/temporary.h"

/* ---- lookup ---- */

static void lookup_temporary(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct node node = {0};
	int r = temporary_lookup(fs->temporaries, parent, name, &node.id);

	if (r == 0)
		r = temporary_stat(fs->temporaries, node.id, &node.attr);
	if (r < 0)
		reply_status(req, r);
	else
		reply_entry(req, &node); /* timeouts 0: after a rename its name leads elsewhere */
}

/* The row and the id that a name in a directory stands for. */
static int lookup_name(struct fs *fs, struct ino parent, const char *name, const struct tree_row **ret_row, rowid *ret_id,
		       struct error *err)
{
	const struct tree_row *directory = tree_row(parent.kind);
	const struct tree_row *row = tree_find(parent.kind, name);

	if (row) {
		*ret_row = row;
		*ret_id = parent.row;
		return 0;
	}
	if (!directory || !directory->listing)
		return error_set(err, ENOENT, "there is no %s", name);
	*ret_row = tree_row((int)directory->listing->child);
	return directory->listing->find(fs->core, parent.row, name, ret_id, err);
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	const struct tree_row *row = NULL;
	struct error err;
	struct node node;
	rowid id;
	int r;

	if (strlen(name) > NAME_MAX) {
		reply_status(req, -ENAMETOOLONG);
		return;
	}
	if (temporary_name(name)) {
		lookup_temporary(req, parent, name);
		return;
	}
	r = lookup_name(fs, ino_decode(parent), name, &row, &id, &err);
	if (r == 0)
		r = node_describe(fs, row, id, &node, &err);
	if (r == 0 && row->write && absent_is(fs->absent, node.attr.st_ino, 0))
		r = -ENOENT;
	if (r < 0)
		reply_status(req, r);
	else
		reply_entry(req, &node);
}

/* ---- readdir ---- */

/* Where a listing goes on: 1 and 2 are "." and "..", then the table's rows by their place, then the user's names by their cursor.
 * Each offset stays good whatever is made or removed meanwhile. */
enum { OFFSET_DOT = 1, OFFSET_DOTDOT = 2, OFFSET_ROWS = 3, OFFSET_NAMES = 1000 };

struct listing {
	fuse_req_t req;
	char *data;
	size_t size, room;
	int child;
};

/* 1: there is no room for it. */
static int listing_add(struct listing *listing, const char *name, fuse_ino_t ino, mode_t type, off_t next)
{
	const struct stat attr = {.st_ino = ino, .st_mode = type};
	const size_t size = fuse_add_direntry(listing->req, listing->data + listing->size,
					      listing->room - listing->size, name, &attr, next);

	if (size > listing->room - listing->size)
		return 1;
	listing->size += size;
	return 0;
}

static int list_dots(struct listing *listing, fuse_ino_t id, off_t offset)
{
	if (offset < OFFSET_DOT && listing_add(listing, ".", id, S_IFDIR, OFFSET_DOT))
		return 1;
	if (offset < OFFSET_DOTDOT && listing_add(listing, "..", FUSE_ROOT_ID, S_IFDIR, OFFSET_DOTDOT))
		return 1;
	return 0;
}

/* A file that may be absent for now is described first. */
static bool row_is_there(struct fs *fs, const struct tree_row *row, rowid id)
{
	const fuse_ino_t file = ino_encode((struct ino){.kind = (int)row->kind, .row = id});
	struct error err;
	struct node node;

	if (row->flags & TREE_CURRENT)
		return node_describe(fs, row, id, &node, &err) == 0;
	return !(row->write && absent_is(fs->absent, file, 0));
}

static int list_rows(struct listing *listing, struct fs *fs, struct ino directory, off_t offset)
{
	const struct tree_row *row = NULL;
	off_t place = OFFSET_ROWS;

	for (; (row = tree_next(directory.kind, row)); place++) {
		const mode_t type = tree_is_directory(row) ? S_IFDIR : S_IFREG;
		const fuse_ino_t ino = ino_encode((struct ino){.kind = (int)row->kind, .row = directory.row});

		if (offset >= place || !row_is_there(fs, row, directory.row))
			continue;
		if (listing_add(listing, row->name, ino, type, place))
			return 1;
	}
	return 0;
}

static int list_name(void *context, int64_t cursor, rowid id, const char *name)
{
	struct listing *listing = context;
	const fuse_ino_t ino = ino_encode((struct ino){.kind = listing->child, .row = id});

	return listing_add(listing, name, ino, S_IFDIR, OFFSET_NAMES + cursor);
}

static int list_names(struct listing *listing, struct fs *fs, struct ino directory, off_t offset, struct error *err)
{
	const struct tree_row *row = tree_row(directory.kind);

	if (!row->listing)
		return 0;
	listing->child = (int)row->listing->child;
	return row->listing->each(fs->core, directory.row, offset > OFFSET_NAMES ? offset - OFFSET_NAMES : 0, list_name,
				  listing, err);
}

void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	const struct ino directory = ino_decode(id);
	struct listing listing = {.req = req, .data = malloc(size), .room = size};
	struct error err;
	int r = 0;

	(void)fi;
	if (!listing.data) {
		reply_status(req, -ENOMEM);
		return;
	}
	if (!tree_row(directory.kind))
		r = -ENOTDIR;
	else if (!list_dots(&listing, id, offset) && !list_rows(&listing, fs, directory, offset))
		r = list_names(&listing, fs, directory, offset, &err);
	if (r < 0)
		reply_node_error(req, r);
	else
		fuse_reply_buf(req, listing.data, listing.size);
	free(listing.data);
}
