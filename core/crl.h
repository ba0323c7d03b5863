/* The CRLs of a project's signing keys (SPEC 5.7): made when somebody reads them, made again when there is something new or the
 * last one is a day old, and the same bytes for everybody in between.
 */
#ifndef CORE_CRL_H
#define CORE_CRL_H

#include "core_internal.h"

struct crls;

struct crls *crls_new(void); /* NULL: out of memory */
void crls_free(struct crls *crls);

/* Appends the PEM of the current CRL of that signing CA's key. */
int crl_add(struct core *core, struct signing_ca *ca, unixtime now, struct buffer *out, struct error *err);

/* When the list of that signing CA that was made last asks to be fetched again; 0: this process has made none. */
unixtime crl_next_update(struct core *core, rowid signing_ca);

#endif
