#include "x509_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "keypair.h"

enum { ROOM = 2000 };

static struct {
	char kind[64];
	EVP_PKEY *key;
} keys[ROOM];
static size_t key_count;

static struct {
	X509 *cert;
	EVP_PKEY *key;
} certificates[ROOM];
static size_t certificate_count;

static OSSL_LIB_CTX *legacy;

static EVP_PKEY *make_dsa(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY *params = NULL, *key = NULL;
	unsigned int bits = 1024;
	OSSL_PARAM settings[] = {OSSL_PARAM_construct_uint("pbits", &bits),
				 OSSL_PARAM_construct_end()};

	assert_true(EVP_PKEY_paramgen_init(ctx) > 0);
	assert_true(EVP_PKEY_CTX_set_params(ctx, settings) > 0);
	assert_true(EVP_PKEY_generate(ctx, &params) > 0);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	assert_true(EVP_PKEY_keygen_init(ctx) > 0);
	assert_true(EVP_PKEY_generate(ctx, &key) > 0);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

static EVP_PKEY *make_key(const char *kind)
{
	char family[64];
	EVP_PKEY *key;

	strncpy(family, kind, sizeof(family) - 1);
	family[sizeof(family) - 1] = '\0';
	family[strcspn(family, "/")] = '\0';
	if (strncmp(family, "RSA-", 4) == 0)
		key = EVP_RSA_gen((unsigned int)atoi(family + 4));
	else if (strcmp(family, "DSA") == 0)
		key = make_dsa();
	else if (strcmp(family, "ED25519") == 0 || strcmp(family, "ED448") == 0 ||
		 strcmp(family, "X25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, family);
	else
		key = EVP_EC_gen(family);
	assert_non_null(key);
	return key;
}

EVP_PKEY *fixture_key(const char *kind)
{
	for (size_t i = 0; i < key_count; i++)
		if (strcmp(keys[i].kind, kind) == 0)
			return keys[i].key;
	assert_true(key_count < ROOM);
	strncpy(keys[key_count].kind, kind, sizeof(keys[key_count].kind) - 1);
	keys[key_count].key = make_key(kind);
	return keys[key_count++].key;
}

static X509_NAME *make_name(const char *cn)
{
	X509_NAME *name = X509_NAME_new();

	assert_non_null(name);
	if (cn[0] != '\0')
		assert_true(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
						       (const uint8_t *)cn, -1, -1, 0));
	return name;
}

static void set_names(X509 *cert, const struct recipe *recipe)
{
	X509_NAME *name = make_name(recipe->name);
	X509_NAME *written = recipe->issuer_name != NULL ? make_name(recipe->issuer_name) : NULL;

	X509_set_subject_name(cert, name);
	if (written != NULL)
		X509_set_issuer_name(cert, written);
	else
		X509_set_issuer_name(cert, recipe->issuer != NULL
						   ? X509_get_subject_name(recipe->issuer)
						   : name);
	X509_NAME_free(name);
	X509_NAME_free(written);
}

static void add_extensions(X509 *cert, const struct recipe *recipe)
{
	static const char *const of_a_ca[] = {
		"basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
		"subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid", NULL};
	const char *const *all = recipe->extensions != NULL ? recipe->extensions : of_a_ca;

	for (; *all != NULL; all++) {
		char name[64];
		const char *value = strchr(*all, '=') + 1;
		X509V3_CTX ctx;
		X509_EXTENSION *extension;

		memcpy(name, *all, (size_t)(value - *all - 1));
		name[value - *all - 1] = '\0';
		X509V3_set_ctx_nodb(&ctx);
		X509V3_set_ctx(&ctx, recipe->issuer != NULL ? recipe->issuer : cert, cert, NULL,
			       NULL, 0);
		extension = X509V3_EXT_nconf(NULL, &ctx, name, value);
		assert_non_null(extension);
		assert_true(X509_add_ext(cert, extension, -1));
		X509_EXTENSION_free(extension);
	}
}

X509 *fixture_certificate(const struct recipe *recipe)
{
	char kind[64];
	EVP_PKEY *key, *signer;
	const EVP_MD *digest =
		EVP_get_digestbyname(recipe->digest != NULL ? recipe->digest : "SHA256");
	X509 *cert = X509_new();

	assert_non_null(cert);
	snprintf(kind, sizeof(kind), "P-256/%.50s", recipe->name);
	key = fixture_key(recipe->key != NULL ? recipe->key : kind);
	signer = recipe->issuer != NULL ? fixture_key_of(recipe->issuer) : key;
	if (recipe->signed_by != NULL)
		signer = fixture_key(recipe->signed_by);
	X509_set_version(cert, recipe->version == 0    ? 2
			       : recipe->version == -1 ? 0
						       : recipe->version);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), (long)certificate_count + 1000);
	set_names(cert, recipe);
	ASN1_TIME_set(X509_getm_notBefore(cert),
		      NOW + DAY * (recipe->from_days != 0 ? recipe->from_days : -1));
	ASN1_TIME_set(X509_getm_notAfter(cert),
		      NOW + (time_t)DAY * (recipe->till_days != 0 ? recipe->till_days : 3650));
	assert_true(X509_set_pubkey(cert, key));
	add_extensions(cert, recipe);
	if (EVP_PKEY_is_a(signer, "ED25519") || EVP_PKEY_is_a(signer, "ED448"))
		digest = NULL;
	assert_true(X509_sign(cert, signer, digest) > 0);
	assert_true(certificate_count < ROOM);
	certificates[certificate_count].cert = cert;
	certificates[certificate_count++].key = key;
	return cert;
}

