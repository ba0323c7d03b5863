/* Who signed whom among uploaded certificates. Shared by x509_path.c and x509_check.c only. */
#ifndef CORE_X509_PATH_H
#define CORE_X509_PATH_H

#include <openssl/x509.h>

#include "x509.h"

enum { POOL_SIZE = 100 };

/* The uploaded certificates, duplicates dropped. */
struct pool {
	X509 *certs[POOL_SIZE];
	int count;
};

/* The signer and its issuers, and why the last of them has none, if that is a fault. */
struct path {
	X509 *certs[POOL_SIZE];
	int count;
	bool has_root;
	X509 *wrong_issuer; /* has the right name, but does not fit the top */
	int wrong_reason;
};

/* Parses certificates, drops duplicates. EKEYREJECTED if one is malformed, or there is none. */
int pool_fill(struct pool *pool, const struct buffer *certs, size_t count, struct error *err);
void pool_clear(struct pool *pool);
#define _cleanup_pool_ __attribute__((cleanup(pool_clear)))

/* The path that begins with a certificate of this key; of several, which are cross-signed or
 * renewed, the longest. */
int path_of_key(const struct pool *pool, const uint8_t spki[FINGERPRINT_SIZE], unixtime now,
		struct path *ret, struct error *err);

/* The path that begins with the only certificate that signed none of the others. */
int path_of_last(const struct pool *pool, unixtime now, struct path *ret, struct error *err);

bool path_has(const struct path *path, const X509 *cert);

/* The one's issuer has the other's subject as its name; the same certificate twice: is it
 * self-issued? */
bool is_issued_in_name_of(const X509 *cert, const X509 *issuer);

#endif
