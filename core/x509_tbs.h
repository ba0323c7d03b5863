/* The part of a device CA certificate that is signed: its length first, then its bytes. Pure
 * functions, no OpenSSL. */
#ifndef CORE_X509_TBS_H
#define CORE_X509_TBS_H

#include "certfs/error.h"
#include "x509.h"

struct tbs {
	/* What it is made from, all DER and borrowed. */
	struct span algorithm; /* of the signature: AlgorithmIdentifier */
	struct span issuer;    /* Name */
	struct span aki;       /* Extension */
	const struct device_ca_order *order;
	int path_length; /* what comes of the order's and the issuer's */

	/* What tbs_plan finds. */
	struct span common_name;
	size_t validity_size; /* of the contents of the sequences */
	size_t extensions_size;
	size_t body_size;
	size_t size; /* of the whole */
};

/* Finds every length. EINVAL for an order that can't be. */
int tbs_plan(struct tbs *tbs, size_t spki_size, struct error *err);

/* Appends exactly tbs->size bytes, if spki has the size that was planned. EINVAL if it is
 * malformed. */
int tbs_add(const struct tbs *tbs, struct span spki, struct buffer *out);

/* Appends a Time: UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5). */
void tbs_add_time(struct buffer *out, unixtime time);

#endif
