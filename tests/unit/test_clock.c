/* The one spelling of times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "clock.h"

static const struct {
	unixtime time;
	const char *text;
} times[] = {
	{0, "1970-01-01T00:00:00Z"},
	{1, "1970-01-01T00:00:01Z"},
	{951782400, "2000-02-29T00:00:00Z"},
	{2147483647, "2038-01-19T03:14:07Z"},
	{2147483648, "2038-01-19T03:14:08Z"},
	{2524608000, "2050-01-01T00:00:00Z"}, /* where UTCTime ends */
	{4107542400, "2100-03-01T00:00:00Z"},
	{253402300799, "9999-12-31T23:59:59Z"},
	{253402300800, "9999-12-31T23:59:59Z"},
	{INT64_MAX, "9999-12-31T23:59:59Z"},
	{-1, "1970-01-01T00:00:00Z"},
	{INT64_MIN, "1970-01-01T00:00:00Z"},
};

static void test_format(void **state)
{
	char text[32];

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		clock_format(times[i].time, text);
		assert_string_equal(text, times[i].text);
	}
}

/* UTC, wherever the daemon runs. */
static void test_format_ignores_time_zone(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(setenv("TZ", "XXX-5:30", 1), 0);
	tzset();
	clock_format(951782400, text);
	unsetenv("TZ");
	tzset();
	assert_string_equal(text, "2000-02-29T00:00:00Z");
}

static void test_now(void **state)
{
	const time_t before = time(NULL);
	const unixtime now = clock_now();

	(void)state;
	assert_true(now >= before && now <= time(NULL));
}

/* SPEC 8: nothing is issued before it, so it must be a time of ours. */
static void test_build_time(void **state)
{
	(void)state;
	assert_true(clock_build_time() > 1700000000);
	assert_true(clock_build_time() < 253402300799);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_format_ignores_time_zone),
		cmocka_unit_test(test_now),
		cmocka_unit_test(test_build_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
