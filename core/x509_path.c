/* Finds the signer among uploaded certificates, and the way from it to the top. Says nothing about
 * what they are worth. */
#include "x509_path.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "x509_internal.h"

/* ---- the pool ---- */

void pool_clear(struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		X509_free(pool->certs[i]);
}

static bool pool_has(const struct pool *pool, const X509 *cert)
{
	for (int i = 0; i < pool->count; i++)
		if (X509_cmp(pool->certs[i], cert) == 0)
			return true;
	return false;
}

int pool_fill(struct pool *pool, const struct buffer *certs, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_x509_ X509 *cert = NULL;
		int r;

		r = certificate_parse(buffer_span(&certs[i]), &cert, err);
		if (r < 0)
			return r;
		if (pool_has(pool, cert))
			continue;
		if (pool->count == POOL_SIZE)
			return x509_reject(err,
					   "there are more than %d certificates: upload the "
					   "signing CA and its own chain only",
					   POOL_SIZE);
		pool->certs[pool->count++] = cert;
		cert = NULL;
	}
	if (pool->count == 0)
		return x509_reject(
			err, "there is no certificate: upload that of the signing CA to cert.pem");
	return 0;
}

/* ---- who signed whom ---- */

bool is_issued_in_name_of(const X509 *cert, const X509 *issuer)
{
	return X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(issuer)) == 0;
}

/* X509_V_OK, or what speaks against it. */
static int issued_by(X509 *cert, X509 *issuer)
{
	EVP_PKEY *pkey = X509_get0_pubkey(issuer);
	int reason;

	if (pkey == NULL || X509_verify(cert, pkey) <= 0) {
		ERR_clear_error();
		return X509_V_ERR_CERT_SIGNATURE_FAILURE;
	}
	reason = X509_check_issued(issuer, cert);
	if (reason == X509_V_ERR_AKID_SKID_MISMATCH ||
	    reason == X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH)
		return reason;
	return X509_V_OK;
}

static bool is_self_signed(X509 *cert)
{
	return is_issued_in_name_of(cert, cert) && issued_by(cert, cert) == X509_V_OK;
}

bool path_has(const struct path *path, const X509 *cert)
{
	for (int i = 0; i < path->count; i++)
		if (path->certs[i] == cert)
			return true;
	return false;
}

static bool is_current(const X509 *cert, unixtime now)
{
	unixtime from, till;

	return time_of(X509_get0_notBefore(cert), &from) == 0 &&
	       time_of(X509_get0_notAfter(cert), &till) == 0 && from <= now && now <= till;
}

/* The issuer of the path's top; of several (a CA that was renewed with the same key) one that is
 * valid now. */
static X509 *find_issuer(const struct pool *pool, struct path *path, unixtime now)
{
	X509 *top = path->certs[path->count - 1], *found = NULL;

	for (int i = 0; i < pool->count; i++) {
		X509 *issuer = pool->certs[i];
		int reason;

		if (!is_issued_in_name_of(top, issuer) || (path_has(path, issuer) && issuer != top))
			continue;
		reason = issuer == top ? X509_V_ERR_CERT_SIGNATURE_FAILURE : issued_by(top, issuer);
		if (reason == X509_V_OK) {
			if (found == NULL || !is_current(found, now))
				found = issuer;
		} else if (path->wrong_issuer == NULL || path->wrong_issuer == top) {
			path->wrong_issuer = issuer;
			path->wrong_reason = reason;
		}
	}
	if (found != NULL)
		path->wrong_issuer = NULL;
	return found;
}

static void path_build(const struct pool *pool, X509 *signer, unixtime now, struct path *ret)
{
	*ret = (struct path){.certs = {signer}, .count = 1};
	for (;;) {
		X509 *issuer;

		if (is_self_signed(ret->certs[ret->count - 1])) {
			ret->has_root = true;
			return;
		}
		issuer = find_issuer(pool, ret, now);
		if (issuer == NULL)
			return;
		ret->certs[ret->count++] = issuer;
	}
}

/* ---- which one is to sign ---- */

/* Several certificates of one key (cross-signed, or renewed): the one that leads the longest way
 * up. */
int path_of_key(const struct pool *pool, const uint8_t spki[FINGERPRINT_SIZE], unixtime now,
		struct path *ret, struct error *err)
{
	char name[SUBJECT_TEXT];

	ret->count = 0;
	for (int i = 0; i < pool->count; i++) {
		uint8_t own[FINGERPRINT_SIZE];
		struct path path;
		struct error ignored;

		if (certificate_spki(pool->certs[i], own, &ignored) < 0 ||
		    memcmp(own, spki, sizeof(own)) != 0)
			continue;
		path_build(pool, pool->certs[i], now, &path);
		if (path.count > ret->count)
			*ret = path;
	}
	if (ret->count > 0)
		return 0;
	subject_text(pool->certs[0], name);
	return x509_reject(err,
			   "the private key matches none of the certificates (%s%s): upload the "
			   "key that belongs to the certificate of the signing CA",
			   name, pool->count > 1 ? " and others" : "");
}

static bool signed_another(const struct pool *pool, X509 *issuer)
{
	for (int i = 0; i < pool->count; i++)
		if (pool->certs[i] != issuer && is_issued_in_name_of(pool->certs[i], issuer) &&
		    issued_by(pool->certs[i], issuer) == X509_V_OK)
			return true;
	return false;
}

int path_of_last(const struct pool *pool, unixtime now, struct path *ret, struct error *err)
{
	char name[SUBJECT_TEXT], other[SUBJECT_TEXT];
	X509 *found = NULL;

	for (int i = 0; i < pool->count; i++) {
		if (signed_another(pool, pool->certs[i]))
			continue;
		if (found != NULL) {
			subject_text(found, name);
			subject_text(pool->certs[i], other);
			return x509_reject(
				err,
				"either of %s and %s could be the signing CA, since neither signed "
				"the other: upload one, with its own chain only",
				name, other);
		}
		found = pool->certs[i];
	}
	if (found == NULL)
		return x509_reject(err, "the certificates signed each other in a circle: upload "
					"one, with its own chain only");
	path_build(pool, found, now, ret);
	return 0;
}
