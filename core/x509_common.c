/* What every part of x509 needs: names, times, algorithms, sentences. */
#include <openssl/err.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "digest.h"
#include "utf8.h"
#include "x509_internal.h"

int x509_reject(struct error *err, const char *format, ...)
{
	char text[sizeof(err->text)];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	ERR_clear_error();
	return error_set(err, EKEYREJECTED, "%s", text);
}

static bool is_unsupported(unsigned long code)
{
	static const struct {
		int library;
		int reason;
	} meanings[] = {
		{ERR_LIB_EVP, EVP_R_UNSUPPORTED_ALGORITHM},
		{ERR_LIB_EVP, EVP_R_UNKNOWN_PBE_ALGORITHM},
		{ERR_LIB_EVP, EVP_R_UNSUPPORTED_CIPHER},
		{ERR_LIB_EVP, EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION},
		{ERR_LIB_EVP, EVP_R_UNSUPPORTED_PRF},
		{ERR_LIB_EVP, EVP_R_UNKNOWN_CIPHER},
		{ERR_LIB_PKCS12, PKCS12_R_UNKNOWN_DIGEST_ALGORITHM},
	};

	if (ERR_GET_REASON(code) == ERR_R_UNSUPPORTED)
		return true;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (ERR_GET_LIB(code) == meanings[i].library &&
		    ERR_GET_REASON(code) == meanings[i].reason)
			return true;
	return false;
}

bool x509_error_is_unsupported(void)
{
	return is_unsupported(ERR_peek_error()) || is_unsupported(ERR_peek_last_error());
}

int x509_no_memory(struct error *err)
{
	ERR_clear_error();
	return error_set(err, ENOMEM, "out of memory while working on a certificate or key");
}

/* ---- text ---- */

/* Cuts at the end of a whole UTF-8 character. */
static void text_copy(const char *from, size_t size, char *ret, size_t room)
{
	if (size >= room) {
		size = room - 1;
		while (size > 0 && ((uint8_t)from[size] & 0xc0) == 0x80)
			size--;
	}
	memcpy(ret, from, size);
	ret[size] = '\0';
}

void name_text(const X509_NAME *name, char *ret, size_t room)
{
	const unsigned long flags =
		(XN_FLAG_ONELINE & ~XN_FLAG_SPC_EQ) & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	_cleanup_bio_ BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	text_copy("(no name)", 9, ret, room);
	if (bio == NULL || name == NULL || X509_NAME_entry_count(name) == 0 ||
	    X509_NAME_print_ex(bio, name, 0, flags) < 0)
		return;
	size = BIO_get_mem_data(bio, &text);
	text_copy(text, (size_t)size, ret, room);
	utf8_clean(ret); /* OpenSSL escapes C0 and DEL, not C1 */
}

void subject_text(const X509 *cert, char ret[SUBJECT_TEXT])
{
	char text[SUBJECT_TEXT - 2];

	name_text(X509_get_subject_name(cert), text, sizeof(text));
	(void)snprintf(ret, SUBJECT_TEXT, "\"%s\"", text);
}

int time_of(const ASN1_TIME *time, unixtime *ret)
{
	struct tm tm;

	if (time == NULL || !ASN1_TIME_check(time) || !ASN1_TIME_to_tm(time, &tm))
		return -EINVAL;
	*ret = timegm(&tm);
	return 0;
}

void time_text(unixtime time, char ret[32])
{
	struct tm tm;
	time_t seconds = (time_t)time;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(ret, 32, "%s", "(unknown)");
}

void key_text(const EVP_PKEY *pkey, char *ret, size_t room)
{
	char group[64] = "an unnamed curve";
	const char *kind = EVP_PKEY_get0_type_name(pkey);

	(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	if (EVP_PKEY_is_a(pkey, "EC"))
		(void)snprintf(ret, room, "EC on %s", group);
	else if (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "DSA"))
		(void)snprintf(ret, room, "%s of %d bits", kind, EVP_PKEY_get_bits(pkey));
	else
		(void)snprintf(ret, room, "%s", kind != NULL ? kind : "an unknown algorithm");
}

/* ---- algorithms ---- */

#define ALGORITHM(bytes) (const uint8_t *)(bytes), sizeof(bytes) - 1

/* The length of an ECDSA signature is that of two integers of random size. For a curve whose order
 * fills its octets (P-256, P-384) each needs a leading zero half of the time, so one of two is the
 * most likely; P-521's order has one bit in its top octet, and both integers have 66 octets in 9
 * cases of 16. */
