#include "keypair.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include "digest.h"
#include "x509_internal.h"

struct keypair {
	atomic_uint references;
	EVP_PKEY *pkey; /* private numbers are in OpenSSL's secure heap */
	struct token_key *token; /* NULL, or where the private key is instead */
	int type;       /* enum key_type or -1 */
	uint8_t name[FINGERPRINT_SIZE];
	struct buffer spki;
};

enum { P256_BYTES = 32, P256_POINT = 65, P256_SPKI_HEAD = 26, P256_HEAD = 36, P256_MIDDLE = 5 };
enum { P256_PKCS8 = P256_HEAD + P256_BYTES + P256_MIDDLE + P256_POINT };

/* SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480). */
static const uint8_t p256_spki_head[P256_SPKI_HEAD + 1] =
	"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01"
	"\x07\x03\x42\x00";

/* PKCS#8 of a P-256 key (RFC 5208 around RFC 5915): head, scalar, middle, point. */
static const uint8_t p256_pkcs8_head[P256_HEAD + 1] =
	"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48"
	"\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
static const uint8_t p256_pkcs8_middle[P256_MIDDLE + 1] = "\xa1\x44\x03\x42\x00";

/* d has as many octets as n, for it is below n/2. Of d mod (p-1), d mod (q-1) and the inverse of q
 * each has a leading zero octet in about two cases of five. With none to two of them (2048, 3072
 * bits), or one to three (4096), the PEM form has the size below: in nine cases of ten, or eight.
 */
static const struct device_key {
	const char *algorithm;
	size_t bits;
	size_t spki_size;
	size_t pem_size;
} device_keys[KEY_TYPE_COUNT] = {
	[KEY_EC_P256] = {"EC", 256, P256_SPKI_HEAD + P256_POINT, 241},
	[KEY_RSA_2048] = {"RSA", 2048, 294, 1704},
	[KEY_RSA_3072] = {"RSA", 3072, 422, 2484},
	[KEY_RSA_4096] = {"RSA", 4096, 550, 3272},
};

/* ---- the thread's key generator ---- */

static pthread_key_t generator_key;
static pthread_once_t generator_once = PTHREAD_ONCE_INIT;

static void generator_free(void *generator)
{
	EVP_PKEY_CTX_free(generator);
}

static void generator_init(void)
{
	if (pthread_key_create(&generator_key, generator_free) != 0)
		abort();
}

/* A context that has made a key makes the next one in half the time. */
static EVP_PKEY_CTX *thread_generator(void)
{
	EVP_PKEY_CTX *generator;

	pthread_once(&generator_once, generator_init);
	generator = pthread_getspecific(generator_key);
	if (generator != NULL)
		return generator;
	generator = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (generator == NULL || EVP_PKEY_keygen_init(generator) <= 0 ||
	    EVP_PKEY_CTX_set_group_name(generator, "P-256") <= 0 ||
	    pthread_setspecific(generator_key, generator) != 0) {
		EVP_PKEY_CTX_free(generator);
		return NULL;
	}
	return generator;
}

/* ---- names of keys ---- */

static int pkey_type(const EVP_PKEY *pkey)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "EC")) {
		(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
		return strcmp(group, "prime256v1") == 0 ? KEY_EC_P256 : -1;
	}
	if (!EVP_PKEY_is_a(pkey, "RSA"))
		return -1;
	for (int type = KEY_RSA_2048; type < KEY_TYPE_COUNT; type++)
		if ((size_t)EVP_PKEY_get_bits(pkey) == device_keys[type].bits)
			return type;
	return -1;
}

static int encode_p256_spki(const EVP_PKEY *pkey, struct buffer *out)
{
	uint8_t point[P256_POINT];
	size_t size = 0;

	if (!EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point),
					     &size) ||
	    size != P256_POINT || point[0] != POINT_CONVERSION_UNCOMPRESSED)
		return -EINVAL;
	buffer_add(out, p256_spki_head, P256_SPKI_HEAD);
	buffer_add(out, point, sizeof(point));
	return 0;
}

