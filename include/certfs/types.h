/* The small types that every part shares. */
#ifndef CERTFS_TYPES_H
#define CERTFS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Seconds since 1970-01-01 UTC. 0 means "never" where a field says so. */
typedef int64_t unixtime;

enum { DAY = 86400 }; /* seconds */

/* Of two times, or of two numbers that count on. */
static inline int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Row ids of the store. Never used again after a delete; 0 is no row. */
typedef int64_t rowid;

enum { NAME_SIZE = 65 };        /* a project's or app instance's name: 1 to 64 bytes and the NUL */
enum { REASON_SIZE = 257 };     /* the text of a trigger: at most 256 bytes and the NUL */
enum { SERIAL_SIZE = 16 };      /* octets of a serial number, top bits 01: always 16 octets of DER */
enum { FINGERPRINT_SIZE = 32 }; /* SHA-256 */
enum { UPLOAD_MAX = 1 << 20 };  /* bytes of one upload */

/* Who asks, and which request it is. A request that the kernel sends again after the worker died carries
 * the same id and resent = true; the store remembers (connection, id) in the transaction of the effect. */
struct caller {
	uid_t uid;
	gid_t gid;
	pid_t pid;   /* 0 across pid namespaces */
	uint64_t request; /* FUSE's `unique` without bit 63; 0: not from FUSE, never remembered */
	bool resent;
};

enum key_type { KEY_EC_P256, KEY_RSA_2048, KEY_RSA_3072, KEY_RSA_4096, KEY_TYPE_COUNT };

#endif
