/* The writer: what is submitted from many threads is applied once, answered once, and durable before the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "event.h"
#include "writer.h"

enum { CONNECTION = 7, THREADS = 8, JOBS_EACH = 50 };

struct fixture {
	char directory[32], path[64];
	struct writer *writer;
	sem_t answered;
	_Atomic int touched, told, durable, unequal;
	pthread_mutex_t gate; /* a job of its own waits for it: what follows is one batch */
};

struct order {
	struct job job;
	struct fixture *fixture;
	char name[NAME_SIZE];
	int fail;   /* errno to fail with after the insert */
	bool event; /* adds one */
	bool warns; /* adds one that is logged */
	bool blocks;
	int applied, answers, r;
	struct error err;
};

/* ---- jobs ---- */

static int order_apply(struct job *job, struct store *store, struct error *err)
{
	struct order *order = (struct order *)job;
	struct project_row row = {0};
	int r;

	order->applied++;
	if (order->blocks) {
		pthread_mutex_lock(&order->fixture->gate);
		pthread_mutex_unlock(&order->fixture->gate);
	}
	strcpy(row.name, order->name);
	r = project_insert(store, &row, "", err);
	if (r == 0 && order->event)
		r = event_insert(store, row.id, 0, "\"x\":1}", err);
	if (r == 0 && order->warns)
		r = event_add(store, &(struct event){.severity = "WARN", .type = "test.warns"}, err, "%s warns", order->name);
	if (r == 0 && order->fail)
		return error_set(err, order->fail, "job %s was told to fail", order->name);
	job->result = row.id;
	job->touched_project = row.id;
	return r;
}

/* Looks with another connection, as a reader would. */
static bool project_there(const struct fixture *fixture, const char *name)
{
	struct project_row row;
	struct store *store = NULL;
	struct error err;
	int r = store_open(fixture->path, STORE_READ, &store, &err);

	if (r == 0)
		r = project_by_name(store, name, &row, &err);
	store_close(store);
	return r == 0;
}

static void order_done(struct job *job, int r, const struct error *err)
{
	struct order *order = (struct order *)job;

	order->answers++;
	order->r = r;
	order->err = *err;
	if (project_there(order->fixture, order->name) == (r == 0))
		order->fixture->durable++;
	sem_post(&order->fixture->answered);
}

static void hook_touched(void *context, const struct job *job)
{
	struct fixture *fixture = context;

	if (job->touched_project != job->result)
		fixture->unequal++;
	fixture->touched++;
}

static void hook_events(void *context)
{
	((struct fixture *)context)->told++;
}

/* ---- fixture ---- */

static struct writer *start(struct fixture *f, uint64_t connection, bool read_only)
{
	const struct writer_hooks hooks = {.touched = hook_touched, .events = hook_events, .context = f};
	struct writer *writer = NULL;
	struct error err = {0};

	if (writer_new(f->path, connection, read_only, &hooks, &writer, &err) < 0)
		fail_msg("%s", err.text);
	return writer;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct store *store = NULL;
	struct error err;

	strcpy(f->directory, "/tmp/test_writer.XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/c.db", f->directory);
	sem_init(&f->answered, 0, 0);
	pthread_mutex_init(&f->gate, NULL);
	if (store_open(f->path, STORE_CREATE, &store, &err) < 0 || store_migrate(store, &err) < 0)
		return -1;
	store_close(store);
	f->writer = start(f, CONNECTION, false);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;
	char path[80];

	writer_free(f->writer);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	sem_destroy(&f->answered);
	pthread_mutex_destroy(&f->gate);
	if (rmdir(f->directory) < 0)
		return -1;
	free(f);
	return 0;
}

static void order_make(struct order *order, struct fixture *f, const char *name)
{
	*order = (struct order){.job = {.apply = order_apply, .done = order_done}, .fixture = f};
	snprintf(order->name, sizeof(order->name), "%s", name);
}

static void submit(struct order *order)
{
	writer_submit(order->fixture->writer, &order->job);
}

static void await(struct fixture *f, int answers)
{
	for (int i = 0; i < answers; i++)
		while (sem_wait(&f->answered) != 0)
			;
}

static void run(struct order *order)
{
	submit(order);
	await(order->fixture, 1);
}

static int64_t count_projects(const struct fixture *f)
{
	struct store *store = NULL;
	struct error err;
	int64_t count = -1;

	assert_int_equal(store_open(f->path, STORE_READ, &store, &err), 0);
	assert_int_equal(project_count(store, &count, &err), 0);
	store_close(store);
	return count;
}

/* ---- tests ---- */

struct crowd {
	struct fixture *fixture;
	int number;
	struct order orders[JOBS_EACH];
};

