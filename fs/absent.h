/* Writable names that were unlinked a moment ago. `mv` and `install` unlink their target before they create it anew: the
 * name is absent until then, for a second at most, and what stands behind it is untouched.
 */
#ifndef FS_ABSENT_H
#define FS_ABSENT_H

#include "fs/fs.h"

struct absent;

/* slots: SHARED_ABSENT of them, which outlive the worker. NULL: out of memory. */
struct absent *absent_new(struct absent_slot *slots);
void absent_free(struct absent *absent);

/* file: the node id of the name's file with version 0 (its st_ino). */
void absent_set(struct absent *absent, fuse_ino_t file);
/* That request (caller.request) has made it anew. */
void absent_take(struct absent *absent, fuse_ino_t file, uint64_t request);
/* For that request. */
bool absent_is(struct absent *absent, fuse_ino_t file, uint64_t request);

#endif
