/* Attributes: stat, chmod, chown, touch, truncate, extended attributes, statfs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "fs/handle.h"
#include "fs/invalidate.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/reopen.h"
#include "fs/reply.h"
#include "fs/temporary.h"

/* ---- getattr ---- */

static void getattr_temporary(fuse_req_t req, fuse_ino_t id)
{
	struct node node = {.id = id};
	int r = temporary_stat(fs_of(req)->temporaries, id, &node.attr);

	if (r < 0)
		reply_node_error(req, r);
	else
		reply_attr(req, &node);
}

/* An older node has the attributes of its generation while somebody has it open, for fstat(2), and else those of the newest, for stat(2): the
 * kernel remembers names for a second. Never ESTALE, which the kernel bears once in a walk, and opening may have used that up. */
static int describe(struct fs *fs, fuse_ino_t id, struct node *ret, struct error *err)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);
	int r;

	if (!row)
		return error_set(err, ESTALE, "there is no such kind of node");
	r = node_describe(fs, row, ino.row, ret, err);
	if (r < 0 || ret->id == id)
		return r;
	if (row->scope == SCOPE_APP && reopen_is_open(fs->shared, id))
		return node_describe_older(fs, row, id, ret, err);
	ret->id = id;
	ret->attr_timeout = 0; /* nobody would tell the kernel that this node's are no longer true */
	return 0;
}

void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi)
{
	struct error err;
	struct node node;
	int r;

	(void)fi;
	if (ino_decode(id).kind == KIND_TEMPORARY) {
		getattr_temporary(req, id);
		return;
	}
	r = describe(fs_of(req), id, &node, &err);
	if (r < 0)
		reply_node_error(req, r);
	else
		reply_attr(req, &node);
}

/* ---- setattr ---- */

static void setattr_temporary(fuse_req_t req, fuse_ino_t id, const struct stat *attr, int to_set)
{
	struct fs *fs = fs_of(req);
	int r = 0;

	if (to_set & FUSE_SET_ATTR_MODE)
		r = temporary_chmod(fs->temporaries, id, attr->st_mode);
	if (r == 0 && to_set & FUSE_SET_ATTR_SIZE)
		r = temporary_truncate(fs->temporaries, id, attr->st_size);
	if (r < 0)
		reply_node_error(req, r);
	else
		getattr_temporary(req, id);
}

/* A project's or app instance's directory: owner and mode persist. */
struct owning {
	fuse_req_t req;
	fuse_ino_t id;
	int r;
};

static void owned_answer(void *context)
{
	struct owning *owning = context;

	if (owning->r < 0)
		reply_node_error(owning->req, owning->r);
	else
		op_getattr(owning->req, owning->id, NULL);
	free(owning);
}

/* What is in the directory has another owner, too, and the kernel judges by what it remembers: it forgets that first. */
static void owned(void *context, int r, int64_t result, const struct error *err)
{
	struct owning *owning = context;

	(void)result;
	(void)err;
	owning->r = r;
	invalidate_then(fs_of(owning->req)->invalidate, owned_answer, owning);
}

static void setattr_owner(fuse_req_t req, fuse_ino_t id, const struct tree_row *row, const struct stat *attr,
			  int to_set)
{
	const struct owner_change change = {
		.set_uid = to_set & FUSE_SET_ATTR_UID,
		.set_gid = to_set & FUSE_SET_ATTR_GID,
		.set_mode = to_set & FUSE_SET_ATTR_MODE,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.mode = attr->st_mode,
	};
	const struct caller caller = fs_caller(req);
	struct owning *owning = malloc(sizeof(*owning));

	if (!owning) {
		reply_status(req, -ENOMEM);
		return;
	}
	*owning = (struct owning){req, id, 0};
	row->own(fs_of(req)->core, &caller, ino_decode(id).row, &change, owned, owning);
}

/* 1: a trigger fires, and what it does answers. A touch sets the times to now; explicit times never fire (cp -p, tar, rsync -a). */
static int fires(const struct tree_row *row, int to_set, const struct stat *attr, const struct fuse_file_info *fi)
{
	if (!(row->flags & TREE_TRIGGER) || row->flags & TREE_TEXT_ONLY)
		return 0;
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		return 1;
	return !fi && to_set & FUSE_SET_ATTR_SIZE && attr->st_size == 0;
}

