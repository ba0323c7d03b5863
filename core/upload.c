#include "upload.h"

#include <stdlib.h>
#include <string.h>

#include "activate.h"
#include "bulk.h"
#include "clock.h"
#include "core_internal.h"
#include "pool.h"
#include "rejected.h"
#include "token.h"
#include "upload_judge.h"
#include "verb.h"

enum { WAIT_SECONDS = 3600, JUDGED_LATER = 100 /* beside enum judgement */ };

/* The parts of one project that wait, for signing_ca/ or for signing_ca/next/. */
struct staging {
	struct staging *next;
	rowid project;
	enum upload_target target;
	struct buffer part[UPLOAD_PART_COUNT]; /* secret */
	unixtime since[UPLOAD_PART_COUNT];
	bool encrypted; /* what waits can't be read without a password */
	bool judging;   /* a part is being judged, outside the lock */
	struct upload_verb *waiting; /* to be judged after that */
};

struct upload {
	struct core *core;
	pthread_mutex_t lock;
	struct staging *stagings; /* protected by lock: few projects upload at the same time */
};

static void staging_clear(struct staging *staging)
{
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		buffer_clear(&staging->part[i]);
}

int upload_new(struct core *core, struct upload **ret, struct error *err)
{
	struct upload *upload = calloc(1, sizeof(*upload));

	if (!upload)
		return error_set(err, ENOMEM, "out of memory");
	upload->core = core;
	pthread_mutex_init(&upload->lock, NULL);
	*ret = upload;
	return 0;
}

void upload_free(struct upload *upload)
{
	struct staging *next;

	if (!upload)
		return;
	for (struct staging *staging = upload->stagings; staging; staging = next) {
		next = staging->next;
		staging_clear(staging);
		free(staging);
	}
	pthread_mutex_destroy(&upload->lock);
	free(upload);
}

/* ---- the parts that wait; all under upload->lock ---- */

static struct staging **staging_find(struct upload *upload, rowid project, enum upload_target target)
{
	struct staging **link = &upload->stagings;

	while (*link && ((*link)->project != project || (*link)->target != target))
		link = &(*link)->next;
	return link;
}

static bool staging_empty(const struct staging *staging)
{
	if (staging->judging)
		return false;
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		if (staging->part[i].data)
			return false;
	return true;
}

static void staging_drop(struct staging **link)
{
	struct staging *staging = *link;

	*link = staging->next;
	staging_clear(staging);
	free(staging);
}

static struct staging *staging_get(struct upload *upload, rowid project, enum upload_target target)
{
	struct staging **link = staging_find(upload, project, target);

	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (!*link)
			return NULL;
		(*link)->project = project;
		(*link)->target = target;
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			(*link)->part[i] = BUFFER_SECRET;
	}
	return *link;
}

void upload_tick(struct upload *upload, unixtime now)
{
	pthread_mutex_lock(&upload->lock);
	for (struct staging **link = &upload->stagings; *link;) {
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			if (now >= (*link)->since[i] + WAIT_SECONDS)
				buffer_clear(&(*link)->part[i]);
		if (staging_empty(*link))
			staging_drop(link);
		else
			link = &(*link)->next;
	}
	pthread_mutex_unlock(&upload->lock);
}

void upload_waiting(struct upload *upload, rowid project, enum upload_target target, bool ret_staged[UPLOAD_PART_COUNT],
		    bool ret_missing[UPLOAD_PART_COUNT])
{
	const struct staging *staging;

	pthread_mutex_lock(&upload->lock);
	staging = *staging_find(upload, project, target);
	for (int i = 0; i < UPLOAD_PART_COUNT; i++) {
		ret_staged[i] = staging && staging->part[i].data;
		ret_missing[i] = !ret_staged[i];
	}
	ret_missing[UPLOAD_PASSWORD] = staging && staging->encrypted;
	pthread_mutex_unlock(&upload->lock);
}

static void upload_forget(struct upload *upload, rowid project, enum upload_target target)
{
	struct staging **link;

	pthread_mutex_lock(&upload->lock);
	link = staging_find(upload, project, target);
	if (*link)
		staging_clear(*link);
	if (*link && staging_empty(*link))
		staging_drop(link);
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
		const struct buffer *part = i == (int)v->part ? &v->bytes : &staging->part[i];

		parts[i] = BUFFER_SECRET;
		if (part->data)
			buffer_add_span(&parts[i], buffer_span(part));
		if (buffer_status(&parts[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void upload_keep(struct upload_verb *v, struct staging *staging, int judgement)
{
	staging->encrypted = judgement == JUDGED_WAITS_FOR_PASSWORD;
	buffer_clear(&staging->part[v->part]);
	staging->part[v->part] = buffer_take(&v->bytes);
	staging->since[v->part] = clock_now();
}

/* Uploads of one project are judged one after the other. False: another one is being judged, and this one comes after it. */
static bool upload_begin(struct upload_verb *v, struct buffer parts[UPLOAD_PART_COUNT], int *ret)
{
	struct upload *upload = v->verb.core->upload;
	struct staging *staging;
	bool begins = true;

	*ret = -ENOMEM;
	pthread_mutex_lock(&upload->lock);
	staging = staging_get(upload, v->project, v->target);
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
	link = staging_find(upload, v->project, v->target);
	if (*link) {
		if (judgement == JUDGED_WAITS || judgement == JUDGED_WAITS_FOR_PASSWORD)
			upload_keep(v, *link, judgement);
		waiting = (*link)->waiting;
		(*link)->waiting = NULL;
		(*link)->judging = false;
		if (!waiting && staging_empty(*link))
			staging_drop(link);
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
	v->verb.refusable = (struct refusable){.file = upload_rejected_file(target), .project = project};
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
