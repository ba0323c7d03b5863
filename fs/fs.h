/* What all of fs/ shares: one mounted filesystem, as the supervisor makes it and a worker serves it. */
#ifndef FS_FS_H
#define FS_FS_H

#define FUSE_USE_VERSION FUSE_MAKE_VERSION(3, 14)
#include <fuse3/fuse_lowlevel.h>

#include "certfs/config.h"
#include "certfs/core.h"
#include "fs/quota.h"
#include "fs/shared.h"
#include "fs/takeover.h"

struct fs {
	struct fuse_session *session; /* made by the supervisor, inherited by each worker already initialised */
	struct shared *shared;        /* outlives the workers */
	struct takeover takeover;     /* the supervisor's: what the next program would get, or what this one got */
	bool taken_over;              /* another program mounted; its exchange of FUSE_INIT is in takeover */
	bool init_differs;            /* it had agreed to something else with the kernel */
	const struct config *config;
	bool read_only;
	bool initialised;             /* the kernel's FUSE_INIT was answered (session.c) */
	bool init_answered;           /* the reply to FUSE_INIT has been written; set in the supervisor */
	char mountpoint[4096];        /* absolute */

	/* A worker's own, between fs_start and fs_stop. */
	struct core *core;
	struct handles *handles;         /* handle.h */
	struct quota *locked;            /* quota.h: of the memory for secrets */
	struct quota *unlocked;          /* of that for everything else */
	struct keep *keep;               /* keep.h: in the shared memory; NULL: nothing can be kept */
	struct temporaries *temporaries; /* temporary.h */
	struct absent *absent;           /* absent.h */
	struct invalidate *invalidate;   /* invalidate.h */
};

/* The operations table (ops.c); userdata of the session is a struct fs. */
extern const struct fuse_lowlevel_ops fs_ops;

/* Opens core and makes what a worker needs to serve. fs_stop answers everything that was accepted; nobody may be receiving. */
int fs_start(struct fs *fs, struct error *err);
void fs_stop(struct fs *fs);

/* What that user's open files are charged to; nothing yet. */
struct charge fs_charge(const struct fs *fs, uid_t uid, bool secret);

/* Forgets what has had its time. To be called every few seconds. */
void fs_tick(struct fs *fs);

/* The caller of the request in progress on this receiving thread. worker.c sets the raw id before it hands a request to
 * libfuse, which does not show it. */
struct caller fs_caller(fuse_req_t req);
void fs_set_request(uint64_t raw_unique);

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

#endif
