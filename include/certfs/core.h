/* The face of core: everything that fs/ and the commands may ask for.
 *
 * A struct core is one opened store with its threads: a pool that makes keys and signs, one writer that commits. All calls
 * are safe from any thread. Calls that change something take a callback: it runs once, on a thread of core's, after
 * the effect is durable (or has been refused), and must not block. Calls that only read return at once.
 */
#ifndef CERTFS_CORE_H
#define CERTFS_CORE_H

#include <stdio.h>

#include "certfs/buffer.h"
#include "certfs/config.h"
#include "certfs/error.h"
#include "certfs/keep.h"
#include "certfs/metrics.h"
#include "certfs/rows.h"
#include "certfs/types.h"

struct core;
struct view_version; /* view.h */

/* ---- life ---- */

struct core_options {
	bool read_only;      /* nothing is issued, nothing changes: mutations give EROFS */
	const char *mountpoint; /* absolute, for hooks; borrowed, lives longer than core */
	struct owner owner;  /* of the top of the tree: whoever mounted, and when */
	uint64_t connection; /* random id of this FUSE connection: names resent requests; 0: none */
	struct keep *keep;   /* what outlives this process (keep.h); borrowed; NULL: nothing does */

	/* Tell that an app instance's certificate files are other ones now, or that what is in its or a project's directory belongs to
	 * somebody else. was: what those files were in view_version's terms, number 0: nobody was shown any. On a thread of core's, after
	 * the commit and before anybody is answered; must not block. NULL: nobody wants to know. */
	void (*app_changed)(void *context, rowid app, const struct view_version *was);
	void (*project_changed)(void *context, rowid project);
	/* Tells that there are new events; as above. */
	void (*events_added)(void *context);
	/* Asks what the serving side has counted, for `metrics`. Any thread; must not block. NULL: nothing. */
	void (*serving)(void *context, struct serving *ret);
	void *context;
};

/* Forks the process that starts hooks, with the privileges that the caller still has, for this process and as long as it lives. Before
 * it opens anything secret, drops anything or makes a thread. config must stay as it is. */
int core_hooks_start(const struct config *config, struct error *err);

/* Makes the locked memory of this process that private keys live in. Once, before any other call of core's in the
 * process that serves (locks do not survive a fork). ENOMEM and the remedy if it can't be locked. */
int core_memory_init(struct error *err);

/* How much locked memory core_memory_init got, bytes. */
size_t core_memory_size(void);

/* Takes the store's lock (flock on STORE.lock, with the holder's pid in it) for as long as the returned descriptor, or a
 * copy of it in a child, is open. EBUSY names the process that holds it. Makes the store's directory (0700) if it is missing. */
int core_lock(const struct config *config, int *ret_fd, struct error *err);

/* For a program that takes a mount over: fd holds the lock of the configured store (else EBUSY), and the store is not one of a newer certfs
 * (ENOTSUP). Changes nothing. In a process of its own. */
int core_probe(const struct config *config, int lock_fd, struct error *err);

/* Makes a missing store and its master key (0600), migrates an older store, and proves that the master key is
 * the store's. Opens and closes everything itself, so that a later fork is safe. Errors: ENOTSUP (a store of a newer
 * certfs), EKEYREJECTED (wrong master key), EACCES, ENOENT (read_only and no store), EIO, ENOSPC, … */
int core_prepare(const struct config *config, bool read_only, struct error *err);

/* Opens a prepared store and starts the threads. */
int core_open(const struct config *config, const struct core_options *options, struct core **ret, struct error *err);

/* Answers everything that was accepted, and starts nothing of its own any more. Calls that only read still work. */
void core_drain(struct core *core);

/* Drains, ends the threads and closes the store. No call may be in progress. */
void core_close(struct core *core);

/* Forgets what has had its time (staged uploads). To be called every few seconds. */
void core_tick(struct core *core);

/* ---- changes ---- */

/* How a change is answered: once, on a thread of core's, durable. r: 0 or a negative errno with *err; result: the new row's id
 * where one was made. A request that was resent and had been applied gets the answer of the first time. */
typedef void (*core_done)(void *context, int r, int64_t result, const struct error *err);

