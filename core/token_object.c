/* Objects in a token. */
#include "token_internal.h"

#include <string.h>

#include <openssl/x509.h>

#include "der.h"

/* ---- finding ---- */

/* At most two: one is wanted. -1: the token failed, in *ret_rv. */
static int find_two(const struct token_session *session, CK_ATTRIBUTE *template, CK_ULONG size, CK_OBJECT_HANDLE ret[2],
		    CK_RV *ret_rv)
{
	CK_ULONG count = 0;

	*ret_rv = session->module->C_FindObjectsInit(session->handle, template, size);
	if (*ret_rv != CKR_OK)
		return -1;
	*ret_rv = session->module->C_FindObjects(session->handle, ret, 2, &count);
	(void)session->module->C_FindObjectsFinal(session->handle);
	return *ret_rv == CKR_OK ? (int)count : -1;
}

int token_find(const struct token_session *session, const struct token_uri *uri, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret,
	       struct error *err)
{
	static const CK_ATTRIBUTE_TYPE named[] = {CKA_LABEL, CKA_ID};
	CK_ATTRIBUTE template[3] = {{CKA_CLASS, &class, sizeof(class)}};
	CK_OBJECT_HANDLE found[2];
	CK_ULONG size = 1;
	CK_RV rv;
	int count;

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		const CK_ATTRIBUTE *attribute = p11_kit_uri_get_attribute(uri->parsed, named[i]);

		if (attribute)
			template[size++] = *attribute;
	}
	count = find_two(session, template, size, found, &rv);
	if (count < 0)
		return token_failed(uri, "its objects can't be listed", rv, err);
	if (count == 0)
		return error_set(err, ENOKEY, "%s: the token has no %s of that name: look at pkcs11-tool --list-objects, correct object= or id=",
				 uri->name, class == CKO_PRIVATE_KEY ? "private key" : "secret key");
	if (count > 1)
		return error_set(err, EINVAL, "%s: the URI fits more than one key: add object= or id=", uri->name);
	*ret = found[0];
	return 0;
}

/* ---- attributes ---- */

bool token_number(const struct token_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *ret)
{
	CK_ULONG value = 0;
	CK_ATTRIBUTE attribute = {type, &value, sizeof(value)};

	if (session->module->C_GetAttributeValue(session->handle, object, &attribute, 1) != CKR_OK)
		return false;
	*ret = value;
	return true;
}

/* Public ones. False: the object has none, or it is empty. */
static bool bytes(const struct token_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct buffer *ret)
{
	CK_ATTRIBUTE attribute = {type, NULL, 0};

	if (session->module->C_GetAttributeValue(session->handle, object, &attribute, 1) != CKR_OK || attribute.ulValueLen == 0 ||
	    attribute.ulValueLen > UPLOAD_MAX || buffer_resize(ret, attribute.ulValueLen) < 0)
		return false;
	attribute.pValue = ret->data;
	return session->module->C_GetAttributeValue(session->handle, object, &attribute, 1) == CKR_OK;
}

/* ---- the public half, as SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) ---- */

static void add_integer(struct buffer *out, struct span number)
{
	static const uint8_t zero = 0;
	bool pad;

	while (number.size > 1 && number.data[0] == 0) {
		number.data++;
		number.size--;
	}
	pad = number.data[0] & 0x80;
	der_add_header(out, DER_INTEGER, number.size + pad);
	buffer_add(out, &zero, pad);
	buffer_add_span(out, number);
}

static void add_spki(struct buffer *out, struct span algorithm, struct span key)
{
	static const uint8_t unused_bits = 0;
	const size_t bits = 1 + key.size;

	der_add_header(out, DER_SEQUENCE, der_size(algorithm.size) + der_size(bits));
	der_add_header(out, DER_SEQUENCE, algorithm.size);
	buffer_add_span(out, algorithm);
	der_add_header(out, DER_BIT_STRING, bits);
	buffer_add(out, &unused_bits, 1);
	buffer_add_span(out, key);
}

static bool rsa_spki(const struct token_session *session, CK_OBJECT_HANDLE object, struct buffer *ret)
{
	static const uint8_t algorithm[] = {0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};
	_cleanup_buffer_ struct buffer modulus = {0}, exponent = {0}, numbers = {0}, key = {0};

	if (!bytes(session, object, CKA_MODULUS, &modulus) || !bytes(session, object, CKA_PUBLIC_EXPONENT, &exponent))
		return false;
	add_integer(&numbers, buffer_span(&modulus));
	add_integer(&numbers, buffer_span(&exponent));
	der_add_header(&key, DER_SEQUENCE, numbers.size);
	buffer_add_span(&key, buffer_span(&numbers));
	add_spki(ret, (struct span){algorithm, sizeof(algorithm)}, buffer_span(&key));
	return true;
}

