#include "revocation_list.h"

#include <string.h>

#include "der.h"
#include "x509_internal.h"
#include "x509_tbs.h"

static const uint8_t version_2[] = {0x02, 0x01, 0x01};
static const uint8_t oid_crl_number[] = {0x06, 0x03, 0x55, 0x1d, 0x14};
static const uint8_t oid_reason_code[] = {0x06, 0x03, 0x55, 0x1d, 0x15};

static const struct {
	const char *name;
	enum crl_reason reason;
} reasons[] = {
	{"cACompromise", CRL_CA_COMPROMISE},
	{"superseded", CRL_SUPERSEDED},
	{"cessationOfOperation", CRL_CESSATION_OF_OPERATION},
};

enum crl_reason crl_reason_of(const char *name)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (strcmp(reasons[i].name, name) == 0)
			return reasons[i].reason;
	return CRL_UNSPECIFIED;
}

/* ---- entries ---- */

/* Extensions with the one extension reasonCode, an ENUMERATED. */
static void add_reason(struct buffer *out, enum crl_reason reason)
{
	const uint8_t value[] = {0x0a, 0x01, (uint8_t)reason};
	const size_t extension = sizeof(oid_reason_code) + der_size(sizeof(value));

	der_add_header(out, DER_SEQUENCE, der_size(extension));
	der_add_header(out, DER_SEQUENCE, extension);
	buffer_add(out, oid_reason_code, sizeof(oid_reason_code));
	der_add_header(out, DER_OCTET_STRING, sizeof(value));
	buffer_add(out, value, sizeof(value));
}

void crl_add_entry(struct buffer *entries, const uint8_t serial[SERIAL_SIZE], unixtime revoked_at,
		   enum crl_reason reason)
{
	_cleanup_buffer_ struct buffer entry = {0};

	der_add_header(&entry, DER_INTEGER, SERIAL_SIZE); /* the top bit of a serial is clear */
	buffer_add(&entry, serial, SERIAL_SIZE);
	tbs_add_time(&entry, revoked_at);
	if (reason != CRL_UNSPECIFIED)
		add_reason(&entry, reason);
	der_add_header(entries, DER_SEQUENCE, entry.size);
	buffer_add_span(entries, buffer_span(&entry));
	entries->failed = entries->failed || entry.failed;
}

/* ---- the list ---- */

/* A non-negative INTEGER in its shortest form. */
static void add_integer(struct buffer *out, uint64_t number)
{
	uint8_t octets[9] = {0};
	size_t skip = 0;

	for (size_t i = 0; i < 8; i++)
		octets[8 - i] = (uint8_t)(number >> (8 * i));
	while (skip < 8 && octets[skip] == 0 && octets[skip + 1] < 0x80)
		skip++;
	der_add_header(out, DER_INTEGER, sizeof(octets) - skip);
	buffer_add(out, octets + skip, sizeof(octets) - skip);
}

static void add_extensions(struct buffer *out, const struct issuer *issuer, uint64_t number)
{
	_cleanup_buffer_ struct buffer value = {0};
	const struct span aki = issuer_aki(issuer);
	size_t extension;

	add_integer(&value, number);
	extension = sizeof(oid_crl_number) + der_size(value.size);
	der_add_header(out, DER_CONTEXT_0, der_size(aki.size + der_size(extension)));
	der_add_header(out, DER_SEQUENCE, aki.size + der_size(extension));
	buffer_add_span(out, aki);
	der_add_header(out, DER_SEQUENCE, extension);
	buffer_add(out, oid_crl_number, sizeof(oid_crl_number));
	der_add_header(out, DER_OCTET_STRING, value.size);
	buffer_add_span(out, buffer_span(&value));
}

int crl_sign(const struct issuer *issuer, uint64_t number, unixtime now, struct span entries, struct buffer *ret,
	     struct error *err)
{
	_cleanup_buffer_ struct buffer body = {0};
	_cleanup_buffer_ struct buffer list = {0};

	buffer_add(&body, version_2, sizeof(version_2));
	buffer_add_span(&body, issuer_algorithm(issuer));
	buffer_add_span(&body, issuer_name(issuer));
	tbs_add_time(&body, now);
	tbs_add_time(&body, now + CRL_LIFE_SECONDS);
	if (entries.size > 0) { /* RFC 5280, 5.1.2.6: absent when there are none */
		der_add_header(&body, DER_SEQUENCE, entries.size);
		buffer_add_span(&body, entries);
	}
	add_extensions(&body, issuer, number);
	der_add_header(&list, DER_SEQUENCE, body.size);
	buffer_add_span(&list, buffer_span(&body));
	if (buffer_status(&body) < 0 || buffer_status(&list) < 0)
		return x509_no_memory(err);
	return issuer_sign_part(issuer, buffer_span(&list), ret, err);
}
