#include "seal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"

enum { VERSION = 1, NONCE_SIZE = 12, TAG_SIZE = 16, TERM_SIZE = 4, HEADER_SIZE = 1 + TERM_SIZE + NONCE_SIZE };
enum { PRK_SIZE = 32 }; /* SHA-256 */
enum { TERMS_MAX = 16 };

struct term {
	uint32_t number;
	struct buffer prk; /* secret: HKDF-Extract of the data key, the half of HKDF that all rows have in common */
};

struct seal {
	struct buffer master; /* secret */
	EVP_CIPHER *cipher;
	EVP_KDF *kdf;
	pthread_rwlock_t lock;
	struct term term[TERMS_MAX]; /* protected by lock, as count; only ever added to */
	size_t count;
};

/* ---- the seal ---- */

int seal_new(struct span master_key, struct seal **ret, struct error *err)
{
	struct seal *seal;

	if (master_key.size != MASTER_KEY_SIZE)
		return error_set(err, EKEYREJECTED, "the master key has %zu bytes, not %d: correct keystore.master_key", master_key.size,
				 MASTER_KEY_SIZE);
	seal = calloc(1, sizeof(*seal));
	if (!seal)
		return error_set(err, ENOMEM, "out of memory");
	pthread_rwlock_init(&seal->lock, NULL);
	seal->master = BUFFER_SECRET;
	buffer_add_span(&seal->master, master_key);
	seal->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	seal->kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (!seal->cipher || !seal->kdf || buffer_status(&seal->master) < 0) {
		seal_free(seal);
		return error_set(err, ENOMEM, "OpenSSL gives no AES-256-GCM or no HKDF: use its default provider (openssl.cnf), or free some memory");
	}
	*ret = seal;
	return 0;
}

void seal_free(struct seal *seal)
{
	if (!seal)
		return;
	for (size_t i = 0; i < seal->count; i++)
		buffer_clear(&seal->term[i].prk);
	buffer_clear(&seal->master);
	EVP_CIPHER_free(seal->cipher);
	EVP_KDF_free(seal->kdf);
	pthread_rwlock_destroy(&seal->lock);
	free(seal);
}

/* ---- AES-256-GCM, with a context that each thread keeps ---- */

static pthread_key_t context_key;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_free(void *context)
{
	EVP_CIPHER_CTX_free(context);
}

static void context_make_key(void)
{
	(void)pthread_key_create(&context_key, context_free);
}

static EVP_CIPHER_CTX *context_get(void)
{
	EVP_CIPHER_CTX *context;

	pthread_once(&context_once, context_make_key);
	context = pthread_getspecific(context_key);
	if (!context) {
		context = EVP_CIPHER_CTX_new();
		if (context && pthread_setspecific(context_key, context) != 0) {
			EVP_CIPHER_CTX_free(context);
			return NULL;
		}
	}
	return context;
}

/* The context lives in ordinary memory, which may reach swap: another key takes the place of the last one there. */
static void context_forget(const struct seal *seal, EVP_CIPHER_CTX *context)
{
	static const uint8_t no_key[DATA_KEY_SIZE];

	if (context)
		(void)EVP_EncryptInit_ex2(context, seal->cipher, no_key, NULL, NULL);
}

/* out: nonce | ciphertext | tag, NONCE_SIZE + plain.size + TAG_SIZE bytes. */
static bool gcm_encrypt(const struct seal *seal, const uint8_t *key, struct span aad, struct span plain, uint8_t *out)
{
	EVP_CIPHER_CTX *context = context_get();
	uint8_t *cipher = out + NONCE_SIZE;
	bool done;
	int n;

	done = context && RAND_bytes(out, NONCE_SIZE) == 1 &&
	       EVP_EncryptInit_ex2(context, seal->cipher, key, out, NULL) == 1 &&
	       EVP_EncryptUpdate(context, NULL, &n, aad.data, (int)aad.size) == 1 &&
	       EVP_EncryptUpdate(context, cipher, &n, plain.data, (int)plain.size) == 1 &&
	       EVP_EncryptFinal_ex(context, cipher + n, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, cipher + plain.size) == 1;
	context_forget(seal, context);
	return done;
}

/* in: nonce | ciphertext | tag. plain has room for in.size - NONCE_SIZE - TAG_SIZE bytes; on failure it is not to be used. */
static bool gcm_decrypt(const struct seal *seal, const uint8_t *key, struct span aad, struct span in, uint8_t *plain)
{
	EVP_CIPHER_CTX *context = context_get();
	const size_t size = in.size - NONCE_SIZE - TAG_SIZE;
	uint8_t tag[TAG_SIZE];
	bool done;
	int n;

	memcpy(tag, in.data + NONCE_SIZE + size, TAG_SIZE);
	done = context && EVP_DecryptInit_ex2(context, seal->cipher, key, in.data, NULL) == 1 &&
	       EVP_DecryptUpdate(context, NULL, &n, aad.data, (int)aad.size) == 1 &&
	       EVP_DecryptUpdate(context, plain, &n, in.data + NONCE_SIZE, (int)size) == 1 &&
	       EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) == 1 &&
	       EVP_DecryptFinal_ex(context, plain + n, &n) == 1;
	context_forget(seal, context);
	return done;
}

