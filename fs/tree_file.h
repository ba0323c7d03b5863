/* What the commands for people read: files of a mounted tree, by their path below the mount point. */
#ifndef FS_TREE_FILE_H
#define FS_TREE_FILE_H

#include "certfs/buffer.h"
#include "certfs/error.h"

/* The mount point of the one certfs mount, where none is given. ENOENT: there is none; EINVAL names them if there are several. */
int tree_find_mount(char *ret, size_t size, struct error *err);

/* Reads a whole file; *ret_text ends with a 0 byte. */
int tree_read(const char *mount, const char *path, struct buffer *ret_text, struct error *err);

#endif
