/* Error sentences: one line, never overrun. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "certfs/error.h"

static void test_set(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_set(&err, ENOKEY, "project %s: %d", "p", 7), -ENOKEY);
	assert_int_equal(err.code, ENOKEY);
	assert_string_equal(err.text, "project p: 7");
}

static void test_set_replaces(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, EIO, "a long sentence about a disk");
	assert_int_equal(error_set(&err, EINVAL, "short"), -EINVAL);
	assert_int_equal(err.code, EINVAL);
	assert_string_equal(err.text, "short");
}

static void test_control_characters(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, EINVAL, "a\nb\rc\td\x1b[0m\x7f|\xc3\xa4");
	assert_string_equal(err.text, "a?b?c?d?[0m?|\xc3\xa4");
	error_prefix(&err, "x\ny");
	assert_string_equal(err.text, "x?y: a?b?c?d?[0m?|\xc3\xa4");
}

/* `status.json` shows it: what is not UTF-8, or is cut inside a character, must not get there. */
static void test_utf8(void **state)
{
	struct error err = {0};
	char text[sizeof(err.text)];

	(void)state;
	error_set(&err, EINVAL, "a\xff\xc3(\xe2\x82|\xc2\x85|\xf0\x9f\x99\x82");
	assert_string_equal(err.text, "a?\?(?\?|?|\xf0\x9f\x99\x82");
	memset(text, 'x', sizeof(text));
	strcpy(text + sizeof(text) - 3, "\xc3\xa4");
	error_set(&err, EINVAL, "y%s", text);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(err.text[sizeof(err.text) - 2], '?');
}

/* Object, cause, remedy. */
static void test_system(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(error_system(&err, ENOSPC, "can't write %s", "/a"), -ENOSPC);
	assert_int_equal(err.code, ENOSPC);
	assert_string_equal(err.text, "can't write /a: No space left on device: free some space there");
	assert_int_equal(error_system(&err, EXDEV, "can't move %s", "/a"), -EXDEV);
	assert_string_equal(err.text, "can't move /a: Invalid cross-device link");
}

static void test_truncation(void **state)
{
	char text[2 * sizeof(((struct error *)0)->text)];
	struct {
		struct error err;
		char guard[16];
	} guarded = {0};

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memset(guarded.guard, 'g', sizeof(guarded.guard));
	assert_int_equal(error_set(&guarded.err, EIO, "%s", text), -EIO);
	assert_int_equal(strlen(guarded.err.text), sizeof(guarded.err.text) - 1);
	assert_int_equal(error_prefix(&guarded.err, "%s", text), -EIO);
	assert_int_equal(strlen(guarded.err.text), sizeof(guarded.err.text) - 1);
	for (size_t i = 0; i < sizeof(guarded.guard); i++)
		assert_int_equal(guarded.guard[i], 'g');
}

/* An argument may be the sentence itself. */
static void test_argument_is_text(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, EIO, "disk");
	assert_int_equal(error_set(&err, err.code, "<%s>", err.text), -EIO);
	assert_string_equal(err.text, "<disk>");
	assert_int_equal(error_prefix(&err, "%s", err.text), -EIO);
	assert_string_equal(err.text, "<disk>: <disk>");
}

static void test_prefix_keeps_code(void **state)
{
	struct error err = {0};

	(void)state;
	error_set(&err, EKEYREJECTED, "not a CA");
	assert_int_equal(error_prefix(&err, "line %d", 3), -EKEYREJECTED);
	assert_int_equal(err.code, EKEYREJECTED);
	assert_string_equal(err.text, "line 3: not a CA");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_set_replaces),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_argument_is_text),
		cmocka_unit_test(test_prefix_keeps_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
