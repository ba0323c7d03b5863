/* PKCS#12 uploads (RFC 7292), and the algorithms of the past that they like to use. */
#include <pthread.h>

#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "x509_internal.h"

/* ---- legacy algorithms ---- */

static OSSL_LIB_CTX *legacy;
static pthread_once_t legacy_once = PTHREAD_ONCE_INIT;

static void legacy_init(void)
{
	OSSL_LIB_CTX *context = OSSL_LIB_CTX_new();

	if (context != NULL && OSSL_PROVIDER_load(context, "default") != NULL &&
	    OSSL_PROVIDER_load(context, "legacy") != NULL) {
		legacy = context;
		return;
	}
	OSSL_LIB_CTX_free(context);
}

OSSL_LIB_CTX *legacy_context(void)
{
	ERR_set_mark();
	pthread_once(&legacy_once, legacy_init);
	ERR_pop_to_mark();
	return legacy;
}

/* ---- one way to open a file ---- */

/* A file, and the password in the form to be tried: none and empty are two different things in
 * PKCS#12. */
struct opening {
	PKCS12 *p12;
	const char *password;
	int size;
	OSSL_LIB_CTX *context;
	int derived;      /* keys, from the password */
	bool closed;      /* out: it does not open with this password */
	bool unsupported; /* out: it needs an algorithm that the context does not have */
};

static int read_bags(struct opening *opening, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth,
		     struct bag *bag, struct error *err);

static int fail_to_open(struct opening *opening, struct error *err)
{
	opening->unsupported = x509_error_is_unsupported();
	opening->closed = !opening->unsupported;
	if (opening->unsupported)
		return x509_reject(err, "the PKCS#12 file uses an algorithm that this OpenSSL does "
					"not have: export it again with AES-256 and a SHA-256 MAC");
	return x509_reject(err,
			   "wrong PKCS#12 password: write the password of the file to `password`");
}

/* Each may cost seconds (key_derivation_check), and a file has one for its certificates and one for its key. */
static int may_derive(struct opening *opening, const X509_ALGOR *algorithm, struct error *err)
{
	enum { DERIVED_MAX = 8 };

	if (++opening->derived > DERIVED_MAX)
		return x509_reject(err, "the PKCS#12 file has more than %d encrypted parts: export the signing CA and its own chain only", DERIVED_MAX);
	return key_derivation_check(algorithm, err);
}

static int read_shrouded_key(struct opening *opening, const PKCS12_SAFEBAG *safe, struct bag *bag,
			     struct error *err)
{
	_cleanup_pkcs8_ PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *algorithm;
	int r;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(safe), &algorithm, NULL);
	r = may_derive(opening, algorithm, err);
	if (r < 0)
		return r;
	info = PKCS12_decrypt_skey_ex(safe, opening->password, opening->size, opening->context,
				      NULL);
	if (info == NULL)
		return fail_to_open(opening, err);
	return read_pkcs8_info(info, bag, err);
}

static int read_certificate(const PKCS12_SAFEBAG *safe, struct bag *bag, struct error *err)
{
	_cleanup_x509_ X509 *cert = NULL;
	_cleanup_buffer_ struct buffer der = {0};
	int r;

	if (PKCS12_SAFEBAG_get_bag_nid(safe) != NID_x509Certificate)
		return x509_reject(err, "the PKCS#12 file has a certificate that is not X.509: "
					"export it again without it");
	cert = PKCS12_SAFEBAG_get1_cert(safe);
	if (cert == NULL)
		return x509_reject(
			err, "a certificate in the PKCS#12 file is not valid DER: export it again");
	r = certificate_to_der(cert, &der, err);
	if (r < 0)
		return r;
	return bag_add_certificate(bag, buffer_span(&der), err);
}

static int read_safe_bag(struct opening *opening, const PKCS12_SAFEBAG *safe, int depth,
			 struct bag *bag, struct error *err)
{
	switch (PKCS12_SAFEBAG_get_nid(safe)) {
	case NID_keyBag:
		return read_pkcs8_info(PKCS12_SAFEBAG_get0_p8inf(safe), bag, err);
	case NID_pkcs8ShroudedKeyBag:
		return read_shrouded_key(opening, safe, bag, err);
	case NID_certBag:
		return read_certificate(safe, bag, err);
	case NID_safeContentsBag:
		return read_bags(opening, PKCS12_SAFEBAG_get0_safes(safe), depth + 1, bag, err);
	default: /* a CRL or a secret that came along */
		return 0;
	}
}

