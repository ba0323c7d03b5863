/* SHA-256 and hexadecimal: what keys, certificates and long names are known by. Safe from any
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

#endif
