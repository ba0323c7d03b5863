/* Successors of a signing CA (SPEC 5.3): ahead of its end certfs stages one, and nothing is switched until `update`. */
#ifndef CORE_SUCCESSOR_H
#define CORE_SUCCESSOR_H

#include "core_internal.h"

/* Stages what is not staged yet: for a self-signed signing CA a new certificate in next/, for an intermediate a request in
 * csr.pem. On a thread of the pool; takes as long as a key of that kind. */
void successor_stage(struct core *core, const struct view *view);

/* *ret: certfs has made the staged successor, not the user. Inside a transaction of the writer. */
int successor_is_ours(struct store *store, const struct signing_ca_row *next, bool *ret, struct error *err);

#endif
