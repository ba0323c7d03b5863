#include "fs/node.h"

#include <errno.h>

/* What the kernel may believe without asking. Exactness comes from node ids and invalidation, not from short times. */
static const double timeout = 1.0;

/* What stat shows of a file that can't be rendered now: never 0, which GNU tar would not even open. */
enum { SIZE_UNKNOWN = 1, BLOCK_SIZE = 4096, SECTOR_SIZE = 512 };

int node_view(struct fs *fs, const struct tree_row *row, rowid id, struct view **ret, struct error *err)
{
	switch (row->scope) {
	case SCOPE_PROJECT:
		return view_project(fs->core, id, ret, err);
	case SCOPE_APP:
		return view_app(fs->core, id, ret, err);
	case SCOPE_GENERATION:
		return view_generation(fs->core, id, ret, err);
	default:
		return view_fleet(fs->core, ret, err);
	}
}

fuse_ino_t node_id(const struct tree_row *row, rowid id, const struct view *view)
{
	struct ino ino = {.kind = (int)row->kind, .row = id};

	if (row->flags & TREE_VERSIONED) {
		const struct view_version version = view_version(view);

		ino.version = ino_version(version.number, version.revision);
	}
	return ino_encode(ino);
}

/* ---- attributes ---- */

static mode_t node_mode(const struct tree_row *row, const struct view *view)
{
	if (row->flags & TREE_OWNED)
		return view_owner(view).mode;
	return row->flags & TREE_SECRET ? view_key_mode(view) : row->mode;
}

enum { NUMBERS_THAT_COUNT = 1000000000 }; /* generations; above it they follow the clock */

/* . and .. and what is below; a listing's children count, as on any filesystem. */
static nlink_t directory_links(const struct tree_row *row, const struct view *view)
{
	const struct tree_row *child = NULL;
	nlink_t links = 2;

	while ((child = tree_next((int)row->kind, child)))
		links += tree_is_directory(child);
	if (row->kind == KIND_PROJECTS)
		links += (nlink_t)view_projects(view);
	if (row->kind == KIND_APPS)
		links += (nlink_t)view_project_row(view)->apps;
	if (row->kind != KIND_GENERATIONS)
		return links;
	/* numbers that jump (a restored backup) do not count: 1 means "unknown" to find and its like */
	if (view_app_row(view)->next_number > view_app_row(view)->last_number + 1 ||
	    view_app_row(view)->last_number > NUMBERS_THAT_COUNT)
		return 1;
	return links + (nlink_t)view_app_row(view)->last_number;
}

static void set_times(struct stat *attr, unixtime modified, unixtime changed)
{
	attr->st_mtim.tv_sec = modified;
	attr->st_atim.tv_sec = modified;
	attr->st_ctim.tv_sec = changed;
}

static void directory_attr(const struct tree_row *row, const struct view *view, struct stat *attr)
{
	unixtime changed = view_owner(view).changed_at;

	if (row->kind == KIND_APPS)
		changed = view_project_row(view)->apps_changed_at;
	attr->st_mode = S_IFDIR | node_mode(row, view);
	attr->st_nlink = directory_links(row, view);
	attr->st_size = BLOCK_SIZE;
	set_times(attr, changed, changed);
}

static int file_size(const struct tree_row *row, const struct view *view, size_t *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer content = {0};
	int r;

	if (row->size)
		return row->size(view, ret, err);
	r = row->render(view, &content, err);
	*ret = r < 0 && !(row->flags & TREE_WRITE_ONLY) ? SIZE_UNKNOWN : content.size;
	return 0;
}

/* When somebody last changed what the files of the view's object are made of, other than by issuing. */
static unixtime written_at(const struct view *view)
{
	unixtime at = view_owner(view).changed_at;

	if (view_project_row(view))
		at = later(at, view_project_row(view)->written_at);
	if (view_app_row(view))
		at = later(at, view_app_row(view)->written_at);
	return at;
}

/* st_ctime of what shows a certificate must not move when it is issued: tar would report a change. */
static void file_times(const struct tree_row *row, const struct view *view, struct stat *attr)
{
	struct view_version version = {0};
	const unixtime at = written_at(view);

	if (view_app_row(view))
		version = view_version(view);
	if (row->flags & TREE_VERSIONED)
		set_times(attr, version.issued_at, version.previous_at);
	else
		set_times(attr, later(at, version.issued_at), later(at, version.previous_at));
}

static int file_attr(const struct tree_row *row, const struct view *view, struct stat *attr, struct error *err)
{
	size_t size = SIZE_UNKNOWN;
	int r = file_size(row, view, &size, err);

	if (r < 0 && r != -EIO)
		return r;
	attr->st_mode = S_IFREG | node_mode(row, view);
	attr->st_nlink = 1;
	attr->st_size = (off_t)size;
	attr->st_blocks = (blkcnt_t)((size + SECTOR_SIZE - 1) / SECTOR_SIZE);
	file_times(row, view, attr);
	return 0;
}

/* A file to come has no time of issue yet, and other files' sizes may change with each look. */
static double attr_timeout(const struct tree_row *row, const struct view *view)
{
	struct error ignored;

	if (tree_is_directory(row))
		return timeout;
	if (!(row->flags & TREE_VERSIONED))
		return 0;
	return view_reading(view, &ignored) == VIEW_SERVES ? timeout : 0;
}

int node_describe_view(const struct tree_row *row, rowid id, const struct view *view, struct node *ret,
		       struct error *err)
{
	const struct owner owner = view_owner(view);
	struct node node = {
		.id = node_id(row, id, view),
		.attr_timeout = attr_timeout(row, view),
		.entry_timeout = timeout,
	};
	int r = 0;

	if (!node.id)
		return error_set(err, EOVERFLOW, "row %lld has no node id", (long long)id);
	if (row->flags & TREE_CURRENT && !view_current(view))
		return error_set(err, ENOENT, "this generation's key is gone: only the current one has its key");
	node.attr.st_ino = ino_encode((struct ino){.kind = (int)row->kind, .row = id});
	node.attr.st_uid = owner.uid;
	node.attr.st_gid = owner.gid;
	node.attr.st_blksize = BLOCK_SIZE;
	if (tree_is_directory(row))
		directory_attr(row, view, &node.attr);
	else
		r = file_attr(row, view, &node.attr, err);
	if (r == 0)
		*ret = node;
	return r;
}

int node_describe(struct fs *fs, const struct tree_row *row, rowid id, struct node *ret, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	int r = node_view(fs, row, id, &view, err);

	return r == 0 ? node_describe_view(row, id, view, ret, err) : r;
}

/* The node id says which one it is. If it is none, the file was to come under another policy when its name was looked up: nobody has it
 * open. */
int node_describe_older(struct fs *fs, const struct tree_row *row, fuse_ino_t id, struct node *ret, struct error *err)
{
	const struct ino ino = ino_decode(id);
	_cleanup_view_ struct view *app = NULL;
	_cleanup_view_ struct view *view = NULL;
	rowid generation;
	int r = view_app(fs->core, ino.row, &app, err);

	if (r == 0)
		r = core_generation_find(fs->core, ino.row, ino_number(ino.version, view_app_row(app)->last_number),
					 &generation, err);
	if (r == 0)
		r = view_generation(fs->core, generation, &view, err);
	if (r == 0)
		r = node_describe_view(row, ino.row, view, ret, err);
	if (r == -ENOENT && app)
		r = 0;
	if (!view)
		ret->attr_timeout = 0;
	if (r == 0)
		ret->id = id;
	return r;
}
