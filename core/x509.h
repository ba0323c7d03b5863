/* Certificates: read uploads, check signing CAs, issue device CAs, describe.
 *
 * The only place, with keypair.h and seal.h, that knows OpenSSL. All types are opaque. Functions are safe to call from
 * any thread; a struct is shared between threads only where it says so. RFC 5280 is the profile throughout.
 */
#ifndef CORE_X509_H
#define CORE_X509_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"
#include "keypair.h"

/* ---- reading uploads (x509_read.c) ---- */

/* What one upload held. `certs` are DER, in the order found; `key` is set if there was a private key. */
struct bag {
	struct buffer *certs;
	size_t cert_count;
	struct keypair *key; /* owned; NULL: none */
	int encrypted_keys;  /* how many were met: each may cost seconds */
	bool needs_password; /* something is encrypted and no password was given: but for key_only nothing else is set */
	bool key_only;       /* needs_password: it is a private key, and no certificate will be found beside it */
};

void bag_clear(struct bag *bag);
#define _cleanup_bag_ __attribute__((cleanup(bag_clear)))

/* Reads PEM (any blocks, any order, surrounding text allowed as openssl does), DER (certificate, PKCS#7 is not taken;
 * PKCS#8, SEC1 or PKCS#1 key; encrypted PKCS#8) or PKCS#12, told apart by content.
 * One pkcs11: URI (RFC 7512) names a private key in a token (token.h), which is looked up there.
 * password: NULL if none was given (then an encrypted upload sets needs_password and returns 0; an unencrypted or
 * empty-password PKCS#12 opens without). Never asks a terminal.
 * Errors: EKEYREJECTED with one of the sentences of facts/x509.md (not valid DER, corrupt PEM, trailing bytes, more than
 * one private key, wrong key password, wrong PKCS#12 password, …); ENOMEM. */
int x509_read(struct span upload, const struct span *password, struct bag *ret, struct error *err);

/* ---- checking and preparing a signing CA (x509_check.c) ---- */

/* A signing CA that passed every check: signer first, then its issuers upwards, ordered. */
struct chain {
	struct buffer *certs; /* DER, signer first */
	size_t count;
	struct buffer pem;           /* the same as PEM, each block ending in a newline: what cert.pem shows */
	uint8_t spki[FINGERPRINT_SIZE];        /* SHA-256 of the signer's SubjectPublicKeyInfo: names the key */
	uint8_t fingerprint[FINGERPRINT_SIZE]; /* SHA-256 of the signer certificate's DER */
	unixtime not_before;         /* the latest notBefore of the chain */
	unixtime not_after;          /* the earliest notAfter of the chain */
	int path_length;             /* the effective one (facts/x509.md); INT_MAX: unlimited; always >= 1 */
	bool self_signed;            /* the signer is a root */
	bool has_root;               /* the chain ends in a self-signed certificate; else notice ROOT_MISSING */
	bool crl_sign;               /* keyUsage allows CRLs (absent keyUsage allows all) */
	char warning[512];           /* "", or a sentence: the chain is taken, but some verifiers will refuse it */
};

void chain_clear(struct chain *chain);
#define _cleanup_chain_ __attribute__((cleanup(chain_clear)))

/* Picks from certs the one whose key is `spki` (NULL: the only one that signed none of the others),
 * orders its chain, and makes every check of facts/x509.md at time now. On success the certificates are copied.
 * A certificate that is not used in the chain is an error; an exact duplicate is not.
 * Errors: EKEYREJECTED and the sentence (with the subject of the certificate that is to blame); ENOMEM. */
int x509_check_chain(const struct buffer *certs, size_t count, const uint8_t spki[FINGERPRINT_SIZE], unixtime now,
		     struct chain *ret, struct error *err);

/* True if a certificate chain swapped in for another would keep every issued certificate valid:
 * the signers have the same key, the same subject (DER) and the same subject key identifier. */
bool x509_same_issuer(struct span signer_a, struct span signer_b);

/* SHA-256 of a DER certificate's SubjectPublicKeyInfo. EKEYREJECTED if it can't be parsed. */
int x509_spki(struct span cert, uint8_t ret[FINGERPRINT_SIZE], struct error *err);

/* ---- issuing (x509_issue.c) ---- */

/* A signing CA ready to sign: parsed certificate, key, issuer name, AKI, prebuilt extensions. Immutable once made:
 * any number of threads may sign with one; reference-counted by its holder (signing_ca.c). */
struct issuer;

/* key is borrowed for the call (the issuer keeps a reference of its own). EKEYREJECTED if they do not match. */
int issuer_new(const struct chain *chain, const struct keypair *key, struct issuer **ret, struct error *err);
void issuer_free(struct issuer *issuer);

/* The key is in a token: it may be gone for a while. */
bool issuer_in_token(const struct issuer *issuer);

