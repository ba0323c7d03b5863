/* Certificate revocation lists (RFC 5280, 5): v2, AKI, CRL number, reason codes. Entries are DER of their own, so a long list is put
 * together by appending. Safe from any thread.
 */
#ifndef CORE_REVOCATION_LIST_H
#define CORE_REVOCATION_LIST_H

#include "x509.h"

enum { CRL_LIFE_SECONDS = 7 * 24 * 60 * 60 };

/* RFC 5280, 5.3.1. */
enum crl_reason {
	CRL_UNSPECIFIED = 0, /* no reasonCode extension */
	CRL_CA_COMPROMISE = 2,
	CRL_SUPERSEDED = 4,
	CRL_CESSATION_OF_OPERATION = 5,
};

/* The reason by its RFC name ("superseded"); CRL_UNSPECIFIED for any other. */
enum crl_reason crl_reason_of(const char *name);

/* Appends one entry. */
void crl_add_entry(struct buffer *entries, const uint8_t serial[SERIAL_SIZE], unixtime revoked_at,
		   enum crl_reason reason);

/* Makes and signs a list that says it is of now and good for CRL_LIFE_SECONDS. number must grow with each list of an issuer. ret: DER.
 * Errors: EIO (signing failed), ENOMEM. */
int crl_sign(const struct issuer *issuer, uint64_t number, unixtime now, struct span entries, struct buffer *ret,
	     struct error *err);

/* "-----BEGIN X509 CRL-----" … with a final newline. */
void pem_add_crl(struct buffer *out, struct span der);

#endif
