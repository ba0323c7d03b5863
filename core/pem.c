/* PEM by RFC 7468: 64 columns, a final newline. Written straight into the buffer, so that a secret
 * stays in secure memory. */
#include <openssl/evp.h>

#include "keypair.h"
#include "x509.h"
#include "revocation_list.h"
#include "x509_internal.h"

enum { LINE_BYTES = 48 }; /* 64 columns */

static const struct pem_label {
	const char *begin;
	const char *end;
	size_t size; /* of both lines */
} certificate_label = {"-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n", 28 + 26},
  private_key_label = {"-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n", 28 + 26},
  crl_label = {"-----BEGIN X509 CRL-----\n", "-----END X509 CRL-----\n", 25 + 23},
  request_label = {"-----BEGIN CERTIFICATE REQUEST-----\n", "-----END CERTIFICATE REQUEST-----\n", 36 + 34};

static size_t pem_size(const struct pem_label *label, size_t der_size)
{
	size_t lines = (der_size + LINE_BYTES - 1) / LINE_BYTES;

	return label->size + (der_size + 2) / 3 * 4 + lines;
}

static void add_block(struct buffer *out, const struct pem_label *label, struct span der)
{
	size_t start = out->size;
	uint8_t *to;

	if (buffer_status(out) < 0 || buffer_resize(out, start + pem_size(label, der.size)) < 0)
		return;
	out->size = start;
	buffer_add_text(out, label->begin);
	to = out->data + out->size;
	for (size_t at = 0; at < der.size; at += LINE_BYTES) {
		size_t left = der.size - at;

		/* EVP_EncodeBlock ends with a NUL, which the newline then overwrites. */
		to += EVP_EncodeBlock(to, der.data + at,
				      (int)(left < LINE_BYTES ? left : LINE_BYTES));
		*to++ = '\n';
	}
	out->size = (size_t)(to - out->data);
	buffer_add_text(out, label->end);
}

size_t pem_certificate_size(size_t der_size)
{
	return pem_size(&certificate_label, der_size);
}

void pem_add_certificate(struct buffer *out, struct span der)
{
	add_block(out, &certificate_label, der);
}

size_t pem_pkcs8_size(size_t der_size)
{
	return pem_size(&private_key_label, der_size);
}

void pem_add_pkcs8(struct buffer *out, struct span pkcs8)
{
	add_block(out, &private_key_label, pkcs8);
}

void pem_add_crl(struct buffer *out, struct span der)
{
	add_block(out, &crl_label, der);
}

void pem_add_request(struct buffer *out, struct span der)
{
	add_block(out, &request_label, der);
}
