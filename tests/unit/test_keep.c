/* Memory that outlives a process: records are there whole or not at all, whenever it dies. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "certfs/keep.h"

enum { SIZE = 1 << 20, OBJECTS = 24, BYTES_MAX = 40000, DEATHS = 200 };

/* A record says itself what its bytes must be. */
struct head {
	uint32_t object, version, size;
};

/* What the parent finds. */
struct found {
	int count[OBJECTS];
	uint32_t version[OBJECTS];
	keep_id id[OBJECTS];
	bool whole;
};

static void *memory_new(void)
{
	void *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

static uint8_t byte_of(const struct head *head, size_t i)
{
	return (uint8_t)(head->object * 7 + head->version * 13 + i * 31 + i / 251) | 1; /* never 0, which is what was wiped */
}

static bool put(struct keep *keep, const struct head *head, keep_id *id)
{
	static uint8_t bytes[BYTES_MAX];

	for (size_t i = 0; i < head->size; i++)
		bytes[i] = byte_of(head, i);
	return keep_put(keep, KEEP_UPLOAD, head, sizeof(*head), (struct span){bytes, head->size}, id);
}

static void look(void *context, keep_id id, const void *record, struct buffer *bytes)
{
	const struct head *head = record;
	struct found *found = context;

	found->whole = found->whole && bytes->size == head->size;
	for (size_t i = 0; i < bytes->size; i++)
		found->whole = found->whole && bytes->data[i] == byte_of(head, i);
	found->count[head->object]++;
	found->version[head->object] = head->version;
	found->id[head->object] = id;
}

static struct found look_at(struct keep *keep)
{
	struct found found = {.whole = true};

	keep_each(keep, KEEP_UPLOAD, sizeof(struct head), look, &found);
	return found;
}

static void test_put_replace_drop(void **state)
{
	static const uint32_t sizes[] = {0, 1, 4095, 4096, 4097, 40000, 4096 - sizeof(struct head), 2 * 4096 - sizeof(struct head)};
	void *memory = memory_new();
	struct keep *keep = keep_open(memory, SIZE);
	struct found found;
	keep_id id = 0;

	(void)state;
	for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_true(put(keep, &(struct head){.object = 3, .version = i, .size = sizes[i]}, &id));
		found = look_at(keep);
		assert_true(found.whole);
		assert_int_equal(found.count[3], 1);
		assert_int_equal(found.version[3], i);
		assert_int_equal(found.id[3], id);
	}
	keep_drop(keep, &id);
	assert_int_equal(id, 0);
	assert_int_equal(look_at(keep).count[3], 0);
	keep_close(keep);
	munmap(memory, SIZE);
}

static void test_kinds_are_apart(void **state)
{
	void *memory = memory_new();
	struct keep *keep = keep_open(memory, SIZE);
	struct found found = {.whole = true};
	keep_id id = 0;

	(void)state;
	assert_true(put(keep, &(struct head){.size = 10}, &id));
	keep_each(keep, KEEP_TEMPORARY, sizeof(struct head), look, &found);
	assert_int_equal(found.count[0], 0);
	assert_int_equal(look_at(keep).count[0], 1);
	/* of a program that knows other heads: nobody can tell what it means */
	keep_each(keep, KEEP_UPLOAD, sizeof(struct head) + 4, look, &found);
	assert_int_equal(look_at(keep).count[0], 0);
	keep_close(keep);
	munmap(memory, SIZE);
}

static uint32_t fill(struct keep *keep)
{
	uint32_t count = 0;
	keep_id id = 0;

	while (put(keep, &(struct head){.size = 4096 - sizeof(struct head)}, &id)) {
		count++;
		id = 0;
	}
	return count;
}

static void drop_it(void *context, keep_id id, const void *head, struct buffer *bytes)
{
	(void)head;
	(void)bytes;
	keep_drop(context, &id);
}

/* Full is told, what was there before stays, what could not be replaced is gone; and all room comes back. */
static void test_full(void **state)
{
	void *memory = memory_new();
	struct keep *keep = keep_open(memory, SIZE);
	keep_id id = 0;
	uint32_t room;

	(void)state;
	assert_true(put(keep, &(struct head){.object = 1, .size = 100}, &id));
	room = fill(keep);
	assert_true(room > 200);
	assert_int_equal(look_at(keep).count[0], room);
	assert_false(put(keep, &(struct head){.object = 1, .size = BYTES_MAX}, &id));
	assert_int_equal(id, 0);
	assert_int_equal(look_at(keep).count[1], 0);
	keep_each(keep, KEEP_UPLOAD, sizeof(struct head), drop_it, keep);
	assert_int_equal(fill(keep), room + 1);
	keep_close(keep);
	munmap(memory, SIZE);
}

static void test_none(void **state)
{
	keep_id id = 0;

	(void)state;
	assert_null(keep_open(NULL, 0));
	assert_false(put(NULL, &(struct head){.size = 1}, &id));
	assert_int_equal(id, 0);
	keep_drop(NULL, &id);
	keep_each(NULL, KEEP_UPLOAD, sizeof(struct head), look, NULL);
	keep_close(NULL);
}

/* ---- death ---- */

static uint64_t sum(const _Atomic uint32_t *told)
{
	uint64_t total = 0;

	for (int i = 0; i < OBJECTS; i++)
		total += told[i];
	return total;
}

/* Never returns; told: the version of each object that keep_put has returned for. */
static void live(void *memory, _Atomic uint32_t *told, unsigned int seed)
{
	struct keep *keep = keep_open(memory, SIZE);
	struct found found = look_at(keep);

	for (;;) {
		const uint32_t object = (uint32_t)rand_r(&seed) % OBJECTS;
		const struct head head = {object, told[object] + 1, (uint32_t)rand_r(&seed) % BYTES_MAX};

		if (!put(keep, &head, &found.id[object]))
			_exit(1);
		atomic_store(&told[object], head.version);
	}
}

/* Nothing of what was replaced is left anywhere: each byte that is not 0 is counted for by a record, or by what manages them. */
static size_t bytes_in_use(const uint8_t *memory)
{
	size_t count = 0;

	for (size_t i = SIZE / 4; i < SIZE; i++) /* the slots are before that */
		count += memory[i] != 0;
	return count;
}

static void die(void *memory, _Atomic uint32_t *told, unsigned int seed)
{
	const uint64_t until = sum(told) + (uint64_t)rand_r(&seed) % 40;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		live(memory, told, seed);
	while (sum(told) < until)
		sched_yield();
	usleep((useconds_t)rand_r(&seed) % 200);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void test_killed_at_any_moment(void **state)
{
	void *memory = memory_new();
	_Atomic uint32_t *told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct keep *keep;

	(void)state;
	for (unsigned int death = 0; death < DEATHS; death++) {
		struct found found;

		die(memory, told, death);
		keep = keep_open(memory, SIZE);
		found = look_at(keep);
		assert_true(found.whole);
		for (int i = 0; i < OBJECTS; i++) {
			assert_int_equal(found.count[i], told[i] > 0 || found.count[i] > 0);
			assert_true(found.version[i] == told[i] || found.version[i] == told[i] + 1);
			told[i] = found.version[i];
		}
		keep_close(keep);
	}
	assert_true(sum(told) > DEATHS);
	keep = keep_open(memory, SIZE);
	keep_each(keep, KEEP_UPLOAD, sizeof(struct head), drop_it, keep);
	assert_int_equal(bytes_in_use(memory), 0);
	keep_close(keep);
	munmap(memory, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_replace_drop),
		cmocka_unit_test(test_kinds_are_apart),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_killed_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
