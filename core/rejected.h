/* Why the last write of a file was refused, or what it holds can't be used, for the nearest status. In memory only: errno told the
 * caller already, and events keep it. */
#ifndef CORE_REJECTED_H
#define CORE_REJECTED_H

#include "certfs/buffer.h"
#include "certfs/types.h"

enum rejected_file {
	/* the object is a project */
	REJECTED_SIGNING_CA,
	REJECTED_NEXT,
	REJECTED_POLICY,
	REJECTED_POLICY_TEMPLATE, /* app_policy/user_data.in */
	REJECTED_POLICY_DETAILS,
	REJECTED_BY_TOKEN,        /* see key_trouble.h */
	/* an app instance */
	REJECTED_TEMPLATE,
	REJECTED_DETAILS,
	REJECTED_USER_DATA,       /* what the template gives, at the last read */
	REJECTED_FILE_COUNT,
};

struct rejected;

struct rejected *rejected_new(void); /* NULL: out of memory */
void rejected_free(struct rejected *rejected);

/* text NULL: the last write was taken. The oldest entry gives way when there are too many. */
void rejected_set(struct rejected *rejected, rowid object, enum rejected_file file, const char *text);

/* The same for one part, from 1, of an upload of several: text NULL, that it waits for the others, leaves what another part was refused for. */
void rejected_set_part(struct rejected *rejected, rowid object, enum rejected_file file, unsigned part, const char *text);

/* False, and an empty text, if the last write was taken. */
bool rejected_get(struct rejected *rejected, rowid object, enum rejected_file file, char *ret, size_t size);

#endif
