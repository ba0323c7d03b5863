/* UTF-8: every character there is, and every way to spell one wrongly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "utf8.h"

/* RFC 3629, section 3, without a look at what the character is. */
static size_t encode(uint32_t c, uint8_t *out)
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

static bool is_printable(uint32_t c)
{
	const bool surrogate = c >= 0xd800 && c <= 0xdfff;
	const bool control = c <= 0x1f || (c >= 0x7f && c <= 0x9f);

	return c <= 0x10ffff && !surrogate && !control;
}

/* Up to 0x1fffff: as far as four bytes reach. */
static void test_every_character(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t c = 0; c <= 0x1fffff; c++) {
		const size_t size = encode(c, bytes);

		if (utf8_printable((struct span){bytes, size}) != is_printable(c))
			fail_msg("U+%04X: printable should be %d", c, is_printable(c));
	}
}

static void test_every_character_cut_off(void **state)
{
	uint8_t bytes[4];

	(void)state;
	for (uint32_t c = 0x80; c <= 0x10ffff; c += 7) {
		const size_t size = encode(c, bytes);

		for (size_t part = 1; part < size; part++)
			if (utf8_printable((struct span){bytes, part}))
				fail_msg("U+%04X: %zu of %zu bytes were taken", c, part, size);
	}
}

static void test_ill_formed(void **state)
{
	static const char *const texts[] = {
		"\x80", "\xbf", "a\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf",
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff",
		"\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28", "\xf0\x28\x8c\xbc", "\xf0\x90\x28\xbc",
		"\xf0\x90\x8c\x28", "\xc3\xa4\xc3",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (utf8_printable(span_text(texts[i])))
			fail_msg("ill-formed text %zu was taken", i);
}

static void test_texts(void **state)
{
	(void)state;
	assert_true(utf8_printable(span_text("")));
	assert_true(utf8_printable((struct span){NULL, 0}));
	assert_true(utf8_printable(span_text("CN=W\xc3\xa4rme \xe2\x82\xac \xf0\x9f\x94\x91")));
	assert_false(utf8_printable(span_text("a\nb")));
	assert_false(utf8_printable(span_text("a\tb")));
	assert_false(utf8_printable((struct span){(const uint8_t *)"a\0b", 3}));
	assert_false(utf8_printable(span_text("a\xc2\x9b" "31m"))); /* CSI in C1 */
}

static void test_cut(void **state)
{
	static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91z"; /* 1 2 3 4 1 */
	static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

	(void)state;
	for (size_t max = 0; max < sizeof(cuts) / sizeof(cuts[0]); max++)
		assert_int_equal(utf8_cut(span_text(text), max), cuts[max]);
	assert_int_equal(utf8_cut(span_text(""), 0), 0);
}

static void test_clean(void **state)
{
	static const struct {
		const char *text, *clean;
	} texts[] = {
		{"", ""},
		{"W\xc3\xa4rme \xe2\x82\xac \xf0\x9f\x94\x91", "W\xc3\xa4rme \xe2\x82\xac \xf0\x9f\x94\x91"},
		{"a\nb\tc\x1b[0m\x7f", "a?b?c?[0m?"},
		{"a\xc2\x9b" "31m", "a?31m"},
		{"\xff\xfe|\xc0\x80|\xed\xa0\x80|", "?\?|?\?|?\?\?|"},
		{"\xe2\x82", "?\?"},
		{"\xf0\x9f\x94z", "?\?\?z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[32];

		strcpy(text, texts[i].text);
		utf8_clean(text);
		assert_string_equal(text, texts[i].clean);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_character),
		cmocka_unit_test(test_every_character_cut_off),
		cmocka_unit_test(test_ill_formed),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