/* ---- HKDF-SHA256 (RFC 5869) ---- */

/* One of its two halves, 32 bytes in and out. The salt is empty, since a data key is uniform already; extracting has no info. */
static bool hkdf(const struct seal *seal, int mode, const uint8_t *key, struct span info, uint8_t *ret)
{
	EVP_KDF_CTX *context = EVP_KDF_CTX_new(seal->kdf);
	OSSL_PARAM params[5];
	bool done;

	params[0] = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
	params[1] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0);
	params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, DATA_KEY_SIZE);
	params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.data, info.size);
	params[4] = OSSL_PARAM_construct_end();
	if (info.size == 0)
		params[3] = params[4];
	done = context && EVP_KDF_derive(context, ret, PRK_SIZE, params) == 1;
	EVP_KDF_CTX_free(context);
	return done;
}

/* ---- terms ---- */

static void add_number(struct buffer *out, uint64_t number, size_t size)
{
	for (size_t i = size; i-- > 0;)
		buffer_add(out, &(uint8_t){(uint8_t)(number >> (8 * i))}, 1);
}

static void term_aad(uint32_t term, struct buffer *out)
{
	buffer_add_text(out, "certfs/term/v1");
	add_number(out, term, TERM_SIZE);
}

static int term_wrap(struct seal *seal, uint32_t term, struct span key, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	_cleanup_buffer_ struct buffer aad = {0};

	term_aad(term, &aad);
	if (buffer_resize(&wrapped, NONCE_SIZE + DATA_KEY_SIZE + TAG_SIZE) < 0 || buffer_status(&aad) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (!gcm_encrypt(seal, seal->master.data, buffer_span(&aad), key, wrapped.data))
		return error_set(err, EIO, "OpenSSL could not wrap a data key by the master key: nothing has changed; try again");
	buffer_clear(ret);
	*ret = buffer_take(&wrapped);
	return 0;
}

static int term_unwrap(struct seal *seal, uint32_t term, struct span wrapped, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	_cleanup_buffer_ struct buffer aad = {0};

	term_aad(term, &aad);
	if (buffer_resize(&key, DATA_KEY_SIZE) < 0 || buffer_status(&aad) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (wrapped.size != NONCE_SIZE + DATA_KEY_SIZE + TAG_SIZE ||
	    !gcm_decrypt(seal, seal->master.data, buffer_span(&aad), wrapped, key.data))
		return error_set(err, EKEYREJECTED,
				 "wrong master key: it does not open this store's keys; look at keystore.master_key");
	buffer_clear(ret);
	*ret = buffer_take(&key);
	return 0;
}

int seal_term_create(struct seal *seal, uint32_t term, struct buffer *ret_wrapped, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;

	if (buffer_resize(&key, DATA_KEY_SIZE) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (RAND_priv_bytes(key.data, DATA_KEY_SIZE) != 1)
		return error_set(err, EIO, "the system gives no random bytes for a data key: try again when it does");
	return term_wrap(seal, term, buffer_span(&key), ret_wrapped, err);
}

int seal_term_rewrap(struct seal *from, struct seal *to, uint32_t term, struct span wrapped, struct buffer *ret,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	int r = term_unwrap(from, term, wrapped, &key, err);

	return r < 0 ? r : term_wrap(to, term, buffer_span(&key), ret, err);
}

void seal_master_fingerprint(const struct seal *seal, uint8_t ret[FINGERPRINT_SIZE])
{
	digest_sha256(buffer_span(&seal->master), ret);
}

static int term_put(struct seal *seal, uint32_t term, struct buffer *prk, struct error *err)
{
	int r = 0;

	pthread_rwlock_wrlock(&seal->lock);
	if (seal->count < TERMS_MAX)
		seal->term[seal->count++] = (struct term){term, buffer_take(prk)};
	else
		r = error_set(err, ENOSPC, "the store has more than %d data keys, which no certfs makes: run `certfs check`, restore a backup", TERMS_MAX);
	pthread_rwlock_unlock(&seal->lock);
	return r;
}

int seal_term_add(struct seal *seal, uint32_t term, struct span wrapped, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	_cleanup_buffer_ struct buffer prk = BUFFER_SECRET;
	int r = term_unwrap(seal, term, wrapped, &key, err);

	if (r < 0)
		return r;
	if (buffer_resize(&prk, PRK_SIZE) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (!hkdf(seal, EVP_KDF_HKDF_MODE_EXTRACT_ONLY, key.data, (struct span){0}, prk.data))
		return error_set(err, EIO, "the store's data key can't be used: OpenSSL's HKDF failed: use its default provider (openssl.cnf)");
	return term_put(seal, term, &prk, err);
}

/* What a term's row keys are expanded from, or the newest term's; NULL: unknown. A term is never removed, so the key may be used after unlocking. */
static const uint8_t *term_prk(struct seal *seal, uint32_t *term, bool newest)
{
	const uint8_t *key = NULL;

	pthread_rwlock_rdlock(&seal->lock);
	if (newest && seal->count > 0)
		*term = seal->term[seal->count - 1].number;
	for (size_t i = 0; i < seal->count; i++)
		if (seal->term[i].number == *term)
			key = seal->term[i].prk.data;
	pthread_rwlock_unlock(&seal->lock);
	return key;
}

/* ---- rows ---- */

static void row_name(const struct seal_row *row, struct buffer *out)
{
	buffer_add(out, row->table, strlen(row->table) + 1);
	add_number(out, (uint64_t)row->a, 8);
	add_number(out, (uint64_t)row->b, 8);
}

static void row_aad(const struct seal_row *row, uint32_t term, struct buffer *out)
{
	add_number(out, VERSION, 1);
	add_number(out, term, TERM_SIZE);
	row_name(row, out);
	buffer_add(out, row->spki, FINGERPRINT_SIZE);
}

static bool row_key(const struct seal *seal, const uint8_t *prk, const struct seal_row *row, uint8_t *ret)
{
	_cleanup_buffer_ struct buffer info = {0};

	buffer_add_text(&info, "certfs/key/v1");
	row_name(row, &info);
	return buffer_status(&info) == 0 &&
	       hkdf(seal, EVP_KDF_HKDF_MODE_EXPAND_ONLY, prk, buffer_span(&info), ret);
}

static void add_header(struct buffer *out, uint32_t term)
{
	add_number(out, VERSION, 1);
	add_number(out, term, TERM_SIZE);
}

int seal_close_row(struct seal *seal, const struct seal_row *row, struct span plain, struct buffer *ret,
		   struct error *err)
{
	_cleanup_buffer_ struct buffer blob = {0};
	_cleanup_buffer_ struct buffer aad = {0};
	uint8_t key[DATA_KEY_SIZE];
	uint32_t term = 0;
	const uint8_t *prk = term_prk(seal, &term, true);
	bool done;

	if (!prk)
		return error_set(err, EIO, "the store has no data key: run `certfs check`, restore a backup");
	add_header(&blob, term);
	row_aad(row, term, &aad);
	if (buffer_resize(&blob, HEADER_SIZE + plain.size + TAG_SIZE) < 0 || buffer_status(&aad) < 0 || buffer_status(&blob) < 0)
		return error_set(err, ENOMEM, "out of memory");
	done = row_key(seal, prk, row, key) &&
	       gcm_encrypt(seal, key, buffer_span(&aad), plain, blob.data + 1 + TERM_SIZE);
	OPENSSL_cleanse(key, sizeof(key));
	if (!done)
		return error_set(err, EIO, "OpenSSL could not seal a private key: nothing was issued; try again");
	buffer_clear(ret);
	*ret = buffer_take(&blob);
	return 0;
}

static int damaged(const struct seal_row *row, struct error *err)
{
	return error_set(err, EIO,
			 "a private key in the store is damaged (%s %lld/%lld): run `certfs check`, restore a backup",
			 row->table, (long long)row->a, (long long)row->b);
}

int seal_open_row(struct seal *seal, const struct seal_row *row, struct span blob, struct buffer *ret,
		  struct error *err)
{
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	_cleanup_buffer_ struct buffer aad = {0};
	uint8_t key[DATA_KEY_SIZE];
	const uint8_t *prk;
	uint32_t term = 0;
	bool done;

	if (blob.size < HEADER_SIZE + TAG_SIZE || blob.data[0] != VERSION)
		return damaged(row, err);
	for (size_t i = 0; i < TERM_SIZE; i++)
		term = term << 8 | blob.data[1 + i];
	prk = term_prk(seal, &term, false);
	if (!prk)
		return damaged(row, err);
	row_aad(row, term, &aad);
	if (buffer_resize(&plain, blob.size - HEADER_SIZE - TAG_SIZE) < 0 || buffer_status(&aad) < 0)
		return error_set(err, ENOMEM, "out of memory");
	blob.data += 1 + TERM_SIZE;
	blob.size -= 1 + TERM_SIZE;
	done = row_key(seal, prk, row, key) && gcm_decrypt(seal, key, buffer_span(&aad), blob, plain.data);
	OPENSSL_cleanse(key, sizeof(key));
	if (!done)
		return damaged(row, err);
	buffer_clear(ret);
	*ret = buffer_take(&plain);
	return 0;
}
