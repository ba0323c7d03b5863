/* The table of operations, and a worker's start and end. */
#include "fs/ops.h"

#include <errno.h>

#include "certfs/keep.h"
#include "certfs/log.h"
#include "fs/absent.h"
#include "fs/handle.h"
#include "fs/invalidate.h"
#include "fs/pollers.h"
#include "fs/quota.h"
#include "fs/serving.h"
#include "fs/temporary.h"

/* FUSE's `unique` of the request that this receiving thread is handling. */
static _Thread_local uint64_t current_request;

enum { UPLOADS_AT_ONCE = 1 << 20 };

void fs_set_request(uint64_t raw_unique)
{
	current_request = raw_unique;
}

struct caller fs_caller(fuse_req_t req)
{
	static const uint64_t resent = 1ULL << 63; /* FUSE_UNIQUE_RESEND, Linux 6.9 */
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	return (struct caller){
		.uid = ctx->uid,
		.gid = ctx->gid,
		.pid = ctx->pid,
		.request = current_request & ~resent,
		.resent = (current_request & resent) != 0,
	};
}

/* ---- a worker's start and end ---- */

static void app_changed(void *context, rowid app, const struct view_version *was)
{
	invalidate_directory(((struct fs *)context)->invalidate, KIND_APP, app, was);
}

static void project_changed(void *context, rowid project)
{
	struct fs *fs = context;

	invalidate_directory(fs->invalidate, KIND_PROJECT, project, NULL);
	invalidate_directory(fs->invalidate, KIND_SIGNING_CA, project, NULL);
}

static void events_added(void *context)
{
	pollers_wake(context);
}

/* The blocks also bound how many handles users can have, to fewer than the shared table has marks for. */
enum { LOCKED_BLOCK = 256, UNLOCKED_BLOCK = 4096, UNLOCKED_BYTES = 256 << 20 };

struct charge fs_charge(const struct fs *fs, uid_t uid, bool secret)
{
	return (struct charge){.quota = secret ? fs->locked : fs->unlocked, .uid = uid};
}

static int fs_make(struct fs *fs, struct error *err)
{
	fs->handles = handles_new();
	fs->locked = quota_new(core_memory_size(), LOCKED_BLOCK);
	fs->unlocked = quota_new(UNLOCKED_BYTES, UNLOCKED_BLOCK);
	fs->keep = keep_open(shared_keep(fs->shared), fs->shared->keep_size); /* NULL is fine */
	fs->temporaries = temporaries_new(fs->locked, fs->keep, &fs->shared->last_temporary);
	fs->absent = absent_new(fs->shared->absent);
	if (!fs->handles || !fs->locked || !fs->unlocked || !fs->temporaries || !fs->absent)
		return error_set(err, ENOMEM, "out of memory");
	handles_recall(fs->handles, fs->keep, fs->locked, fs->unlocked);
	return invalidate_new(fs->session, &fs->invalidate, err);
}

static int open_core(struct fs *fs, struct error *err)
{
	const struct core_options options = {
		.read_only = fs->read_only,
		.mountpoint = fs->mountpoint,
		.owner = fs->shared->owner,
		.connection = fs->shared->connection,
		.keep = fs->keep,
		.app_changed = app_changed,
		.project_changed = project_changed,
		.events_added = events_added,
		.serving = serving_get,
		.context = fs,
	};

	return core_open(fs->config, &options, &fs->core, err);
}

int fs_start(struct fs *fs, struct error *err)
{
	int r = fs_make(fs, err);

	if (r == 0)
		r = open_core(fs, err);
	if (r < 0)
		fs_stop(fs);
	return r;
}

/* Core answers through the invalidation thread: so core is drained first. */
void fs_stop(struct fs *fs)
{
	if (fs->core)
		core_drain(fs->core);
	invalidate_free(fs->invalidate);
	core_close(fs->core);
	if (fs->handles)
		handles_leave(fs->handles, fs->keep);
	handles_free(fs->handles);
	temporaries_free(fs->temporaries);
	absent_free(fs->absent);
	quota_free(fs->locked);
	quota_free(fs->unlocked);
	keep_close(fs->keep);
	fs->core = NULL;
	fs->invalidate = NULL;
	fs->handles = NULL;
	fs->temporaries = NULL;
	fs->absent = NULL;
	fs->locked = NULL;
	fs->unlocked = NULL;
	fs->keep = NULL;
}

void fs_tick(struct fs *fs)
{
	core_tick(fs->core);
	log_tick(false);
	temporaries_tick(fs->temporaries);
}

/* ---- the session ---- */

/* Runs in the supervisor, once, before the first worker. Splicing would need a pipe for each thread and saves nothing at these sizes;
 * O_TRUNC must come with open, or a truncated trigger can't be told from an opened one. */
static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE |
				  FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
	conn->want |= conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ASYNC_READ);
	conn->max_write = UPLOADS_AT_ONCE;
}

const struct fuse_lowlevel_ops fs_ops = {
	.init = op_init,
	.lookup = op_lookup,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.read = op_read,
	.write = op_write,
	.flush = op_flush,
	.release = op_release,
	.poll = op_poll,
	.readdir = op_readdir,
	.statfs = op_statfs,
	.setxattr = op_setxattr,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
	.removexattr = op_removexattr,
	.create = op_create,
};
