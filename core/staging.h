/* The parts of uploads that wait for others (upload.h), each in the process's locked memory and, to outlive it, in keep.h's.
 * Nothing here is locked: upload.c's lock protects it all. */
#ifndef CORE_STAGING_H
#define CORE_STAGING_H

#include "certfs/core.h"
#include "certfs/keep.h"
#include "store.h"

struct upload_verb;

/* The parts of one project that wait, for signing_ca/ or for signing_ca/next/. */
struct staging {
	struct staging *next;
	rowid project;
	enum upload_target target;
	struct staged_part {
		struct buffer bytes; /* secret; without data: it does not wait */
		unixtime since;
		uint64_t request;    /* that brought it */
		keep_id kept;
	} part[UPLOAD_PART_COUNT];
	bool encrypted; /* what waits can't be read without a password */
	bool judging;   /* a part is being judged, outside the lock */
	struct upload_verb *waiting; /* to be judged after that */
};

struct stagings {
	struct keep *keep;
	struct staging *list; /* few projects upload at the same time */
};

/* What the last process left; what it had activated already is forgotten. store, connection: to find that out (request_find). */
void stagings_recall(struct stagings *stagings, struct store *store, uint64_t connection);

/* Leaves the parts to the next process. */
void stagings_free(struct stagings *stagings);

/* A link to NULL: there is none. */
struct staging **staging_find(struct stagings *stagings, rowid project, enum upload_target target);
/* Makes it if need be. NULL: out of memory. */
struct staging *staging_get(struct stagings *stagings, rowid project, enum upload_target target);

/* No part waits, and none is judged. */
bool staging_empty(const struct staging *staging);

/* Takes the bytes as a part that waits, in place of the one that did. */
void staging_take(struct stagings *stagings, struct staging *staging, enum upload_part part, struct buffer *bytes, uint64_t request,
		  unixtime now);

/* That request is about to activate what waits: if it does, and this process dies before staging_clear, nothing of it waits any more. */
void staging_consumed(struct stagings *stagings, struct staging *staging, uint64_t request);

/* Wipes one part; all. */
void staging_forget(struct stagings *stagings, struct staging *staging, enum upload_part part);
void staging_clear(struct stagings *stagings, struct staging *staging);
void staging_drop(struct stagings *stagings, struct staging **link);

/* Wipes what has waited since before that time. */
void stagings_expire(struct stagings *stagings, unixtime before);

/* Whether that request brought a part that waits. */
bool stagings_know(const struct stagings *stagings, uint64_t request);

#endif
