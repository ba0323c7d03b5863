#include "utf8.h"

#include <string.h>

/* Decodes the character at text.data; 0: not a well-formed one (RFC 3629: shortest form, no surrogates, up to 10FFFF). */
static size_t utf8_decode(struct span text, uint32_t *ret)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t first = text.data[0];
	size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3 : 4;
	uint32_t c = length == 1 ? first : first & (0xffU >> (length + 1));

	if (length > text.size || (length == 4 && (first & 0xf8) != 0xf0))
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((text.data[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (text.data[i] & 0x3f);
	}
	if (c < smallest[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return length;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool utf8_printable(struct span text)
{
	uint32_t c;

	while (text.size > 0) {
		size_t length = utf8_decode(text, &c);

		if (length == 0 || is_control(c))
			return false;
		text.data += length;
		text.size -= length;
	}
	return true;
}

size_t utf8_cut(struct span text, size_t max)
{
	if (text.size <= max)
		return text.size;
	while (max > 0 && (text.data[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void utf8_clean(char *text)
{
	struct span rest = span_text(text);
	char *out = text;
	uint32_t c;

	while (rest.size > 0) {
		size_t length = utf8_decode(rest, &c);

		if (length == 0 || is_control(c)) {
			*out++ = '?';
			length = length ? length : 1;
		} else {
			memmove(out, rest.data, length);
			out += length;
		}
		rest.data += length;
		rest.size -= length;
	}
	*out = '\0';
}

size_t utf8_take(struct span *text, uint32_t *ret)
{
	const size_t length = text->size ? utf8_decode(*text, ret) : 0;

	text->data += length;
	text->size -= length;
	return length;
}