static const struct signature_kind signature_kinds[] = {
	{"EC", "prime256v1", "SHA256",
	 ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02"), 71, NULL},
	{"EC", "secp384r1", "SHA384", ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"),
	 103, NULL},
	{"EC", "secp521r1", "SHA512", ALGORITHM("\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x04"),
	 139, NULL},
	{"RSA", NULL, "SHA256",
	 ALGORITHM("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00"), 0, NULL},
	{"ED25519", NULL, NULL, ALGORITHM("\x30\x05\x06\x03\x2b\x65\x70"), 0,
	 "its key is Ed25519, and mbedTLS, BearSSL, NSS and Python refuse certificates signed with "
	 "it"},
	{"ED448", NULL, NULL, ALGORITHM("\x30\x05\x06\x03\x2b\x65\x71"), 0,
	 "its key is Ed448, and mbedTLS, BearSSL, NSS and Python refuse certificates signed with "
	 "it"},
};

const struct signature_kind *signature_kind_of(const EVP_PKEY *pkey)
{
	char group[64] = "";

	(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
	for (size_t i = 0; i < sizeof(signature_kinds) / sizeof(signature_kinds[0]); i++) {
		const struct signature_kind *kind = &signature_kinds[i];

		if (EVP_PKEY_is_a(pkey, kind->key) &&
		    (kind->group == NULL || strcmp(group, kind->group) == 0))
			return kind;
	}
	return NULL;
}

int key_check_kind(const EVP_PKEY *pkey, const char *whose, struct error *err)
{
	char text[96];

	if (signature_kind_of(pkey) != NULL)
		return 0;
	key_text(pkey, text, sizeof(text));
	return x509_reject(err,
			   "%s is %s, which certfs can't sign with: use EC on P-256, P-384 or "
			   "P-521, RSA or Ed25519",
			   whose, text);
}

/* ---- certificates ---- */

int certificate_to_der(const X509 *cert, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer out = {0};
	int size = i2d_X509(cert, NULL);
	uint8_t *at;

	if (size <= 0)
		return x509_reject(err, "a certificate can't be encoded as DER: export it again");
	if (buffer_resize(&out, (size_t)size) < 0)
		return x509_no_memory(err);
	at = out.data;
	if (i2d_X509(cert, &at) != size)
		return x509_no_memory(err);
	*ret = buffer_take(&out);
	return 0;
}

int certificate_parse(struct span der, X509 **ret, struct error *err)
{
	const uint8_t *at = der.data;
	_cleanup_x509_ X509 *cert = NULL;
	_cleanup_buffer_ struct buffer again = {0};
	int r;

	if (der.size == 0 || der.size > UPLOAD_MAX)
		return x509_reject(err,
				   "a certificate is empty or larger than 1 MiB: export it again");
	cert = d2i_X509(NULL, &at, (long)der.size);
	if (cert == NULL)
		return x509_reject(err, "a certificate is not valid DER: it was damaged or cut "
					"off, export it again");
	if (at != der.data + der.size)
		return x509_reject(
			err, "%zu trailing bytes follow a certificate: remove what is behind it",
			(size_t)(der.data + der.size - at));
	r = certificate_to_der(cert, &again, err);
	if (r < 0)
		return r;
	if (!span_equal(buffer_span(&again), der))
		return x509_reject(err, "a certificate is encoded as BER, it is not valid DER: "
					"convert it with openssl x509 -outform DER");
	*ret = cert;
	cert = NULL;
	return 0;
}

int certificate_spki(const X509 *cert, uint8_t ret[FINGERPRINT_SIZE], struct error *err)
{
	_cleanup_buffer_ struct buffer spki = {0};
	char subject[SUBJECT_TEXT];
	EVP_PKEY *pkey = X509_get0_pubkey(cert);
	int r;

	if (pkey == NULL) {
		subject_text(cert, subject);
		return x509_reject(
			err,
			"the public key of certificate %s is malformed or of an unknown algorithm: "
			"issue it with an RSA, EC or Ed25519 key",
			subject);
	}
	r = spki_encode(pkey, &spki, err);
	if (r < 0)
		return r;
	digest_sha256(buffer_span(&spki), ret);
	return 0;
}

int x509_spki(struct span cert, uint8_t ret[FINGERPRINT_SIZE], struct error *err)
{
	_cleanup_x509_ X509 *parsed = NULL;
	int r;

	r = certificate_parse(cert, &parsed, err);
	if (r < 0)
		return r;
	return certificate_spki(parsed, ret, err);
}
