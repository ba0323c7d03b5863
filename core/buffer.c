/* One of the few files that may include OpenSSL: its secure heap is where secret bytes live. */
#include "certfs/buffer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM_MIN = 256 };

struct span buffer_span(const struct buffer *buffer)
{
	return (struct span){buffer->data, buffer->size};
}

struct span span_text(const char *text)
{
	return (struct span){(const uint8_t *)text, strlen(text)};
}

bool span_equal(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Memory of the secure heap goes from thread to thread under a lock of libcrypto's, which ThreadSanitizer does not see. */
#if defined(__SANITIZE_THREAD__)
#define TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifdef TSAN
#include <sanitizer/tsan_interface.h>
#else
static inline void __tsan_acquire(void *address)
{
	(void)address;
}
static inline void __tsan_release(void *address)
{
	(void)address;
}
#endif

static char secure_heap; /* an address to say it by */

/* Where a secure heap was made but is full, OpenSSL answers from the ordinary heap: that is refused here. */
static void *secret_malloc(size_t size)
{
	void *data = OPENSSL_secure_malloc(size);

	__tsan_acquire(&secure_heap);
	if (data && CRYPTO_secure_malloc_initialized() && !CRYPTO_secure_allocated(data)) {
		OPENSSL_free(data);
		return NULL;
	}
	return data;
}

void buffer_secret_handover(void)
{
	__tsan_acquire(&secure_heap);
	__tsan_release(&secure_heap);
}

static void *buffer_malloc(const struct buffer *buffer, size_t size)
{
	return buffer->secret ? secret_malloc(size) : malloc(size);
}

static void buffer_free(const struct buffer *buffer)
{
	if (!buffer->secret) {
		free(buffer->data);
		return;
	}
	buffer_secret_handover();
	OPENSSL_secure_clear_free(buffer->data, buffer->room);
}

int buffer_reserve(struct buffer *buffer, size_t size)
{
	size_t room = buffer->room * 2;
	uint8_t *data;

	if (buffer->data && size <= buffer->room)
		return 0;
	if (room < ROOM_MIN)
		room = ROOM_MIN;
	if (room < size)
		room = size;
	data = buffer_malloc(buffer, room);
	if (!data) {
		buffer->failed = true;
		return -ENOMEM;
	}
	if (buffer->size)
		memcpy(data, buffer->data, buffer->size);
	buffer_free(buffer);
	buffer->data = data;
	buffer->room = room;
	return 0;
}

int buffer_resize(struct buffer *buffer, size_t size)
{
	if (buffer_reserve(buffer, size) < 0)
		return -ENOMEM;
	if (size > buffer->size)
		memset(buffer->data + buffer->size, 0, size - buffer->size);
	buffer->size = size;
	return 0;
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	if (buffer->failed || size > SIZE_MAX / 4 || buffer_reserve(buffer, buffer->size + size) < 0) {
		buffer->failed = true;
		return;
	}
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

void buffer_add_span(struct buffer *buffer, struct span span)
{
	buffer_add(buffer, span.data, span.size);
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0 || buffer->failed || buffer_reserve(buffer, buffer->size + (size_t)n + 1) < 0) {
		buffer->failed = true;
		return;
	}
	va_start(ap, format);
	vsnprintf((char *)buffer->data + buffer->size, (size_t)n + 1, format, ap);
	va_end(ap);
	buffer->size += (size_t)n;
}

int buffer_status(const struct buffer *buffer)
{
	return buffer->failed ? -ENOMEM : 0;
}

void buffer_clear(struct buffer *buffer)
{
	buffer_free(buffer);
	*buffer = (struct buffer){.secret = buffer->secret};
}

struct buffer buffer_take(struct buffer *buffer)
{
	struct buffer taken = *buffer;

	*buffer = (struct buffer){.secret = taken.secret};
	return taken;
}
