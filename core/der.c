#include "der.h"

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
