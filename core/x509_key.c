/* Private keys of an upload, in each of their forms, into the bag. */
#include <openssl/err.h>
#include <openssl/pkcs12.h>

#include "x509_internal.h"

/* A key whose public part is not that of its private part would sign what nobody can verify. */
static bool is_consistent(EVP_PKEY *pkey)
{
	_cleanup_pkey_ctx_ EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

	return ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;
}

static int check_key(EVP_PKEY *pkey, struct error *err)
{
	int r;

	r = key_check_kind(pkey, "the private key", err);
	if (r < 0)
		return r;
	if (!is_consistent(pkey))
		return x509_reject(err, "the private key is damaged, its parts do not belong "
					"together: export it again");
	return 0;
}

int bag_add_key(struct bag *bag, EVP_PKEY *pkey, struct error *err)
{
	_cleanup_pkey_ EVP_PKEY *owned = pkey;
	_cleanup_keypair_ struct keypair *key = NULL;
	int r;

	r = check_key(owned, err);
	if (r < 0)
		return r;
	r = keypair_adopt(owned, &key, err);
	owned = NULL;
	if (r < 0)
		return r;
	if (bag->key != NULL && !span_equal(keypair_spki_der(bag->key), keypair_spki_der(key)))
		return x509_reject(err, "the upload has more than one private key: leave only that "
					"of the signing CA");
	if (bag->key == NULL)
		bag->key = keypair_ref(key);
	return 0;
}

int read_pkcs8_info(const PKCS8_PRIV_KEY_INFO *info, struct bag *bag, struct error *err)
{
	EVP_PKEY *pkey = EVP_PKCS82PKEY(info);

	if (pkey == NULL)
		return x509_reject(err, "the private key is malformed or of an unknown algorithm: "
					"export it again as RSA, EC or Ed25519");
	return bag_add_key(bag, pkey, err);
}

int read_pkcs8(struct span der, struct bag *bag, struct error *err)
{
	const uint8_t *at = der.data;
	_cleanup_pkcs8_ PKCS8_PRIV_KEY_INFO *info =
		d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.size);

	if (info == NULL)
		return x509_reject(err, "the private key is not valid DER: it was damaged or cut "
					"off, export it again");
	if (at != der.data + der.size)
		return x509_reject(err, "trailing bytes follow the private key: export it again");
	return read_pkcs8_info(info, bag, err);
}

int read_traditional_key(int type, struct span der, const char *malformed, struct bag *bag,
			 struct error *err)
{
	const uint8_t *at = der.data;
	EVP_PKEY *pkey = d2i_PrivateKey(type, NULL, &at, (long)der.size);

	if (pkey == NULL)
		return x509_reject(err, "%s", malformed);
	if (at != der.data + der.size) {
		EVP_PKEY_free(pkey);
		return x509_reject(err, "trailing bytes follow the private key: export it again");
	}
	return bag_add_key(bag, pkey, err);
}

/* ---- encryption ---- */

/* Some seconds of work: what an upload may cost. */
enum { ITERATIONS_MAX = 5 * 1000 * 1000, ENCRYPTED_KEYS_MAX = 2 /* one, and a copy of it */ };

bool key_iterations_bearable(const ASN1_INTEGER *iterations, struct error *err)
{
	long count = ASN1_INTEGER_get(iterations);

	if (count >= 0 && count <= ITERATIONS_MAX)
		return true;
	(void)x509_reject(err,
			  "the password protection asks for more than %d iterations: export the "
			  "file again with fewer",
			  ITERATIONS_MAX);
	return false;
}

static ASN1_VALUE *unpack(const X509_ALGOR *algorithm, const ASN1_ITEM *item)
{
	return algorithm->parameter != NULL ? ASN1_TYPE_unpack_sequence(item, algorithm->parameter)
					    : NULL;
}

static int check_pbkdf2(const X509_ALGOR *algorithm, struct error *err)
{
	PBKDF2PARAM *param;
	bool bearable;

	if (OBJ_obj2nid(algorithm->algorithm) !=
	    NID_id_pbkdf2) /* scrypt has a bound of its own in OpenSSL */
		return 0;
	param = (PBKDF2PARAM *)unpack(algorithm, ASN1_ITEM_rptr(PBKDF2PARAM));
	bearable = param == NULL || key_iterations_bearable(param->iter, err);
	PBKDF2PARAM_free(param);
	return bearable ? 0 : -err->code;
}

/* What can't be parsed here OpenSSL will not decrypt either. */
int key_derivation_check(const X509_ALGOR *algorithm, struct error *err)
{
	PBE2PARAM *param2;
	PBEPARAM *param;
	bool bearable;
	int r = 0;

	if (OBJ_obj2nid(algorithm->algorithm) == NID_pbes2) {
		param2 = (PBE2PARAM *)unpack(algorithm, ASN1_ITEM_rptr(PBE2PARAM));
		if (param2 != NULL)
			r = check_pbkdf2(param2->keyfunc, err);
		PBE2PARAM_free(param2);
		return r;
	}
	param = (PBEPARAM *)unpack(algorithm, ASN1_ITEM_rptr(PBEPARAM));
	bearable = param == NULL || key_iterations_bearable(param->iter, err);
	PBEPARAM_free(param);
	return bearable ? 0 : -err->code;
}

static PKCS8_PRIV_KEY_INFO *decrypt(const X509_SIG *encrypted, const struct span *password)
{
	const char *text = password->size > 0 ? (const char *)password->data : "";
	PKCS8_PRIV_KEY_INFO *info;
	OSSL_LIB_CTX *legacy;

	ERR_clear_error();
	info = PKCS8_decrypt(encrypted, text, (int)password->size);
	if (info != NULL || !x509_error_is_unsupported())
		return info;
	legacy = legacy_context();
	if (legacy == NULL)
		return NULL;
	ERR_clear_error();
	return PKCS8_decrypt_ex(encrypted, text, (int)password->size, legacy, NULL);
}

int read_encrypted_pkcs8(struct span der, const struct span *password, struct bag *bag,
			 struct error *err)
{
	const uint8_t *at = der.data;
	_cleanup_x509_sig_ X509_SIG *encrypted = d2i_X509_SIG(NULL, &at, (long)der.size);
	_cleanup_pkcs8_ PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *algorithm;
	int r;

	if (encrypted == NULL)
		return x509_reject(err, "the encrypted private key is not valid DER: it was "
					"damaged or cut off, export it again");
	if (at != der.data + der.size)
		return x509_reject(
			err, "trailing bytes follow the encrypted private key: export it again");
	if (++bag->encrypted_keys > ENCRYPTED_KEYS_MAX)
		return x509_reject(err, "more than one private key: keep only the one of the signing certificate");
	X509_SIG_get0(encrypted, &algorithm, NULL);
	r = key_derivation_check(algorithm, err);
	if (r < 0)
		return r;
	if (password == NULL) {
		bag->needs_password = true;
		bag->key_only = true;
		return 0;
	}
	info = decrypt(encrypted, password);
	if (info == NULL && x509_error_is_unsupported())
		return x509_reject(
			err,
			"the private key is encrypted with an algorithm that this OpenSSL does not "
			"have: encrypt it again with openssl pkcs8 -topk8 -v2 aes-256-cbc");
	if (info == NULL)
		return x509_reject(err, "%s", WRONG_KEY_PASSWORD);
	return read_pkcs8_info(info, bag, err);
}
