/* The details of an app instance: what is a line, what is refused and in which words, and how two files make one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "details.h"
#include "utf8.h"

#define TEN "aaaaaaaaaa"
#define SIXTY_FOUR TEN TEN TEN TEN TEN TEN "aaaa"

static struct details *parse(const char *text)
{
	struct details *details = NULL;
	struct error err = {0};

	if (details_parse(span_text(text), &details, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return details;
}

/* value NULL: there is no such key */
static void assert_value(const struct details *details, const char *key, const char *value)
{
	static const uint8_t untouched[] = "untouched";
	struct span got = {untouched, 9};

	if (details_get(details, span_text(key), &got) != (value != NULL))
		fail_msg("'%s': %s", key, value ? "is not there" : "is there");
	if (!span_equal(got, value ? span_text(value) : (struct span){untouched, 9}))
		fail_msg("'%s': '%.*s' instead of '%s'", key, (int)got.size, (const char *)got.data,
			 value ? value : "nothing");
}

static void test_lines(void **state)
{
	_cleanup_details_ struct details *details = parse("# about this gateway \xe2\x82\xac\n"
							  "#\ttabs\there\n"
							  "\n"
							  " \t \n"
							  "hostname=gw-01.plant-7.example\n"
							  "connection_string=HostName=h;SharedAccessKey=a==\n"
							  "empty=\n"
							  "spaced=  two and two  \n"
							  "_private=1\n"
							  "site.id-2=W\xc3\xa4rme\n"
							  "dot.=a\n"
							  "hash=# no comment\n"
							  "last=no newline");

	(void)state;
	assert_value(details, "hostname", "gw-01.plant-7.example");
	assert_value(details, "connection_string", "HostName=h;SharedAccessKey=a==");
	assert_value(details, "empty", "");
	assert_value(details, "spaced", "  two and two  ");
	assert_value(details, "_private", "1");
	assert_value(details, "site.id-2", "W\xc3\xa4rme");
	assert_value(details, "dot.", "a");
	assert_value(details, "hash", "# no comment");
	assert_value(details, "last", "no newline");
	assert_value(details, "host", NULL);
	assert_value(details, "hostname2", NULL);
	assert_value(details, "HOSTNAME", NULL);
	assert_value(details, "dot", NULL);
	assert_value(details, "", NULL);
}

static void test_nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "\n\n\n", "#", "# x\n#y\n", "   \n\t"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_details_ struct details *details = parse(texts[i]);

		assert_value(details, "a", NULL);
	}
	assert_value(NULL, "a", NULL);
	details_free(NULL);
}

static const struct {
	const char *text;
	const char *begin; /* of the sentence */
	const char *cause; /* in it */
} bad[] = {
	{"a", "line 1: ", "not KEY=VALUE"},
	{"=x", "line 1: ", "not KEY=VALUE"},
	{"a =x", "line 1: ", "not KEY=VALUE"},
	{" a=x", "line 1: ", "not KEY=VALUE"},
	{" # x", "line 1: ", "not KEY=VALUE"},
	{"1a=x", "line 1: ", "begins with a letter or _"},
	{"-a=x", "line 1: ", "not KEY=VALUE"},
	{".a=x", "line 1: ", "not KEY=VALUE"},
	{"\xc3\xa4=x", "line 1: ", "not KEY=VALUE"},
	{"a\xc3\xa4=x", "line 1: ", "not KEY=VALUE"},
	{"a/b=x", "line 1: ", "not KEY=VALUE"},
	{"\xef\xbb\xbf" "a=x", "line 1: ", "not KEY=VALUE"},
	{SIXTY_FOUR "a=x", "line 1: ", "1 to 64"},
	{"a=1\n#\n\nb", "line 4: ", "not KEY=VALUE"},
	{"a=x\ty", "line 1: a: ", "control characters"},
	{"a=1\r\nb=2\r\n", "line 1: a: ", "carriage returns"},
	{"ok=1\na=\xff", "line 2: a: ", "UTF-8"},
	{"a=\xc3", "line 1: a: ", "UTF-8"},
	{"a=\x1b[31m", "line 1: a: ", "control characters"},
	{"a=\x7f", "line 1: a: ", "control characters"},
	{"#\xff", "line 1: ", "comment"},
	{"#a\tb\tc\x01", "line 1: ", "comment"},
	{"a=1\na=1", "line 2: a ", "first in line 1"},
	{"b=1\na=1\nc=1\nb=2\na=2\nb=3", "line 4: b ", "first in line 1"},
	{"z=1\nz=2\na=1\na=2", "line 2: z ", "first in line 1"},
	{"a=1\nb\na=2", "line 2: ", "not KEY=VALUE"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = {0};
		struct details *const untouched = (struct details *)(void *)&err, *details = untouched;

		assert_int_equal(details_parse(span_text(bad[i].text), &details, &err), -EINVAL);
		assert_int_equal(err.code, EINVAL);
		assert_ptr_equal(details, untouched);
		assert_true(utf8_printable(span_text(err.text)));
		if (strncmp(err.text, bad[i].begin, strlen(bad[i].begin)) != 0 ||
		    !strstr(err.text, bad[i].cause))
			fail_msg("case %zu '%s': '%s'", i, bad[i].text, err.text);
	}
}

