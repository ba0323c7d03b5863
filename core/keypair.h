/* Private keys: made, read, written. Immutable once made; may be shared between threads and is reference-counted.
 * Plain key material exists only inside a struct keypair and in secret buffers (OpenSSL's secure heap).
 */
#ifndef CORE_KEYPAIR_H
#define CORE_KEYPAIR_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"

struct keypair;

/* Makes a new key. RSA takes 0.3 to 2 s: see keypool.h. The PKCS#8 form always has keypair_pem_size(type) bytes as
 * PEM: an RSA key whose integers happen to be shorter is dropped and made again. */
int keypair_generate(enum key_type type, struct keypair **ret, struct error *err);

struct keypair *keypair_ref(struct keypair *key);
void keypair_unref(struct keypair *key); /* NULL is fine */
void keypair_unrefp(struct keypair **key);
#define _cleanup_keypair_ __attribute__((cleanup(keypair_unrefp)))

/* Unencrypted PKCS#8 DER, as the store seals it. The buffer must be secret. */
int keypair_to_pkcs8(const struct keypair *key, struct buffer *ret, struct error *err);
int keypair_from_pkcs8(struct span der, struct keypair **ret, struct error *err);

/* As the store seals a signing key: its PKCS#8 form, or the URI of a key in a token with the public half. The buffer must be secret. */
int keypair_to_stored(const struct keypair *key, struct buffer *ret, struct error *err);
int keypair_from_stored(struct span stored, struct keypair **ret, struct error *err);

/* The private key is in a token (token.h). */
bool keypair_in_token(const struct keypair *key);

/* Appends "-----BEGIN PRIVATE KEY-----" … with a final newline: what device_ca.key shows. The buffer must be secret. */
void pem_add_pkcs8(struct buffer *out, struct span pkcs8);

/* Exact size of the PEM form for each type: 241 for EC P-256, 1704 for RSA-2048, … */
size_t keypair_pem_size(enum key_type type);

/* SHA-256 of the DER SubjectPublicKeyInfo: the name of the key. */
void keypair_spki(const struct keypair *key, uint8_t ret[FINGERPRINT_SIZE]);

/* The policy's type of a device key, or -1 for any other kind (a signing key may be P-384, Ed25519, …). */
int keypair_type(const struct keypair *key);

#endif
