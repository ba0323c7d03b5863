/* A signing CA as an immutable snapshot: its row, its chain, and (when first asked for) its ready signing state. */
#ifndef CORE_SIGNING_CA_H
#define CORE_SIGNING_CA_H

#include "cache.h"
#include "certfs/rows.h"
#include "seal.h"
#include "store.h"
#include "x509.h"

struct signing_ca {
	struct object object;
	struct signing_ca_row row;
	struct chain chain;
	_Atomic(struct issuer *) issuer; /* see signing_ca_issuer */
};

/* Reads row and chain. The caller owns a reference (object_unref). */
int signing_ca_load(struct store *store, rowid id, struct signing_ca **ret, struct error *err);

/* The signing state: made on the first call (unseals the key), kept until the snapshot is freed; borrowed by the
 * caller. Any thread. */
int signing_ca_issuer(struct signing_ca *ca, struct store *store, struct seal *seal, const struct issuer **ret,
		      struct error *err);

/* 0 if device CAs may be issued under it at time now; else ENOKEY (ca is NULL), EKEYREVOKED or EKEYEXPIRED. */
int signing_ca_usable(const struct signing_ca *ca, unixtime now, struct error *err);

/* How the store seals a signing key. */
struct seal_row signing_key_seal_row(const uint8_t spki[FINGERPRINT_SIZE]);

#endif
