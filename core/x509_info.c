/* What a certificate says about itself, in words. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "digest.h"
#include "x509_internal.h"

static void describe_serial(X509 *cert, struct certificate_info *info)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);

	colon_hex((struct span){ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial)},
		  info->serial_number, sizeof(info->serial_number));
}

static void describe_key(X509 *cert, struct certificate_info *info)
{
	EVP_PKEY *pkey = X509_get0_pubkey(cert);
	const char *algorithm = "unknown";
	char group[32] = "unnamed curve";
	const char *curve = group;
	ASN1_OBJECT *object;

	if (X509_PUBKEY_get0_param(&object, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert)))
		algorithm = OBJ_nid2ln(OBJ_obj2nid(object));
	if (pkey == NULL) {
		(void)snprintf(info->public_key_algorithm, sizeof(info->public_key_algorithm), "%s",
			       algorithm);
	} else if (EVP_PKEY_is_a(pkey, "EC")) {
		(void)EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL);
		if (EC_curve_nid2nist(OBJ_sn2nid(group)) != NULL)
			curve = EC_curve_nid2nist(OBJ_sn2nid(group));
		(void)snprintf(info->public_key_algorithm, sizeof(info->public_key_algorithm),
			       "%s (%s)", algorithm, curve);
	} else if (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "DSA")) {
		(void)snprintf(info->public_key_algorithm, sizeof(info->public_key_algorithm),
			       "%s (%d bit)", algorithm, EVP_PKEY_get_bits(pkey));
	} else {
		(void)snprintf(info->public_key_algorithm, sizeof(info->public_key_algorithm), "%s",
			       algorithm);
	}
}

static void describe_basic_constraints(X509 *cert, struct certificate_info *info)
{
	BASIC_CONSTRAINTS *constraints = X509_get_ext_d2i(cert, NID_basic_constraints, NULL, NULL);

	if (constraints != NULL && constraints->pathlen != NULL)
		(void)snprintf(info->basic_constraints, sizeof(info->basic_constraints),
			       "CA:%s, pathlen:%ld", constraints->ca ? "TRUE" : "FALSE",
			       ASN1_INTEGER_get(constraints->pathlen));
	else if (constraints != NULL)
		(void)snprintf(info->basic_constraints, sizeof(info->basic_constraints), "CA:%s",
			       constraints->ca ? "TRUE" : "FALSE");
	BASIC_CONSTRAINTS_free(constraints);
}

static void describe_key_usage(X509 *cert, struct certificate_info *info)
{
	static const char *const names[] = {
		"Digital Signature", "Non Repudiation", "Key Encipherment",
		"Data Encipherment", "Key Agreement",   "Certificate Sign",
		"CRL Sign",          "Encipher Only",   "Decipher Only"};
	ASN1_BIT_STRING *usage = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);
	size_t used = 0;

	for (int bit = 0; usage != NULL && bit < (int)(sizeof(names) / sizeof(names[0])); bit++)
		if (ASN1_BIT_STRING_get_bit(usage, bit))
			used += (size_t)snprintf(info->key_usage + used,
						 sizeof(info->key_usage) - used, "%s%s",
						 used > 0 ? ", " : "", names[bit]);
	ASN1_BIT_STRING_free(usage);
}

static void describe_key_id(const ASN1_OCTET_STRING *id, char *ret, size_t room)
{
	if (id != NULL)
		colon_hex((struct span){ASN1_STRING_get0_data(id), (size_t)ASN1_STRING_length(id)},
			  ret, room);
}

int x509_info(struct span cert, struct certificate_info *ret, struct error *err)
{
	_cleanup_x509_ X509 *parsed = NULL;
	struct certificate_info info = {0};
	uint8_t fingerprint[FINGERPRINT_SIZE];
	int r;

	r = certificate_parse(cert, &parsed, err);
	if (r < 0)
		return r;
	name_text(X509_get_subject_name(parsed), info.subject, sizeof(info.subject));
	name_text(X509_get_issuer_name(parsed), info.issuer, sizeof(info.issuer));
	describe_serial(parsed, &info);
	if (time_of(X509_get0_notBefore(parsed), &info.valid_from) < 0 ||
	    time_of(X509_get0_notAfter(parsed), &info.valid_till) < 0)
		return x509_reject(
			err, "the validity of certificate \"%.100s\" is malformed: issue it again",
			info.subject);
	(void)snprintf(info.signature_algorithm, sizeof(info.signature_algorithm), "%s",
		       OBJ_nid2ln(X509_get_signature_nid(parsed)));
	describe_key(parsed, &info);
	describe_basic_constraints(parsed, &info);
	describe_key_usage(parsed, &info);
	describe_key_id(X509_get0_subject_key_id(parsed), info.subject_key_id,
			sizeof(info.subject_key_id));
	describe_key_id(X509_get0_authority_key_id(parsed), info.authority_key_id,
			sizeof(info.authority_key_id));
	digest_sha256(cert, fingerprint);
	colon_hex((struct span){fingerprint, sizeof(fingerprint)}, info.sha256_fingerprint,
		  sizeof(info.sha256_fingerprint));
	ERR_clear_error();
	*ret = info;
	return 0;
}
