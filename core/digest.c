#include "digest.h"

#include <stdlib.h>

#include <openssl/sha.h>

/* A digest that could not be computed (no memory) must never name anything: there is no way on. */
void digest_sha256(struct span data, uint8_t ret[DIGEST_SIZE])
{
	if (SHA256(data.data, data.size, ret) == NULL)
		abort();
}

void digest_sha1(struct span data, uint8_t ret[DIGEST_SHA1_SIZE])
{
	if (SHA1(data.data, data.size, ret) == NULL)
		abort();
}

void hex_lower(struct span data, char *ret)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < data.size; i++) {
		*ret++ = digits[data.data[i] >> 4];
		*ret++ = digits[data.data[i] & 15];
	}
	*ret = '\0';
}

void colon_hex(struct span data, char *ret, size_t room)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *end = ret + room;

	if (room == 0)
		return;
	for (size_t i = 0; i < data.size; i++) {
		if (end - ret < (i > 0 ? 4 : 3))
			break;
		if (i > 0)
			*ret++ = ':';
		*ret++ = digits[data.data[i] >> 4];
		*ret++ = digits[data.data[i] & 15];
	}
	*ret = '\0';
}
