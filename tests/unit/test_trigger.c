/* What is written to a trigger: the reason that is kept, and what is no reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "trigger.h"

#define TEN "aaaaaaaaaa"
#define FIFTY TEN TEN TEN TEN TEN
#define LONG FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaaa" /* 256 bytes */

static const struct {
	const char *text;
	const char *reason; /* NULL: EINVAL */
} texts[] = {
	{"", ""},
	{"\n", ""},
	{"\n\nnot the first line", ""},
	{"stolen", "stolen"},
	{"stolen\n", "stolen"},
	{"stolen\nfrom the van\n", "stolen"},
	{"W\xc3\xa4rme \xe2\x82\xac \xf0\x9f\x94\x91", "W\xc3\xa4rme \xe2\x82\xac \xf0\x9f\x94\x91"},
	{"1", "1"},
	{" ", ""},
	{"  \nx", ""},
	{"first\n\xff\x01", "first"},
	{LONG, LONG},
	{LONG "b", LONG},
	{LONG LONG LONG LONG "\nmore", LONG},
	{FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa\xc3\xa4", FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa"},
	{FIFTY FIFTY FIFTY FIFTY FIFTY "aaaa\xc3\xa4", FIFTY FIFTY FIFTY FIFTY FIFTY "aaaa\xc3\xa4"},
	{FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa\xf0\x9f\x94\x91", FIFTY FIFTY FIFTY FIFTY FIFTY "aaaaa"},
	{"the counter: 3", "the counter: 3"},
	{"counter", "counter"},
	{"counterfeit: yes", "counterfeit: yes"},
	{"counter: 3\nlast: null\n", NULL},
	{"counter: 3", NULL},
	{"counter:", NULL},
	{"a\tb", NULL},
	{"a\x1b[1m", NULL},
	{"a\r\n", NULL},
	{"a\x7f", NULL},
	{"\xff", NULL},
	{"a\xc3", NULL},
	{"\xed\xa0\x80", NULL},
	{"\xc0\x80", NULL},
	{"\xc2\x85", NULL}, /* NEL, a control character */
};

static void test_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char before[REASON_SIZE], reason[REASON_SIZE];
		struct error err = {0};
		int r;

		memset(before, 0x5a, sizeof(before));
		memcpy(reason, before, sizeof(reason));
		r = trigger_reason(span_text(texts[i].text), reason, &err);
		if (r != (texts[i].reason ? 0 : -EINVAL))
			fail_msg("text %zu '%s': %d %s", i, texts[i].text, r, err.text);
		if (texts[i].reason) {
			assert_string_equal(reason, texts[i].reason);
		} else {
			assert_int_equal(err.code, EINVAL);
			assert_non_null(strstr(err.text, "trigger"));
			assert_memory_equal(reason, before, sizeof(reason));
		}
	}
}

static void test_nul_byte(void **state)
{
	char reason[REASON_SIZE];
	struct error err = {0};

	(void)state;
	assert_int_equal(trigger_reason((struct span){(const uint8_t *)"a\0b", 3}, reason, &err), -EINVAL);
	assert_int_equal(trigger_reason((struct span){NULL, 0}, reason, &err), 0);
	assert_string_equal(reason, "");
}

/* The longest that may be written, one line: the beginning is kept. */
static void test_huge(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	char reason[REASON_SIZE];
	struct error err = {0};

	(void)state;
	assert_int_equal(buffer_resize(&text, UPLOAD_MAX), 0);
	memset(text.data, 'a', text.size);
	assert_int_equal(trigger_reason(buffer_span(&text), reason, &err), 0);
	assert_string_equal(reason, LONG);
}

static void test_says_compromised(void **state)
{
	(void)state;
	assert_true(trigger_says_compromised("compromised"));
	assert_true(trigger_says_compromised("compromised: laptop lost"));
	assert_true(trigger_says_compromised("compromised laptop"));
	assert_false(trigger_says_compromised(""));
	assert_false(trigger_says_compromised("compromise"));
	assert_false(trigger_says_compromised("not compromised"));
	assert_false(trigger_says_compromised("Compromised"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reason),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_says_compromised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
