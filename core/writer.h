/* The one writer: every change of the store is a job, and jobs that are ready together share a transaction (group commit).
 *
 * A job's effect is durable before its done() runs. A request that FUSE sent again after the worker had died finds its
 * answer in the store and is not applied twice.
 */
#ifndef CORE_WRITER_H
#define CORE_WRITER_H

#include <sys/queue.h>

#include "certfs/error.h"
#include "certfs/types.h"
#include "store.h"

struct writer;

struct job {
	TAILQ_ENTRY(job) line; /* the writer's */
	struct caller caller; /* caller.request != 0: remembered with its result */
	int64_t result;       /* set by apply; what a resent request is answered with */
	bool repeatable;      /* set by its maker: apply may be undone and run again: a batch of such jobs needs no savepoints */
	bool patient;         /* set by its maker: nobody waits for just this one, others may overtake it */
	bool when_read_only;  /* set by its maker: it is no change of the tree, and done under -o ro, too */
	bool replayed;        /* this was a resent request that had been applied: only result is set */
	rowid touched_project; /* set by apply: snapshots to drop from the caches, 0: none */
	rowid touched_app;
	rowid touched_signing_ca;
	bool touched_all;     /* every project and signing CA */
	bool announce;        /* set by apply: what may be remembered of files of touched_app, or else of touched_project, is no longer true */

	/* Changes the store, on the writer's thread. What it has changed is undone if it fails. */
	int (*apply)(struct job *job, struct store *store, struct error *err);

	/* Answers, on the writer's thread, after the commit or the failure (r < 0, *err says why). Owns the job. Must not block. */
	void (*done)(struct job *job, int r, const struct error *err);

	struct error error; /* the writer's, between apply and done */
	int r;
};

/* What the writer does with what a committed job touched. */
struct writer_hooks {
	void (*touched)(void *context, const struct job *job);
	/* A transaction with new events has been committed. */
	void (*events)(void *context);
	void *context;
	int64_t keep_events, keep_audit; /* see store_keep */
};

/* read_only: jobs are refused with EROFS, but for those that say when_read_only. */
int writer_new(const char *path, uint64_t connection, bool read_only, const struct writer_hooks *hooks,
	       struct writer **ret, struct error *err);

/* Commits everything that was submitted, then ends the thread. */
void writer_free(struct writer *writer);

/* Hands the job over; done() will run. Jobs are applied in the order of their coming, but for patient ones. Any thread, done() callbacks included. */
void writer_submit(struct writer *writer, struct job *job);

/* by jobs more (or, negative, fewer) will be submitted very soon: the writer lets them into the transaction that it is about to begin, for a
 * millisecond at most, and a third of one if somebody waits. A job that is submitted is still counted: say so after that. Any thread. */
void writer_expect(struct writer *writer, int by);

/* A connection for reading failed, err says why: it gets into the log, and into the events as the writer's own failures do, when the
 * store can be written again, once a minute at most. Any thread. */
void writer_tell(struct writer *writer, const struct error *err);

/* True: the last use of the store failed, *ret says why. Any thread. */
bool writer_fails(struct writer *writer, struct error *ret);

/* To be called every few seconds: tells of a failure that is over, also if nobody changes anything. */
void writer_tick(struct writer *writer);

#endif
