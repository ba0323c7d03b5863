#include "der.h"

#include <string.h>
#include <time.h>

enum {
	UTC_TIME_SIZE = 13,
	GENERALIZED_TIME_SIZE = 15,
};

static unsigned int length_octets(size_t size)
{
	unsigned int octets = 0;

	for (; size > 0; size >>= 8)
		octets++;
	return octets;
}

size_t der_size(size_t size)
{
	return (size < 0x80 ? 2 : 2 + length_octets(size)) + size;
}

void der_add_header(struct buffer *out, uint8_t tag, size_t size)
{
	uint8_t header[2 + sizeof(size)] = {tag, (uint8_t)size};
	unsigned int octets = length_octets(size);

	if (size < 0x80) {
		buffer_add(out, header, 2);
		return;
	}
	header[1] = (uint8_t)(0x80 | octets);
	for (unsigned int i = 0; i < octets; i++)
		header[2 + i] = (uint8_t)(size >> (8 * (octets - 1 - i)));
	buffer_add(out, header, 2 + octets);
}

/* Reads a length of the long form; false if it has too many octets to be one of ours. */
static bool take_long_length(struct span *in, unsigned int octets, size_t *ret)
{
	size_t size = 0;

	if (octets > 4 || octets > in->size)
		return false;
	for (unsigned int i = 0; i < octets; i++)
		size = size << 8 | in->data[i];
	*in = (struct span){in->data + octets, in->size - octets};
	*ret = size;
	return true;
}

bool der_take(struct span *in, struct der_element *ret)
{
	struct span rest = *in;
	struct der_element element = {0};
	size_t size;

	if (rest.size < 2)
		return false;
	element.tag = rest.data[0];
	size = rest.data[1];
	rest = (struct span){rest.data + 2, rest.size - 2};
	if (size == 0x80) {
		element.indefinite = true;
		size = rest.size;
	} else if (size > 0x80 && !take_long_length(&rest, (unsigned int)size & 0x7f, &size)) {
		return false;
	}
	if (size > rest.size)
		return false;
	element.content = (struct span){rest.data, size};
	*in = (struct span){rest.data + size, rest.size - size};
	*ret = element;
	return true;
}

bool der_take_tag(struct span *in, uint8_t tag, struct span *ret)
{
	struct span rest = *in;
	struct der_element element;

	if (!der_take(&rest, &element) || element.tag != tag || element.indefinite)
		return false;
	*in = rest;
	*ret = element.content;
	return true;
}

/* ---- times ---- */

static void put_digits(uint8_t *to, int number)
{
	to[0] = (uint8_t)('0' + number / 10);
	to[1] = (uint8_t)('0' + number % 10);
}

/* By hand: strftime would be most of the work of a CRL. */
size_t der_time(unixtime time, uint8_t ret[DER_TIME_ROOM])
{
	time_t seconds = (time_t)time;
	struct tm tm;
	size_t at = 2;

	if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
		return 0;
	ret[0] = tm.tm_year >= 50 && tm.tm_year < 150 ? DER_UTC_TIME : DER_GENERALIZED_TIME;
	ret[1] = ret[0] == DER_UTC_TIME ? UTC_TIME_SIZE : GENERALIZED_TIME_SIZE;
	if (ret[0] == DER_GENERALIZED_TIME) { /* UTCTime has no century */
		put_digits(ret + at, (tm.tm_year + 1900) / 100);
		at += 2;
	}
	const int parts[] = {(tm.tm_year + 1900) % 100, tm.tm_mon + 1, tm.tm_mday,
			     tm.tm_hour, tm.tm_min, tm.tm_sec};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++, at += 2)
		put_digits(ret + at, parts[i]);
	ret[at++] = 'Z';
	return at;
}

/* Two digits; -1 if they are none. */
static int take_digits(const uint8_t *from)
{
	if (from[0] < '0' || from[0] > '9' || from[1] < '0' || from[1] > '9')
		return -1;
	return (from[0] - '0') * 10 + from[1] - '0';
}

static bool read_time(struct der_element element, unixtime *ret)
{
	bool utc = element.tag == DER_UTC_TIME;
	size_t size = utc ? UTC_TIME_SIZE : GENERALIZED_TIME_SIZE;
	int parts[7] = {0}; /* the century first */
	struct tm tm;

	if ((!utc && element.tag != DER_GENERALIZED_TIME) || element.content.size != size ||
	    element.content.data[size - 1] != 'Z')
		return false;
	for (size_t at = 0, i = utc; at < size - 1; at += 2, i++) {
		parts[i] = take_digits(element.content.data + at);
		if (parts[i] < 0)
			return false;
	}
	if (utc)
		parts[0] = parts[1] < 50 ? 20 : 19;
	tm = (struct tm){.tm_year = parts[0] * 100 + parts[1] - 1900, .tm_mon = parts[2] - 1,
			 .tm_mday = parts[3], .tm_hour = parts[4], .tm_min = parts[5],
			 .tm_sec = parts[6]};
	*ret = timegm(&tm);
	return true;
}

bool der_take_time(struct span *in, unixtime *ret)
{
	struct span rest = *in;
	struct der_element element;
	uint8_t again[DER_TIME_ROOM];
	unixtime time;

	if (!der_take(&rest, &element) || !read_time(element, &time))
		return false;
	/* The 31st of February would have become another day. */
	if (der_time(time, again) != element.content.size + 2 ||
	    memcmp(again + 2, element.content.data, element.content.size) != 0)
		return false;
	*in = rest;
	*ret = time;
	return true;
}
