#include "writer.h"

#include <pthread.h>
#include <stdlib.h>

#include "certfs/log.h"
#include "checkpoint.h"
#include "clock.h"
#include "event_log.h"
#include "trouble.h"

enum { BATCH_MAX = 1000, BATCH_GOOD = 128, WAIT_NS = 300 * 1000, ANSWERS_KEPT_SECONDS = 600 };

/* For jobs that can wait: how long for more of them, how many in a transaction of their own, and in one that somebody waits for. */
enum { PATIENT_WAIT_NS = 1000 * 1000, PATIENT_MAX = 128, PATIENT_BESIDE = 32 };

TAILQ_HEAD(line, job);

struct writer {
	struct store *store; /* only the thread's */
	uint64_t connection;
	bool read_only;
	struct checkpoint *checkpoint;
	struct trouble trouble;
	int64_t events; /* told of */
	struct writer_hooks hooks;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct line urgent; /* protected by lock, as what follows */
	struct line patient;
	int queued;         /* in both */
	int expected;      /* see writer_expect */
	bool waits_for_more;
	bool ending;
};

static bool worth_waiting(const struct writer *writer)
{
	return writer->expected > 0 && writer->queued < BATCH_GOOD && !writer->ending;
}

/* A commit costs as much as ten issues or so, whatever is in it: those that are being signed come along. */
static void wait_for_more(struct writer *writer)
{
	struct timespec begin, end;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	writer->waits_for_more = true;
	while (r == 0 && worth_waiting(writer)) {
		end = begin;
		end.tv_nsec += TAILQ_EMPTY(&writer->urgent) ? PATIENT_WAIT_NS : WAIT_NS; /* the first urgent one may have come meanwhile */
		end.tv_sec += end.tv_nsec / 1000000000;
		end.tv_nsec %= 1000000000;
		r = pthread_cond_clockwait(&writer->wake, &writer->lock, CLOCK_MONOTONIC, &end);
	}
	writer->waits_for_more = false;
}

/* Moves at most so many. */
static int line_move(struct line *from, struct line *to, int most)
{
	int n = 0;

	for (struct job *job; n < most && (job = TAILQ_FIRST(from)); n++) {
		TAILQ_REMOVE(from, job, line);
		TAILQ_INSERT_TAIL(to, job, line);
	}
	return n;
}

/* Waits for the first job. False: the end has come and nothing is left. */
static bool writer_take(struct writer *writer, struct line *batch)
{
	int n;

	TAILQ_INIT(batch);
	pthread_mutex_lock(&writer->lock);
	while (writer->queued == 0 && !writer->ending)
		pthread_cond_wait(&writer->wake, &writer->lock);
	wait_for_more(writer);
	n = line_move(&writer->urgent, batch, BATCH_MAX);
	n += line_move(&writer->patient, batch, n > 0 ? PATIENT_BESIDE : PATIENT_MAX);
	writer->queued -= n;
	pthread_mutex_unlock(&writer->lock);
	return n > 0;
}

/* 1: the job is a resent request that was answered before. */
static int job_replay(struct writer *writer, struct job *job)
{
	int r;

	if (!job->caller.resent || !job->caller.request)
		return 0;
	r = request_find(writer->store, writer->connection, job->caller.request, &job->result, &job->error);
	job->replayed = r == 1;
	return r;
}

static int job_remember(struct writer *writer, struct job *job)
{
	if (!job->caller.request)
		return 0;
	return request_put(writer->store, writer->connection, job->caller.request, job->result, clock_now(),
			   &job->error);
}

static int job_do(struct writer *writer, struct job *job)
{
	int r = writer->read_only && !job->when_read_only ?
			error_set(&job->error, EROFS, "the mount is read-only (-o ro): nothing changes") :
			job_replay(writer, job);

	if (r != 0)
		return r < 0 ? r : 0;
	r = job->apply(job, writer->store, &job->error);
	return r >= 0 ? job_remember(writer, job) : r;
}

static int job_apply(struct writer *writer, struct job *job)
{
	const int mark = event_log_mark();
	int r = store_savepoint(writer->store, &job->error);

	if (r < 0)
		return r;
	r = job_do(writer, job);
	if (r >= 0)
		return store_release(writer->store, &job->error);
	event_log_undo(mark);
	if (store_in_transaction(writer->store))
		store_undo(writer->store);
	return r;
}

/* SQLite gave up the whole transaction: disk full, I/O error, … */
static int transaction_lost(const struct writer *writer, const struct job *job, struct error *err)
{
	if (store_in_transaction(writer->store))
		return 0;
	*err = job->error;
	return job->r < 0 ? job->r : error_set(err, EIO, "the store lost its transaction");
}

