/* Names of projects and app instances, and the common names made from them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certfs/buffer.h"
#include "name.h"
#include "utf8.h"

#define TEN "aaaaaaaaaa"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
	const char *name;
	int result;
} names[] = {
	{"a", 0},
	{"gw-01.plant_7", 0},
	{"0", 0},
	{"_", 0},
	{"Z9", 0},
	{"a-", 0},
	{"a.", 0},
	{"a..b", 0},
	{SIXTY "aaaa", 0},
	{SIXTY "aaaaa", -ENAMETOOLONG},
	{SIXTY SIXTY SIXTY SIXTY SIXTY, -ENAMETOOLONG},
	{"", -EINVAL},
	{".", -EINVAL},
	{"..", -EINVAL},
	{".hidden", -EINVAL},
	{"-rf", -EINVAL},
	{"a b", -EINVAL},
	{"a/b", -EINVAL},
	{"a\\b", -EINVAL},
	{"a%p", -EINVAL},
	{"a,b", -EINVAL},
	{"a=b", -EINVAL},
	{"a:b", -EINVAL},
	{"a\"", -EINVAL},
	{"a\n", -EINVAL},
	{"a\x7f", -EINVAL},
	{"a\x01", -EINVAL},
	{"w\xc3\xa4rme", -EINVAL},
	{"a\xff", -EINVAL},
};

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct error err = {0};
		const int r = name_check(names[i].name, &err);

		if (r != names[i].result)
			fail_msg("name %zu '%s': %d instead of %d", i, names[i].name, r, names[i].result);
		assert_int_equal(err.code, -names[i].result);
		assert_true((r == 0) == (err.text[0] == '\0'));
	}
}

/* Every single byte, alone and behind a good one. */
static void test_check_every_byte(void **state)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	struct error err = {0};

	(void)state;
	for (int byte = 1; byte < 256; byte++) {
		const char alone[] = {(char)byte, '\0'}, second[] = {'a', (char)byte, '\0'};
		const bool good = byte < 128 && strchr(alphabet, byte);

		assert_int_equal(name_check(second, &err), good ? 0 : -EINVAL);
		assert_int_equal(name_check(alone, &err),
				 good && byte != '.' && byte != '-' ? 0 : -EINVAL);
	}
}

static void test_check_says_why(void **state)
{
	struct error err = {0};

	(void)state;
	name_check("-rf", &err);
	assert_non_null(strstr(err.text, "'-rf'"));
	name_check(SIXTY "aaaaa", &err);
	assert_non_null(strstr(err.text, "64 bytes"));
}

static const struct {
	const char *subject, *app, *project, *name;
} common_names[] = {
	{"CN=%a.%p.ca", "gw-01", "plant-7", "gw-01.plant-7.ca"},
	{"CN=%p", "gw-01", "plant-7", "plant-7"},
	{"CN=%a%a", "x", "y", "xx"},
	{"CN=%%%a%%", "x", "y", "%x%"},
	{"CN=%%a", "x", "y", "%a"},
	{"CN=100%% %a", "x", "y", "100% x"},
	{"CN=fixed", "x", "y", "fixed"},
	{"CN=CN=%a", "x", "y", "CN=x"},
	{"CN=W\xc3\xa4rme %a", "x", "y", "W\xc3\xa4rme x"},
	/* 64 is whole; 65 keeps 47 and the SHA-256 of the whole (by sha256sum) */
	{"CN=%a", SIXTY "aaaa", "y", SIXTY "aaaa"},
	{"CN=%aa", SIXTY "aaaa", "y", TEN TEN TEN TEN "aaaaaaa-635361c48bb9eab1"},
	{"CN=%a.%p.ca", SIXTY "aaaa", "p", TEN TEN TEN TEN "aaaaaaa-f00b6d4a64d6189a"},
	/* the cut would fall inside of the 47th byte's character */
	{"CN=" TEN TEN TEN TEN "aaaaaa" "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4",
	 "x", "y", TEN TEN TEN TEN "aaaaaa-ff55161dcbe50598"},
};

static void test_common_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(common_names) / sizeof(common_names[0]); i++) {
		char name[65];

		memset(name, 'x', sizeof(name));
		name_common_name(common_names[i].subject, common_names[i].app,
				 common_names[i].project, name);
		assert_string_equal(name, common_names[i].name);
		assert_true(utf8_printable(span_text(name)));
	}
}

/* Long names that differ at their ends only stay different. */
static void test_common_name_unique(void **state)
{
	char app[65] = SIXTY "aaaa", previous[65] = "", name[65];

	(void)state;
	for (char last = 'a'; last <= 'z'; last++) {
		app[63] = last;
		name_common_name("CN=%a.%p.ca", app, "p", name);
		assert_int_equal(strlen(name), 64);
		assert_memory_equal(name, SIXTY, 47);
		assert_string_not_equal(name, previous);
		strcpy(previous, name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_check_every_byte),
		cmocka_unit_test(test_check_says_why),
		cmocka_unit_test(test_common_name),
		cmocka_unit_test(test_common_name_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
