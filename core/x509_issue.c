/* Issues device CAs: v3, SKI, AKI, critical basicConstraints and keyUsage, no EKU.
 *
 * The certificate is put together from ready pieces of DER: through OpenSSL's X509 calls the same
 * work takes a multiple of the two things that count, making the key and signing. What is not known
 * yet (key, signature) has a known length, so that the length of the whole is known before anything
 * is made.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "der.h"
#include "digest.h"
#include "x509_internal.h"
#include "x509_tbs.h"

enum {
	IDLE_SIGNERS = 16,
	SIGNATURE_ROOM = 2048, /* RSA of 16384 bits */
	SIGNATURE_TRIES = 200, /* half of the ECDSA signatures have the planned length */
	CLOCK_SLACK = 5 * 60,
};

struct signature {
	uint8_t data[SIGNATURE_ROOM];
	size_t size;
};

struct issuer {
	struct keypair *key;
	const struct signature_kind *kind;
	size_t signature_size;
	struct buffer name; /* DER of the subject, which becomes the issuer */
	struct buffer aki;  /* the whole extension */
	unixtime not_before;
	unixtime not_after;
	int path_length;
	pthread_mutex_t lock;
	EVP_MD_CTX *idle[IDLE_SIGNERS]; /* protected by lock: contexts that have signed, to sign
					   again */
	int idle_count;
};

/* ---- life ---- */

/* The signer's own SKI; a signer without one gets that of RFC 5280, 4.2.1.2, method 1. */
static int build_aki(X509 *signer, struct buffer *out, struct error *err)
{
	const ASN1_OCTET_STRING *ski = X509_get0_subject_key_id(signer);
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(signer);
	uint8_t digest[DIGEST_SHA1_SIZE];
	struct span id = {digest, sizeof(digest)};
	static const uint8_t oid[] = {0x06, 0x03, 0x55, 0x1d, 0x23};
	size_t value;

	if (ski != NULL)
		id = (struct span){ASN1_STRING_get0_data(ski), (size_t)ASN1_STRING_length(ski)};
	else
		digest_sha1((struct span){ASN1_STRING_get0_data(bits),
					  (size_t)ASN1_STRING_length(bits)},
			    digest);
	value = der_size(der_size(id.size));
	der_add_header(out, DER_SEQUENCE, sizeof(oid) + der_size(value));
	buffer_add(out, oid, sizeof(oid));
	der_add_header(out, DER_OCTET_STRING, value);
	der_add_header(out, DER_SEQUENCE, der_size(id.size));
	der_add_header(out, DER_CONTEXT_0_PRIMITIVE, id.size);
	buffer_add_span(out, id);
	return buffer_status(out) < 0 ? x509_no_memory(err) : 0;
}

static int take_name(const X509 *signer, struct buffer *out, struct error *err)
{
	const uint8_t *der;
	size_t size;

	if (!X509_NAME_get0_der(X509_get_subject_name(signer), &der, &size))
		return x509_no_memory(err);
	buffer_add(out, der, size);
	return buffer_status(out) < 0 ? x509_no_memory(err) : 0;
}

static int plan_signature(struct issuer *issuer, struct error *err)
{
	int size = EVP_PKEY_get_size(keypair_pkey(issuer->key));
	int r;

	r = key_check_kind(keypair_pkey(issuer->key), "the private key", err);
	if (r < 0)
		return r;
	issuer->kind = signature_kind_of(keypair_pkey(issuer->key));
	issuer->signature_size =
		issuer->kind->signature_size > 0 ? issuer->kind->signature_size : (size_t)size;
	if (size > 0 && size <= SIGNATURE_ROOM)
		return 0;
	return x509_reject(err,
			   "the key of the signing CA is too large: use RSA of at most 16384 bits");
}

static int issuer_fill(struct issuer *issuer, const struct chain *chain, struct error *err)
{
	_cleanup_x509_ X509 *signer = NULL;
	int r;

	r = certificate_parse(buffer_span(&chain->certs[0]), &signer, err);
	if (r < 0)
		return r;
	if (time_of(X509_get0_notBefore(signer), &issuer->not_before) < 0)
		return x509_reject(err,
				   "the validity of the signing CA is malformed: issue it again");
	issuer->not_after = chain->not_after;
	issuer->path_length = chain->path_length;
	r = plan_signature(issuer, err);
	if (r < 0)
		return r;
	r = take_name(signer, &issuer->name, err);
	if (r < 0)
		return r;
	return build_aki(signer, &issuer->aki, err);
}

int issuer_new(const struct chain *chain, const struct keypair *key, struct issuer **ret,
	       struct error *err)
{
	uint8_t spki[FINGERPRINT_SIZE];
	struct issuer *issuer;
	int r;