static int encode_any_spki(const EVP_PKEY *pkey, struct buffer *out)
{
	_cleanup_pkey_ EVP_PKEY *copy = EVP_PKEY_dup((EVP_PKEY *)pkey);
	uint8_t *at;
	int size;

	if (copy == NULL)
		return -ENOMEM;
	if (EVP_PKEY_is_a(copy, "EC") &&
	    !EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					    OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
		return -EINVAL;
	size = i2d_PUBKEY(copy, NULL);
	if (size <= 0 || buffer_resize(out, (size_t)size) < 0)
		return -EINVAL;
	at = out->data;
	return i2d_PUBKEY(copy, &at) == size ? 0 : -EINVAL;
}

static int encode_spki(const EVP_PKEY *pkey, int type, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer out = {0};

	if ((type != KEY_EC_P256 || encode_p256_spki(pkey, &out) < 0) &&
	    encode_any_spki(pkey, &out) < 0)
		return x509_reject(
			err, "the public key can't be encoded: use an RSA, EC or Ed25519 key");
	if (buffer_status(&out) < 0)
		return x509_no_memory(err);
	*ret = buffer_take(&out);
	return 0;
}

int spki_encode(const EVP_PKEY *pkey, struct buffer *ret, struct error *err)
{
	return encode_spki(pkey, pkey_type(pkey), ret, err);
}

size_t spki_size_of(enum key_type type)
{
	return device_keys[type].spki_size;
}

/* ---- life ---- */

static int adopt(EVP_PKEY *pkey, int type, struct keypair **ret, struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *owned = pkey;
	_cleanup_buffer_ struct buffer spki = {0};
	struct keypair *key;
	int r;

	r = encode_spki(pkey, type, &spki, err);
	if (r < 0)
		return r;
	key = calloc(1, sizeof(*key));
	if (key == NULL)
		return x509_no_memory(err);
	atomic_init(&key->references, 1);
	key->type = type;
	digest_sha256(buffer_span(&spki), key->name);
	key->spki = buffer_take(&spki);
	key->pkey = owned;
	owned = NULL;
	*ret = key;
	return 0;
}

int keypair_adopt(EVP_PKEY *pkey, struct keypair **ret, struct error *err)
{
	return adopt(pkey, pkey_type(pkey), ret, err);
}

void keypair_set_token(struct keypair *key, struct token_key *token)
{
	key->token = token;
}

struct keypair *keypair_ref(struct keypair *key)
{
	atomic_fetch_add_explicit(&key->references, 1, memory_order_relaxed);
	return key;
}

void keypair_unref(struct keypair *key)
{
	if (key == NULL ||
	    atomic_fetch_sub_explicit(&key->references, 1, memory_order_acq_rel) != 1)
		return;
	EVP_PKEY_free(key->pkey);
	token_key_free(key->token);
	buffer_clear(&key->spki);
	free(key);
}

void keypair_unrefp(struct keypair **key)
{
	keypair_unref(*key);
}

/* ---- making keys ---- */

static EVP_PKEY *generate_p256(void)
{
	EVP_PKEY_CTX *generator = thread_generator();
	EVP_PKEY *pkey = NULL;

	if (generator == NULL || EVP_PKEY_generate(generator, &pkey) <= 0)
		return NULL;
	return pkey;
}

static int generate(enum key_type type, struct keypair **ret, struct error *err)
{
	EVP_PKEY *pkey;

	if (type == KEY_EC_P256)
		pkey = generate_p256();
	else
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", device_keys[type].bits);
	if (pkey == NULL) {
		ERR_clear_error();
		return error_set(err, EIO,
				 "no %s key could be made: the random generator failed, or locked "
				 "memory is used up",
				 device_keys[type].algorithm);
	}
	return adopt(pkey, (int)type, ret, err);
}

static int has_planned_size(const struct keypair *key, struct error *err)
{
	_cleanup_buffer_ struct buffer pkcs8 = BUFFER_SECRET;
	int r;

	if (key->type == KEY_EC_P256)
		return 1;
	r = keypair_to_pkcs8(key, &pkcs8, err);
	if (r < 0)
		return r;
	return pem_pkcs8_size(pkcs8.size) == device_keys[key->type].pem_size;
}

int keypair_generate(enum key_type type, struct keypair **ret, struct error *err)
{
	for (;;) {
		_cleanup_keypair_ struct keypair *key = NULL;
		int r;

		r = generate(type, &key, err);
		if (r < 0)
			return r;
		r = has_planned_size(key, err);
		if (r < 0)
			return r;
		if (r > 0) {
			*ret = keypair_ref(key);
			return 0;
		}
	}
}

size_t keypair_pem_size(enum key_type type)
{
	return device_keys[type].pem_size;
}

/* ---- PKCS#8 ---- */

/* The scalar goes from OpenSSL's secure heap straight into the buffer, which is in it too. */
static int add_p256_scalar(const EVP_PKEY *pkey, uint8_t *to)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, to, P256_BYTES),
		OSSL_PARAM_construct_end(),
	};

	if (!EVP_PKEY_get_params(pkey, params) || params[0].return_size != P256_BYTES)
		return -EINVAL;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	for (int i = 0; i < P256_BYTES / 2; i++) {
		uint8_t low = to[i];

		to[i] = to[P256_BYTES - 1 - i];
		to[P256_BYTES - 1 - i] = low;
	}
