/* Ready RSA keys, made ahead by a low-priority thread: a read must not wait two seconds for one. EC keys are made on the spot. */
#ifndef CORE_KEYPOOL_H
#define CORE_KEYPOOL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "keypair.h"

struct keypool;

/* Somebody who waits for a key; embed it. ready() runs once, on the keypool's thread: it owns the key, or gets NULL and the error. */
struct keypool_waiter {
	TAILQ_ENTRY(keypool_waiter) line; /* the key pool's */
	bool patient; /* others may overtake it; before keypool_take() its maker's, then see keypool_hurry() */
	void (*ready)(struct keypool_waiter *waiter, struct keypair *key, const struct error *err);
};

int keypool_new(struct keypool **ret, struct error *err);
void keypool_free(struct keypool *keypool); /* nobody may be waiting */

/* Starts to keep keys of that type in stock. Cheap when it does already. */
void keypool_want(struct keypool *keypool, enum key_type type);

/* 1: *ret is a key. 0: there will be one, for waiter->ready(), which may already run. */
int keypool_take(struct keypool *keypool, enum key_type type, struct keypool_waiter *waiter, struct keypair **ret,
		 struct error *err);

/* Somebody waits for this one from now on, whether it stands in line or will. Any thread. */
void keypool_hurry(struct keypool *keypool, struct keypool_waiter *waiter);

#endif
