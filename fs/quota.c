#include "fs/quota.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { EIGHTHS = 8, OF_ONE = 3, OF_ALL = 6 };

struct account {
	struct account *next;
	uid_t uid;
	size_t bytes;
};

struct quota {
	size_t total, smallest;
	pthread_mutex_t lock;
	struct account *accounts; /* protected by lock, as what follows: of those who hold something */
	size_t held;              /* by all but root */
};

struct quota *quota_new(size_t bytes, size_t smallest)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return NULL;
	quota->total = bytes;
	quota->smallest = smallest;
	pthread_mutex_init(&quota->lock, NULL);
	return quota;
}

void quota_free(struct quota *quota)
{
	struct account *next;

	if (!quota)
		return;
	for (struct account *account = quota->accounts; account; account = next) {
		next = account->next;
		free(account);
	}
	pthread_mutex_destroy(&quota->lock);
	free(quota);
}

static size_t block(const struct quota *quota, size_t bytes)
{
	size_t size = quota->smallest;

	while (size < bytes)
		size *= 2;
	return bytes ? size : 0;
}

static struct account **account_find(struct quota *quota, uid_t uid)
{
	struct account **link = &quota->accounts;

	while (*link && (*link)->uid != uid)
		link = &(*link)->next;
	return link;
}

static bool allowed(const struct quota *quota, const struct account *account, size_t more)
{
	return account->bytes + more <= quota->total / EIGHTHS * OF_ONE && quota->held + more <= quota->total / EIGHTHS * OF_ALL;
}

static int change(struct quota *quota, uid_t uid, size_t from, size_t to)
{
	struct account **link = account_find(quota, uid);
	struct account *account = *link;
	int r = 0;

	if (!account) {
		account = calloc(1, sizeof(*account));
		if (!account)
			return -ENOMEM;
		account->uid = uid;
		*link = account;
	}
	if (to > from && !allowed(quota, account, to - from)) {
		r = -EDQUOT;
	} else {
		account->bytes += to - from;
		quota->held += to - from;
	}
	if (account->bytes == 0) {
		*link = account->next;
		free(account);
	}
	return r;
}

int charge_set(struct charge *charge, size_t bytes)
{
	const size_t size = charge->quota ? block(charge->quota, bytes) : 0;
	int r;

	if (charge->uid == 0 || size == charge->bytes)
		return 0;
	pthread_mutex_lock(&charge->quota->lock);
	r = change(charge->quota, charge->uid, charge->bytes, size);
	pthread_mutex_unlock(&charge->quota->lock);
	if (r == 0)
		charge->bytes = size;
	return r;
}