static int read_bags(struct opening *opening, const STACK_OF(PKCS12_SAFEBAG) * bags, int depth,
		     struct bag *bag, struct error *err)
{
	if (depth > 4)
		return x509_reject(err, "the PKCS#12 file is nested too deeply: export it again");
	for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); i++) {
		int r = read_safe_bag(opening, sk_PKCS12_SAFEBAG_value(bags, i), depth, bag, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the safes ---- */

static void safes_free(STACK_OF(PKCS7) * *safes)
{
	sk_PKCS7_pop_free(*safes, PKCS7_free);
}

static void bags_free(STACK_OF(PKCS12_SAFEBAG) * *bags)
{
	sk_PKCS12_SAFEBAG_pop_free(*bags, PKCS12_SAFEBAG_free);
}

static int malformed(struct error *err)
{
	return x509_reject(
		err,
		"the PKCS#12 file is not valid DER: it was damaged or cut off, export it again");
}

static int unpack_safe(struct opening *opening, PKCS7 *safe, STACK_OF(PKCS12_SAFEBAG) * *ret,
		       struct error *err)
{
	int r;

	if (PKCS7_type_is_data(safe)) {
		*ret = PKCS12_unpack_p7data(safe);
		return *ret != NULL ? 0 : malformed(err);
	}
	if (!PKCS7_type_is_encrypted(safe))
		return x509_reject(
			err,
			"the PKCS#12 file is encrypted to a public key: export it with a password");
	if (safe->d.encrypted == NULL)
		return malformed(err);
	r = may_derive(opening, safe->d.encrypted->enc_data->algorithm, err);
	if (r < 0)
		return r;
	*ret = PKCS12_unpack_p7encdata(safe, opening->password, opening->size);
	return *ret != NULL ? 0 : fail_to_open(opening, err);
}

static int read_safes(struct opening *opening, struct bag *bag, struct error *err)
{
	__attribute__((cleanup(safes_free))) STACK_OF(PKCS7) *safes =
		PKCS12_unpack_authsafes(opening->p12);

	if (safes == NULL)
		return malformed(err);
	for (int i = 0; i < sk_PKCS7_num(safes); i++) {
		__attribute__((cleanup(bags_free))) STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
		int r;

		ERR_clear_error();
		r = unpack_safe(opening, sk_PKCS7_value(safes, i), &bags, err);
		if (r < 0)
			return r;
		r = read_bags(opening, bags, 0, bag, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the file ---- */

static int parse(struct span der, OSSL_LIB_CTX *context, PKCS12 **ret, struct error *err)
{
	const uint8_t *at = der.data;
	PKCS12 *p12 = PKCS12_init_ex(NID_pkcs7_data, context, NULL);

	if (p12 == NULL)
		return x509_no_memory(err);
	if (d2i_PKCS12(&p12, &at, (long)der.size) == NULL) /* which has freed it */
		return malformed(err);
	*ret = p12;
	if (at != der.data + der.size)
		return x509_reject(err, "trailing bytes follow the PKCS#12 file: export it again");
	return 0;
}

static int check_mac(struct opening *opening, struct error *err)
{
	const ASN1_INTEGER *iterations;

	if (!PKCS12_mac_present(opening->p12))
		return 0;
	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, opening->p12);
	if (iterations != NULL && !key_iterations_bearable(iterations, err))
		return -err->code;
	ERR_clear_error();
	return PKCS12_verify_mac(opening->p12, opening->password, opening->size)
		       ? 0
		       : fail_to_open(opening, err);
}

static int open_in_context(struct span der, struct opening *opening, struct bag *ret,
			   struct error *err)
{
	_cleanup_pkcs12_ PKCS12 *p12 = NULL;
	_cleanup_bag_ struct bag bag = {0};
	int r;

	opening->closed = opening->unsupported = false;
	opening->derived = 0;
	r = parse(der, opening->context, &p12, err);
	if (r < 0)
		return r;
	opening->p12 = p12;
	r = check_mac(opening, err);
	if (r < 0)
		return r;
	r = read_safes(opening, &bag, err);
	if (r < 0)
		return r;
	*ret = bag;
	bag = (struct bag){0};
	return 0;
}

/* With what OpenSSL has by default, then, where that is not enough, with the algorithms of the
 * past. */
static int open_file(struct span der, struct opening *opening, struct bag *ret, struct error *err)
{
	int r;

	r = open_in_context(der, opening, ret, err);
	if (r == 0 || !opening->unsupported || legacy_context() == NULL)
		return r;
	opening->context = legacy_context();
	return open_in_context(der, opening, ret, err);
}

int read_pkcs12(struct span der, const struct span *password, struct bag *bag, struct error *err)
{
	struct opening openings[] = {
		{.password = password != NULL ? (const char *)password->data : NULL,
		 .size = password != NULL ? (int)password->size : 0},
		{.password = NULL},
		{.password = ""},
	};
	struct error first = {0};

	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		struct opening *opening = &openings[i];
		int r;

		r = open_file(der, opening, bag, err);
		if (r == 0 || !opening->closed)
			return r;
		if (i == 0)
			first = *err;
	}
	*err = first;
	if (password != NULL)
		return -err->code;
	bag->needs_password = true;
	return 0;
}
