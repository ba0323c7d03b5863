/* What the x509_*.c files and keypair.c share. Only they may include this: it shows OpenSSL's
 * types.
 *
 * State that lives as long as the process: for each thread one context that makes EC keys
 * (keypair.c, freed with the thread), and the library context that holds the legacy provider
 * (x509_pkcs12.c, made when the first old PKCS#12 comes).
 */
#ifndef CORE_X509_INTERNAL_H
#define CORE_X509_INTERNAL_H

#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include "keypair.h"
#include "token.h"
#include "x509.h"

/* Defines a cleanup function for `__attribute__((cleanup(name)))` on a pointer. NULL is fine for
 * every free below. */
#define CLEANUP_OF(type, name, free_function)  \
	static inline void name(type **object) \
	{                                      \
		free_function(*object);        \
	}

CLEANUP_OF(X509, x509_freep, X509_free)
CLEANUP_OF(X509_SIG, x509_sig_freep, X509_SIG_free)
CLEANUP_OF(EVP_PKEY, pkey_freep, EVP_PKEY_free)
CLEANUP_OF(EVP_PKEY_CTX, pkey_ctx_freep, EVP_PKEY_CTX_free)
CLEANUP_OF(BIO, bio_freep, BIO_free_all)
CLEANUP_OF(PKCS12, pkcs12_freep, PKCS12_free)
CLEANUP_OF(PKCS8_PRIV_KEY_INFO, pkcs8_freep, PKCS8_PRIV_KEY_INFO_free)

#define _cleanup_x509_     __attribute__((cleanup(x509_freep)))
#define _cleanup_x509_sig_ __attribute__((cleanup(x509_sig_freep)))
#define _cleanup_pkey_     __attribute__((cleanup(pkey_freep)))
#define _cleanup_pkey_ctx_ __attribute__((cleanup(pkey_ctx_freep)))
#define _cleanup_bio_      __attribute__((cleanup(bio_freep)))
#define _cleanup_pkcs12_   __attribute__((cleanup(pkcs12_freep)))
#define _cleanup_pkcs8_    __attribute__((cleanup(pkcs8_freep)))