static void test_nul(void **state)
{
	static const struct span texts[] = {{(const uint8_t *)"a=x\0y", 5},
					    {(const uint8_t *)"a\0=x", 4},
					    {(const uint8_t *)"#\0", 2},
					    {(const uint8_t *)"\0", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct details *details = NULL;
		struct error err = {0};

		assert_int_equal(details_parse(texts[i], &details, &err), -EINVAL);
		assert_null(details);
	}
}

/* No value in a sentence: it may be a connection string. */
static void test_no_value_in_sentence(void **state)
{
	static const char *const texts[] = {"key=Sesame\n\tSesame", "key=Sesame\nkey=Sesame",
					    "key=Sesame\t", "1=Sesame", "Sesame"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct details *details = NULL;
		struct error err = {0};

		assert_int_equal(details_parse(span_text(texts[i]), &details, &err), -EINVAL);
		assert_null(strstr(err.text, "Sesame"));
	}
}

/* ---- bounds ---- */

static void test_key_bounds(void **state)
{
	_cleanup_details_ struct details *details = parse(SIXTY_FOUR "=x\na=y");

	(void)state;
	assert_value(details, SIXTY_FOUR, "x");
	assert_value(details, "a", "y");
	assert_value(details, SIXTY_FOUR "a", NULL);
	assert_false(details_key_valid(span_text("")));
	assert_true(details_key_valid(span_text(SIXTY_FOUR)));
	assert_false(details_key_valid(span_text(SIXTY_FOUR "a")));
}

/* Every byte, as the first and as the second of a key. */
static void test_key_every_byte(void **state)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
	static const char more[] = "0123456789.-";

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		const uint8_t key[] = {(uint8_t)byte}, second[] = {'k', (uint8_t)byte};
		const bool begins = byte && strchr(first, byte), goes_on = byte && strchr(more, byte);

		assert_int_equal(details_key_valid((struct span){key, 1}), begins);
		assert_int_equal(details_key_valid((struct span){second, 2}), begins || goes_on);
	}
}

static void test_value_bounds(void **state)
{
	char text[DETAILS_VALUE_MAX + 8] = "a=";
	_cleanup_details_ struct details *details = NULL;
	struct details *none = NULL;
	struct error err = {0};

	(void)state;
	memset(text + 2, 'x', DETAILS_VALUE_MAX);
	details = parse(text);
	assert_value(details, "a", text + 2);
	text[2 + DETAILS_VALUE_MAX] = 'x';
	assert_int_equal(details_parse(span_text(text), &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "line 1: a: "));
	assert_non_null(strstr(err.text, "4097"));
	assert_non_null(strstr(err.text, "4096"));
	assert_null(none);
}

/* As many keys as fit in a file, and one byte too many. */
static void test_file_bounds(void **state)
{
	enum { KEYS = DETAILS_SIZE_MAX / 8 };
	static char text[DETAILS_SIZE_MAX + 2];
	_cleanup_details_ struct details *details = NULL;
	struct details *none = NULL;
	struct error err = {0};
	size_t size = 0, count = 0;

	(void)state;
	for (; size + 8 <= DETAILS_SIZE_MAX; count++)
		size += (size_t)snprintf(text + size, sizeof(text) - size, "k%05zx=\n", (count * 7919) % KEYS);
	memset(text + size, '#', DETAILS_SIZE_MAX - size);
	details = parse(text);
	assert_true(count == KEYS);
	for (size_t i = 0; i < count; i++) {
		char key[32];

		snprintf(key, sizeof(key), "k%05zx", i);
		assert_value(details, key, "");
	}
	assert_value(details, "kfffff", NULL);
	text[DETAILS_SIZE_MAX] = '\n';
	assert_int_equal(details_parse(span_text(text), &none, &err), -EFBIG);
	assert_int_equal(err.code, EFBIG);
	assert_null(none);
}

/* ---- two files ---- */

static void test_merge(void **state)
{
	struct details *own = parse("b=own\nd=\nz=own\nonly.own=1");
	struct details *inherited = parse("a=inherited\nb=inherited\nd=inherited\ne=");
	_cleanup_details_ struct details *merged = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(details_merge(own, inherited, &merged, &err), 0);
	details_free(own);
	details_free(inherited);
	assert_value(merged, "a", "inherited");
	assert_value(merged, "b", "own");
	assert_value(merged, "d", "");
	assert_value(merged, "e", "");
	assert_value(merged, "z", "own");
	assert_value(merged, "only.own", "1");
	assert_value(merged, "c", NULL);
}

static void test_merge_with_nothing(void **state)
{
	_cleanup_details_ struct details *some = parse("b=1\na=2"), *empty = parse("");
	const struct details *const pairs[][2] = {{some, NULL}, {NULL, some}, {some, empty}, {empty, some},
						  {some, some}};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		_cleanup_details_ struct details *merged = NULL;

		assert_int_equal(details_merge(pairs[i][0], pairs[i][1], &merged, &err), 0);
		assert_value(merged, "a", "2");
		assert_value(merged, "b", "1");
	}
	for (int i = 0; i < 2; i++) {
		_cleanup_details_ struct details *merged = NULL;

		assert_int_equal(details_merge(i ? empty : NULL, NULL, &merged, &err), 0);
		assert_value(merged, "a", NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_no_value_in_sentence),
		cmocka_unit_test(test_key_bounds),
		cmocka_unit_test(test_key_every_byte),
		cmocka_unit_test(test_value_bounds),
		cmocka_unit_test(test_file_bounds),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_with_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