/* What setattr may change of a directory; a field is taken if its flag is set. */
struct owner_change {
	bool set_uid, set_gid, set_mode;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/* EINVAL, ENAMETOOLONG (name_check), EEXIST, ENOSPC (limits.projects reached). Owner: the caller, mode. */
void core_project_create(struct core *core, const struct caller *caller, const char *name, mode_t mode,
			 core_done done, void *context);
/* ENOTEMPTY while it has app instances. id 0: only a resent request is answered, else ENOENT. */
void core_project_remove(struct core *core, const struct caller *caller, rowid id, core_done done, void *context);
void core_project_own(struct core *core, const struct caller *caller, rowid id, const struct owner_change *change,
		      core_done done, void *context);
/* EINVAL and the line; nothing of a bad policy is taken, the sentence stays in the project's status. text is copied. */
void core_project_policy(struct core *core, const struct caller *caller, rowid id, struct span text, core_done done,
			 void *context);

/* user_data.in and details, of an app instance or, as defaults for those without their own, of a project (app_policy/). EINVAL and
 * the line; EFBIG; nothing of a bad one is taken, the sentence stays in the project's status. text is copied. */
enum core_scope { CORE_APP, CORE_PROJECT };
void core_template(struct core *core, const struct caller *caller, enum core_scope scope, rowid id, struct span text,
		   core_done done, void *context);
void core_details(struct core *core, const struct caller *caller, enum core_scope scope, rowid id, struct span text,
		  core_done done, void *context);

/* Uploads to signing_ca/ (SPEC 5.1). bytes are copied into locked memory. EKEYREJECTED and the sentence, which stays
 * in signing_ca/status. */
enum upload_part { UPLOAD_CERT, UPLOAD_KEY, UPLOAD_PASSWORD, UPLOAD_PART_COUNT };
enum upload_target { UPLOAD_ACTIVE, UPLOAD_NEXT }; /* signing_ca/ or signing_ca/next/ */
void core_upload(struct core *core, const struct caller *caller, rowid project, enum upload_target target,
		 enum upload_part part, struct span bytes, core_done done, void *context);
/* Drops the staged successor; nothing happens if there is none. */
void core_next_drop(struct core *core, const struct caller *caller, rowid project, core_done done, void *context);

void core_app_create(struct core *core, const struct caller *caller, rowid project, const char *name, mode_t mode,
		     core_done done, void *context);
/* Revokes its certificates and drops its keys. id 0 as above. */
void core_app_remove(struct core *core, const struct caller *caller, rowid id, core_done done, void *context);
void core_app_own(struct core *core, const struct caller *caller, rowid id, const struct owner_change *change,
		  core_done done, void *context);

/* What opening a certificate file needs: a current generation. Issues one if a read is to (SPEC 2), joined with others. */
void core_app_read(struct core *core, rowid app, core_done done, void *context);

/* Triggers (SPEC 3): text is what was written, "" for a touch. EINVAL for a text that no trigger takes. */
void core_app_renew(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		    void *context);
void core_app_purge(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		    void *context);

/* Both need a text: EINVAL for an empty one. */
void core_app_revoke(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		     void *context);
void core_compromised(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		      void *context);

/* Jobs over all app instances of a project. They answer when the job is durable; it goes on by itself, also after a crash.
 * ENOKEY, EKEYEXPIRED, EKEYREVOKED, EPERM while nothing can be issued; EBUSY: update while a job runs. */
void core_update(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		 void *context);
void core_force_update(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		       void *context);
/* text: pause, resume or cancel; EINVAL otherwise, and where no job runs. */
void core_progress(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		   void *context);

/* Accounts for the reading of a private key, before it is handed out. object: its path below the mount. */
void core_audit(struct core *core, const struct caller *caller, const char *action, const char *object, rowid app,
		int64_t generation, core_done done, void *context);

/* Answers a resent request whose own data died with the worker: with the answer of the first time if it had been applied, else EIO. */
void core_replay(struct core *core, const struct caller *caller, core_done done, void *context);

/* ---- names and listings ---- */

int core_project_find(struct core *core, const char *name, rowid *ret, struct error *err);
int core_app_find(struct core *core, rowid project, const char *name, rowid *ret, struct error *err);
int core_generation_find(struct core *core, rowid app, int64_t number, rowid *ret, struct error *err);

/* Listings call each for what comes after the cursor `after` (0: from the start), until it returns non-zero. A cursor stays good
 * whatever is made or removed meanwhile. each must not ask core for anything. */
typedef int (*core_each)(void *context, int64_t cursor, rowid id, const char *name);
int core_project_each(struct core *core, rowid after, core_each each, void *context, struct error *err);
int core_app_each(struct core *core, rowid project, rowid after, core_each each, void *context, struct error *err);
int core_generation_each(struct core *core, rowid app, int64_t after, core_each each, void *context,
			 struct error *err);
int core_project_count(struct core *core, int64_t *ret, struct error *err);

/* `certfs check`: verifies the whole store, prints one line for each finding and a summary to report.
 * 0: clean, -EUCLEAN: findings, else the store can't be read. Works beside a running mount. */
int core_check(const struct config *config, FILE *report, struct error *err);

/* ---- the store as a whole: for commands, each of which opens and closes what it needs ---- */

/* A consistent copy of the store, which may be in use, to dest (0600, never overwritten, durable), and a word about the master
 * key to report. EEXIST; EINTR when SIGINT, SIGTERM or SIGHUP is pending: block them before. Nothing is left on failure. */
int core_backup(const struct config *config, const char *dest, FILE *report, struct error *err);

/* A store from a backup. EEXIST and EBUSY where there is one; EKEYREJECTED (the wrong master key), ENOTSUP (a newer schema), EUCLEAN, …: then
 * nothing is left. What is counted goes on above max(value + 1, Unix time). Signals as above. */
int core_restore(const struct config *config, const char *source, FILE *report, struct error *err);

/* A new master key in its file; works beside a running mount. EBUSY while another one runs. Killed at any instruction, the next
 * mount or rekey ends it. */
int core_rekey(const struct config *config, FILE *report, struct error *err);

#endif
