/* Dot names: `.name` files that rsync, Ansible and careful programs write first and then rename to a writable name. In locked memory only,
 * and forgotten after a minute. Once it is closed, one outlives the worker (keep.h); bytes that arrive while that is killed are lost, and
 * so is the name: EIO.
 */
#ifndef FS_TEMPORARY_H
#define FS_TEMPORARY_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "certfs/buffer.h"
#include "certfs/keep.h"
#include "certfs/types.h"
#include "fs/fs.h"
#include "fs/quota.h"

struct temporaries;

/* With what the last worker left in keep. quota: what the contents are charged to; NULL: nothing is. last: the highest number that a
 * worker of this mount has given. NULL: out of memory. */
struct temporaries *temporaries_new(struct quota *quota, struct keep *keep, _Atomic uint64_t *last);
/* Leaves them to the next worker. */
void temporaries_free(struct temporaries *temporaries);

/* A name begins with a dot. */
bool temporary_name(const char *name);

/* Makes one in the directory with that node id. EEXIST, ENOSPC (too many), EDQUOT (too many of that user), ENAMETOOLONG, ENOMEM. */
int temporary_create(struct temporaries *temporaries, fuse_ino_t directory, const char *name, mode_t mode, uid_t uid,
		     gid_t gid, fuse_ino_t *ret);
/* -ENOENT if there is none. */
int temporary_lookup(struct temporaries *temporaries, fuse_ino_t directory, const char *name, fuse_ino_t *ret);
int temporary_stat(struct temporaries *temporaries, fuse_ino_t id, struct stat *ret);
int temporary_chmod(struct temporaries *temporaries, fuse_ino_t id, mode_t mode);
int temporary_truncate(struct temporaries *temporaries, fuse_ino_t id, off_t size);
/* And -EDQUOT, as truncate. Once a part was refused, so is what follows, and reading, until it is cut to nothing. */
int temporary_write(struct temporaries *temporaries, fuse_ino_t id, const void *data, size_t size, off_t offset);
/* A copy of its content, into a secret buffer. */
int temporary_read(struct temporaries *temporaries, fuse_ino_t id, struct buffer *ret);
/* It is closed: whole, for now. -EIO if its bytes are lost, or what a write was refused with. */
int temporary_flush(struct temporaries *temporaries, fuse_ino_t id);
int temporary_rename(struct temporaries *temporaries, fuse_ino_t directory, const char *name, const char *new_name);
int temporary_remove(struct temporaries *temporaries, fuse_ino_t directory, const char *name);

/* Forgets what is older than a minute. */
void temporaries_tick(struct temporaries *temporaries);

#endif