	keypair_spki(key, spki);
	if (memcmp(spki, chain->spki, sizeof(spki)) != 0)
		return x509_reject(
			err, "the private key does not match the certificate of the signing CA: "
			     "upload the two that belong together");
	issuer = calloc(1, sizeof(*issuer));
	if (issuer == NULL)
		return x509_no_memory(err);
	pthread_mutex_init(&issuer->lock, NULL);
	issuer->key = keypair_ref((struct keypair *)key);
	r = issuer_fill(issuer, chain, err);
	if (r < 0) {
		issuer_free(issuer);
		return r;
	}
	*ret = issuer;
	return 0;
}

void issuer_free(struct issuer *issuer)
{
	if (issuer == NULL)
		return;
	for (int i = 0; i < issuer->idle_count; i++)
		EVP_MD_CTX_free(issuer->idle[i]);
	keypair_unref(issuer->key);
	buffer_clear(&issuer->name);
	buffer_clear(&issuer->aki);
	pthread_mutex_destroy(&issuer->lock);
	free(issuer);
}

bool issuer_in_token(const struct issuer *issuer)
{
	return keypair_in_token(issuer->key);
}

/* ---- orders ---- */

void issuer_validity(const struct issuer *issuer, unixtime now, int days, unixtime *ret_not_before,
		     unixtime *ret_not_after)
{
	unixtime from = now - CLOCK_SLACK, till = now + (unixtime)days * 24 * 60 * 60;

	*ret_not_before = from > issuer->not_before ? from : issuer->not_before;
	*ret_not_after = till < issuer->not_after ? till : issuer->not_after;
}

int x509_serial(uint8_t ret[SERIAL_SIZE], struct error *err)
{
	uint8_t serial[SERIAL_SIZE];

	if (RAND_bytes(serial, sizeof(serial)) != 1) {
		ERR_clear_error();
		return error_set(
			err, EIO,
			"no serial number could be made: the system's random generator failed");
	}
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	memcpy(ret, serial, sizeof(serial));
	return 0;
}

static size_t size_certificate(const struct issuer *issuer, const struct tbs *tbs,
			       size_t signature_size)
{
	return der_size(tbs->size + issuer->kind->algorithm_size + der_size(1 + signature_size));
}

/* The signed part for an order, and how long the certificate will be. */
static int plan(const struct issuer *issuer, const struct device_ca_order *order, size_t spki_size,
		struct tbs *tbs, size_t *ret_size, struct error *err)
{
	struct span algorithm = {issuer->kind->algorithm, issuer->kind->algorithm_size};
	int bound = issuer->path_length - 1;
	int r;

	*tbs = (struct tbs){
		.algorithm = algorithm,
		.issuer = buffer_span(&issuer->name),
		.aki = buffer_span(&issuer->aki),
		.order = order,
		.path_length = order->path_length < bound ? order->path_length : bound,
	};
	r = tbs_plan(tbs, spki_size, err);
	if (r < 0)
		return r;
	*ret_size = size_certificate(issuer, tbs, issuer->signature_size);
	return 0;
}

int issuer_plan(const struct issuer *issuer, const struct device_ca_order *order,
		enum key_type type, size_t *ret, struct error *err)
{
	struct tbs tbs;

	return plan(issuer, order, spki_size_of(type), &tbs, ret, err);
}

/* ---- signing ---- */

static EVP_MD_CTX *signer_take(struct issuer *issuer)
{
	EVP_MD_CTX *signer = NULL;

	pthread_mutex_lock(&issuer->lock);
	if (issuer->idle_count > 0)
		signer = issuer->idle[--issuer->idle_count];
	pthread_mutex_unlock(&issuer->lock);
	return signer != NULL ? signer : EVP_MD_CTX_new();
}

/* Only contexts whose last signature went well come back. */
static void signer_give(struct issuer *issuer, EVP_MD_CTX *signer)
{
	pthread_mutex_lock(&issuer->lock);
	if (issuer->idle_count < IDLE_SIGNERS) {
		issuer->idle[issuer->idle_count++] = signer;
		signer = NULL;
	}
	pthread_mutex_unlock(&issuer->lock);
	EVP_MD_CTX_free(signer);
}

/* A context that has signed starts again without key and digest, which saves the setting up. */
static bool signer_start(const struct issuer *issuer, EVP_MD_CTX *signer)
{
	if (EVP_MD_CTX_get_pkey_ctx(signer) != NULL)
		return EVP_DigestSignInit_ex(signer, NULL, NULL, NULL, NULL, NULL, NULL) > 0;
	return EVP_DigestSignInit_ex(signer, NULL, issuer->kind->digest, NULL, NULL,
				     keypair_pkey(issuer->key), NULL) > 0;
}

/* Is a certificate with a signature of this length as long as planned, in the form that counts? */
static bool is_as_planned(const struct issuer *issuer, const struct tbs *tbs, size_t signature_size)
{
	if (tbs == NULL)
		return true; /* no certificate: any length will do */
	if (!tbs->order->pem_size_only)
		return signature_size == issuer->signature_size;
	return pem_certificate_size(size_certificate(issuer, tbs, signature_size)) ==
	       pem_certificate_size(size_certificate(issuer, tbs, issuer->signature_size));
}

