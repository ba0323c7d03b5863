#include "x509_crl.h"

#include <string.h>

#include "der.h"
#include "x509_internal.h"

enum {
	NUMBER_ROOM = 8, /* octets of an int64_t */
	REASON_SIZE_DER = 14,
	ENTRY_ROOM = 2 + 2 + SERIAL_SIZE + DER_TIME_ROOM + REASON_SIZE_DER,
};

#define PIECE(name, bytes) \
	static const struct span name = {(const uint8_t *)(bytes), sizeof(bytes) - 1}

PIECE(version_2, "\x02\x01\x01");
PIECE(oid_crl_number, "\x06\x03\x55\x1d\x14");
/* crlEntryExtensions with the one reasonCode, not critical: the octet to come */
PIECE(reason_head, "\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03\x0a\x01");

/* ---- entries ---- */

static size_t put(uint8_t *to, const void *data, size_t size)
{
	memcpy(to, data, size);
	return size;
}

int crl_entry_encode(const uint8_t serial[SERIAL_SIZE], unixtime revoked_at, enum crl_reason reason,
		     struct buffer *out, struct error *err)
{
	uint8_t entry[ENTRY_ROOM] = {DER_SEQUENCE, 0, DER_INTEGER, SERIAL_SIZE};
	uint8_t code = (uint8_t)reason;
	size_t size = 4, time_size;

	/* Any other first octet would make the INTEGER negative, or not DER. */
	if ((serial[0] & 0xc0) != 0x40)
		return error_set(err, EINVAL,
				 "a serial number to be revoked is not one that certfs gives: run "
				 "certfs check");
	if ((int)reason < CRL_UNSPECIFIED || (int)reason > CRL_CESSATION_OF_OPERATION)
		return error_set(err, EINVAL, "there is no revocation reason %d: use 0 to %d",
				 (int)reason, CRL_CESSATION_OF_OPERATION);
	size += put(entry + size, serial, SERIAL_SIZE);
	time_size = der_time(revoked_at, entry + size);
	if (time_size == 0)
		return error_set(err, EINVAL,
				 "the time of a revocation is out of range: check the clock");
	size += time_size;
	if (reason != CRL_UNSPECIFIED) {
		size += put(entry + size, reason_head.data, reason_head.size);
		entry[size++] = code;
	}
	entry[1] = (uint8_t)(size - 2);
	buffer_add(out, entry, size);
	return 0;
}

/* One broken entry would make the whole list unreadable. -1: there is one. */
static ssize_t count_entries(struct span entries)
{
	struct span entry, serial;
	unixtime time;
	ssize_t count = 0;

	for (; entries.size > 0; count++)
		if (!der_take_tag(&entries, DER_SEQUENCE, &entry) ||
		    !der_take_tag(&entry, DER_INTEGER, &serial) || !der_take_time(&entry, &time))
			return -1;
	return count;
}

/* ---- the list ---- */

/* The shortest two's complement; ret is filled from its end. */
static struct span number_octets(int64_t number, uint8_t ret[NUMBER_ROOM])
{
	size_t at = NUMBER_ROOM;

	do {
		ret[--at] = (uint8_t)number;
		number >>= 8;
	} while (at > 0 && (number > 0 || ret[at] >= 0x80));
	return (struct span){ret + at, NUMBER_ROOM - at};
}

static void add_number(struct buffer *out, int64_t number)
{
	uint8_t octets[NUMBER_ROOM];
	struct span value = number_octets(number, octets);

	der_add_header(out, DER_SEQUENCE, oid_crl_number.size + der_size(der_size(value.size)));
	buffer_add_span(out, oid_crl_number);
	der_add_header(out, DER_OCTET_STRING, der_size(value.size));
	der_add_header(out, DER_INTEGER, value.size);
	buffer_add_span(out, value);
}

static void add_extensions(struct buffer *out, struct span aki, int64_t number)
{
	_cleanup_buffer_ struct buffer own = {0};

	add_number(&own, number);
	der_add_header(out, DER_CONTEXT_0, der_size(aki.size + own.size));
	der_add_header(out, DER_SEQUENCE, aki.size + own.size);
	buffer_add_span(out, aki);
	buffer_add_span(out, buffer_span(&own));
	out->failed |= own.failed;
}

/* What stands before the entries. EINVAL for a time that can't be. */
static int add_head(struct buffer *out, const struct issuer_parts *issuer, unixtime now)
{
	uint8_t this_update[DER_TIME_ROOM], next_update[DER_TIME_ROOM];
	size_t this_size = der_time(now, this_update), next_size;

	if (this_size == 0) /* and now + CRL_SECONDS can't overflow */
		return -EINVAL;
	next_size = der_time(now + CRL_SECONDS, next_update);
	if (next_size == 0)
		return -EINVAL;
	buffer_add_span(out, version_2);
	buffer_add_span(out, issuer->algorithm);
	buffer_add_span(out, issuer->name);
	buffer_add(out, this_update, this_size);
	buffer_add(out, next_update, next_size);
	return 0;
}

