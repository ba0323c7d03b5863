/* Successors of a signing CA: a self-signed one renews itself, an intermediate asks its issuer. Seldom done, so through OpenSSL's calls. */
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "x509_internal.h"

CLEANUP_OF(X509_REQ, request_freep, X509_REQ_free)
#define _cleanup_request_ __attribute__((cleanup(request_freep)))

enum { CLOCK_SLACK = 5 * 60 };

static int failed(struct error *err, const char *what)
{
	ERR_clear_error();
	return error_set(err, EIO, "%s could not be made: OpenSSL failed", what);
}

/* ---- the key ---- */

static EVP_PKEY *generate_like(const EVP_PKEY *model)
{
	char group[64];

	if (EVP_PKEY_is_a(model, "RSA"))
		return EVP_RSA_gen((unsigned)EVP_PKEY_get_bits(model));
	if (!EVP_PKEY_is_a(model, "EC"))
		return EVP_PKEY_Q_keygen(NULL, NULL, EVP_PKEY_get0_type_name(model));
	if (EVP_PKEY_get_group_name(model, group, sizeof(group), NULL) != 1)
		return NULL;
	return EVP_EC_gen(group);
}

int keypair_generate_like(struct span cert, struct keypair **ret, struct error *err)
{
	_cleanup_x509_ X509 *model = NULL;
	EVP_PKEY *key;
	int r = certificate_parse(cert, &model, err);

	if (r < 0)
		return r;
	key = generate_like(X509_get0_pubkey(model));
	return key ? keypair_adopt(key, ret, err) : failed(err, "a key like the signing CA's");
}

/* ---- a self-signed certificate ---- */

static const EVP_MD *digest_of(const EVP_PKEY *key)
{
	const struct signature_kind *kind = signature_kind_of(key);

	return kind && kind->digest ? EVP_get_digestbyname(kind->digest) : NULL;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	added = extension && X509_add_ext(cert, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

/* Taken over as it stands; one that the model does not have is no failure. */
static bool copy_extension(const X509 *model, X509 *cert, int nid)
{
	const int at = X509_get_ext_by_NID(model, nid, -1);

	return at < 0 || X509_add_ext(cert, X509_get_ext(model, at), -1) == 1;
}

/* What the old one may do and may not do; never more. */
static bool copy_extensions(const X509 *model, X509 *cert)
{
	static const int kept[] = {NID_basic_constraints, NID_key_usage,           NID_ext_key_usage,
				   NID_name_constraints,  NID_policy_constraints, NID_certificate_policies};
	bool copied = true;

	for (size_t i = 0; copied && i < sizeof(kept) / sizeof(kept[0]); i++)
		copied = copy_extension(model, cert, kept[i]);
	return copied;
}

static bool set_serial(X509 *cert, struct error *err)
{
	uint8_t serial[SERIAL_SIZE];
	BIGNUM *number;
	bool set;

	if (x509_serial(serial, err) < 0)
		return false;
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	set = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
	BN_free(number);
	return set;
}

static bool set_validity(const X509 *model, X509 *cert, unixtime now)
{
	int days, seconds;

	return ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(model), X509_get0_notAfter(model)) == 1 &&
	       ASN1_TIME_adj(X509_getm_notBefore(cert), now - CLOCK_SLACK, 0, 0) != NULL &&
	       ASN1_TIME_adj(X509_getm_notAfter(cert), now - CLOCK_SLACK, days, seconds) != NULL;
}

static bool successor_fill(const X509 *model, X509 *cert, EVP_PKEY *key, unixtime now, struct error *err)
{
	return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert, err) &&
	       X509_set_subject_name(cert, X509_get_subject_name(model)) == 1 &&
	       X509_set_issuer_name(cert, X509_get_subject_name(model)) == 1 && set_validity(model, cert, now) &&
	       X509_set_pubkey(cert, key) == 1 && add_extension(cert, cert, NID_subject_key_identifier, "hash") &&
	       add_extension(cert, cert, NID_authority_key_identifier, "keyid:always") &&
	       copy_extensions(model, cert) && X509_sign(cert, key, digest_of(key)) > 0;
}

int x509_successor(struct span cert, const struct keypair *key, unixtime now, struct buffer *ret, struct error *err)
{
	_cleanup_x509_ X509 *model = NULL;
	_cleanup_x509_ X509 *made = X509_new();
	int r = certificate_parse(cert, &model, err);

	if (r < 0)
		return r;
	if (!made || !successor_fill(model, made, keypair_pkey(key), now, err))
		return failed(err, "a successor of the signing CA");
	return certificate_to_der(made, ret, err);
}

/* ---- a request ---- */

static bool request_extensions(const X509 *model, X509_REQ *request)
{
	static const int wanted[] = {NID_basic_constraints, NID_key_usage};
	STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
	bool done = extensions != NULL;

	for (size_t i = 0; done && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const int at = X509_get_ext_by_NID(model, wanted[i], -1);

		if (at >= 0)
			done = sk_X509_EXTENSION_push(extensions, X509_get_ext(model, at)) > 0;
	}
	if (done && sk_X509_EXTENSION_num(extensions) > 0)
		done = X509_REQ_add_extensions(request, extensions) == 1;
	sk_X509_EXTENSION_free(extensions); /* they are the model's */
	return done;
}

int x509_request(struct span cert, const struct keypair *key, struct buffer *ret, struct error *err)
{
	_cleanup_x509_ X509 *model = NULL;
	_cleanup_request_ X509_REQ *request = X509_REQ_new();
	unsigned char *der = NULL;
	int size;
	int r = certificate_parse(cert, &model, err);

	if (r < 0)
		return r;
	if (!request || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_subject_name(request, X509_get_subject_name(model)) != 1 ||
	    X509_REQ_set_pubkey(request, keypair_pkey(key)) != 1 || !request_extensions(model, request) ||
	    X509_REQ_sign(request, keypair_pkey(key), digest_of(keypair_pkey(key))) <= 0)
		return failed(err, "a request for a successor of the signing CA");
	size = i2d_X509_REQ(request, &der);
	if (size < 0)
		return x509_no_memory(err);
	buffer_clear(ret);
	buffer_add(ret, der, (size_t)size);
	OPENSSL_free(der);
	return buffer_status(ret) < 0 ? x509_no_memory(err) : 0;
}
