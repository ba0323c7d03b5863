/* What the verbs and core's face share: the opened core. Nothing below the verbs includes this. */
#ifndef CORE_CORE_INTERNAL_H
#define CORE_CORE_INTERNAL_H

#include <pthread.h>

#include "cache.h"
#include "certfs/core.h"
#include "certfs/view.h"
#include "device_ca.h"
#include "histogram.h"
#include "seal.h"
#include "store.h"

struct core {
	struct config config;
	struct core_options options;
	struct seal *seal;
	pthread_key_t reader;      /* each thread's own connection for reading */
	struct cache *projects;    /* struct project */
	struct cache *signing_cas; /* struct signing_ca */
	struct cache *apps;        /* struct app */
	struct writer *writer;     /* writer.h */
	struct pool *pool;         /* pool.h */
	struct keypool *keypool;   /* keypool.h */
	struct issue *issue;       /* issue.h */
	struct procedures *procedures; /* procedure.h */
	struct pool *hook_pool;    /* threads that run hooks */
	struct event_hook *event_hook; /* event_hook.h */
	struct monitor *monitor;   /* monitor.h */
	struct bulks *bulks;       /* bulk.h */
	struct upload *upload;     /* upload.h */
	struct crls *crls;         /* crl.h */
	struct rejected *rejected; /* rejected.h */
	struct picture *dashboard; /* picture.h */
	_Atomic uint64_t changes;  /* commits that have changed what somebody may see */
	struct histogram issue_time; /* from the first order to the answer */
	_Atomic unixtime newest;   /* when the newest certificate was issued */
	bool clock_believed;       /* core_tick's thread: what the last event of it said */
	pthread_mutex_t activity_lock;
	pthread_cond_t idle;
	int64_t activity;          /* protected by activity_lock: what was accepted and not answered */
};

/* Every request that is answered later, and every background step, is between these two: core_close waits for it. */
void core_enter(struct core *core);
void core_leave(struct core *core);

/* Where the next master key waits while the data keys are being wrapped by it (rekey.h). */
enum { MASTER_NEXT_SIZE = PATH_MAX + 8 };
void core_master_key_next(const char *path, char ret[MASTER_NEXT_SIZE]);

/* The seal of a store under the master key in that very file, with every data key; *ret_terms says how many there are. */
int core_seal_under(const char *path, struct store *store, struct seal **ret, int *ret_terms, struct error *err);

/* The same under whichever master key is the store's: a rekey may be under way, or have been cut off. EKEYREJECTED names the
 * fingerprints of the store's and of the configured one. */
int core_load_terms(const struct config *config, struct store *store, struct seal **ret, int *ret_terms, struct error *err);

/* The same, for those who do not count. */
int core_load_seal(const struct config *config, struct store *store, struct seal **ret, struct error *err);

/* Opens the seal of an opened core (core_master.c). */
int core_unseal(struct core *core, struct error *err);

/* This thread's connection for reading, fit for use. */
int core_reader(struct core *core, struct store **ret, struct error *err);

/* Snapshots, from the cache or the store. The caller owns a reference. */
int core_project(struct core *core, rowid id, struct project **ret, struct error *err);
int core_app(struct core *core, rowid id, struct app **ret, struct error *err);
int core_signing_ca(struct core *core, rowid id, struct signing_ca **ret, struct error *err);

/* The sealed key of an app instance's newest generation. ESTALE: it is not the newest any more, and the snapshot that said so is forgotten: look
 * again. EIO: it is, and the store has lost its key. Never ENOENT: a key service would take that for "make a key here". */
int core_sealed_key(struct core *core, const struct generation_row *newest, struct buffer *ret, struct error *err);

/* What they are called, for the log: "" where that can't be found out. app or project may be 0. */
struct names {
	char project[NAME_SIZE], app[NAME_SIZE];
};
struct names core_names(struct core *core, rowid project, rowid app);

/* Nothing is issued before this time: the program's build date, or an hour before the newest certificate. */
unixtime core_clock_floor(struct core *core);

struct view {
	struct core *core;
	struct project *project;
	struct app *app;
	struct signing_ca *signer;       /* of the generation that is shown */
	struct generation_row generation; /* the one that is shown, id 0: none */
	bool one_generation;             /* a view of generations/N */
	unixtime now;
	struct decision decision;        /* of an app instance */
};

/* The version of a generation's files while they are served; chain_revision: of its signing CA. */
struct view_version view_version_served(const struct generation_row *generation, int64_t chain_revision);

/* The view's facts as the rules want them; of a project: those about app instances are missing. */
struct situation view_situation(const struct view *view);

#endif
