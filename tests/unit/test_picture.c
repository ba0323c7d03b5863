/* When a page that was made will still do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "picture.h"

enum { NOW = 1800000000 };

static const struct {
	int age;         /* seconds */
	int64_t took;    /* milliseconds */
	uint64_t changes; /* since */
	bool will_do;
} cases[] = {
	{0, 1, 0, true},
	{9, 1, 0, true},
	{10, 1, 0, false},   /* its times are behind */
	{0, 1, 1, false},    /* not true any more */
	{0, 249, 1, false},
	{2, 250, 1, true},   /* costly: for a while */
	{3, 250, 1, false},
	{14, 1500, 99, true},
	{15, 1500, 99, false},
	{-1, 1500, 0, false}, /* a clock that jumped back */
	{1000000, 1500, 0, false},
};

static void test_will_do(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct picture_moment made = {.changes = 5, .now = NOW};
		const struct picture_moment moment = {.changes = 5 + cases[i].changes, .now = NOW + cases[i].age};

		if (picture_will_do(&made, cases[i].took, &moment) != cases[i].will_do)
			fail_msg("case %zu", i);
	}
}

static int times;

static int make(void *context, struct buffer *out, struct error *err)
{
	times++;
	if (!context)
		return error_set(err, EIO, "no page");
	buffer_add_text(out, context);
	return 0;
}

static void test_get(void **state)
{
	struct picture *picture = picture_new();
	struct picture_moment moment = {.changes = 1, .now = NOW};
	_cleanup_buffer_ struct buffer out = {0};
	struct error err;
	size_t size = 0;

	(void)state;
	assert_int_equal(picture_get(picture, &moment, make, NULL, &out, &size, &err), -EIO);
	assert_int_equal(out.size, 0);
	assert_int_equal(picture_get(picture, &moment, make, "one", NULL, &size, &err), 0);
	assert_int_equal(size, 3);
	assert_int_equal(picture_get(picture, &moment, make, NULL, &out, &size, &err), 0); /* the same again */
	assert_true(span_equal(buffer_span(&out), span_text("one")));
	assert_int_equal(times, 2);
	moment.changes++;
	assert_int_equal(picture_get(picture, &moment, make, "three", NULL, &size, &err), 0);
	assert_int_equal(size, 5);
	picture_tick(picture, NOW + 60);
	assert_int_equal(picture_get(picture, &moment, make, NULL, NULL, &size, &err), 0);
	picture_tick(picture, NOW + 61);
	assert_int_equal(picture_get(picture, &moment, make, NULL, NULL, &size, &err), -EIO); /* it was given up */
	picture_free(picture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_will_do),
		cmocka_unit_test(test_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