/* An OCTET STRING around it, or, as some tokens have it, the point itself. */
static struct span point_of(const struct buffer *attribute)
{
	struct span rest = buffer_span(attribute);
	struct der_element element;

	if (der_take(&rest, &element) && element.tag == DER_OCTET_STRING && rest.size == 0)
		return element.content;
	return buffer_span(attribute);
}

static bool curve_spki(const struct token_session *session, CK_OBJECT_HANDLE object, bool edwards, struct buffer *ret)
{
	static const uint8_t ec[] = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
	static const uint8_t ed25519[] = {0x06, 0x03, 0x2b, 0x65, 0x70};
	_cleanup_buffer_ struct buffer params = {0}, point = {0}, algorithm = {0};

	if (!bytes(session, object, CKA_EC_POINT, &point) || !bytes(session, object, CKA_EC_PARAMS, &params))
		return false;
	if (edwards) {
		buffer_add(&algorithm, ed25519, sizeof(ed25519));
	} else {
		buffer_add(&algorithm, ec, sizeof(ec));
		buffer_add_span(&algorithm, buffer_span(&params));
	}
	add_spki(ret, buffer_span(&algorithm), point_of(&point));
	return true;
}

static bool certificate_spki_of(const struct token_session *session, CK_OBJECT_HANDLE object, struct buffer *ret)
{
	_cleanup_buffer_ struct buffer der = {0};
	const uint8_t *at;
	uint8_t *spki = NULL;
	X509 *cert;
	int size;

	if (!bytes(session, object, CKA_VALUE, &der))
		return false;
	at = der.data;
	cert = d2i_X509(NULL, &at, (long)der.size);
	size = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki) : -1;
	if (size > 0)
		buffer_add(ret, spki, (size_t)size);
	OPENSSL_free(spki);
	X509_free(cert);
	return size > 0;
}

static bool object_spki(const struct token_session *session, CK_OBJECT_HANDLE object, CK_ULONG kind, struct buffer *ret)
{
	switch (kind) {
	case CKK_RSA:
		return rsa_spki(session, object, ret);
	case CKK_EC:
	case CKK_EC_EDWARDS:
		return curve_spki(session, object, kind == CKK_EC_EDWARDS, ret);
	default:
		return false;
	}
}

/* A public key or certificate belongs to the private key that has the same CKA_ID. */
static bool companion(const struct token_session *session, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret)
{
	_cleanup_buffer_ struct buffer id = {0};
	CK_OBJECT_HANDLE found[2];
	CK_RV rv;

	if (!bytes(session, session->object, CKA_ID, &id))
		return false;
	CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof(class)}, {CKA_ID, id.data, id.size}};
	if (find_two(session, template, 2, found, &rv) < 1)
		return false;
	*ret = found[0];
	return true;
}

int token_spki(const struct token_session *session, const struct token_uri *uri, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer spki = {0};
	CK_OBJECT_HANDLE other;
	CK_ULONG kind = 0;

	if (!token_number(session, session->object, CKA_KEY_TYPE, &kind))
		return error_set(err, EIO, "%s: the key does not say of what kind it is: check the token", uri->name);
	if (!object_spki(session, session->object, kind, &spki) &&
	    !(companion(session, CKO_PUBLIC_KEY, &other) && object_spki(session, other, kind, &spki)) &&
	    !(companion(session, CKO_CERTIFICATE, &other) && certificate_spki_of(session, other, &spki)))
		return error_set(err, ENOKEY,
				 "%s: the token has no public key beside the private one: write it there with the same id (pkcs11-tool "
				 "--write-object --type pubkey), or its certificate",
				 uri->name);
	if (buffer_status(&spki) < 0)
		return error_set(err, ENOMEM, "out of memory");
	*ret = buffer_take(&spki);
	return 0;
}

/* ---- signing ---- */

CK_RV token_sign(const struct token_session *session, CK_MECHANISM_TYPE mechanism, struct span data, uint8_t *ret, size_t *size)
{
	CK_MECHANISM how = {mechanism, NULL, 0};
	CK_ULONG length = *size;
	CK_RV rv = session->module->C_SignInit(session->handle, &how, session->object);

	if (rv == CKR_OK)
		rv = session->module->C_Sign(session->handle, (CK_BYTE *)(uintptr_t)data.data, data.size, ret, &length);
	if (rv == CKR_OK)
		*size = length;
	return rv;
}
