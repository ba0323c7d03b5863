#include "fs/serving.h"

#include <linux/fuse.h>

/* By the kernel's numbers. Those without a name are told of together. */
static const char *const kinds[REQUEST_KINDS_MAX] = {
	[FUSE_LOOKUP] = "lookup",
	[FUSE_FORGET] = "forget",
	[FUSE_GETATTR] = "getattr",
	[FUSE_SETATTR] = "setattr",
	[FUSE_READLINK] = "readlink",
	[FUSE_SYMLINK] = "symlink",
	[FUSE_MKNOD] = "mknod",
	[FUSE_MKDIR] = "mkdir",
	[FUSE_UNLINK] = "unlink",
	[FUSE_RMDIR] = "rmdir",
	[FUSE_RENAME] = "rename",
	[FUSE_LINK] = "link",
	[FUSE_OPEN] = "open",
	[FUSE_READ] = "read",
	[FUSE_WRITE] = "write",
	[FUSE_STATFS] = "statfs",
	[FUSE_RELEASE] = "release",
	[FUSE_FSYNC] = "fsync",
	[FUSE_SETXATTR] = "setxattr",
	[FUSE_GETXATTR] = "getxattr",
	[FUSE_LISTXATTR] = "listxattr",
	[FUSE_REMOVEXATTR] = "removexattr",
	[FUSE_FLUSH] = "flush",
	[FUSE_OPENDIR] = "opendir",
	[FUSE_READDIR] = "readdir",
	[FUSE_RELEASEDIR] = "releasedir",
	[FUSE_FSYNCDIR] = "fsyncdir",
	[FUSE_ACCESS] = "access",
	[FUSE_CREATE] = "create",
	[FUSE_INTERRUPT] = "interrupt",
	[FUSE_IOCTL] = "ioctl",
	[FUSE_POLL] = "poll",
	[FUSE_BATCH_FORGET] = "batch_forget",
	[FUSE_READDIRPLUS] = "readdirplus",
	[FUSE_RENAME2] = "rename2",
	[FUSE_LSEEK] = "lseek",
};

void serving_get(void *context, struct serving *ret)
{
	const struct fs *fs = context;
	struct request_count other = {.kind = "other"};
	const uint64_t workers = atomic_load(&fs->shared->workers);

	ret->worker_restarts = workers > 0 ? workers - 1 : 0;
	ret->kinds = 0;
	for (int i = 0; i < REQUEST_KINDS_MAX; i++) {
		const uint64_t count = atomic_load_explicit(&fs->shared->requests[i], memory_order_relaxed);

		if (kinds[i])
			ret->request[ret->kinds++] = (struct request_count){kinds[i], count};
		else
			other.count += count;
	}
	ret->request[ret->kinds++] = other;
}
