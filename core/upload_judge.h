/* Judges what has been uploaded for a signing CA. No state of its own; works on the parts that upload.c keeps. */
#ifndef CORE_UPLOAD_JUDGE_H
#define CORE_UPLOAD_JUDGE_H

#include "certfs/core.h"
#include "x509.h"

/* A signing CA that can become active. */
struct candidate {
	struct chain chain;
	struct keypair *key; /* NULL: the store has it already */
};

void candidate_clear(struct candidate *candidate);

enum judgement {
	JUDGED_WAITS,              /* good so far, certificate or key is missing */
	JUDGED_WAITS_FOR_PASSWORD, /* it is encrypted */
	JUDGED_KNOWN,              /* a key that the project has already: nothing to wait for */
	JUDGED_COMPLETE,           /* *ret is set */
};

/* Asks whether the project has, from an earlier upload, the key with that name. 1, 0 or negative errno. */
typedef int (*knows_key)(void *context, const uint8_t spki[FINGERPRINT_SIZE], struct error *err);

/* parts: what is there, `written` just now. An enum judgement; or EKEYREJECTED and the sentence: then `written` is to be
 * forgotten. */
int upload_judge(const struct buffer parts[UPLOAD_PART_COUNT], enum upload_part written, unixtime now, knows_key knows,
		 void *context, struct candidate *ret, struct error *err);

#endif
