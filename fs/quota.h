/* Who holds how much of the memory that open files and unfinished writes are kept in. It is bounded, so one user must not be able to
 * take it all: what others read, write and issue needs some, too.
 */
#ifndef FS_QUOTA_H
#define FS_QUOTA_H

#include <stddef.h>
#include <sys/types.h>

struct quota;

/* For so many bytes, in blocks of powers of two of which `smallest` is the least. One user may hold three eighths of them, all users but
 * root together six; root what there is. NULL: out of memory. */
struct quota *quota_new(size_t bytes, size_t smallest);
void quota_free(struct quota *quota);

/* What one holder has been charged with. Zeroed but for quota and uid it is none. */
struct charge {
	struct quota *quota;
	uid_t uid;
	size_t bytes;
};

/* From now on the holder has a block for so many bytes, 0: none. -EDQUOT: the user has too many, -ENOMEM; then nothing has changed.
 * Any thread; a charge is its holder's. */
int charge_set(struct charge *charge, size_t bytes);

#endif
