#include "digest.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/evp.h>

/* Looked up once: by name it takes longer than hashing a key, and threads wait for each other. */
static EVP_MD *sha256, *sha1;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void look_up(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
}

/* A digest that could not be computed (no memory) must never name anything: there is no way on. */
static void digest(struct span data, EVP_MD *const *algorithm, uint8_t *ret)
{
	if (pthread_once(&once, look_up) != 0 || *algorithm == NULL ||
	    !EVP_Digest(data.data, data.size, ret, NULL, *algorithm, NULL))
		abort();
}

void digest_sha256(struct span data, uint8_t ret[DIGEST_SIZE])
{
	digest(data, &sha256, ret);
}

void digest_sha1(struct span data, uint8_t ret[DIGEST_SHA1_SIZE])
{
	digest(data, &sha1, ret);
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

size_t base64_size(size_t size)
{
	return (size + 2) / 3 * 4;
}

/* Straight into the buffer, so that a secret stays in secure memory. EVP_EncodeBlock ends with a NUL: one byte more. */
void base64_add(struct buffer *out, struct span data)
{
	const size_t start = out->size, size = base64_size(data.size);

	if (data.size > 1 << 30)
		out->failed = true;
	if (data.size == 0 || buffer_status(out) < 0 || buffer_reserve(out, start + size + 1) < 0)
		return;
	EVP_EncodeBlock(out->data + start, data.data, (int)data.size);
	out->size = start + size;
}
