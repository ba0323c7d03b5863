/* Makes keys and certificates, good and bad, for the tests of x509. Everything lives until
 * fixture_end. */
#ifndef TESTS_X509_FIXTURE_H
#define TESTS_X509_FIXTURE_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "certfs/buffer.h"
#include "x509.h"


/* The time that the tests take for now: 2027-01-15T08:00:00Z. */
static const unixtime NOW = 1800000000;

/* A key by its kind, made once: "P-256", "P-384", "RSA-2048", "ED25519", … A second key of the same
 * kind is "P-256/other" with anything behind the slash. */
EVP_PKEY *fixture_key(const char *kind);

/* A certificate to be made. Zero means what a good CA certificate has. */
struct recipe {
	const char *name;              /* CN; "": no subject at all */
	const char *key;               /* kind; NULL: P-256 with the name behind the slash */
	X509 *issuer;                  /* NULL: self-signed */
	const char *signed_by;         /* kind of the key that signs; NULL: the issuer's */
	const char *issuer_name;       /* CN that is written in place of the issuer's */
	const char *const *extensions; /* "name=value" as in openssl.cnf, NULL-terminated; NULL:
					  those of a CA */
	const char *digest;
	long version;  /* as written: 2 is version 3; -1: version 1 */
	int from_days; /* 0: -1 */
	int till_days; /* 0: 3650 */
};

X509 *fixture_certificate(const struct recipe *recipe);

/* The private key of a certificate that fixture_certificate made. */
EVP_PKEY *fixture_key_of(const X509 *cert);

struct buffer fixture_der(const X509 *cert);
struct buffer fixture_pem(const X509 *cert);
struct buffer fixture_key_pem(EVP_PKEY *key);
struct buffer fixture_key_der(EVP_PKEY *key);

void fixture_spki(const X509 *cert, uint8_t ret[FINGERPRINT_SIZE]);
struct keypair *fixture_keypair(EVP_PKEY *key);

/* Default and legacy provider. */
OSSL_LIB_CTX *fixture_legacy(void);

void fixture_end(void);

#endif
