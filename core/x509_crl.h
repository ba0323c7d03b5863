/* Certificate revocation lists (RFC 5280, 5): version 2, complete, for one signing key.
 *
 * A list is put together from entries that are DER already: whoever keeps them (the store) encodes each once, and a new
 * list is a copy and a signature, about 50 bytes for each entry. No OpenSSL type here; any thread.
 */
#ifndef CORE_X509_CRL_H
#define CORE_X509_CRL_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"
#include "x509.h"

/* How long a list is good for: nextUpdate - thisUpdate. */
enum { CRL_SECONDS = 7 * 24 * 60 * 60 };

/* CRLReason, as far as certfs gives one (RFC 5280, 5.3.1). */
enum crl_reason {
	CRL_UNSPECIFIED = 0,
	CRL_KEY_COMPROMISE = 1,
	CRL_CA_COMPROMISE = 2,
	CRL_AFFILIATION_CHANGED = 3,
	CRL_SUPERSEDED = 4,
	CRL_CESSATION_OF_OPERATION = 5,
};

/* Appends one revoked certificate. An unspecified reason is left out, as RFC 5280 wants it.
 * EINVAL and nothing appended: a serial that x509_serial does not make, a time or reason out of range. Out of memory
 * shows in buffer_status(out). */
int crl_entry_encode(const uint8_t serial[SERIAL_SIZE], unixtime revoked_at, enum crl_reason reason,
		     struct buffer *out, struct error *err);

/* Signs the list of these entries (concatenated, in any order, each serial once, may be none): thisUpdate = now,
 * nextUpdate = now + CRL_SECONDS. number is the cRLNumber: greater than that of every list before it by the same key
 * (the caller's duty). Whether the issuer may sign CRLs says struct chain's crl_sign: it is not asked here.
 * ret: DER. Errors: EINVAL (a negative number, a time out of range, entries that are not a row of such), EIO (signing
 * failed: a token gone), ENOMEM. */
int crl_build(const struct issuer *issuer, int64_t number, unixtime now, struct span entries, struct buffer *ret,
	      struct error *err);

struct crl_info {
	unixtime this_update;
	unixtime next_update;
	int64_t number;
	size_t count; /* of revoked certificates */
};

/* Reads back a list that crl_build made; its signature is not looked at. EKEYREJECTED for anything else. */
int crl_info(struct span der, struct crl_info *ret, struct error *err);

/* Appends "-----BEGIN X509 CRL-----" … with a final newline. */
void pem_add_crl(struct buffer *out, struct span der);

#endif
