/* A node: what lookup and getattr tell the kernel of one place of the tree. */
#ifndef FS_NODE_H
#define FS_NODE_H

#include <sys/stat.h>

#include "fs/ino.h"
#include "fs/tree.h"

struct node {
	fuse_ino_t id;
	struct stat attr;
	double attr_timeout;  /* seconds */
	double entry_timeout;
};

/* The view that a file or directory of that scope shows; -ENOENT: the row is gone. */
int node_view(struct fs *fs, const struct tree_row *row, rowid id, struct view **ret, struct error *err);

/* Describes it as it is now. -ENOENT also where the table has the name but it is not there now (TREE_CURRENT). */
int node_describe(struct fs *fs, const struct tree_row *row, rowid id, struct node *ret, struct error *err);

/* The same from a view that the caller has already. */
int node_describe_view(const struct tree_row *row, rowid id, const struct view *view, struct node *ret,
		       struct error *err);

/* Of a file of an app instance, the generation that an older node id names: who has that open asks for its size, not for that of the newest.
 */
int node_describe_older(struct fs *fs, const struct tree_row *row, fuse_ino_t id, struct node *ret, struct error *err);

/* The node id that this file has now; 0: not to be encoded. */
fuse_ino_t node_id(const struct tree_row *row, rowid id, const struct view *view);

#endif
