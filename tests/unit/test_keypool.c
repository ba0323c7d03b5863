/* The key pool: who is overtaken by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keypool.h"

enum { WAITERS = 12 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int done; /* protected by lock */

struct wait {
	struct keypool_waiter waiter;
	int place;
};

static void ready(struct keypool_waiter *waiter, struct keypair *key, const struct error *err)
{
	(void)err;
	assert_non_null(key);
	keypair_unref(key);
	pthread_mutex_lock(&lock);
	((struct wait *)waiter)->place = ++done;
	pthread_cond_signal(&wake);
	pthread_mutex_unlock(&lock);
}

static void take(struct keypool *keypool, struct wait *wait, enum key_type type)
{
	struct keypair *key;
	struct error err;
	int r;

	wait->waiter.ready = ready;
	r = keypool_take(keypool, type, &wait->waiter, &key, &err);
	assert_true(r >= 0);
	if (r == 1)
		ready(&wait->waiter, key, &err);
}

static void await(int count)
{
	pthread_mutex_lock(&lock);
	while (done < count)
		pthread_cond_wait(&wake, &lock);
	pthread_mutex_unlock(&lock);
}

/* A job wants keys; a reader comes, one waits for what is the job's last, and one wants another type. */
static void test_patient(void **state)
{
	static struct wait patient[WAITERS], urgent, other;
	struct keypool *keypool = NULL;
	struct error err;

	(void)state;
	assert_int_equal(keypool_new(&keypool, &err), 0);
	for (int i = 0; i < WAITERS; i++) {
		patient[i].waiter.patient = true;
		take(keypool, &patient[i], KEY_RSA_2048);
	}
	take(keypool, &urgent, KEY_RSA_2048);
	take(keypool, &other, KEY_RSA_3072);
	keypool_hurry(keypool, &patient[WAITERS - 1].waiter);
	await(WAITERS + 2);
	keypool_free(keypool);
	for (int i = 1; i < WAITERS - 1; i++)
		assert_true(patient[i].place > patient[i - 1].place);
	assert_true(urgent.place < patient[WAITERS - 2].place);
	assert_true(other.place < patient[WAITERS - 2].place);
	assert_true(patient[WAITERS - 1].place < patient[WAITERS - 2].place);
	assert_true(urgent.place < patient[WAITERS - 1].place); /* who waits was first there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_patient)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
