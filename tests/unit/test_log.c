/* How often one kind of message is written, and what a line looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "certfs/log.h"
#include "log_limit.h"

enum { A = 7, B = 8, LATER = 1000000 };

static int pass_many(struct log_limit *limit, uint64_t key, int times, int64_t now)
{
	int passed = 0;
	char text[32];

	for (int i = 0; i < times; i++) {
		snprintf(text, sizeof(text), "message %d", i);
		passed += log_limit_pass(limit, key, LOG_WARNING, text, now);
	}
	return passed;
}

static void test_burst(void **state)
{
	struct log_limit limit = {0};
	struct log_kind kind;

	(void)state;
	assert_int_equal(pass_many(&limit, A, 25, LATER), LOG_LIMIT_BURST);
	assert_int_equal(pass_many(&limit, B, 3, LATER), 3); /* another kind is not touched */
	assert_false(log_limit_take(&limit, LATER + LOG_LIMIT_MS - 1, false, &kind));
	assert_true(log_limit_take(&limit, LATER + LOG_LIMIT_MS, false, &kind));
	assert_int_equal(kind.held_back, 25 - LOG_LIMIT_BURST);
	assert_int_equal(kind.priority, LOG_WARNING);
	assert_string_equal(kind.text, "message 24");
	assert_false(log_limit_take(&limit, LATER + LOG_LIMIT_MS, true, &kind)); /* told of once */
	assert_int_equal(pass_many(&limit, A, 25, LATER + LOG_LIMIT_MS), LOG_LIMIT_BURST);
}

static void test_slow(void **state)
{
	struct log_limit limit = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_true(log_limit_pass(&limit, A, LOG_ERR, "slow", LATER + (int64_t)i * LOG_LIMIT_MS / LOG_LIMIT_BURST));
}

static void test_all(void **state)
{
	struct log_limit limit = {0};
	struct log_kind kind;

	(void)state;
	pass_many(&limit, A, LOG_LIMIT_BURST + 1, LATER);
	assert_true(log_limit_take(&limit, LATER, true, &kind));
	assert_int_equal(kind.held_back, 1);
}

/* More kinds than there is room for: none is lost, and none that was held back is forgotten. */
static void test_many_kinds(void **state)
{
	struct log_limit limit = {0};
	struct log_kind kind;
	int64_t held_back = 0;

	(void)state;
	for (uint64_t key = 1; key <= 3 * LOG_LIMIT_KINDS; key++)
		held_back += 20 - pass_many(&limit, key, 20, LATER);
	assert_int_equal(held_back, LOG_LIMIT_KINDS * (20 - LOG_LIMIT_BURST));
	while (log_limit_take(&limit, LATER, true, &kind))
		held_back -= kind.held_back;
	assert_int_equal(held_back, 0);
}

/* ---- lines ---- */

static void read_stderr(void (*speak)(void), char *ret, size_t size)
{
	int ends[2], old = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	speak();
	dup2(old, STDERR_FILENO);
	close(ends[1]);
	n = read(ends[0], ret, size - 1);
	ret[n > 0 ? n : 0] = '\0';
	close(ends[0]);
	close(old);
}

static void speak_of_names(void)
{
	log_open(false, LOG_INFO);
	log_about(LOG_ERR, LOG_SUBJECT(.project = "p", .error = 5), "p/%s: it failed", "a\nforged: line\x1b[1m");
	log_write(LOG_DEBUG, "not wanted");
}

static void test_line(void **state)
{
	char text[4096];

	(void)state;
	read_stderr(speak_of_names, text, sizeof(text));
	assert_string_equal(text, "certfs: p/a?forged: line?[1m: it failed\n");
}

static void speak_often(void)
{
	log_forked();
	for (int i = 0; i < LOG_LIMIT_BURST + 5; i++)
		log_write(LOG_ERR, "disk %d is full", i);
	log_tick(false);
	log_tick(true);
}

static void test_suppressed(void **state)
{
	char text[4096];
	int lines = 0;

	(void)state;
	read_stderr(speak_often, text, sizeof(text));
	for (const char *c = text; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, LOG_LIMIT_BURST + 1);
	assert_non_null(strstr(text, "certfs: 5 more of these suppressed, the last one: disk 14 is full\n"));
}

/* Somebody's number that is not standard error: not the journal. */
static void test_other_stream(void **state)
{
	char text[4096];

	(void)state;
	setenv("JOURNAL_STREAM", "1:1", 1);
	read_stderr(speak_of_names, text, sizeof(text));
	setenv("JOURNAL_STREAM", "nonsense", 1);
	assert_true(strlen(text) > 0);
	read_stderr(speak_of_names, text, sizeof(text));
	unsetenv("JOURNAL_STREAM");
	assert_true(strlen(text) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_many_kinds),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_suppressed),
		cmocka_unit_test(test_other_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