static void *crowd_main(void *context)
{
	struct crowd *crowd = context;

	for (int i = 0; i < JOBS_EACH; i++) {
		char name[32];

		snprintf(name, sizeof(name), "p-%d-%d", crowd->number, i);
		order_make(&crowd->orders[i], crowd->fixture, name);
		submit(&crowd->orders[i]);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct crowd *crowds = calloc(THREADS, sizeof(*crowds));
	struct fixture *f = *state;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		crowds[i].fixture = f;
		crowds[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowds[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	await(f, THREADS * JOBS_EACH);
	for (int i = 0; i < THREADS; i++) {
		for (int j = 0; j < JOBS_EACH; j++) {
			assert_int_equal(crowds[i].orders[j].r, 0);
			assert_int_equal(crowds[i].orders[j].answers, 1);
			assert_int_equal(crowds[i].orders[j].applied, 1);
		}
		for (int j = 1; j < JOBS_EACH; j++) /* in the order of submission */
			assert_true(crowds[i].orders[j].job.result > crowds[i].orders[j - 1].job.result);
	}
	assert_int_equal(count_projects(f), THREADS * JOBS_EACH);
	assert_int_equal(f->touched, THREADS * JOBS_EACH);
	assert_int_equal(f->durable, THREADS * JOBS_EACH);
	assert_int_equal(f->unequal, 0);
	free(crowds);
}

/* In one batch: the bad ones are undone, the others stay. */
static void fail_in_batch(struct fixture *f, bool repeatable)
{
	struct order orders[6];

	for (int i = 0; i < 6; i++) {
		char name[2] = {(char)('a' + i), '\0'};

		order_make(&orders[i], f, name);
		orders[i].job.repeatable = repeatable;
	}
	orders[0].blocks = true;
	orders[2].fail = EKEYREJECTED;
	orders[2].event = true;
	strcpy(orders[4].name, "d"); /* there is one already */
	pthread_mutex_lock(&f->gate);
	for (int i = 0; i < 6; i++)
		submit(&orders[i]);
	pthread_mutex_unlock(&f->gate);
	await(f, 6);
	assert_int_equal(orders[2].r, -EKEYREJECTED);
	assert_string_equal(orders[2].err.text, "job c was told to fail");
	assert_int_equal(orders[4].r, -EEXIST);
	for (int i = 0; i < 6; i++)
		if (i != 2 && i != 4)
			assert_int_equal(orders[i].r, 0);
	assert_int_equal(count_projects(f), 4);
	assert_false(project_there(f, "c"));
	assert_int_equal(f->touched, 4);
	assert_int_equal(orders[1].applied, repeatable ? 2 : 1); /* before the one that fails */
	assert_int_equal(orders[3].applied, 1);                  /* behind it */
}

static void test_failing_job(void **state)
{
	fail_in_batch(*state, false);
}

/* Without savepoints at first. */
static void test_failing_repeatable_job(void **state)
{
	fail_in_batch(*state, true);
}

/* What can wait is overtaken, and done nevertheless: in one more transaction, if there is much of it. */
static void test_patient(void **state)
{
	enum { PATIENT = 300 };
	struct order *orders = calloc(PATIENT + 2, sizeof(*orders)), *blocker = &orders[PATIENT], *urgent = &orders[PATIENT + 1];
	struct fixture *f = *state;

	order_make(blocker, f, "blocker");
	blocker->blocks = true;
	order_make(urgent, f, "urgent");
	pthread_mutex_lock(&f->gate);
	submit(blocker);
	for (int i = 0; i < PATIENT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		order_make(&orders[i], f, name);
		orders[i].job.patient = true;
		submit(&orders[i]);
	}
	submit(urgent);
	pthread_mutex_unlock(&f->gate);
	await(f, PATIENT + 2);
	for (int i = 0; i < PATIENT; i++) {
		assert_int_equal(orders[i].r, 0);
		assert_true(i == 0 || orders[i].job.result > orders[i - 1].job.result);
	}
	assert_true(urgent->job.result < orders[PATIENT / 2].job.result); /* some may have been in the blocker's transaction */
	assert_int_equal(count_projects(f), PATIENT + 2);
	free(orders);
}

/* What is expected and does not come keeps nobody. */
static void test_expected(void **state)
{
	struct fixture *f = *state;
	struct order orders[3];

	writer_expect(f->writer, 1);
	for (int i = 0; i < 3; i++) {
		char name[2] = {(char)('a' + i), '\0'};

		order_make(&orders[i], f, name);
		run(&orders[i]);
		assert_int_equal(orders[i].r, 0);
	}
	writer_expect(f->writer, -1);
	assert_int_equal(count_projects(f), 3);
	assert_int_equal(f->durable, 3);
}

/* A request that is sent again gets the answer of the first time, also from another program's writer. */
static void test_resent(void **state)
{
	struct fixture *f = *state;
	struct order first, again, other, fresh;

	order_make(&first, f, "p");
	first.job.caller.request = 100;
	run(&first);
	assert_int_equal(first.r, 0);
	assert_true(first.job.result > 0);

	writer_free(f->writer);
	f->writer = start(f, CONNECTION, false);
	order_make(&again, f, "p");
	again.job.caller = (struct caller){.request = 100, .resent = true};
	run(&again);
	assert_int_equal(again.r, 0);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.job.result, first.job.result);
	assert_true(again.job.replayed);
	assert_int_equal(f->touched, 1);

	/* one that had not been applied is applied now */
	order_make(&fresh, f, "q");
	fresh.job.caller = (struct caller){.request = 102, .resent = true};
	run(&fresh);
	assert_int_equal(fresh.r, 0);
	assert_int_equal(fresh.applied, 1);
	assert_false(fresh.job.replayed);

	/* another connection's request of that number is another one */
	writer_free(f->writer);
	f->writer = start(f, CONNECTION + 1, false);
	order_make(&other, f, "r");
	other.job.caller = (struct caller){.request = 100, .resent = true};
	run(&other);
	assert_int_equal(other.applied, 1);
	assert_int_equal(count_projects(f), 3);
}

/* A request that failed was not applied: sent again it may succeed. */
static void test_resent_after_failure(void **state)
{
	struct fixture *f = *state;
	struct order first, again;

	order_make(&first, f, "p");
	first.job.caller.request = 100;
	first.fail = ENOKEY;
	run(&first);
	assert_int_equal(first.r, -ENOKEY);
	order_make(&again, f, "p");
	again.job.caller = (struct caller){.request = 100, .resent = true};
	run(&again);
	assert_int_equal(again.r, 0);
	assert_int_equal(again.applied, 1);
	assert_int_equal(count_projects(f), 1);
}

/* The first and the resent one in the same batch. */
static void test_resent_in_batch(void **state)
{
	struct fixture *f = *state;
	struct order blocker, first, again;

	order_make(&blocker, f, "blocker");
	blocker.blocks = true;
	order_make(&first, f, "p");
	first.job.caller.request = 100;
	order_make(&again, f, "p");
	again.job.caller = (struct caller){.request = 100, .resent = true};
	pthread_mutex_lock(&f->gate);
	submit(&blocker);
	submit(&first);
	submit(&again);
	pthread_mutex_unlock(&f->gate);
	await(f, 3);
	assert_int_equal(first.r, 0);
	assert_int_equal(again.r, 0);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.job.result, first.job.result);
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	struct order with, without, failed;

	order_make(&with, f, "with");
	with.event = true;
	run(&with);
	assert_int_equal(f->told, 1);
	order_make(&without, f, "without");
	run(&without);
	assert_int_equal(f->told, 1);

	/* an event that was undone is one wake-up too many at most, never a line that is there */
	order_make(&failed, f, "failed");
	failed.event = true;
	failed.fail = EIO;
	run(&failed);
	assert_int_equal(failed.r, -EIO);
}

static void test_read_only(void **state)
{
	struct fixture *f = *state;
	struct order order;

	writer_free(f->writer);
	f->writer = start(f, CONNECTION, true);
	order_make(&order, f, "p");
	run(&order);
	assert_int_equal(order.r, -EROFS);
	assert_int_equal(order.err.code, EROFS);
	assert_int_equal(order.applied, 0);
	assert_int_equal(f->touched, 0);
	assert_int_equal(count_projects(f), 0);
}

/* What was accepted is answered before the end. */
static void test_free_answers(void **state)
{
	struct fixture *f = *state;
	struct order orders[20];

	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		order_make(&orders[i], f, name);
		submit(&orders[i]);
	}
	writer_free(f->writer);
	f->writer = NULL;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(orders[i].answers, 1);
		assert_int_equal(orders[i].r, 0);
	}
	assert_int_equal(count_projects(f), 20);
	writer_free(NULL);
}