static int build_tbs(const struct issuer_parts *issuer, const struct buffer *head,
		     struct span entries, int64_t number, struct buffer *out)
{
	_cleanup_buffer_ struct buffer tail = {0};
	size_t list = entries.size > 0 ? der_size(entries.size) : 0;
	size_t size;

	add_extensions(&tail, issuer->aki, number);
	size = head->size + list + tail.size;
	if (buffer_status(head) < 0 || buffer_status(&tail) < 0 ||
	    buffer_reserve(out, der_size(size)) < 0)
		return -ENOMEM;
	der_add_header(out, DER_SEQUENCE, size);
	buffer_add_span(out, buffer_span(head));
	if (list > 0) { /* left out where it would be empty (RFC 5280, 5.1.2.6) */
		der_add_header(out, DER_SEQUENCE, entries.size);
		buffer_add_span(out, entries);
	}
	buffer_add_span(out, buffer_span(&tail));
	return buffer_status(out);
}

int crl_build(const struct issuer *issuer, int64_t number, unixtime now, struct span entries,
	      struct buffer *ret, struct error *err)
{
	struct issuer_parts parts = issuer_parts(issuer);
	_cleanup_buffer_ struct buffer head = {0}, tbs = {0};

	if (number < 0)
		return error_set(err, EINVAL,
				 "the number of a CRL is negative (%lld): run certfs check",
				 (long long)number);
	if (count_entries(entries) < 0)
		return error_set(err, EINVAL,
				 "an entry of a CRL is malformed: run certfs check");
	if (add_head(&head, &parts, now) < 0)
		return error_set(err, EINVAL, "the time of a CRL is out of range: check the clock");
	if (build_tbs(&parts, &head, entries, number, &tbs) < 0)
		return x509_no_memory(err);
	return issuer_sign_data(issuer, buffer_span(&tbs), ret, err);
}

/* ---- reading it back ---- */

static bool take_number(struct span value, int64_t *ret)
{
	struct span octets;
	uint64_t number = 0;

	if (!der_take_tag(&value, DER_INTEGER, &octets) || value.size > 0 || octets.size == 0 ||
	    octets.size > NUMBER_ROOM || octets.data[0] >= 0x80)
		return false;
	for (size_t i = 0; i < octets.size; i++)
		number = number << 8 | octets.data[i];
	*ret = (int64_t)number;
	return true;
}

/* Finds the cRLNumber among the extensions. */
static bool find_number(struct span in, int64_t *ret)
{
	struct span extensions, extension, value;

	if (!der_take_tag(&in, DER_CONTEXT_0, &in) ||
	    !der_take_tag(&in, DER_SEQUENCE, &extensions))
		return false;
	while (der_take_tag(&extensions, DER_SEQUENCE, &extension)) {
		if (extension.size < oid_crl_number.size ||
		    memcmp(extension.data, oid_crl_number.data, oid_crl_number.size) != 0)
			continue;
		extension.data += oid_crl_number.size;
		extension.size -= oid_crl_number.size;
		return der_take_tag(&extension, DER_OCTET_STRING, &value) &&
		       take_number(value, ret);
	}
	return false;
}

static bool read_tbs(struct span tbs, struct crl_info *info)
{
	struct span version, algorithm, name, entries = {0};
	ssize_t count;

	if (!der_take_tag(&tbs, DER_INTEGER, &version) ||
	    !der_take_tag(&tbs, DER_SEQUENCE, &algorithm) ||
	    !der_take_tag(&tbs, DER_SEQUENCE, &name) ||
	    !der_take_time(&tbs, &info->this_update) || !der_take_time(&tbs, &info->next_update))
		return false;
	(void)der_take_tag(&tbs, DER_SEQUENCE, &entries);
	count = count_entries(entries);
	info->count = (size_t)count;
	return count >= 0 && find_number(tbs, &info->number);
}

int crl_info(struct span der, struct crl_info *ret, struct error *err)
{
	struct crl_info info = {0};
	struct span list, tbs;

	if (!der_take_tag(&der, DER_SEQUENCE, &list) || der.size > 0 ||
	    !der_take_tag(&list, DER_SEQUENCE, &tbs) || !read_tbs(tbs, &info))
		return x509_reject(err, "a CRL is damaged, or was not made by certfs: have a new "
					"one made");
	*ret = info;
	return 0;
}