EVP_PKEY *fixture_key_of(const X509 *cert)
{
	for (size_t i = 0; i < certificate_count; i++)
		if (certificates[i].cert == cert)
			return certificates[i].key;
	fail_msg("a certificate that is not the fixture's");
	return NULL;
}

struct buffer fixture_der(const X509 *cert)
{
	struct buffer out = {0};
	uint8_t *at;

	assert_int_equal(buffer_resize(&out, (size_t)i2d_X509(cert, NULL)), 0);
	at = out.data;
	i2d_X509(cert, &at);
	return out;
}

static struct buffer take(BIO *bio)
{
	struct buffer out = {0};
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	buffer_add(&out, data, (size_t)size);
	BIO_free(bio);
	return out;
}

struct buffer fixture_pem(const X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509(bio, cert));
	return take(bio);
}

struct buffer fixture_key_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	return take(bio);
}

struct buffer fixture_key_der(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(i2d_PKCS8PrivateKey_bio(bio, key, NULL, NULL, 0, NULL, NULL));
	return take(bio);
}

struct keypair *fixture_keypair(EVP_PKEY *key)
{
	struct buffer der = fixture_key_der(key);
	struct keypair *pair = NULL;
	struct error err = {0};

	assert_int_equal(keypair_from_pkcs8(buffer_span(&der), &pair, &err), 0);
	buffer_clear(&der);
	return pair;
}

void fixture_spki(const X509 *cert, uint8_t ret[FINGERPRINT_SIZE])
{
	struct buffer der = fixture_der(cert);
	struct error err = {0};

	assert_int_equal(x509_spki(buffer_span(&der), ret, &err), 0);
	buffer_clear(&der);
}

OSSL_LIB_CTX *fixture_legacy(void)
{
	if (legacy == NULL) {
		legacy = OSSL_LIB_CTX_new();
		assert_non_null(OSSL_PROVIDER_load(legacy, "default"));
		assert_non_null(OSSL_PROVIDER_load(legacy, "legacy"));
	}
	return legacy;
}

void fixture_end(void)
{
	while (key_count > 0)
		EVP_PKEY_free(keys[--key_count].key);
	while (certificate_count > 0)
		X509_free(certificates[--certificate_count].cert);
}