/* What a device CA is to be. */
struct device_ca_order {
	char common_name[65];        /* UTF-8, at most 64 characters; see name_common_name */
	int path_length;             /* of the policy; the issuer's effective one - 1 bounds it */
	unixtime not_before;         /* see issuer_validity */
	unixtime not_after;
	uint8_t serial[SERIAL_SIZE]; /* see x509_serial */
	bool pem_size_only; /* the PEM form must have the planned length, the DER may be a byte off: base64 rounds up
			     * to three, so that 1.2 signatures do on average instead of 2 */
};

/* not_before = max(now - 5 min, the issuer's own notBefore), not_after = min(now + days, end of the chain). */
void issuer_validity(const struct issuer *issuer, unixtime now, int days, unixtime *ret_not_before,
		     unixtime *ret_not_after);

/* A fresh serial: SERIAL_SIZE octets from the CSPRNG with the top bit clear and the next one set. EIO if it fails. */
int x509_serial(uint8_t ret[SERIAL_SIZE], struct error *err);

/* Issues: signs again until the signature has its planned length, so that the result is exactly
 * issuer_plan() bytes long, or with pem_size_only has a PEM form of pem_certificate_size(issuer_plan()) bytes. ret: DER. Errors: EIO (signing failed: a token gone), ENOMEM. */
int issuer_sign(const struct issuer *issuer, const struct device_ca_order *order, const struct keypair *subject_key,
		struct buffer *ret, struct error *err);

/* The exact DER length of what issuer_sign would give for a key of that type (ECDSA signatures at their most
 * frequent length). Serial and times of the order matter only by their encoded form. 0 or negative errno. */
int issuer_plan(const struct issuer *issuer, const struct device_ca_order *order, enum key_type type, size_t *ret,
		struct error *err);

/* The first certificate under a newly activated signing CA, verified by X509_verify_cert (strict, partial chain,
 * auth level 2): a throw-away leaf is issued to prove that the chain accepts what certfs will issue.
 * EKEYREJECTED with the verifier's words (47 = a name constraint). */
int issuer_prove(const struct issuer *issuer, const struct chain *chain, const struct device_ca_order *order,
		 const struct keypair *subject_key, unixtime now, struct error *err);

/* What `certfs check` asks of an issued certificate: its signature is the signer's, its serial and key are these.
 * EUCLEAN and what is wrong. */
int x509_check_issued(struct span cert, struct span signer, const uint8_t serial[SERIAL_SIZE],
		      const uint8_t spki[FINGERPRINT_SIZE], struct error *err);

/* ---- successors of a signing CA (x509_successor.c) ---- */

/* A new key of the same kind as the certificate's: RSA of as many bits, EC on the same curve, Ed25519. */
int keypair_generate_like(struct span cert, struct keypair **ret, struct error *err);

/* A self-signed certificate for a new key, in all else like the self-signed one: subject, path length, key usage, lifetime; valid
 * from now on (less five minutes). ret: DER. */
int x509_successor(struct span cert, const struct keypair *key, unixtime now, struct buffer *ret, struct error *err);

/* A PKCS#10 request (RFC 2986) for a new key, with subject, basicConstraints and keyUsage of the certificate. ret: DER. */
int x509_request(struct span cert, const struct keypair *key, struct buffer *ret, struct error *err);

/* ---- PEM ---- */

/* Length of the PEM form ("-----BEGIN CERTIFICATE-----", 64 columns, final newline) of a DER of that size. */
size_t pem_certificate_size(size_t der_size);
void pem_add_certificate(struct buffer *out, struct span der);
void pem_add_request(struct buffer *out, struct span der);

/* ---- describing (x509_info.c) ---- */

/* What `info` shows. All text is UTF-8 without control characters, truncated at the field's size. */
struct certificate_info {
	char subject[512]; /* RFC 2253 order reversed as openssl -nameopt oneline does: "CN=gw-01.plant-7" */
	char issuer[512];
	char serial_number[64];          /* colon hex, upper case, without a leading zero octet */
	unixtime valid_from;
	unixtime valid_till;
	char signature_algorithm[64];    /* OpenSSL's long name: ecdsa-with-SHA256, sha256WithRSAEncryption, ED25519 */
	char public_key_algorithm[64];   /* "id-ecPublicKey (P-256)", "rsaEncryption (2048 bit)", "ED25519" */
	char basic_constraints[64];      /* "CA:TRUE, pathlen:0", "CA:TRUE", "" if absent */
	char key_usage[256];             /* "Digital Signature, Certificate Sign, CRL Sign", "" if absent */
	char subject_key_id[128];        /* colon hex or "" */
	char authority_key_id[128];
	char sha256_fingerprint[96];     /* colon hex */
};

/* EKEYREJECTED if it can't be parsed. */
int x509_info(struct span cert, struct certificate_info *ret, struct error *err);

#endif
