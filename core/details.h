/* The details of an app instance: what a user, or the hook `details`, tells about it in lines of KEY=VALUE. Pure data,
 * no I/O; immutable once made, so any thread may read it.
 *
 * A line is a comment (its first byte is #), blank (nothing but spaces and tabs), or KEY=VALUE:
 * - KEY begins with a letter or _ and is 1 to 64 of A-Z a-z 0-9 . _ -; no space around it, and none is given twice;
 * - VALUE is the rest of the line as it is, spaces and further = included: up to 4096 bytes of UTF-8 without control
 *   characters, may be empty. No quotes, no escapes.
 * The last line need not end with a newline.
 */
#ifndef CORE_DETAILS_H
#define CORE_DETAILS_H

#include "certfs/buffer.h"
#include "certfs/error.h"

struct details;

enum { DETAILS_KEY_MAX = 64, DETAILS_VALUE_MAX = 4096, DETAILS_SIZE_MAX = 1 << 20 /* an upload's */ };

/* Parses and checks a whole file; text may go afterwards. Nothing of a bad one is taken: EINVAL with "line N: what is wrong
 * and what is allowed" (never with a value: it may be a connection string), EFBIG above DETAILS_SIZE_MAX, ENOMEM. */
int details_parse(struct span text, struct details **ret, struct error *err);

/* An app instance's own details over those it inherits from app_policy: a key of own's hides the same one of
 * inherited's, also with an empty value. NULL: none. The result is a copy. ENOMEM. */
int details_merge(const struct details *own, const struct details *inherited, struct details **ret,
		  struct error *err);

/* The value of key, borrowed from details (NULL: has none). false: no such key, *ret is untouched. */
bool details_get(const struct details *details, struct span key, struct span *ret);

/* Whether key could be the key of a detail. */
bool details_key_valid(struct span key);

void details_free(struct details *details);
void details_freep(struct details **details);
#define _cleanup_details_ __attribute__((cleanup(details_freep)))

#endif