/* Sets EKEYREJECTED and drops whatever OpenSSL has queued for this thread. */
int x509_reject(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* True if the queue says that an algorithm is not there, as against a wrong password. */
bool x509_error_is_unsupported(void);

/* ENOMEM, the queue dropped. */
int x509_no_memory(struct error *err);

/* ---- keypair.c, pem.c ---- */

/* Takes over the reference to pkey, also on failure. Must hold a private key. */
int keypair_adopt(EVP_PKEY *pkey, struct keypair **ret, struct error *err);

/* For a keypair that was just made of a public key: the private half is there. Takes the reference. */
void keypair_set_token(struct keypair *key, struct token_key *token);

/* Borrowed; NULL: the private half is in pkey. */
struct token_key *keypair_token(const struct keypair *key);

/* Borrowed, lives as long as the keypair. */
EVP_PKEY *keypair_pkey(const struct keypair *key);
struct span keypair_spki_der(const struct keypair *key);

/* The DER SubjectPublicKeyInfo in its one canonical form (uncompressed point, NULL parameters for
 * RSA), so that a key and a certificate that spell the same key differently have the same name. */
int spki_encode(const EVP_PKEY *pkey, struct buffer *ret, struct error *err);

/* Size of the SPKI of a device key. */
size_t spki_size_of(enum key_type type);

size_t pem_pkcs8_size(size_t der_size);

/* ---- x509_common.c ---- */

enum { SUBJECT_TEXT = 161 };

/* "CN=Plant 7,O=Example" as UTF-8 without control characters, cut at room - 1 bytes; a nameless one
 * is "(no name)". */
void name_text(const X509_NAME *name, char *ret, size_t room);

/* The same, in double quotes, for a sentence: the subject of a certificate. */
void subject_text(const X509 *cert, char ret[SUBJECT_TEXT]);

/* Parses one certificate that must be the whole of der, and DER indeed. */
int certificate_parse(struct span der, X509 **ret, struct error *err);

int certificate_to_der(const X509 *cert, struct buffer *ret, struct error *err);

int certificate_spki(const X509 *cert, uint8_t ret[FINGERPRINT_SIZE], struct error *err);

/* -1 if it is malformed. */
int time_of(const ASN1_TIME *time, unixtime *ret);

/* "2026-11-24T10:00:00Z" */
void time_text(unixtime time, char ret[32]);

/* How a key signs. */
struct signature_kind {
	const char *key;          /* EVP_PKEY_is_a */
	const char *group;        /* EC only */
	const char *digest;       /* NULL: the algorithm has its own */
	const uint8_t *algorithm; /* DER AlgorithmIdentifier */
	size_t algorithm_size;
	size_t signature_size; /* the most frequent DER length of an ECDSA signature; 0: always
				  EVP_PKEY_get_size */
	const char *warning;   /* what refuses such signatures, or NULL */
};

/* NULL: certfs can't sign with such a key. */
const struct signature_kind *signature_kind_of(const EVP_PKEY *pkey);

/* "RSA of 1024 bits", "EC on brainpoolP256r1", "X25519": for sentences. */
void key_text(const EVP_PKEY *pkey, char *ret, size_t room);

/* The sentence about keys that certfs can't use, "KEY is a …: …". */
int key_check_kind(const EVP_PKEY *pkey, const char *whose, struct error *err);

/* ---- x509_issue.c: what CRLs are made with, too ---- */

/* Signs a DER part of any kind: SEQUENCE { part, algorithm, signature }. Errors as issuer_sign. */
int issuer_sign_part(const struct issuer *issuer, struct span part, struct buffer *ret, struct error *err);

/* DER, borrowed: AlgorithmIdentifier, Name, the AKI extension. */
struct span issuer_algorithm(const struct issuer *issuer);
struct span issuer_name(const struct issuer *issuer);
struct span issuer_aki(const struct issuer *issuer);

/* ---- x509_verify.c ---- */

/* Verifies the first certificate of path by way of the others, the last being trusted: strict RFC
 * 5280, auth level 2, time now; purpose is one of X509_PURPOSE_* or 0. What only a strict reading
 * of RFC 5280 asks for is forgiven to the certificates from index `uploaded` on, see struct chain's
 * warning. EKEYREJECTED with OpenSSL's words. */
int chain_verify(STACK_OF(X509) * path, int uploaded, int purpose, unixtime now, struct error *err);

/* ---- x509_inspect.c ---- */

/* Every check that one certificate of a chain can be put to alone. is_root: a self-signed top that
 * is not the signer. */
int certificate_inspect(X509 *cert, bool is_signer, bool is_root, unixtime now, struct error *err);

/* True if there is something about the certificate that some verifiers refuse, and ret says what.
 */
bool certificate_warn(X509 *cert, bool is_signer, bool is_self_signed, char *ret, size_t room);

/* ---- x509_read.c and its parts ---- */

/* Add to the bag; the same certificate or key twice is no error. */
int bag_add_certificate(struct bag *bag, struct span der, struct error *err);
int bag_add_key(struct bag *bag, EVP_PKEY *pkey, struct error *err); /* takes the reference */

int read_pem(struct span upload, const struct span *password, struct bag *bag, struct error *err);
int read_pkcs12(struct span der, const struct span *password, struct bag *bag, struct error *err);

/* x509_key.c: private keys in each of their forms. */
int read_pkcs8(struct span der, struct bag *bag, struct error *err);
int read_encrypted_pkcs8(struct span der, const struct span *password, struct bag *bag,
			 struct error *err);
int read_traditional_key(int type, struct span der, const char *malformed, struct bag *bag,
			 struct error *err);
int read_pkcs8_info(const PKCS8_PRIV_KEY_INFO *info, struct bag *bag, struct error *err);

/* x509_token.c: the key that a pkcs11: URI names, and a signature of it, in the form that certificates have. *size: the room in ret, then
 * the length. Errors: those of token.h. */
int read_token_uri(struct span uri, struct bag *bag, struct error *err);
int token_signature(const struct keypair *key, const struct signature_kind *kind, struct span data, uint8_t *ret, size_t *size,
		    struct error *err);

/* Refuses a password protection that would keep the daemon busy for minutes. */
int key_derivation_check(const X509_ALGOR *algorithm, struct error *err);
bool key_iterations_bearable(const ASN1_INTEGER *iterations, struct error *err);

#define WRONG_KEY_PASSWORD "wrong key password: write the password of the private key to `password`"
#define MALFORMED_KEY      "the private key is not valid DER: it was damaged or cut off, export it again"

/* The library context with the legacy provider (RC2, single DES, …), or NULL where that provider is
 * not installed. */
OSSL_LIB_CTX *legacy_context(void);

#endif
