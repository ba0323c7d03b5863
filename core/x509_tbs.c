/* The part of a device CA certificate that is signed (RFC 5280, 4.1), written as DER in one go. */
#include "x509_tbs.h"

#include <string.h>
#include <time.h>

#include "der.h"
#include "digest.h"

enum {
	PATH_LENGTH_MAX = 127, /* one octet */
	UTC_TIME_SIZE = 13,
	GENERALIZED_TIME_SIZE = 15,
};

/* ---- constant pieces ---- */

#define PIECE(name, bytes) \
	static const struct span name = {(const uint8_t *)(bytes), sizeof(bytes) - 1}

PIECE(version_3, "\xa0\x03\x02\x01\x02");
PIECE(oid_common_name, "\x06\x03\x55\x04\x03");
PIECE(ski_head, "\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14");
/* critical, CA:TRUE, pathlen: the octet to come */
PIECE(basic_constraints_head,
      "\x30\x12\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff\x02\x01");
/* critical, digitalSignature, keyCertSign, cRLSign */
PIECE(key_usage, "\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x01\x86");

/* ---- lengths ---- */

/* UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5); before 1950 only the latter
 * can say it. */
static bool is_utc_time(const struct tm *tm)
{
	return tm->tm_year >= 50 && tm->tm_year < 150;
}

static int size_time(unixtime time, size_t *ret)
{
	struct tm tm;
	time_t seconds = (time_t)time;

	if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year < 1000 - 1900 || tm.tm_year > 9999 - 1900)
		return -EINVAL;
	*ret = der_size(is_utc_time(&tm) ? UTC_TIME_SIZE : GENERALIZED_TIME_SIZE);
	return 0;
}

static int plan_name_and_times(struct tbs *tbs, struct error *err)
{
	const struct device_ca_order *order = tbs->order;
	size_t from, till;

	tbs->common_name = (struct span){(const uint8_t *)order->common_name,
					 strnlen(order->common_name, sizeof(order->common_name))};
	if (tbs->common_name.size == 0 || tbs->common_name.size == sizeof(order->common_name))
		return error_set(err, EINVAL,
				 "the common name of a device CA must have 1 to 64 bytes: change "
				 "`subject` in the policy");
	if (size_time(order->not_before, &from) < 0 || size_time(order->not_after, &till) < 0 ||
	    order->not_after < order->not_before)
		return error_set(err, EINVAL,
				 "the validity of a device CA is out of range: check the clock and "
				 "`validity_days`");
	tbs->validity_size = from + till;
	return 0;
}

static size_t size_subject(size_t common_name)
{
	return der_size(der_size(der_size(oid_common_name.size + der_size(common_name))));
}

int tbs_plan(struct tbs *tbs, size_t spki_size, struct error *err)
{
	int r;

	r = plan_name_and_times(tbs, err);
	if (r < 0)
		return r;
	if (tbs->path_length < 0 || tbs->path_length > PATH_LENGTH_MAX)
		return error_set(err, EINVAL,
				 "the path length of a device CA must be 0 to %d: change "
				 "`path_length` in the policy",
				 PATH_LENGTH_MAX);
	tbs->extensions_size = ski_head.size + DIGEST_SHA1_SIZE + tbs->aki.size +
			       basic_constraints_head.size + 1 + key_usage.size;
	tbs->body_size = version_3.size + der_size(SERIAL_SIZE) + tbs->algorithm.size +
			 tbs->issuer.size + der_size(tbs->validity_size) +
			 size_subject(tbs->common_name.size) + spki_size +
			 der_size(der_size(tbs->extensions_size));
	tbs->size = der_size(tbs->body_size);
	return 0;
}

/* ---- the TBSCertificate ---- */

void tbs_add_time(struct buffer *out, unixtime time)
{
	time_t seconds = (time_t)time;
	char text[GENERALIZED_TIME_SIZE + 1];
	struct tm tm;
	bool utc;

	gmtime_r(&seconds, &tm);
	utc = is_utc_time(&tm);
	(void)strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	der_add_header(out, utc ? DER_UTC_TIME : DER_GENERALIZED_TIME,
		       utc ? UTC_TIME_SIZE : GENERALIZED_TIME_SIZE);
	buffer_add_text(out, utc ? text + 2 : text); /* UTCTime has no century */
}

static void add_subject(struct buffer *out, struct span common_name)
{
	size_t attribute = oid_common_name.size + der_size(common_name.size);

	der_add_header(out, DER_SEQUENCE, der_size(der_size(attribute)));
	der_add_header(out, DER_SET, der_size(attribute));
	der_add_header(out, DER_SEQUENCE, attribute);
	buffer_add_span(out, oid_common_name);
	der_add_header(out, DER_UTF8, common_name.size);
	buffer_add_span(out, common_name);
}

/* SHA-1 of the bits of the public key, without tag, length and count of unused bits (RFC
 * 5280, 4.2.1.2, method 1). */
static int key_identifier(struct span spki, uint8_t ret[DIGEST_SHA1_SIZE])
{
	struct der_element outer, element;

	if (!der_take(&spki, &outer) || !der_take(&outer.content, &element) ||
	    !der_take(&outer.content, &element) || element.tag != DER_BIT_STRING ||
	    element.content.size < 1)
		return -EINVAL;
	digest_sha1((struct span){element.content.data + 1, element.content.size - 1}, ret);
	return 0;
}

static int add_extensions(const struct tbs *tbs, struct span spki, struct buffer *out)
{
	uint8_t id[DIGEST_SHA1_SIZE];
	uint8_t path_length = (uint8_t)tbs->path_length;

	if (key_identifier(spki, id) < 0)
		return -EINVAL;
	der_add_header(out, DER_CONTEXT_3, der_size(tbs->extensions_size));
	der_add_header(out, DER_SEQUENCE, tbs->extensions_size);
	buffer_add_span(out, ski_head);
	buffer_add(out, id, sizeof(id));
	buffer_add_span(out, tbs->aki);
	buffer_add_span(out, basic_constraints_head);
	buffer_add(out, &path_length, 1);
	buffer_add_span(out, key_usage);
	return 0;
}

int tbs_add(const struct tbs *tbs, struct span spki, struct buffer *out)
{
	der_add_header(out, DER_SEQUENCE, tbs->body_size);
	buffer_add_span(out, version_3);
	der_add_header(out, DER_INTEGER, SERIAL_SIZE);
	buffer_add(out, tbs->order->serial, SERIAL_SIZE);
	buffer_add_span(out, tbs->algorithm);
	buffer_add_span(out, tbs->issuer);
	der_add_header(out, DER_SEQUENCE, tbs->validity_size);
	tbs_add_time(out, tbs->order->not_before);
	tbs_add_time(out, tbs->order->not_after);
	add_subject(out, tbs->common_name);
	buffer_add_span(out, spki);
	return add_extensions(tbs, spki, out);
}