static int sign_to_plan(const struct issuer *issuer, EVP_MD_CTX *signer, const struct tbs *tbs,
			struct span data, struct signature *ret)
{
	for (int i = 0; i < SIGNATURE_TRIES; i++) {
		ret->size = sizeof(ret->data);
		if (!signer_start(issuer, signer) ||
		    EVP_DigestSign(signer, ret->data, &ret->size, data.data, data.size) <= 0)
			return -EIO;
		if (is_as_planned(issuer, tbs, ret->size))
			return 0;
	}
	return -EIO;
}

/* The same by a key that is in a token. */
static int sign_in_token(const struct issuer *issuer, const struct tbs *tbs, struct span data,
			 struct signature *ret, struct error *err)
{
	struct error why;

	for (int i = 0; i < SIGNATURE_TRIES; i++) {
		ret->size = sizeof(ret->data);
		if (token_signature(issuer->key, issuer->kind, data, ret->data, &ret->size, &why) < 0)
			return error_set(err, EIO, "the signing CA's key can't sign: %s", why.text);
		if (is_as_planned(issuer, tbs, ret->size))
			return 0;
	}
	return error_set(err, EIO, "the signatures of the signing CA's token have an odd length: check the token");
}

static int sign(const struct issuer *issuer, const struct tbs *tbs, struct span data,
		struct signature *ret, struct error *err)
{
	struct issuer *lender = (struct issuer *)issuer; /* only what its lock protects changes */
	EVP_MD_CTX *signer;
	char reason[128];

	if (issuer_in_token(issuer))
		return sign_in_token(issuer, tbs, data, ret, err);
	signer = signer_take(lender);

	if (signer == NULL)
		return x509_no_memory(err);
	if (sign_to_plan(issuer, signer, tbs, data, ret) == 0) {
		signer_give(lender, signer);
		return 0;
	}
	EVP_MD_CTX_free(signer);
	ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
	ERR_clear_error();
	return error_set(err, EIO,
			 "the signing CA's key could not sign (%s): check the token that holds it, "
			 "then try again",
			 reason);
}

/* SIGNED{}: the part, the algorithm, the signature. */
static void add_signed(const struct issuer *issuer, struct span tbs,
			    const struct signature *signature, struct buffer *out)
{
	static const uint8_t unused_bits = 0;
	size_t bits = 1 + signature->size;

	der_add_header(out, DER_SEQUENCE, tbs.size + issuer->kind->algorithm_size + der_size(bits));
	buffer_add_span(out, tbs);
	buffer_add(out, issuer->kind->algorithm, issuer->kind->algorithm_size);
	der_add_header(out, DER_BIT_STRING, bits);
	buffer_add(out, &unused_bits, 1);
	buffer_add(out, signature->data, signature->size);
}

int issuer_sign(const struct issuer *issuer, const struct device_ca_order *order,
		const struct keypair *subject_key, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer signed_part = {0}, out = {0};
	struct span spki = keypair_spki_der(subject_key);
	struct signature signature;
	struct tbs tbs;
	size_t size;
	int r;

	r = plan(issuer, order, spki.size, &tbs, &size, err);
	if (r < 0)
		return r;
	if (buffer_reserve(&signed_part, tbs.size) < 0 || buffer_reserve(&out, size) < 0)
		return x509_no_memory(err);
	if (tbs_add(&tbs, spki, &signed_part) < 0)
		return error_set(err, EINVAL,
				 "the public key of a device CA is malformed: make a new key");
	r = sign(issuer, &tbs, buffer_span(&signed_part), &signature, err);
	if (r < 0)
		return r;
	add_signed(issuer, buffer_span(&signed_part), &signature, &out);
	if (buffer_status(&out) < 0)
		return x509_no_memory(err);
	buffer_clear(ret);
	*ret = buffer_take(&out);
	return 0;
}

int issuer_sign_part(const struct issuer *issuer, struct span part, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer out = {0};
	struct signature signature;
	int r = sign(issuer, NULL, part, &signature, err);

	if (r < 0)
		return r;
	add_signed(issuer, part, &signature, &out);
	if (buffer_status(&out) < 0)
		return x509_no_memory(err);
	buffer_clear(ret);
	*ret = buffer_take(&out);
	return 0;
}

struct span issuer_algorithm(const struct issuer *issuer)
{
	return (struct span){issuer->kind->algorithm, issuer->kind->algorithm_size};
}

struct span issuer_name(const struct issuer *issuer)
{
	return buffer_span(&issuer->name);
}

struct span issuer_aki(const struct issuer *issuer)
{
	return buffer_span(&issuer->aki);
}