/* Each in a savepoint of its own: one that fails is undone, the others stay. */
static int apply_one_by_one(struct writer *writer, const struct line *batch, struct error *err)
{
	struct job *job;
	int r;

	TAILQ_FOREACH(job, batch, line) {
		job->error = (struct error){0};
		job->r = job_apply(writer, job);
		r = transaction_lost(writer, job, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Within a savepoint SQLite copies every page before it changes it, so a batch whose jobs can all be applied again goes without. 1: they
 * are applied. 0: one failed, and the transaction begins anew. Negative: the transaction is lost. */
static int apply_together(struct writer *writer, const struct line *batch, struct error *err)
{
	struct job *job;
	int r = 0;

	TAILQ_FOREACH(job, batch, line)
		if (!job->repeatable)
			return 0;
	TAILQ_FOREACH(job, batch, line) {
		job->r = r = job_do(writer, job);
		if (transaction_lost(writer, job, err) < 0)
			return -err->code;
		if (r < 0)
			break;
	}
	if (r >= 0)
		return 1;
	event_log_undo(0);
	store_rollback(writer->store);
	return store_begin(writer->store, err);
}

/* One transaction for the whole batch. A failure of the store itself fails the batch: what was applied is rolled back. */
static int batch_apply(struct writer *writer, const struct line *batch, struct error *err)
{
	int r = store_ready(writer->store, err);

	if (r == 0)
		r = store_begin(writer->store, err);
	if (r == 0)
		r = apply_together(writer, batch, err);
	if (r == 0)
		r = apply_one_by_one(writer, batch, err);
	if (r >= 0 && !writer->read_only)
		r = trouble_event(&writer->trouble, writer->store, err);
	if (r >= 0)
		r = store_commit(writer->store, err);
	if (r < 0)
		return r;
	trouble_told(&writer->trouble);
	checkpoint_wanted(writer->checkpoint);
	return 0;
}

static void batch_answer(struct writer *writer, struct line *batch, int r, const struct error *err)
{
	struct job *job;

	TAILQ_FOREACH(job, batch, line)
		if (r == 0 && job->r >= 0 && !job->replayed)
			writer->hooks.touched(writer->hooks.context, job);
	if (r == 0 && store_events_added(writer->store) != writer->events)
		writer->hooks.events(writer->hooks.context);
	writer->events = store_events_added(writer->store);
	while ((job = TAILQ_FIRST(batch))) {
		struct error error = r < 0 ? *err : job->error;

		TAILQ_REMOVE(batch, job, line);
		job->done(job, r < 0 ? r : job->r, &error);
	}
}

static void writer_prune(struct writer *writer)
{
	struct error err;

	if (writer->read_only || store_begin(writer->store, &err) < 0)
		return;
	if (request_prune(writer->store, writer->connection, clock_now() - ANSWERS_KEPT_SECONDS, &err) < 0) {
		store_rollback(writer->store);
		return;
	}
	(void)store_commit(writer->store, &err);
}

static void *writer_main(void *context)
{
	struct writer *writer = context;
	unixtime pruned = 0;
	struct line batch;

	pthread_setname_np(pthread_self(), "certfs-writer");
	while (writer_take(writer, &batch)) {
		struct error err = {0};
		int r;

		if (clock_now() >= pruned + ANSWERS_KEPT_SECONDS || clock_now() < pruned) {
			writer_prune(writer);
			pruned = clock_now();
		}
		r = batch_apply(writer, &batch, &err);

		if (r < 0) {
			store_rollback(writer->store);
			event_log_undo(0);
			trouble_note(&writer->trouble, &err);
		}
		batch_answer(writer, &batch, r, &err);
		event_log_tell();
	}
	return NULL;
}

int writer_new(const char *path, uint64_t connection, bool read_only, const struct writer_hooks *hooks,
	       struct writer **ret, struct error *err)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return error_set(err, ENOMEM, "out of memory");
	r = store_open(path, STORE_WRITE, &writer->store, err);
	if (r < 0) {
		free(writer);
		return r;
	}
	r = checkpoint_new(path, &writer->checkpoint, err);
	if (r < 0) {
		store_close(writer->store);
		free(writer);
		return r;
	}
	store_keep(writer->store, hooks->keep_events, hooks->keep_audit);
	writer->connection = connection;
	writer->read_only = read_only;
	writer->hooks = *hooks;
	TAILQ_INIT(&writer->urgent);
	TAILQ_INIT(&writer->patient);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	trouble_init(&writer->trouble);
	r = pthread_create(&writer->thread, NULL, writer_main, writer);
	if (r != 0) {
		checkpoint_free(writer->checkpoint);
		store_close(writer->store);
		free(writer);
		return error_set(err, r, "can't start the writer thread: raise the number of processes (ulimit -u, TasksMax)");
	}
	*ret = writer;
	return 0;
}

void writer_free(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	checkpoint_free(writer->checkpoint);
	store_close(writer->store);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->wake);
	trouble_end(&writer->trouble);
	free(writer);
}

void writer_submit(struct writer *writer, struct job *job)
{
	bool shortens;

	pthread_mutex_lock(&writer->lock);
	shortens = !job->patient && TAILQ_EMPTY(&writer->urgent); /* the writer's wait for more */
	TAILQ_INSERT_TAIL(job->patient ? &writer->patient : &writer->urgent, job, line);
	writer->queued++;
	if (!writer->waits_for_more || !worth_waiting(writer) || shortens)
		pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

void writer_expect(struct writer *writer, int by)
{
	pthread_mutex_lock(&writer->lock);
	writer->expected += by;
	if (writer->waits_for_more && !worth_waiting(writer))
		pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
}

/* ---- a store that fails ---- */

static int nothing_apply(struct job *job, struct store *store, struct error *err)
{
	(void)job;
	(void)store;
	(void)err;
	return 0;
}

static void nothing_done(struct job *job, int r, const struct error *err)
{
	(void)r;
	(void)err;
	free(job);
}

bool writer_fails(struct writer *writer, struct error *ret)
{
	return trouble_now(&writer->trouble, ret);
}

void writer_tell(struct writer *writer, const struct error *err)
{
	trouble_note(&writer->trouble, err);
}

/* Any transaction tells; if there is none, one without a change of its own. */
void writer_tick(struct writer *writer)
{
	struct job *job = writer->read_only || !trouble_due(&writer->trouble) ? NULL : calloc(1, sizeof(*job));

	if (!job)
		return;
	job->apply = nothing_apply;
	job->done = nothing_done;
	writer_submit(writer, job);
}
