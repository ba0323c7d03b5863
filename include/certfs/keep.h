/* What the process that serves must not forget when it is killed, and what must not be on a disk: dot names, parts of an upload that wait
 * for the others. Kept as records, in memory that the next process is given, too.
 *
 * A record is a head (a struct of its holder's) and bytes. It is there whole, or not at all, at whatever instruction the process dies:
 * what was half done is undone when the memory is opened again. What a record held is wiped before its place is used again.
 *
 * One process at a time; in it, any thread. A keep of NULL keeps nothing, and says so.
 */
#ifndef CERTFS_KEEP_H
#define CERTFS_KEEP_H

#include "certfs/buffer.h"

struct keep;

enum keep_kind { KEEP_TEMPORARY = 1, KEEP_UPLOAD, KEEP_HANDLE };

/* The number of a record, the holder's to remember. 0: there is none. */
typedef uint32_t keep_id;

/* memory: shared with the process before and the one after, locked by its owner, all zero at first, at an address fit for any type; it
 * outlives the keep. NULL: too small, or out of memory. */
struct keep *keep_open(void *memory, size_t size);
void keep_close(struct keep *keep); /* leaves the records */

/* Makes a record, or puts other content in the place of *id. False: there is no room, and *id is 0: the old one is gone, too, since what
 * it says is not true any more. */
bool keep_put(struct keep *keep, enum keep_kind kind, const void *head, size_t head_size, struct span bytes, keep_id *id);

/* Wipes it, and *id is 0. */
void keep_drop(struct keep *keep, keep_id *id);

/* Calls each for every record of a kind; it may drop that one, and put others. head_size: records with another one are dropped. bytes: a
 * secret copy, the callee's to take. */
void keep_each(struct keep *keep, enum keep_kind kind, size_t head_size,
	       void (*each)(void *context, keep_id id, const void *head, struct buffer *bytes), void *context);

#endif
