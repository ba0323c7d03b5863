/* Why the last write of a file was refused, for the nearest status. In memory only: errno told the writer already. */
#ifndef CORE_REJECTED_H
#define CORE_REJECTED_H

#include "certfs/buffer.h"
#include "certfs/types.h"

enum rejected_file { REJECTED_SIGNING_CA, REJECTED_NEXT, REJECTED_POLICY, REJECTED_USER_DATA, REJECTED_BY_TOKEN /* key_trouble.h */ };

struct rejected;

struct rejected *rejected_new(void); /* NULL: out of memory */
void rejected_free(struct rejected *rejected);

/* text NULL: the last write was taken. The oldest entry gives way when there are too many. */
void rejected_set(struct rejected *rejected, rowid project, enum rejected_file file, const char *text);

/* False, and an empty text, if the last write was taken. */
bool rejected_get(struct rejected *rejected, rowid project, enum rejected_file file, char *ret, size_t size);

#endif
