/* Keys that stay in a PKCS#11 token, named by URIs (RFC 7512). The only place that knows PKCS#11; p11-kit loads its modules.
 *
 * Nothing is loaded before the first call that needs a token: the worker must be forked by then, since a module does not outlive a
 * fork. All calls are safe from any thread. Without PKCS#11 in the build (meson -Dpkcs11=disabled) each that needs a token gives
 * ENOTSUP and says so.
 *
 * The PIN is the URI's pin-value, or the first line of the file that its pin-source names, read at each login. It is in secure
 * memory only, and compared with what first opened the token: PKCS#11 has one login for the whole process, which must not let one
 * tenant use what another's PIN opened. A PIN that a token refused is not tried again by itself, so that nothing locks the token.
 *
 * Errors of calls that reach for the token, each with token, object and what to do in its sentence: ENODEV no such token is there,
 * ENOKEY no such object, EKEYREJECTED the PIN is missing, wrong or locked, EINVAL the URI, EIO the token failed, ENOMEM.
 */
#ifndef CORE_TOKEN_H
#define CORE_TOKEN_H

#include <string.h>

#include "certfs/buffer.h"
#include "certfs/error.h"

/* Is it such a URI, and not a key itself? */
static inline bool token_uri_is(struct span text)
{
	return text.size > 7 && memcmp(text.data, "pkcs11:", 7) == 0;
}

/* Who wrote a URI: configuration may name a module to load. */
enum token_trust { TOKEN_OF_CONFIGURATION, TOKEN_OF_UPLOAD };

/* A secret key of the token makes 32 bytes by the KDF of NIST SP 800-108 in counter mode: a generic secret by HMAC-SHA256, an AES
 * key by AES-CMAC. The key needs CKA_SIGN, and may be sensitive and not extractable. */
int token_derive(struct span uri, const char *label, uint8_t ret[32], struct error *err);

/* A private key by its URI. Made without a look at the token. */
struct token_key;

int token_key_new(struct span uri, enum token_trust trust, struct token_key **ret, struct error *err);
void token_key_free(struct token_key *key); /* NULL is fine */

/* Borrowed, secret: it may hold a PIN. */
struct span token_key_uri(const struct token_key *key);

/* Looks the key up now, also with a PIN that was refused before, and gives its public half as DER SubjectPublicKeyInfo, from the
 * public key or certificate of the same CKA_ID, or from the private key itself. */
int token_key_public(struct token_key *key, struct buffer *ret, struct error *err);

enum token_mechanism {
	TOKEN_RSA_PKCS, /* data: the DigestInfo (RFC 8017, 9.2) */
	TOKEN_ECDSA,    /* data: the digest; the signature is r and s, of one length */
	TOKEN_EDDSA,    /* data: all of it */
};

/* *size: the room in ret, then the signature's length. A session that broke is opened anew, a token that came back is found. */
int token_key_sign(struct token_key *key, enum token_mechanism mechanism, struct span data, uint8_t *ret, size_t *size,
		   struct error *err);

#endif
