/* Writable names that were unlinked a moment ago. `mv` and `install` unlink their target before they create it anew: the
 * name is absent until then, for a second at most, and what stands behind it is untouched.
 */
#ifndef FS_ABSENT_H
#define FS_ABSENT_H

#include "fs/fs.h"

struct absent;

struct absent *absent_new(void); /* NULL: out of memory */
void absent_free(struct absent *absent);

/* file: the node id of the name's file with version 0 (its st_ino). */
void absent_set(struct absent *absent, fuse_ino_t file);
void absent_clear(struct absent *absent, fuse_ino_t file);
bool absent_is(struct absent *absent, fuse_ino_t file);

#endif
