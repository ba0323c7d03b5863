/* Reads an upload: tells what it is by its content and puts certificates and key into the bag. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "der.h"
#include "x509_internal.h"

enum { BAG_CERTIFICATES = 100 }; /* OpenSSL's own bound of a chain's depth */

void bag_clear(struct bag *bag)
{
	for (size_t i = 0; i < bag->cert_count; i++)
		buffer_clear(&bag->certs[i]);
	free(bag->certs);
	keypair_unref(bag->key);
	*bag = (struct bag){0};
}

int bag_add_certificate(struct bag *bag, struct span der, struct error *err)
{
	_cleanup_x509_ X509 *cert = NULL;
	struct buffer *grown;
	int r;

	r = certificate_parse(der, &cert, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < bag->cert_count; i++)
		if (span_equal(buffer_span(&bag->certs[i]), der))
			return 0;
	if (bag->cert_count == BAG_CERTIFICATES)
		return x509_reject(err,
				   "the upload has more than %d certificates: upload the signing "
				   "CA and its own chain only",
				   BAG_CERTIFICATES);
	grown = realloc(bag->certs, (bag->cert_count + 1) * sizeof(*grown));
	if (grown == NULL)
		return x509_no_memory(err);
	bag->certs = grown;
	grown[bag->cert_count] = (struct buffer){0};
	buffer_add_span(&grown[bag->cert_count], der);
	if (buffer_status(&grown[bag->cert_count]) < 0)
		return x509_no_memory(err);
	bag->cert_count++;
	return 0;
}

/* ---- DER ---- */

static int read_der_certificate(struct span der, const struct span *password, struct bag *bag,
				struct error *err)
{
	(void)password;
	return bag_add_certificate(bag, der, err);
}

static int read_der_pkcs8(struct span der, const struct span *password, struct bag *bag,
			  struct error *err)
{
	(void)password;
	return read_pkcs8(der, bag, err);
}

static int read_der_pkcs1(struct span der, const struct span *password, struct bag *bag,
			  struct error *err)
{
	(void)password;
	return read_traditional_key(EVP_PKEY_RSA, der, MALFORMED_KEY, bag, err);
}

static int read_der_sec1(struct span der, const struct span *password, struct bag *bag,
			 struct error *err)
{
	(void)password;
	return read_traditional_key(EVP_PKEY_EC, der, MALFORMED_KEY, bag, err);
}

/* The kinds of DER by the tags of their first elements; the first row that fits is it. A null
 * reader is refused. */
static const struct der_kind {
	uint8_t tags[3];
	uint8_t count;
	int (*read)(struct span der, const struct span *password, struct bag *bag,
		    struct error *err);
	const char *refusal;
} der_kinds[] = {
	{{DER_SEQUENCE, DER_SEQUENCE, DER_BIT_STRING}, 3, read_der_certificate, NULL},
	{{DER_SEQUENCE, DER_OCTET_STRING}, 2, read_encrypted_pkcs8, NULL},
	{{DER_SEQUENCE, DER_BIT_STRING},
	 2,
	 NULL,
	 "a public key, which is no certificate: upload the certificate of the signing CA"},
	{{DER_OID, DER_CONTEXT_0},
	 2,
	 NULL,
	 "PKCS#7, which certfs does not take: convert it with openssl pkcs7 -print_certs"},
	{{DER_INTEGER, DER_SEQUENCE, DER_OCTET_STRING}, 3, read_der_pkcs8, NULL},
	{{DER_INTEGER, DER_SEQUENCE}, 2, read_pkcs12, NULL},
	{{DER_INTEGER, DER_OCTET_STRING}, 2, read_der_sec1, NULL},
	{{DER_INTEGER, DER_INTEGER}, 2, read_der_pkcs1, NULL},
};

static bool has_tags(struct span content, const struct der_kind *kind)
{
	struct der_element element;

	for (unsigned int i = 0; i < kind->count; i++)
		if (!der_take(&content, &element) || element.tag != kind->tags[i])
			return false;
	return true;
}

