/* Checks an uploaded signing CA: finds the signer, orders its chain, and makes every check of RFC
 * 5280 that a device CA under it will be put to. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "digest.h"
#include "x509_internal.h"
#include "x509_path.h"

void chain_clear(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		buffer_clear(&chain->certs[i]);
	free(chain->certs);
	buffer_clear(&chain->pem);
	*chain = (struct chain){0};
}

/* ---- checks of the whole chain ---- */

static int check_each(const struct path *path, unixtime now, struct error *err)
{
	for (int i = 0; i < path->count; i++) {
		bool is_root = path->has_root && i > 0 && i == path->count - 1;
		int r = certificate_inspect(path->certs[i], i == 0, is_root, now, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int check_top(const struct path *path, struct error *err)
{
	char name[SUBJECT_TEXT], issuer[SUBJECT_TEXT];

	if (path->wrong_issuer == NULL)
		return 0;
	subject_text(path->certs[path->count - 1], name);
	subject_text(path->wrong_issuer, issuer);
	if (path->wrong_issuer == path->certs[path->count - 1])
		return x509_reject(err,
				   "the chain does not verify: the self-signature of certificate "
				   "%s is wrong, export it again from the CA that made it",
				   name);
	if (path->wrong_reason == X509_V_ERR_CERT_SIGNATURE_FAILURE)
		return x509_reject(err,
				   "the chain does not verify: certificate %s was not signed by "
				   "the key of certificate %s, although that has the name of its "
				   "issuer; upload the issuer that did",
				   name, issuer);
	return x509_reject(err,
			   "the chain does not verify: the authorityKeyIdentifier of certificate "
			   "%s does not match certificate %s; upload the issuer that it means",
			   name, issuer);
}

static int check_unused(const struct pool *pool, const struct path *path, struct error *err)
{
	char name[SUBJECT_TEXT], signer[SUBJECT_TEXT];

	for (int i = 0; i < pool->count; i++) {
		if (path_has(path, pool->certs[i]))
			continue;
		subject_text(pool->certs[i], name);
		subject_text(path->certs[0], signer);
		return x509_reject(
			err,
			"certificate %s is not used in the chain of %s: remove it from the upload",
			name, signer);
	}
	return 0;
}

/* What is left of the path lengths for device CAs below the signer. A self-issued certificate
 * counts for none (RFC 5280, 6.1.4). */
static int check_path_length(const struct path *path, int *ret, struct error *err)
{
	char name[SUBJECT_TEXT], blamed[SUBJECT_TEXT];
	long effective = INT_MAX;
	int below = 0, blame = 0;

	for (int i = 0; i < path->count; i++) {
		long length = X509_get_pathlen(path->certs[i]);

		if (length >= 0 && length - below < effective) {
			effective = length - below;
			blame = i;
		}
		if (!is_issued_in_name_of(path->certs[i], path->certs[i]))
			below++;
	}
	*ret = (int)effective;
	if (effective >= 1)
		return 0;
	subject_text(path->certs[0], name);
	subject_text(path->certs[blame], blamed);
	if (blame == 0)
		return x509_reject(err,
				   "pathlen:0 of certificate %s forbids issuing device CAs: issue "
				   "it again with pathlen:1 or more, or without",
				   name);
	return x509_reject(err,
			   "the pathLenConstraint of certificate %s (pathlen:%ld) forbids another "
			   "CA below the signing CA %s: issue it again with pathlen:%d or more",
			   blamed, X509_get_pathlen(path->certs[blame]), name,
			   (int)(X509_get_pathlen(path->certs[blame]) + 1 - effective));
}

static int check_verdict(const struct path *path, unixtime now, struct error *err)
{
	STACK_OF(X509) *stack = sk_X509_new_null();
	int r;

	for (int i = 0; stack != NULL && i < path->count; i++)
		if (!sk_X509_push(stack, path->certs[i])) {
			sk_X509_free(stack);
			stack = NULL;
		}
	if (stack == NULL)
		return x509_no_memory(err);
	r = chain_verify(stack, 0, 0, now, err);
	sk_X509_free(stack);
	return r;
}

/* ---- the result ---- */

static int chain_copy(const struct path *path, struct chain *chain, struct error *err)
{
	chain->certs = calloc((size_t)path->count, sizeof(*chain->certs));
	if (chain->certs == NULL)
		return x509_no_memory(err);
	for (int i = 0; i < path->count; i++) {
		int r = certificate_to_der(path->certs[i], &chain->certs[i], err);

		if (r < 0)
			return r;
		chain->count++;
		pem_add_certificate(&chain->pem, buffer_span(&chain->certs[i]));
	}
	return buffer_status(&chain->pem) < 0 ? x509_no_memory(err) : 0;
}

static void chain_bound(const struct path *path, struct chain *chain)
{
	chain->not_before = INT64_MIN;
	chain->not_after = INT64_MAX;
	for (int i = 0; i < path->count; i++) {
		unixtime from, till;

		if (time_of(X509_get0_notBefore(path->certs[i]), &from) == 0 &&
		    from > chain->not_before)
			chain->not_before = from;
		if (time_of(X509_get0_notAfter(path->certs[i]), &till) == 0 &&
		    till < chain->not_after)
			chain->not_after = till;
	}
}

static void chain_warn(const struct path *path, struct chain *chain)
{
	for (int i = 0; i < path->count; i++) {
		bool root = path->has_root && i == path->count - 1;

		if (certificate_warn(path->certs[i], i == 0, root, chain->warning,
				     sizeof(chain->warning)))
			return;
	}
}

static int chain_describe(const struct path *path, struct chain *chain, struct error *err)
{
	int r;

	r = chain_copy(path, chain, err);
	if (r < 0)
		return r;
	r = certificate_spki(path->certs[0], chain->spki, err);
	if (r < 0)
		return r;
	digest_sha256(buffer_span(&chain->certs[0]), chain->fingerprint);
	chain_bound(path, chain);
	chain_warn(path, chain);
	chain->self_signed = path->has_root && path->count == 1;
	chain->has_root = path->has_root;
	chain->crl_sign = X509_get_key_usage(path->certs[0]) & KU_CRL_SIGN;
	return 0;
}

static int check_path(const struct pool *pool, const struct path *path, unixtime now,
		      struct chain *ret, struct error *err)
{
	_cleanup_chain_ struct chain chain = {0};
	int r;

	r = check_each(path, now, err);
	if (r == 0)
		r = check_top(path, err);
	if (r == 0)
		r = check_unused(pool, path, err);
	if (r == 0)
		r = check_path_length(path, &chain.path_length, err);
	if (r == 0)
		r = check_verdict(path, now, err);
	if (r == 0)
		r = chain_describe(path, &chain, err);
	if (r < 0)
		return r;
	*ret = chain;
	chain = (struct chain){0};
	return 0;
}

int x509_check_chain(const struct buffer *certs, size_t count, const uint8_t spki[FINGERPRINT_SIZE],
		     unixtime now, struct chain *ret, struct error *err)
{
	_cleanup_pool_ struct pool pool = {.count = 0};
	struct path path;
	int r;

	ERR_clear_error();
	r = pool_fill(&pool, certs, count, err);
	if (r < 0)
		return r;
	if (spki != NULL)
		r = path_of_key(&pool, spki, now, &path, err);
	else
		r = path_of_last(&pool, now, &path, err);
	if (r < 0)
		return r;
	r = check_path(&pool, &path, now, ret, err);
	ERR_clear_error();
	return r;
}

/* ---- comparing signers ---- */

static bool same_key_id(const X509 *a, const X509 *b)
{
	const ASN1_OCTET_STRING *id_a = X509_get0_subject_key_id((X509 *)a),
				*id_b = X509_get0_subject_key_id((X509 *)b);

	if (id_a == NULL || id_b == NULL)
		return id_a == id_b;
	return ASN1_OCTET_STRING_cmp(id_a, id_b) == 0;
}

static bool same_name(const X509 *a, const X509 *b)
{
	const uint8_t *der_a, *der_b;
	size_t size_a, size_b;

	return X509_NAME_get0_der(X509_get_subject_name(a), &der_a, &size_a) &&
	       X509_NAME_get0_der(X509_get_subject_name(b), &der_b, &size_b) && size_a == size_b &&
	       memcmp(der_a, der_b, size_a) == 0;
}

bool x509_same_issuer(struct span signer_a, struct span signer_b)
{
	_cleanup_x509_ X509 *a = NULL, *b = NULL;
	uint8_t spki_a[FINGERPRINT_SIZE], spki_b[FINGERPRINT_SIZE];
	struct error err;

	return certificate_parse(signer_a, &a, &err) == 0 &&
	       certificate_parse(signer_b, &b, &err) == 0 &&
	       certificate_spki(a, spki_a, &err) == 0 && certificate_spki(b, spki_b, &err) == 0 &&
	       memcmp(spki_a, spki_b, sizeof(spki_a)) == 0 && same_name(a, b) && same_key_id(a, b);
}
