/* SHA-256, and bytes as text (hexadecimal, base64): what keys, certificates and long names are known by. Safe from any
 * thread. The two algorithms, looked up at their first use, are kept as long as the process lives.
 */
#ifndef CORE_DIGEST_H
#define CORE_DIGEST_H

#include "certfs/buffer.h"

enum { DIGEST_SIZE = 32 }; /* SHA-256 */
enum { DIGEST_SHA1_SIZE = 20 };

void digest_sha256(struct span data, uint8_t ret[DIGEST_SIZE]);

/* For key identifiers only (RFC 5280, 4.2.1.2, method 1), where nothing hangs on its strength. */
void digest_sha1(struct span data, uint8_t ret[DIGEST_SHA1_SIZE]);

/* "0a1b…": ret has room for 2 * size + 1 bytes. */
void hex_lower(struct span data, char *ret);

/* "0A:1B:…": as many whole octets as fit in room bytes with the NUL; "" if there are none. */
void colon_hex(struct span data, char *ret, size_t room);

/* Appends data in base64 (RFC 4648, section 4, with padding) as one line without a newline: base64_size bytes. At most
 * 1 GiB at a time: more is a failed append. */
void base64_add(struct buffer *out, struct span data);
size_t base64_size(size_t size);

#endif