/* A request and a revocation list have the outer shape of a certificate. */
static int refuse_lookalikes(struct span der, struct error *err)
{
	const uint8_t *at = der.data;
	X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.size);
	X509_CRL *crl;

	if (request != NULL) {
		X509_REQ_free(request);
		return x509_reject(err, "the upload is a certificate request: upload the "
					"certificate that the CA made from it");
	}
	at = der.data;
	crl = d2i_X509_CRL(NULL, &at, (long)der.size);
	if (crl != NULL) {
		X509_CRL_free(crl);
		return x509_reject(err, "the upload is a revocation list: upload the certificate "
					"of the signing CA");
	}
	ERR_clear_error();
	return 0;
}

static int read_der(struct span upload, const struct span *password, struct bag *bag,
		    struct error *err)
{
	struct span rest = upload;
	struct der_element outer;

	if (!der_take(&rest, &outer))
		return x509_reject(
			err,
			"the upload is not valid DER: it was cut off or damaged, copy it again");
	if (rest.size > 0)
		return x509_reject(err,
				   "%zu trailing bytes follow the DER object: remove them, or use "
				   "PEM for an upload of several parts",
				   rest.size);
	for (size_t i = 0; i < sizeof(der_kinds) / sizeof(der_kinds[0]); i++) {
		const struct der_kind *kind = &der_kinds[i];

		if (!has_tags(outer.content, kind))
			continue;
		if (kind->read == NULL)
			return x509_reject(err, "the upload is %s", kind->refusal);
		if (kind->read == read_der_certificate && refuse_lookalikes(upload, err) < 0)
			return -err->code;
		return kind->read(upload, password, bag, err);
	}
	return x509_reject(err, "the upload is not valid DER of a certificate, a private key or "
				"PKCS#12: export it again");
}

/* ---- what it is ---- */

static bool is_blank(struct span upload)
{
	for (size_t i = 0; i < upload.size; i++)
		if (memchr(" \t\r\n", upload.data[i], 4) == NULL)
			return false;
	return true;
}

static bool is_text(struct span upload)
{
	for (size_t i = 0; i < upload.size; i++)
		if (upload.data[i] < ' ' && memchr("\t\r\n\f", upload.data[i], 4) == NULL)
			return false;
	return true;
}

static struct span without_byte_order_mark(struct span upload)
{
	if (upload.size >= 3 && memcmp(upload.data, "\xef\xbb\xbf", 3) == 0)
		return (struct span){upload.data + 3, upload.size - 3};
	return upload;
}

static bool is_utf16(struct span upload)
{
	return upload.size >= 2 &&
	       (memcmp(upload.data, "\xff\xfe", 2) == 0 || memcmp(upload.data, "\xfe\xff", 2) == 0);
}

static int read_by_content(struct span upload, const struct span *password, struct bag *bag,
			   struct error *err)
{
	if (is_blank(upload))
		return x509_reject(err, "the upload is empty, there is no certificate in it: write "
					"a PEM, DER or PKCS#12 file");
	if (token_uri_is(upload))
		return read_token_uri(upload, bag, err);
	if (memmem(upload.data, upload.size, "-----BEGIN", 10) != NULL)
		return read_pem(upload, password, bag, err);
	if (upload.data[0] == DER_SEQUENCE)
		return read_der(upload, password, bag, err);
	if (is_utf16(upload))
		return x509_reject(
			err, "the upload is UTF-16 text: save the PEM file as ASCII or UTF-8");
	if (memmem(upload.data, upload.size, "-----END", 8) != NULL)
		return x509_reject(err,
				   "corrupt PEM, a BEGIN line is missing: copy the whole file");
	if (is_text(upload))
		return x509_reject(err, "there is no certificate in the text, nor a private key: PEM has a line "
					"\"-----BEGIN CERTIFICATE-----\" before the base64");
	return x509_reject(
		err,
		"the upload is not valid DER, nor PEM or PKCS#12: export the certificate again");
}

int x509_read(struct span upload, const struct span *password, struct bag *ret, struct error *err)
{
	_cleanup_bag_ struct bag bag = {0};
	int r;

	ERR_clear_error();
	if (upload.size > UPLOAD_MAX)
		return error_set(err, EFBIG,
				 "the upload is larger than 1 MiB: upload the signing CA and its "
				 "chain only");
	r = read_by_content(without_byte_order_mark(upload), password, &bag, err);
	ERR_clear_error();
	if (r < 0)
		return r;
	if (bag.needs_password) {
		*ret = (struct bag){.needs_password = true, .key_only = bag.key_only && bag.cert_count == 0};
		return 0;
	}
	*ret = bag;
	bag = (struct bag){0};
	return 0;
}
