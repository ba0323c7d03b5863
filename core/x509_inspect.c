/* Is this one certificate fit to stand in the chain of a signing CA? Each reason why not has its
 * own sentence. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "x509_internal.h"

enum { BITS_MIN = 112 }; /* of security: RSA-2048, P-224; auth level 2 */

/* What an inspection looks at. */
struct subject {
	X509 *cert;
	const char *name; /* quoted */
	bool is_signer;
	bool is_root; /* a self-signed top above the signer */
	unixtime now;
};

static int inspect_version(const struct subject *it, struct error *err)
{
	if (X509_get_version(it->cert) == X509_VERSION_3)
		return 0;
	return x509_reject(err,
			   "certificate %s is of version %ld, not 3: issue it again as a version 3 "
			   "certificate with basicConstraints CA:TRUE",
			   it->name, X509_get_version(it->cert) + 1);
}

/* ---- extensions ---- */

static bool is_well_formed(X509_EXTENSION *extension)
{
	const X509V3_EXT_METHOD *method = X509V3_EXT_get(extension);
	const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(extension);
	const uint8_t *at = ASN1_STRING_get0_data(data);
	const uint8_t *end = at + ASN1_STRING_length(data);
	void *value;

	if (method == NULL)
		return true;
	if (method->it == NULL) {
		value = method->d2i(NULL, &at, end - at);
		if (value != NULL)
			method->ext_free(value);
	} else {
		value = ASN1_item_d2i(NULL, &at, end - at, ASN1_ITEM_ptr(method->it));
		if (value != NULL)
			ASN1_item_free(value, ASN1_ITEM_ptr(method->it));
	}
	ERR_clear_error();
	return value != NULL && at == end;
}

static int inspect_extension(const struct subject *it, int index, struct error *err)
{
	X509_EXTENSION *extension = X509_get_ext(it->cert, index);
	const ASN1_OBJECT *object = X509_EXTENSION_get_object(extension);
	char text[80];

	(void)OBJ_obj2txt(text, sizeof(text), object, 0);
	if (!is_well_formed(extension))
		return x509_reject(err,
				   "certificate %s has a malformed extension, %s: issue it again "
				   "without that fault",
				   it->name, text);
	if (X509_get_ext_by_OBJ(it->cert, object, index) >= 0)
		return x509_reject(err,
				   "certificate %s has a malformed extension, %s appears twice: "
				   "issue it again with one",
				   it->name, text);
	if (X509_EXTENSION_get_critical(extension) && !X509_supported_extension(extension))
		return x509_reject(
			err,
			"certificate %s has an unknown critical extension, %s, that every verifier "
			"must refuse: issue it again without it or not critical",
			it->name, text);
	return 0;
}

