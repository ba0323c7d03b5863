/* Private keys at rest (facts/x509.md, "Keys at rest"): AES-256-GCM under a key derived for each row from a data key,
 * which the master key wraps. A sealed blob opens only in the row that it was sealed for.
 *
 *   row key = HKDF-SHA256(data key of the term, info = "certfs/key/v1" | table | a | b)
 *   AAD     = version | term | table | a | b | SHA-256(SPKI)
 *   blob    = version (1) | term (4, big endian) | nonce (12) | ciphertext | tag (16)
 *
 * struct seal is immutable after it was opened, except for added terms; safe from any thread.
 */
#ifndef CORE_SEAL_H
#define CORE_SEAL_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"

struct seal;

enum { MASTER_KEY_SIZE = 32, DATA_KEY_SIZE = 32 };

/* Which row a blob belongs to. table is a short constant ("generation", "signing_key"); a and b are the row's key in it
 * (generation: app id and number; signing_key: 0 and 0, the SPKI names it). */
struct seal_row {
	const char *table;
	int64_t a;
	int64_t b;
	const uint8_t *spki; /* FINGERPRINT_SIZE bytes */
};

/* Reads the master key file: exactly 32 bytes, owned by the caller or root, not readable by others
 * (EACCES and the chmod to type otherwise). ENOENT when missing. The buffer must be secret. */
int seal_master_read(const char *path, struct buffer *ret, struct error *err);

/* Makes a new random master key file, 0600, O_EXCL, fsynced with its directory. */
int seal_master_create(const char *path, struct buffer *ret, struct error *err);

/* An empty seal around a 32-byte master key: add terms to it before use. */
int seal_new(struct span master_key, struct seal **ret, struct error *err);
void seal_free(struct seal *seal);

/* A fresh data key, wrapped by the master key (AES-256-GCM, AAD "certfs/term/v1" | term): what the store keeps. */
int seal_term_create(struct seal *seal, uint32_t term, struct buffer *ret_wrapped, struct error *err);

/* The same data key as `wrapped`, which opens under from's master key, wrapped by to's. EKEYREJECTED as seal_term_add. */
int seal_term_rewrap(struct seal *from, struct seal *to, uint32_t term, struct span wrapped, struct buffer *ret,
		     struct error *err);

/* SHA-256 of the master key: what people know it by. */
void seal_master_fingerprint(const struct seal *seal, uint8_t ret[FINGERPRINT_SIZE]);

/* Makes a stored term usable; the last one added seals. EKEYREJECTED "wrong master key …" if it does not open. */
int seal_term_add(struct seal *seal, uint32_t term, struct span wrapped, struct error *err);

int seal_close_row(struct seal *seal, const struct seal_row *row, struct span plain, struct buffer *ret,
		   struct error *err);

/* ret must be secret. EIO "… is damaged" when the blob is not this row's or was changed. */
int seal_open_row(struct seal *seal, const struct seal_row *row, struct span blob, struct buffer *ret,
		  struct error *err);

#endif
