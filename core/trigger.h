/* Triggers: what a touch, a written text or a copied file sets off (SPEC 3, 5.6). See certfs/core.h for the calls. */
#ifndef CORE_TRIGGER_H
#define CORE_TRIGGER_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"

/* The reason from what was written to a trigger: its first line, cut at 256 bytes. EINVAL: not UTF-8, a control character, or a
 * saved copy of a trigger file ("counter: …") put back. */
int trigger_reason(struct span text, char ret[REASON_SIZE], struct error *err);

/* A reason that begins with "compromised": what is replaced is revoked at once. */
bool trigger_says_compromised(const char *reason);

#endif