static int inspect_extensions(const struct subject *it, struct error *err)
{
	for (int i = 0; i < X509_get_ext_count(it->cert); i++) {
		int r = inspect_extension(it, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int inspect_basic_constraints(const struct subject *it, struct error *err)
{
	int critical = 0;
	BASIC_CONSTRAINTS *constraints =
		X509_get_ext_d2i(it->cert, NID_basic_constraints, &critical, NULL);
	bool ca = constraints != NULL && constraints->ca;
	bool present = constraints != NULL;

	BASIC_CONSTRAINTS_free(constraints);
	if (ca && critical)
		return 0;
	if (ca)
		return x509_reject(err,
				   "the basicConstraints of certificate %s is not critical, as RFC 5280 "
				   "(4.2.1.9) has it: issue it again with basicConstraints=critical,CA:TRUE",
				   it->name);
	return x509_reject(err,
			   "certificate %s is not a CA, basicConstraints CA:TRUE is missing%s: "
			   "issue it again as a CA, or upload the signing CA instead",
			   it->name, present ? " (it says CA:FALSE)" : "");
}

static int inspect_key_usage(const struct subject *it, struct error *err)
{
	if (X509_get_key_usage(it->cert) &
	    KU_KEY_CERT_SIGN) /* all bits are set where it is absent */
		return 0;
	return x509_reject(err,
			   "the keyUsage of certificate %s lacks keyCertSign, so it may not sign "
			   "certificates: issue it again with keyCertSign and cRLSign",
			   it->name);
}

static int inspect_extended_key_usage(const struct subject *it, struct error *err)
{
	if (X509_get_extended_key_usage(it->cert) & (XKU_SSL_SERVER | XKU_ANYEKU))
		return 0;
	return x509_reject(
		err,
		"the extendedKeyUsage of certificate %s excludes serverAuth, which every "
		"certificate of an IoT Edge gateway needs: issue it again without extendedKeyUsage",
		it->name);
}

/* What OpenSSL finds wrong beyond the form: a path length on what is no CA, a keyUsage without any
 * bit, … */
static int inspect_flags(const struct subject *it, struct error *err)
{
	uint32_t flags = X509_get_extension_flags(it->cert);

	if (flags & EXFLAG_INVALID)
		return x509_reject(err,
				   "certificate %s has a malformed extension: issue it again with "
				   "standard extensions",
				   it->name);
	if (flags & EXFLAG_PROXY)
		return x509_reject(err,
				   "certificate %s is a proxy certificate, not a CA: upload the "
				   "signing CA instead",
				   it->name);
	return 0;
}

/* ---- the rest ---- */

static int inspect_name(const struct subject *it, struct error *err)
{
	if (X509_NAME_entry_count(X509_get_subject_name(it->cert)) > 0)
		return 0;
	return x509_reject(err, "a CA certificate issued by serial number has an empty subject: "
				"issue it again with a name");
}

static int inspect_key(const struct subject *it, struct error *err)
{
	EVP_PKEY *pkey = X509_get0_pubkey(it->cert);
	char whose[SUBJECT_TEXT + 32], text[96];

	if (pkey == NULL)
		return x509_reject(err,
				   "the public key of certificate %s is malformed or of an unknown "
				   "algorithm: issue it again with an RSA, EC or Ed25519 key",
				   it->name);
	key_text(pkey, text, sizeof(text));
	if (EVP_PKEY_get_security_bits(pkey) < BITS_MIN)
		return x509_reject(
			err,
			"the key of certificate %s is weaker than %d bits of security (%s): issue "
			"it again with EC P-256 or RSA of 2048 bits at least",
			it->name, BITS_MIN, text);
	(void)snprintf(whose, sizeof(whose), "the key of certificate %s", it->name);
	return it->is_signer ? key_check_kind(pkey, whose, err) : 0;
}

static int inspect_signature(const struct subject *it, struct error *err)
{
	const char *algorithm = OBJ_nid2ln(X509_get_signature_nid(it->cert));
	int bits;

	if (!X509_get_signature_info(it->cert, NULL, NULL, &bits, NULL))
		return x509_reject(err,
				   "certificate %s is signed with an algorithm that certfs does "
				   "not know (%.40s): issue it again with SHA-256",
				   it->name, algorithm);
	if (bits >= BITS_MIN)
		return 0;
	return x509_reject(err,
			   "the signature digest of certificate %s is too weak (%.40s): issue it "
			   "again with SHA-256%s",
			   it->name, algorithm,
			   it->is_root ? ", or leave this root out of the upload" : "");
}

static int inspect_validity(const struct subject *it, struct error *err)
{
	unixtime from, till;
	char text[32];

	if (time_of(X509_get0_notBefore(it->cert), &from) < 0 ||
	    time_of(X509_get0_notAfter(it->cert), &till) < 0)
		return x509_reject(err,
				   "the validity of certificate %s is malformed: issue it again",
				   it->name);
	if (it->now > till) {
		time_text(till, text);
		return x509_reject(err, "certificate %s has expired (at %s): upload a renewed one",
				   it->name, text);
	}
	if (it->now >= from)
		return 0;
	time_text(from, text);
	return x509_reject(err,
			   "certificate %s is not yet valid (until %s): wait, or set the clock of "
			   "this machine right",
			   it->name, text);
}

int certificate_inspect(X509 *cert, bool is_signer, bool is_root, unixtime now, struct error *err)
{
	static int (*const inspections[])(const struct subject *it, struct error *err) = {
		inspect_version,   inspect_extensions, inspect_basic_constraints,  inspect_flags,
		inspect_key_usage, inspect_name,       inspect_extended_key_usage, inspect_key,
		inspect_signature, inspect_validity,
	};
	char name[SUBJECT_TEXT];
	struct subject it = {
		.cert = cert, .name = name, .is_signer = is_signer, .is_root = is_root, .now = now};

	subject_text(cert, name);
	(void)X509_check_purpose(cert, -1,
				 0); /* has OpenSSL fill in what the getters answer from */
	for (size_t i = 0; i < sizeof(inspections) / sizeof(inspections[0]); i++) {
		int r = inspections[i](&it, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- what is allowed, but not everywhere ---- */

static const char *strict_fault(const X509 *cert, bool is_self_signed)
{
	if (X509_get_ext_by_NID(cert, NID_key_usage, -1) < 0)
		return "it has no keyUsage";
	if (X509_get_ext_by_NID(cert, NID_subject_key_identifier, -1) < 0)
		return "it has no subjectKeyIdentifier";
	if (!is_self_signed && X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1) < 0)
		return "it has no authorityKeyIdentifier";
	return NULL;
}

bool certificate_warn(X509 *cert, bool is_signer, bool is_self_signed, char *ret, size_t room)
{
	const struct signature_kind *kind =
		is_signer ? signature_kind_of(X509_get0_pubkey(cert)) : NULL;
	const char *fault = strict_fault(cert, is_self_signed);
	char name[SUBJECT_TEXT];

	subject_text(cert, name);
	if (fault != NULL) {
		(void)snprintf(ret, room,
			       "certificate %s breaks RFC 5280: %s; Python 3.13 and other strict "
			       "verifiers refuse what is issued under it",
			       name, fault);
		return true;
	}
	if (kind == NULL || kind->warning == NULL)
		return false;
	(void)snprintf(ret, room, "certificate %s: %s", name, kind->warning);
	return true;
}
