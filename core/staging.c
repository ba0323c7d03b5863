#include "staging.h"

#include <stdlib.h>

/* What is kept beside the bytes. */
struct staging_head {
	rowid project;
	enum upload_target target;
	enum upload_part part;
	unixtime since;
	uint64_t request;
	uint64_t consumer; /* see staging_consumed; 0: none */
	bool encrypted;    /* the staging's */
};

/* ---- one part ---- */

static void part_wipe(struct stagings *stagings, struct staged_part *part)
{
	buffer_clear(&part->bytes);
	keep_drop(stagings->keep, &part->kept);
}

/* Best effort: without room it waits all the same, in this process. */
static void part_keep(struct stagings *stagings, struct staging *staging, enum upload_part which, uint64_t consumer)
{
	struct staged_part *part = &staging->part[which];
	const struct staging_head head = {
		.project = staging->project,
		.target = staging->target,
		.part = which,
		.since = part->since,
		.request = part->request,
		.consumer = consumer,
		.encrypted = staging->encrypted,
	};

	(void)keep_put(stagings->keep, KEEP_UPLOAD, &head, sizeof(head), buffer_span(&part->bytes), &part->kept);
}

static void keep_all(struct stagings *stagings, struct staging *staging, uint64_t consumer)
{
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		if (staging->part[i].bytes.data)
			part_keep(stagings, staging, (enum upload_part)i, consumer);
}

/* ---- those of a project ---- */

struct staging **staging_find(struct stagings *stagings, rowid project, enum upload_target target)
{
	struct staging **link = &stagings->list;

	while (*link && ((*link)->project != project || (*link)->target != target))
		link = &(*link)->next;
	return link;
}

struct staging *staging_get(struct stagings *stagings, rowid project, enum upload_target target)
{
	struct staging **link = staging_find(stagings, project, target);

	if (!*link) {
		*link = calloc(1, sizeof(**link));
		if (!*link)
			return NULL;
		(*link)->project = project;
		(*link)->target = target;
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			(*link)->part[i].bytes = BUFFER_SECRET;
	}
	return *link;
}

bool staging_empty(const struct staging *staging)
{
	if (staging->judging)
		return false;
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		if (staging->part[i].bytes.data)
			return false;
	return true;
}

void staging_take(struct stagings *stagings, struct staging *staging, enum upload_part part, struct buffer *bytes, uint64_t request,
		  unixtime now)
{
	struct staged_part *taken = &staging->part[part];

	buffer_clear(&taken->bytes);
	taken->bytes = buffer_take(bytes);
	taken->since = now;
	taken->request = request;
	keep_all(stagings, staging, 0);
}

void staging_consumed(struct stagings *stagings, struct staging *staging, uint64_t request)
{
	keep_all(stagings, staging, request);
}

void staging_forget(struct stagings *stagings, struct staging *staging, enum upload_part part)
{
	part_wipe(stagings, &staging->part[part]);
}

void staging_clear(struct stagings *stagings, struct staging *staging)
{
	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		part_wipe(stagings, &staging->part[i]);
}

void staging_drop(struct stagings *stagings, struct staging **link)
{
	struct staging *staging = *link;

	*link = staging->next;
	staging_clear(stagings, staging);
	free(staging);
}

/* ---- all of them ---- */

void stagings_expire(struct stagings *stagings, unixtime before)
{
	for (struct staging **link = &stagings->list; *link;) {
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			if ((*link)->part[i].since <= before)
				part_wipe(stagings, &(*link)->part[i]);
		if (staging_empty(*link))
			staging_drop(stagings, link);
		else
			link = &(*link)->next;
	}
}

bool stagings_know(const struct stagings *stagings, uint64_t request)
{
	for (const struct staging *staging = stagings->list; staging; staging = staging->next)
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			if (staging->part[i].bytes.data && staging->part[i].request == request)
				return true;
	return false;
}

struct recall {
	struct stagings *stagings;
	struct store *store;
	uint64_t connection;
};

static bool is_consumed(const struct recall *recall, const struct staging_head *head)
{
	struct error err;
	int64_t result;

	return head->consumer && request_find(recall->store, recall->connection, head->consumer, &result, &err) == 1;
}

static void recall_part(void *context, keep_id id, const void *record, struct buffer *bytes)
{
	const struct recall *recall = context;
	const struct staging_head *head = record;
	struct staging *staging = is_consumed(recall, head) ? NULL : staging_get(recall->stagings, head->project, head->target);

	if (!staging) {
		keep_drop(recall->stagings->keep, &id);
		return;
	}
	staging->part[head->part] = (struct staged_part){buffer_take(bytes), head->since, head->request, id};
	staging->encrypted = head->encrypted;
}

void stagings_recall(struct stagings *stagings, struct store *store, uint64_t connection)
{
	struct recall recall = {stagings, store, connection};

	keep_each(stagings->keep, KEEP_UPLOAD, sizeof(struct staging_head), recall_part, &recall);
}

void stagings_free(struct stagings *stagings)
{
	struct staging *next;

	for (struct staging *staging = stagings->list; staging; staging = next) {
		next = staging->next;
		for (int i = 0; i < UPLOAD_PART_COUNT; i++)
			buffer_clear(&staging->part[i].bytes);
		free(staging);
	}
	stagings->list = NULL;
}
