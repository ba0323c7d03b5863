/* Proves a signing CA by the first device CA under it: what no check of the signing CA alone can
 * foresee, such as a name constraint that the device CA's subject breaks, comes to light here and
 * not at a gateway. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "x509_internal.h"

static void stack_free(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}

#define _cleanup_stack_ __attribute__((cleanup(stack_free)))

static bool add_extension(X509 *leaf, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool added;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, leaf, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	added = extension != NULL && X509_add_ext(leaf, extension, -1);
	X509_EXTENSION_free(extension);
	return added;
}

/* The subject is no host name: names of hosts below a device CA are not for certfs to foresee. */
static bool fill_leaf(X509 *leaf, X509 *issuer, EVP_PKEY *pkey)
{
	X509_NAME *name = X509_get_subject_name(leaf);

	return X509_set_version(leaf, X509_VERSION_3) &&
	       ASN1_INTEGER_set(X509_get_serialNumber(leaf), 1) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const uint8_t *)"proof of a device CA", -1, -1, 0) &&
	       X509_set_issuer_name(leaf, X509_get_subject_name(issuer)) &&
	       X509_set1_notBefore(leaf, X509_get0_notBefore(issuer)) &&
	       X509_set1_notAfter(leaf, X509_get0_notAfter(issuer)) &&
	       X509_set_pubkey(leaf, pkey) &&
	       add_extension(leaf, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(leaf, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(leaf, issuer, NID_ext_key_usage, "serverAuth") &&
	       add_extension(leaf, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(leaf, issuer, NID_authority_key_identifier, "keyid:always") &&
	       X509_sign(leaf, pkey, EVP_sha256()) > 0;
}

/* A server certificate as edgeHub gets it, signed by the device CA with its own key. */
static int push_leaf(STACK_OF(X509) * path, const struct keypair *key, struct error *err)
{
	_cleanup_x509_ X509 *leaf = X509_new();

	if (leaf == NULL || !fill_leaf(leaf, sk_X509_value(path, 0), keypair_pkey(key)) ||
	    !sk_X509_unshift(path, leaf))
		return x509_no_memory(err);
	leaf = NULL;
	return 0;
}

static int push_certificate(STACK_OF(X509) * path, struct span der, struct error *err)
{
	_cleanup_x509_ X509 *cert = NULL;
	int r;

	r = certificate_parse(der, &cert, err);
	if (r < 0)
		return r;
	if (!sk_X509_push(path, cert))
		return x509_no_memory(err);
	cert = NULL;
	return 0;
}

int issuer_prove(const struct issuer *issuer, const struct chain *chain,
		 const struct device_ca_order *order, const struct keypair *subject_key,
		 unixtime now, struct error *err)
{
	_cleanup_stack_ STACK_OF(X509) *path = sk_X509_new_null();
	_cleanup_buffer_ struct buffer device = {0};
	int r;

	ERR_clear_error();
	if (path == NULL)
		return x509_no_memory(err);
	r = issuer_sign(issuer, order, subject_key, &device, err);
	if (r < 0)
		return r;
	r = push_certificate(path, buffer_span(&device), err);
	for (size_t i = 0; r == 0 && i < chain->count; i++)
		r = push_certificate(path, buffer_span(&chain->certs[i]), err);
	if (r == 0)
		r = push_leaf(path, subject_key, err);
	if (r == 0)
		r = chain_verify(path, 2, X509_PURPOSE_SSL_SERVER, now, err);
	if (r < 0)
		return error_prefix(err, "a device CA issued here would be refused");
	return 0;
}