/* chmod, chown and utimes on a writable file, and utimes on a directory, succeed and change nothing. */
static int setattr_nothing(const struct tree_row *row, int to_set)
{
	const int owner = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;

	if (row->write || (tree_is_directory(row) && !(to_set & owner)))
		return 0;
	return -EPERM;
}

static int setattr_file(fuse_req_t req, fuse_ino_t id, const struct tree_row *row, const struct stat *attr, int to_set,
			const struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);

	if (fs->read_only)
		return -EROFS;
	if (to_set & FUSE_SET_ATTR_SIZE && !fi && attr->st_size != 0)
		return -EPERM; /* there is no close that could judge what is left */
	if (to_set & FUSE_SET_ATTR_SIZE && fi)
		return write_truncate(fs, fuse_req_ctx(req)->uid, row, ino_decode(id).row, fi->fh, attr->st_size);
	return setattr_nothing(row, to_set);
}

void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);
	const int owner = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
	int r;

	if (ino.kind == KIND_TEMPORARY) {
		setattr_temporary(req, id, attr, to_set);
	} else if (!row) {
		reply_status(req, -ESTALE);
	} else if (row->own && to_set & owner) {
		setattr_owner(req, id, row, attr, to_set);
	} else if (fires(row, to_set, attr, fi)) {
		write_fire(req, id, row);
	} else {
		r = setattr_file(req, id, row, attr, to_set, fi);
		if (r < 0)
			reply_node_error(req, r);
		else
			op_getattr(req, id, fi);
	}
}

/* ---- statfs ---- */

/* The room is that of the filesystem that the store is on. */
void op_statfs(fuse_req_t req, fuse_ino_t id)
{
	struct fs *fs = fs_of(req);
	struct statvfs st = {0};

	(void)id;
	if (statvfs(fs->config->store_path, &st) < 0)
		st = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096};
	st.f_namemax = NAME_SIZE - 1;
	fuse_reply_statfs(req, &st);
}

/* ---- extended attributes ---- */

static const char prefix[] = "user.certfs.";

static bool has_attributes(const struct tree_row *row)
{
	return row && (row->kind == KIND_APP || row->kind == KIND_DEVICE_CA_CERT);
}

static void reply_xattr(fuse_req_t req, const struct buffer *value, size_t size)
{
	if (size == 0)
		fuse_reply_xattr(req, value->size);
	else if (value->size > size)
		reply_status(req, -ERANGE);
	else
		fuse_reply_buf(req, (const char *)value->data, value->size);
}

void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);
	_cleanup_buffer_ struct buffer value = {0};
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r;

	if (!has_attributes(row) || strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
		reply_status(req, -ENODATA);
		return;
	}
	r = node_view(fs_of(req), row, ino.row, &view, &err);
	if (r == 0)
		r = view_attribute(view, name + sizeof(prefix) - 1, &value, &err);
	if (r < 0)
		reply_node_error(req, r);
	else
		reply_xattr(req, &value, size);
}

/* Those that have a value now. */
static void list_attributes(const struct view *view, struct buffer *out)
{
	for (const char *const *name = view_attribute_names; *name; name++) {
		_cleanup_buffer_ struct buffer value = {0};
		struct error err;

		if (view_attribute(view, *name, &value, &err) < 0)
			continue;
		buffer_add_text(out, prefix);
		buffer_add(out, *name, strlen(*name) + 1);
	}
}

void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t size)
{
	const struct ino ino = ino_decode(id);
	const struct tree_row *row = tree_row(ino.kind);
	_cleanup_buffer_ struct buffer names = {0};
	_cleanup_view_ struct view *view = NULL;
	struct error err;
	int r = 0;

	if (has_attributes(row))
		r = node_view(fs_of(req), row, ino.row, &view, &err);
	if (view)
		list_attributes(view, &names);
	if (r < 0)
		reply_node_error(req, r);
	else
		reply_xattr(req, &names, size);
}

/* Ours are not to be set; ACLs and labels are not kept here, which cp, mv and install understand. */
static int not_settable(const char *name)
{
	return strncmp(name, prefix, sizeof(prefix) - 1) == 0 ? -EPERM : -EOPNOTSUPP;
}

void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t size, int flags)
{
	(void)id;
	(void)value;
	(void)size;
	(void)flags;
	reply_status(req, not_settable(name));
}

void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name)
{
	(void)id;
	reply_status(req, not_settable(name));
}
