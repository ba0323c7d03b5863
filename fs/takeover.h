/* How a new program takes a mount over from a running one (SIGUSR2): the old supervisor lets its worker answer what it has, and executes the
 * new program in its own place, so the process id stays. Nothing of FUSE's connection is made anew: the kernel was answered once, and the
 * new program only finds out, by answering that first request again without sending it, what it has agreed to.
 *
 * What goes along is a memfd that holds a struct takeover; its number is in the environment. Only the supervisors can write it.
 */
#ifndef FS_TAKEOVER_H
#define FS_TAKEOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "certfs/error.h"

enum {
	TAKEOVER_LAYOUT = 3, /* of struct takeover, and of struct shared with all that its fields mean: raised with every change of these */
	TAKEOVER_INIT_MAX = 256,
	TAKEOVER_READY = 42, /* exit status of a program that was asked whether it could */
};

struct takeover {
	uint32_t layout;
	uint32_t probe;              /* 1: say whether it could be done (TAKEOVER_READY), and change nothing */
	int32_t fuse, shared, lock;  /* descriptors: the connection, struct shared, the store's lock */
	uint32_t handed_over;        /* 1: somebody else has mounted (handover.h), and unmounts */
	uint32_t request_size, reply_size;
	uint8_t request[TAKEOVER_INIT_MAX]; /* FUSE_INIT, as the kernel sent it */
	uint8_t reply[TAKEOVER_INIT_MAX];
};

/* This process was executed to take over. */
bool takeover_asked(void);

/* What it takes over; forgets the environment variable. The descriptors are the caller's, close-on-exec. ENOTSUP: another layout. */
int takeover_receive(struct takeover *ret, struct error *err);

/* Executes program in this process's place. Returns only if that fails, with everything as it was. */
int takeover_execute(const struct takeover *takeover, const char *program, char *const argv[], struct error *err);

#endif
