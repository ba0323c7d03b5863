/* OpenSSL's own verdict on a chain, as strict as a chain of somebody else's making allows. */
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "x509_internal.h"

CLEANUP_OF(X509_STORE, store_freep, X509_STORE_free)
CLEANUP_OF(X509_STORE_CTX, store_ctx_freep, X509_STORE_CTX_free)

/* RFC 5280 asks for these of every CA certificate, but `openssl req -x509` and many a product leave
 * them out, and most verifiers do not mind: struct chain's warning tells the user. */
static bool is_forgivable(int error)
{
	return error == X509_V_ERR_CA_CERT_MISSING_KEY_USAGE ||
	       error == X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER ||
	       error == X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER;
}

static int judge(int ok, X509_STORE_CTX *ctx)
{
	const int *uploaded = X509_STORE_CTX_get_app_data(ctx);

	return ok || (X509_STORE_CTX_get_error_depth(ctx) >= *uploaded &&
		      is_forgivable(X509_STORE_CTX_get_error(ctx)));
}

static int set_up(X509_STORE_CTX *ctx, X509_STORE *store, STACK_OF(X509) * path, int purpose,
		  unixtime now)
{
	const unsigned long flags = X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN |
				    X509_V_FLAG_CHECK_SS_SIGNATURE;
	X509_VERIFY_PARAM *param;

	if (!X509_STORE_add_cert(store, sk_X509_value(path, sk_X509_num(path) - 1)) ||
	    !X509_STORE_CTX_init(ctx, store, sk_X509_value(path, 0), path))
		return -ENOMEM;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	if (!X509_VERIFY_PARAM_set_flags(param, flags) ||
	    (purpose != 0 && !X509_VERIFY_PARAM_set_purpose(param, purpose)))
		return -ENOMEM;
	return 0;
}

int chain_verify(STACK_OF(X509) * path, int uploaded, int purpose, unixtime now, struct error *err)
{
	__attribute__((cleanup(store_freep))) X509_STORE *store = X509_STORE_new();
	__attribute__((cleanup(store_ctx_freep))) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	char name[SUBJECT_TEXT] = "(unknown)";
	X509 *blamed;
	int error;

	if (store == NULL || ctx == NULL || set_up(ctx, store, path, purpose, now) < 0)
		return x509_no_memory(err);
	X509_STORE_CTX_set_app_data(ctx, &uploaded);
	X509_STORE_CTX_set_verify_cb(ctx, judge);
	if (X509_verify_cert(ctx) > 0) {
		ERR_clear_error();
		return 0;
	}
	error = X509_STORE_CTX_get_error(ctx);
	blamed = X509_STORE_CTX_get_current_cert(ctx);
	if (blamed == NULL && X509_STORE_CTX_get_error_depth(ctx) < sk_X509_num(path))
		blamed = sk_X509_value(path, X509_STORE_CTX_get_error_depth(ctx));
	if (blamed != NULL)
		subject_text(blamed, name);
	return x509_reject(err,
			   "the chain does not verify at certificate %s: %s (error %d); issue that "
			   "certificate again",
			   name, X509_verify_cert_error_string(error), error);
}
