/* A signing key whose token does not sign: one event when it stops, one when it goes on, and a notice in between. */
#ifndef CORE_KEY_TROUBLE_H
#define CORE_KEY_TROUBLE_H

#include "core_internal.h"

/* What came of signing with the issuer, r as issuer_sign and crl_sign give it. Any thread; does nothing for a key that is in no
 * token. */
void key_trouble_note(struct core *core, rowid project, const struct issuer *issuer, int r, const struct error *err);

#endif
