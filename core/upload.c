#include "upload.h"

#include <stdlib.h>
#include <string.h>

#include "activate.h"
#include "bulk.h"
#include "clock.h"
#include "core_internal.h"
#include "pool.h"
#include "rejected.h"
#include "staging.h"
#include "token.h"
#include "upload_judge.h"
#include "verb.h"

enum { WAIT_SECONDS = 3600, JUDGED_LATER = 100 /* beside enum judgement */ };

struct upload {
	struct core *core;
	pthread_mutex_t lock;
	struct stagings stagings; /* protected by lock */
};

int upload_new(struct core *core, struct upload **ret, struct error *err)
{
	struct store *store;
	struct upload *upload;
	int r = core_reader(core, &store, err);

	if (r < 0)
		return r;
	upload = calloc(1, sizeof(*upload));
	if (!upload)
		return error_set(err, ENOMEM, "out of memory");
	upload->core = core;
	upload->stagings.keep = core->options.keep;
	pthread_mutex_init(&upload->lock, NULL);
	stagings_recall(&upload->stagings, store, core->options.connection);
	*ret = upload;
	return 0;
}

void upload_free(struct upload *upload)
{
	if (!upload)
		return;
	stagings_free(&upload->stagings);
	pthread_mutex_destroy(&upload->lock);
	free(upload);
}

void upload_tick(struct upload *upload, unixtime now)
{
	pthread_mutex_lock(&upload->lock);
	stagings_expire(&upload->stagings, now - WAIT_SECONDS);
	pthread_mutex_unlock(&upload->lock);
}

bool upload_knows(struct upload *upload, uint64_t request)
{
	bool knows;

	pthread_mutex_lock(&upload->lock);
	knows = stagings_know(&upload->stagings, request);
	pthread_mutex_unlock(&upload->lock);
	return knows;
}

void upload_waiting(struct upload *upload, rowid project, enum upload_target target, bool ret_staged[UPLOAD_PART_COUNT],
		    bool ret_missing[UPLOAD_PART_COUNT])
{
	const struct staging *staging;

	pthread_mutex_lock(&upload->lock);
	staging = *staging_find(&upload->stagings, project, target);
	for (int i = 0; i < UPLOAD_PART_COUNT; i++) {
		ret_staged[i] = staging && staging->part[i].bytes.data;
		ret_missing[i] = !ret_staged[i];
	}
	ret_missing[UPLOAD_PASSWORD] = staging && staging->encrypted;
	pthread_mutex_unlock(&upload->lock);
}

static void upload_forget(struct upload *upload, rowid project, enum upload_target target)
{
	struct staging **link;

	pthread_mutex_lock(&upload->lock);
	link = staging_find(&upload->stagings, project, target);
	if (*link)
		staging_clear(&upload->stagings, *link);
	if (*link && staging_empty(*link))
		staging_drop(&upload->stagings, link);
	pthread_mutex_unlock(&upload->lock);
}

/* ---- one upload ---- */

struct upload_verb {
	struct verb verb;
	struct upload_verb *next; /* of those that wait */
	struct task task;
	rowid project;
	enum upload_target target;
	enum upload_part part;
	struct buffer bytes; /* secret */
	struct candidate candidate;
	struct activation activation;
};

enum rejected_file upload_rejected_file(enum upload_target target)
{
	return target == UPLOAD_NEXT ? REJECTED_NEXT : REJECTED_SIGNING_CA;
}

static void upload_clear(struct verb *verb)
{
	struct upload_verb *v = (struct upload_verb *)verb;

	buffer_clear(&v->bytes);
	candidate_clear(&v->candidate);
	activation_clear(&v->activation);
}

static void upload_committed(struct verb *verb)
{
	struct upload_verb *v = (struct upload_verb *)verb;

	verb->refusable.part = 0; /* with it, the upload is whole */
	upload_forget(verb->core->upload, v->project, v->target);
	bulks_kick(verb->core->bulks, v->project); /* a job may be waiting for just this */
}

static int upload_apply(struct job *job, struct store *store, struct error *err)
{
	return activation_apply(&((struct upload_verb *)job)->activation, job, store, err);
}

/* Keys of earlier uploads, and that of csr.pem. */
static int project_knows_key(void *context, const uint8_t spki[FINGERPRINT_SIZE], struct error *err)
{
	struct upload_verb *v = context;
	struct signing_ca_row ca;
	struct store *store;
	int r = core_reader(v->verb.core, &store, err);

	if (r == 0)
		r = signing_ca_by_spki(store, v->project, spki, &ca, err);
	if (r == -ENOENT)
		return project_requested(store, v->project, spki, err);
	return r < 0 ? r : 1;
}

/* The parts with the new one in its place. Copies, since the judgement takes as long as a password's derivation and the lock is
 * everybody's. */
