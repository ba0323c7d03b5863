/* Private keys that stay in a token (token.h), as keypairs: their public half is here, signing is there. */
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>

#include "x509_internal.h"

/* ---- as the store keeps them: the URI, a NUL, the SubjectPublicKeyInfo; nobody asks the token before it is to sign ---- */

/* Takes the reference to token, also on failure. */
static int adopt(struct token_key *token, struct span spki, struct keypair **ret, struct error *err)
{
	const uint8_t *at = spki.data;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)spki.size);
	int r;

	if (pkey == NULL || at != spki.data + spki.size) {
		EVP_PKEY_free(pkey);
		r = x509_reject(err, "the public key of the token's key is malformed or of an unknown kind: use EC on P-256, "
				     "P-384 or P-521, RSA or Ed25519");
	} else {
		r = keypair_adopt(pkey, ret, err);
	}
	if (r == 0)
		keypair_set_token(*ret, token);
	else
		token_key_free(token);
	return r;
}

static int keypair_from_uri(struct span stored, struct keypair **ret, struct error *err)
{
	const uint8_t *end = memchr(stored.data, '\0', stored.size);
	struct token_key *token = NULL;
	struct span spki;
	int r;

	if (end == NULL)
		return error_set(err, EIO, "the store's name of a key in a token is damaged: write key.pem again");
	spki = (struct span){end + 1, stored.size - (size_t)(end + 1 - stored.data)};
	r = token_key_new((struct span){stored.data, (size_t)(end - stored.data)}, TOKEN_OF_UPLOAD, &token, err);
	return r < 0 ? r : adopt(token, spki, ret, err);
}

int keypair_from_stored(struct span stored, struct keypair **ret, struct error *err)
{
	return token_uri_is(stored) ? keypair_from_uri(stored, ret, err) : keypair_from_pkcs8(stored, ret, err);
}

int keypair_to_stored(const struct keypair *key, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer out = BUFFER_SECRET;
	static const uint8_t end = 0;

	if (keypair_token(key) == NULL)
		return keypair_to_pkcs8(key, ret, err);
	buffer_add_span(&out, token_key_uri(keypair_token(key)));
	buffer_add(&out, &end, 1);
	buffer_add_span(&out, keypair_spki_der(key));
	if (buffer_status(&out) < 0)
		return x509_no_memory(err);
	buffer_clear(ret);
	*ret = buffer_take(&out);
	return 0;
}

bool keypair_in_token(const struct keypair *key)
{
	return keypair_token(key) != NULL;
}

/* ---- uploads ---- */

static int find_key(struct span uri, struct keypair **ret, struct error *err)
{
	_cleanup_buffer_ struct buffer spki = {0};
	struct token_key *token = NULL;
	int r = token_key_new(uri, TOKEN_OF_UPLOAD, &token, err);

	if (r < 0)
		return r;
	r = token_key_public(token, &spki, err);
	if (r < 0) {
		token_key_free(token);
		return r;
	}
	return adopt(token, buffer_span(&spki), ret, err);
}

int read_token_uri(struct span uri, struct bag *bag, struct error *err)
{
	struct error why;
	int r = find_key(uri, &bag->key, &why);

	if (r < 0)
		return error_set(err, r == -ENOMEM ? ENOMEM : EKEYREJECTED, "%s", why.text);
	r = key_check_kind(keypair_pkey(bag->key), "the token's key", err);
	if (r < 0) {
		keypair_unref(bag->key);
		bag->key = NULL;
	}
	return r;
}

/* ---- signing ---- */

/* r and s as ECDSA-Sig-Value (RFC 3279, 2.2.3). */
static int encode_ecdsa(const uint8_t *raw, size_t size, uint8_t *ret, size_t *ret_size)
{
	ECDSA_SIG *value = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(raw, (int)size / 2, NULL), *s = BN_bin2bn(raw + size / 2, (int)size / 2, NULL);
	int length;

	if (value == NULL || r == NULL || s == NULL || !ECDSA_SIG_set0(value, r, s)) {
		BN_free(r);
		BN_free(s);
		ECDSA_SIG_free(value);
		return -ENOMEM;
	}
	length = i2d_ECDSA_SIG(value, NULL);
	if (length > 0 && (size_t)length <= *ret_size)
		length = i2d_ECDSA_SIG(value, &ret);
	else
		length = -1;
	ECDSA_SIG_free(value);
	*ret_size = (size_t)(length > 0 ? length : 0);
	return length > 0 ? 0 : -EIO;
}

static int sign_ecdsa(struct token_key *token, struct span digest, uint8_t *ret, size_t *size, struct error *err)
{
	uint8_t raw[2 * 66];
	size_t raw_size = sizeof(raw);
	int r = token_key_sign(token, TOKEN_ECDSA, digest, raw, &raw_size, err);

	if (r == 0 && encode_ecdsa(raw, raw_size, ret, size) < 0)
		r = error_set(err, EIO, "the token's signature is malformed: check the token");
	return r;
}

/* DigestInfo of SHA-256 (RFC 8017, 9.2, note 1): the one digest that certfs signs with RSA by. */
static int sign_rsa(struct token_key *token, struct span digest, uint8_t *ret, size_t *size, struct error *err)
{
	static const uint8_t head[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
				       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	uint8_t info[sizeof(head) + FINGERPRINT_SIZE];

	if (digest.size != FINGERPRINT_SIZE)
		return error_set(err, EIO, "an RSA key in a token signs SHA-256 only");
	memcpy(info, head, sizeof(head));
	memcpy(info + sizeof(head), digest.data, digest.size);
	return token_key_sign(token, TOKEN_RSA_PKCS, (struct span){info, sizeof(info)}, ret, size, err);
}

int token_signature(const struct keypair *key, const struct signature_kind *kind, struct span data, uint8_t *ret, size_t *size,
		    struct error *err)
{
	struct token_key *token = keypair_token(key);
	uint8_t digest[EVP_MAX_MD_SIZE];
	size_t digest_size = 0;

	if (kind->digest == NULL)
		return token_key_sign(token, TOKEN_EDDSA, data, ret, size, err);
	if (!EVP_Q_digest(NULL, kind->digest, NULL, data.data, data.size, digest, &digest_size)) {
		ERR_clear_error();
		return error_set(err, EIO, "OpenSSL lacks %s", kind->digest);
	}
	return (EVP_PKEY_is_a(keypair_pkey(key), "RSA") ? sign_rsa : sign_ecdsa)(
		token, (struct span){digest, digest_size}, ret, size, err);
}