/* done() may submit the next job. */
static struct order chained[2];

static void chain_done(struct job *job, int r, const struct error *err)
{
	submit(&chained[1]);
	order_done(job, r, err);
}

static void test_submit_from_done(void **state)
{
	struct fixture *f = *state;

	order_make(&chained[0], f, "first");
	order_make(&chained[1], f, "second");
	chained[0].job.done = chain_done;
	submit(&chained[0]);
	await(f, 2);
	assert_int_equal(chained[0].r, 0);
	assert_int_equal(chained[1].r, 0);
	assert_int_equal(count_projects(f), 2);
}

/* What was undone is not in the log either. */
static void test_log(void **state)
{
	struct fixture *f = *state;
	struct order bad, good, last;
	int ends[2], old = dup(STDERR_FILENO);
	char text[1024] = "";

	order_make(&bad, f, "bad");
	order_make(&good, f, "good");
	order_make(&last, f, "last");
	bad.warns = good.warns = true;
	bad.fail = EINVAL;
	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	run(&bad);
	run(&good);
	run(&last); /* what comes before it is logged by then */
	dup2(old, STDERR_FILENO);
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	close(old);
	assert_string_equal(text, "certfs: good warns\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_threads),
		TEST(test_failing_job),
		TEST(test_failing_repeatable_job),
		TEST(test_expected),
		TEST(test_patient),
		TEST(test_resent),
		TEST(test_resent_after_failure),
		TEST(test_resent_in_batch),
		TEST(test_events),
		TEST(test_log),
		TEST(test_read_only),
		TEST(test_free_answers),
		TEST(test_submit_from_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
