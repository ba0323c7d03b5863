/* A growing byte string. Secret buffers live in locked memory that never reaches a core dump or swap,
 * and every buffer's bytes are wiped before they are given back if it is secret.
 *
 * Not thread-safe; a buffer has one owner. Zero-initialised (= {0}) is an empty, non-secret buffer;
 * BUFFER_SECRET is an empty secret one.
 */
#ifndef CERTFS_BUFFER_H
#define CERTFS_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *data; /* NULL while empty */
	size_t size;   /* bytes in use */
	size_t room;   /* bytes allocated */
	bool secret;   /* data is in secure memory */
	bool failed;   /* an append ran out of memory: size is not to be trusted (see buffer_status) */
};

#define BUFFER_SECRET ((struct buffer){.secret = true})

/* A borrowed, read-only byte string. Never freed by its holder. */
struct span {
	const uint8_t *data;
	size_t size;
};

struct span buffer_span(const struct buffer *buffer);
struct span span_text(const char *text);
bool span_equal(struct span a, struct span b);

/* Append. After a failure further appends do nothing: check once, at the end, with buffer_status. */
void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_span(struct buffer *buffer, struct span span);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Makes the buffer exactly size bytes long, new bytes are zero. 0 or -ENOMEM. */
int buffer_resize(struct buffer *buffer, size_t size);

/* Makes room for size bytes in all, without changing the size. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t size);

/* 0, or -ENOMEM if any append failed. */
int buffer_status(const struct buffer *buffer);

/* After libcrypto has allocated secure memory, before it frees it: for ThreadSanitizer, which does not see libcrypto's lock. */
void buffer_secret_handover(void);

/* Wipes (if secret), frees and empties the buffer; `secret` stays as it was. */
void buffer_clear(struct buffer *buffer);

/* Moves the bytes out: the result owns them, *buffer is empty. */
struct buffer buffer_take(struct buffer *buffer);

#define _cleanup_buffer_ __attribute__((cleanup(buffer_clear)))

#endif