static int upload_collect(const struct upload_verb *v, const struct staging *staging, struct buffer parts[UPLOAD_PART_COUNT])
{
	for (int i = 0; i < UPLOAD_PART_COUNT; i++) {
		const struct buffer *part = i == (int)v->part ? &v->bytes : &staging->part[i].bytes;

		parts[i] = BUFFER_SECRET;
		if (part->data)
			buffer_add_span(&parts[i], buffer_span(part));
		if (buffer_status(&parts[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What becomes of the parts that wait. */
static void upload_settle(struct upload_verb *v, struct staging *staging, int judgement)
{
	struct stagings *stagings = &v->verb.core->upload->stagings;

	switch (judgement) {
	case JUDGED_WAITS:
	case JUDGED_WAITS_FOR_PASSWORD:
		staging->encrypted = judgement == JUDGED_WAITS_FOR_PASSWORD;
		staging_take(stagings, staging, v->part, &v->bytes, v->verb.job.caller.request, clock_now());
		break;
	case JUDGED_COMPLETE:
		staging_consumed(stagings, staging, v->verb.job.caller.request);
		break;
	case JUDGED_KNOWN: /* one that waited for this password, too */
		staging_forget(stagings, staging, UPLOAD_KEY);
		staging->encrypted = false;
		break;
	default: /* nothing of this is kept */
		break;
	}
}

/* Uploads of one project are judged one after the other. False: another one is being judged, and this one comes after it. */
static bool upload_begin(struct upload_verb *v, struct buffer parts[UPLOAD_PART_COUNT], int *ret)
{
	struct upload *upload = v->verb.core->upload;
	struct staging *staging;
	bool begins = true;

	*ret = -ENOMEM;
	pthread_mutex_lock(&upload->lock);
	staging = staging_get(&upload->stagings, v->project, v->target);
	if (staging && staging->judging) {
		v->next = staging->waiting;
		staging->waiting = v;
		begins = false;
	} else if (staging) {
		staging->judging = true;
		*ret = upload_collect(v, staging, parts);
	}
	pthread_mutex_unlock(&upload->lock);
	return begins;
}

static void upload_end(struct upload_verb *v, int judgement)
{
	struct upload *upload = v->verb.core->upload;
	struct staging **link;
	struct upload_verb *waiting = NULL;

	pthread_mutex_lock(&upload->lock);
	link = staging_find(&upload->stagings, v->project, v->target);
	if (*link) {
		upload_settle(v, *link, judgement);
		waiting = (*link)->waiting;
		(*link)->waiting = NULL;
		(*link)->judging = false;
		if (!waiting && staging_empty(*link))
			staging_drop(&upload->stagings, link);
	}
	pthread_mutex_unlock(&upload->lock);
	while (waiting) {
		struct upload_verb *next = waiting->next;

		pool_submit(v->verb.core->pool, &waiting->task);
		waiting = next;
	}
}

/* An enum judgement, a negative errno, or JUDGED_LATER. */
static int upload_judge_now(struct upload_verb *v, struct error *err)
{
	struct buffer parts[UPLOAD_PART_COUNT] = {BUFFER_SECRET, BUFFER_SECRET, BUFFER_SECRET};
	int r;

	if (!upload_begin(v, parts, &r))
		return JUDGED_LATER;
	r = r < 0 ? error_set(err, ENOMEM, "out of locked memory for uploads: try again") :
		    upload_judge(parts, v->part, clock_now(), project_knows_key, v, &v->candidate, err);
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		buffer_clear(&parts[i]);
	upload_end(v, r);
	return r;
}

static void upload_task(struct task *task)
{
	struct upload_verb *v = (struct upload_verb *)((char *)task - offsetof(struct upload_verb, task));
	struct error err = {0};
	int r = upload_judge_now(v, &err);

	if (r == JUDGED_LATER)
		return;
	if (r == JUDGED_COMPLETE) {
		r = activation_prepare(&v->activation, v->verb.core, v->project, v->target, &v->candidate, &err);
		if (r >= 0) {
			verb_submit(&v->verb, upload_apply);
			return;
		}
	}
	verb_answer(&v->verb, r < 0 ? r : 0, &err);
}

/* A pin-source names a file that the daemon reads, and another tenant's PIN may be in it. */
static int upload_allowed(const struct caller *caller, enum upload_part part, struct span bytes, struct error *err)
{
	static const char source[] = "pin-source";

	if (part == UPLOAD_PASSWORD || !token_uri_is(bytes) || caller->uid == 0 ||
	    !memmem(bytes.data, bytes.size, source, strlen(source)))
		return 0;
	return error_set(err, EKEYREJECTED, "key.pem: only root may name a file with a PIN: write pin-value=PIN into the URI");
}

/* One trailing newline is not part of a password. */
static struct span without_newline(struct span text)
{
	if (text.size > 0 && text.data[text.size - 1] == '\n')
		text.size--;
	if (text.size > 0 && text.data[text.size - 1] == '\r')
		text.size--;
	return text;
}

void core_upload(struct core *core, const struct caller *caller, rowid project, enum upload_target target,
		 enum upload_part part, struct span bytes, core_done done, void *context)
{
	struct upload_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	struct error err = {0};

	if (!v)
		return;
	v->project = project;
	v->target = target;
	v->part = part;
	v->bytes = BUFFER_SECRET;
	v->verb.clear = upload_clear;
	v->verb.committed = upload_committed;
	v->verb.refusable = (struct refusable){.file = upload_rejected_file(target), .project = project, .part = 1 + part};
	if (core->options.read_only) {
		verb_answer(&v->verb, error_set(&err, EROFS, "the mount is read-only (-o ro)"), &err);
		return;
	}
	if (upload_allowed(caller, part, bytes, &err) < 0) {
		verb_answer(&v->verb, -err.code, &err);
		return;
	}
	buffer_add_span(&v->bytes, part == UPLOAD_PASSWORD ? without_newline(bytes) : bytes);
	if (buffer_status(&v->bytes) < 0) {
		verb_answer(&v->verb, error_set(&err, ENOMEM, "out of locked memory for uploads: try again"), &err);
		return;
	}
	v->task.run = upload_task;
	pool_submit(core->pool, &v->task);
}
