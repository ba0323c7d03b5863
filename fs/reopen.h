/* Opens that must not be told a second time that their node is stale. ESTALE makes the kernel look the name up once more, and only once;
 * two kinds of callers would see the second one: one that opens through /proc/self/fd (there is no name), and one whose file is
 * replaced again between the kernel's lookup and its open. They get the current generation on the node that they have, past the
 * kernel's pages (DIRECT_IO): right bytes, whole, though its st_size is that of the older generation until the next lookup.
 *
 * Who was told is kept in memory that outlives the worker: it may die between the first time and the second.
 */
#ifndef FS_REOPEN_H
#define FS_REOPEN_H

#include "fs/fs.h"

/* What is noted of a thread: a file, and when. 0: nothing, or too long ago to matter. */
typedef uint64_t reopen_note;

/* This thread (the request's pid) is being told that a node of this file is stale. file: the node id with version 0. Before the
 * reply. Any thread. */
void reopen_tell(struct shared *shared, fuse_ino_t file, const struct caller *caller);

/* What this thread was told of this file in the last so many milliseconds (no more than a quarter of an hour); not by this very request, whose
 * answer a worker may have owed when it died. file 0: of any file. */
reopen_note reopen_told(struct shared *shared, fuse_ino_t file, const struct caller *caller, unsigned int within_ms);

/* A node has one open file more, or less: before the open is answered, and once for each release. A count that a dead worker left too high
 * does no harm. */
void reopen_opened(struct shared *shared, fuse_ino_t id);
void reopen_released(struct shared *shared, fuse_ino_t id);

/* Whether somebody may have that node open; seldom true where nobody has. */
bool reopen_is_open(struct shared *shared, fuse_ino_t id);

/* An open by this thread was answered well: forgets what was noted then, and nothing newer. */
void reopen_forget(struct shared *shared, const struct caller *caller, reopen_note note);

#endif
