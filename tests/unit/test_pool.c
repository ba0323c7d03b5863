/* The pool: who is overtaken by whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pool.h"

enum { TASKS = 100, PATIENT_SOON = 5 };

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int done; /* protected by gate */

struct work {
	struct task task;
	int place;
};

static void work_run(struct task *task)
{
	pthread_mutex_lock(&gate);
	((struct work *)task)->place = ++done;
	pthread_mutex_unlock(&gate);
}

static void submit(struct pool *pool, struct work *work, bool patient)
{
	work->task = (struct task){.run = work_run, .patient = patient};
	pool_submit(pool, &work->task);
}

/* One thread, which the gate holds until all are in line. */
static void test_patient(void **state)
{
	static struct work patient[TASKS], urgent[TASKS];
	struct pool *pool = NULL;
	struct error err;

	(void)state;
	assert_int_equal(pool_new(1, "test-pool", &pool, &err), 0);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < TASKS; i++)
		submit(pool, &patient[i], true);
	for (int i = 0; i < TASKS; i++)
		submit(pool, &urgent[i], false);
	pthread_mutex_unlock(&gate);
	pool_free(pool);
	assert_int_equal(done, 2 * TASKS);
	for (int i = 1; i < TASKS; i++) {
		assert_true(patient[i].place > patient[i - 1].place);
		assert_true(urgent[i].place > urgent[i - 1].place);
	}
	assert_true(urgent[TASKS - 1].place < patient[TASKS / 2].place); /* nearly all of them first */
	assert_true(patient[TASKS / 20].place < urgent[TASKS - 1].place); /* but not for ever */
}

/* Whom somebody waits for after all: in line already, at its end, or before it comes there. Twice does no harm. */
static void test_hurry(void **state)
{
	static struct work work[TASKS], late;
	struct pool *pool = NULL;
	struct error err;

	(void)state;
	done = 0;
	assert_int_equal(pool_new(1, "test-pool", &pool, &err), 0);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < TASKS; i++)
		submit(pool, &work[i], true);
	pool_hurry(pool, &work[TASKS / 2].task);
	pool_hurry(pool, &work[TASKS - 1].task);
	pool_hurry(pool, &work[TASKS - 1].task);
	late.task = (struct task){.run = work_run, .patient = true};
	pool_hurry(pool, &late.task);
	pool_submit(pool, &late.task);
	pthread_mutex_unlock(&gate);
	pool_free(pool);
	assert_int_equal(done, TASKS + 1);
	assert_true(work[TASKS / 2].place < work[TASKS - 1].place);
	assert_true(work[TASKS - 1].place < late.place);
	assert_true(late.place < work[PATIENT_SOON].place); /* one may have been taken before, and one had its turn */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_patient), cmocka_unit_test(test_hurry)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
