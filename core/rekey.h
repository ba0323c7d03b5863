/* A new master key. Only the data keys are wrapped by it (seal.h), so a running mount does not notice.
 *
 *   1. the next key, under the name KEY.next, durable       killed behind it: the old key opens, KEY.next goes away
 *   2. one transaction wraps every data key by the next key  killed behind it: KEY.next opens, and takes its name
 *   3. rename to KEY, durable
 *
 * Whoever needs the key meanwhile takes the one of the two that opens the store (core_load_terms). The directory of the
 * key is locked (flock), so that there is one rekey at a time.
 */
#ifndef CORE_REKEY_H
#define CORE_REKEY_H

#include "core_internal.h"

/* Ends what a killed rekey left. store: opened for writing. Nothing, if nothing was left. */
int rekey_settle(const struct config *config, struct store *store, struct error *err);

#endif
