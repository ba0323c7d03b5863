/* The operations, one function each for the table in ops.c. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "fs/fs.h"
#include "fs/ino.h"
#include "fs/tree.h"

/* ops_directory.c */
void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_readdir(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi);

/* ops_names.c */
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent, const char *new_name,
	       unsigned int flags);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t id, fuse_ino_t new_parent, const char *new_name);

/* ops_attr.c */
void op_getattr(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);
void op_setattr(fuse_req_t req, fuse_ino_t id, struct stat *attr, int to_set, struct fuse_file_info *fi);
void op_statfs(fuse_req_t req, fuse_ino_t id);
void op_getxattr(fuse_req_t req, fuse_ino_t id, const char *name, size_t size);
void op_listxattr(fuse_req_t req, fuse_ino_t id, size_t size);
void op_setxattr(fuse_req_t req, fuse_ino_t id, const char *name, const char *value, size_t size, int flags);
void op_removexattr(fuse_req_t req, fuse_ino_t id, const char *name);

/* ops_open.c */
void op_open(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);

/* The first read of a secret file that a dead worker had opened, and whose bytes of then are not to be had any more: opens it anew, with all
 * that belongs to it, and answers the read. size > 0. */
void open_again(fuse_req_t req, fuse_ino_t id, const struct tree_row *row, uint64_t fh, size_t size);

/* ops_read.c */
void op_read(fuse_req_t req, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *fi);
void op_poll(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi, struct fuse_pollhandle *ph);
void op_release(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);

/* ops_write.c */
void op_write(fuse_req_t req, fuse_ino_t id, const char *data, size_t size, off_t offset, struct fuse_file_info *fi);
void op_flush(fuse_req_t req, fuse_ino_t id, struct fuse_file_info *fi);

/* Opens for writing; *fi is filled. 0 or a negative errno. */
int write_open(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, bool empty, struct fuse_file_info *fi);
/* ftruncate. */
int write_truncate(struct fs *fs, uid_t uid, const struct tree_row *row, rowid id, uint64_t fh, off_t size);
/* Fires a trigger that was truncated and got no bytes, and forgets the handle. */
void write_release(fuse_req_t req, const struct tree_row *row, rowid id, uint64_t fh);
/* A touch, or a truncation by path, of a trigger: replies to setattr. */
void write_fire(fuse_req_t req, fuse_ino_t id, const struct tree_row *row);

#endif