#endif
	return 0;
}

static int add_p256_pkcs8(const struct keypair *key, struct buffer *out)
{
	int r;

	r = buffer_resize(out, P256_PKCS8);
	if (r < 0)
		return r;
	memcpy(out->data, p256_pkcs8_head, P256_HEAD);
	r = add_p256_scalar(key->pkey, out->data + P256_HEAD);
	if (r < 0)
		return r;
	memcpy(out->data + P256_HEAD + P256_BYTES, p256_pkcs8_middle, P256_MIDDLE);
	memcpy(out->data + P256_PKCS8 - P256_POINT, key->spki.data + P256_SPKI_HEAD, P256_POINT);
	return 0;
}

static int add_any_pkcs8(const struct keypair *key, struct buffer *out)
{
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_secmem());
	OSSL_ENCODER_CTX *encoder = OSSL_ENCODER_CTX_new_for_pkey(key->pkey, EVP_PKEY_KEYPAIR,
								  "DER", "PrivateKeyInfo", NULL);
	bool encoded = bio != NULL && encoder != NULL && OSSL_ENCODER_to_bio(encoder, bio);
	char *data;
	long size;

	OSSL_ENCODER_CTX_free(encoder);
	if (!encoded)
		return -EINVAL;
	size = BIO_get_mem_data(bio, &data);
	buffer_add(out, data, (size_t)size);
	return buffer_status(out);
}

int keypair_to_pkcs8(const struct keypair *key, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer out = BUFFER_SECRET;
	int r;

	if (key->type == KEY_EC_P256)
		r = add_p256_pkcs8(key, &out);
	else
		r = add_any_pkcs8(key, &out);
	if (r < 0) {
		ERR_clear_error();
		return error_set(err, r == -ENOMEM ? ENOMEM : EIO,
				 "the private key can't be written as PKCS#8: it may be in a "
				 "token, or locked memory is used up");
	}
	buffer_clear(ret);
	*ret = buffer_take(&out);
	return 0;
}

/* What certfs wrote itself is read without OpenSSL's decoders, which take ten times as long. */
static EVP_PKEY *p256_from_template(struct span der)
{
	_cleanup_pkey_ctx_ EVP_PKEY_CTX *ctx = NULL;
	uint8_t *scalar;
	EVP_PKEY *pkey = NULL;

	if (der.size != P256_PKCS8 || memcmp(der.data, p256_pkcs8_head, P256_HEAD) != 0 ||
	    memcmp(der.data + P256_HEAD + P256_BYTES, p256_pkcs8_middle, P256_MIDDLE) != 0)
		return NULL;
	scalar = OPENSSL_secure_malloc(P256_BYTES);
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	if (scalar == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) <= 0) {
		OPENSSL_secure_free(scalar);
		return NULL;
	}
	for (int i = 0; i < P256_BYTES; i++)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		scalar[i] = der.data[P256_HEAD + P256_BYTES - 1 - i];
#else
		scalar[i] = der.data[P256_HEAD + i];
#endif
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, P256_BYTES),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
						  (uint8_t *)der.data + P256_PKCS8 - P256_POINT,
						  P256_POINT),
		OSSL_PARAM_construct_end(),
	};
	if (EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) <= 0)
		pkey = NULL;
	OPENSSL_secure_clear_free(scalar, P256_BYTES);
	return pkey;
}

static EVP_PKEY *pkey_from_pkcs8(struct span der)
{
	const uint8_t *at = der.data;
	_cleanup_pkcs8_ PKCS8_PRIV_KEY_INFO *info =
		d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.size);

	if (info == NULL || at != der.data + der.size)
		return NULL;
	return EVP_PKCS82PKEY(info);
}

int keypair_from_pkcs8(struct span der, struct keypair **ret, struct error *err)
{
	EVP_PKEY *pkey = p256_from_template(der);

	if (pkey == NULL)
		pkey = pkey_from_pkcs8(der);
	if (pkey == NULL)
		return x509_reject(err, "the private key is not valid PKCS#8: export it again, or "
					"restore it from a backup");
	return keypair_adopt(pkey, ret, err);
}

/* ---- questions ---- */

void keypair_spki(const struct keypair *key, uint8_t ret[FINGERPRINT_SIZE])
{
	memcpy(ret, key->name, FINGERPRINT_SIZE);
}

int keypair_type(const struct keypair *key)
{
	return key->type;
}

struct token_key *keypair_token(const struct keypair *key)
{
	return key->token;
}

EVP_PKEY *keypair_pkey(const struct keypair *key)
{
	return key->pkey;
}

struct span keypair_spki_der(const struct keypair *key)
{
	return buffer_span(&key->spki);
}
