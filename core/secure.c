/* The locked heap that private keys live in. One of the few files that may include OpenSSL (memory calls only). */
#include <openssl/crypto.h>

#include "certfs/core.h"

enum { HEAP_SIZE = 16 << 20, HEAP_SIZE_MIN = 256 << 10, SMALLEST_BLOCK = 64 };

static size_t heap_size;

size_t core_memory_size(void)
{
	return heap_size;
}

/* Under a small RLIMIT_MEMLOCK a smaller heap is taken: fewer uploads at once, the same secrecy. */
int core_memory_init(struct error *err)
{
	for (size_t size = HEAP_SIZE; size >= HEAP_SIZE_MIN; size /= 2) {
		if (CRYPTO_secure_malloc_init(size, SMALLEST_BLOCK) == 1) {
			heap_size = size;
			return 0;
		}
		CRYPTO_secure_malloc_done(); /* 2: made, but not locked */
	}
	return error_set(err, ENOMEM,
			 "can't lock %d KiB of memory for private keys: raise LimitMEMLOCK (ulimit -l)",
			 HEAP_SIZE_MIN >> 10);
}
