/* Policies: the default, what each key takes, and what is refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ini_table.h"
#include "policy.h"

#define TEN "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static int parse(const char *text, struct policy *ret, struct error *err)
{
	*err = (struct error){0};
	return policy_parse(span_text(text), ret, err);
}

/* Field by field: a struct's padding says nothing. */
static void assert_policy_equal(const struct policy *a, const struct policy *b)
{
	assert_int_equal(a->attach, b->attach);
	assert_int_equal(a->key_type, b->key_type);
	assert_int_equal(a->validity_days, b->validity_days);
	assert_int_equal(a->renew_before_days, b->renew_before_days);
	assert_int_equal(a->renewal, b->renewal);
	assert_int_equal(a->rotate_key, b->rotate_key);
	assert_string_equal(a->subject, b->subject);
	assert_int_equal(a->path_length, b->path_length);
	assert_int_equal(a->revoke_grace_hours, b->revoke_grace_hours);
	assert_int_equal(a->warn_days, b->warn_days);
	assert_int_equal(a->max_parallel, b->max_parallel);
	assert_int_equal(a->per_minute, b->per_minute);
	assert_string_equal(a->cert_dir, b->cert_dir);
	assert_string_equal(a->key_dir, b->key_dir);
	assert_int_equal(a->key_mode, b->key_mode);
	assert_string_equal(a->variable_required, b->variable_required);
	assert_string_equal(a->variable_cert, b->variable_cert);
	assert_string_equal(a->variable_key, b->variable_key);
}

/* ---- good ones ---- */

static void test_default_text(void **state)
{
	struct policy parsed, standard;
	struct error err;

	(void)state;
	memset(&parsed, 0x5a, sizeof(parsed));
	policy_default(&standard);
	assert_int_equal(parse(policy_default_text(), &parsed, &err), 0);
	assert_policy_equal(&parsed, &standard);
	assert_string_equal(standard.subject, "CN=%a.%p.ca");
	assert_int_equal(standard.validity_days, 365);
	assert_int_equal(standard.key_mode, 0400);
}

static const struct {
	const char *text;
} empty[] = {{""}, {"\n"}, {"; nothing\n"}, {"# nothing\n"}, {"[certificate]\n"}, {"\n\n  \n\t\n"}, {"\xef\xbb\xbf[rollout]\n"}};

static void test_absent_keys(void **state)
{
	struct policy parsed, standard;
	struct error err;

	(void)state;
	policy_default(&standard);
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		memset(&parsed, 0x5a, sizeof(parsed));
		assert_int_equal(parse(empty[i].text, &parsed, &err), 0);
		assert_policy_equal(&parsed, &standard);
	}
}

static void test_every_key(void **state)
{
	static const char text[] = "[certificate]\n"
				   "attach = no\nkey_type = rsa-3072\nvalidity_days = 90\nrenew_before_days = 89\n"
				   "renewal = auto\nrotate_key = yes\nsubject = CN=W\xc3\xa4rme %a 100%%\npath_length = 2\n"
				   "revoke_grace_hours = 0\n"
				   "[signing_ca]\nwarn_days = 7\n"
				   "[rollout]\nmax_parallel = 1\nper_minute = 60\n"
				   "[files]\ncert_dir = /c d\nkey_dir = /k\nkey_mode = 0440\n"
				   "[variables]\nrequired = $r\ncert = $c\nkey = $k";
	static const struct policy expected = {
		.attach = false,
		.key_type = KEY_RSA_3072,
		.validity_days = 90,
		.renew_before_days = 89,
		.renewal = RENEWAL_AUTO,
		.rotate_key = true,
		.subject = "CN=W\xc3\xa4rme %a 100%%",
		.path_length = 2,
		.revoke_grace_hours = 0,
		.warn_days = 7,
		.max_parallel = 1,
		.per_minute = 60,
		.cert_dir = "/c d",
		.key_dir = "/k",
		.key_mode = 0440,
		.variable_required = "$r",
		.variable_cert = "$c",
		.variable_key = "$k",
	};
	struct policy parsed;
	struct error err;

	(void)state;
	assert_int_equal(parse(text, &parsed, &err), 0);
	assert_policy_equal(&parsed, &expected);
}

static void test_spelling(void **state)
{
	struct policy parsed;
	struct error err;

	(void)state;
	assert_int_equal(parse("[certificate]\r\nvalidity_days=40 ; short\r\n[rollout]\r\nper_minute : 5\r\n"
			       "[certificate]\r\nattach\t=\tno\r\n",
			       &parsed, &err),
			 0);
	assert_int_equal(parsed.validity_days, 40);
	assert_int_equal(parsed.per_minute, 5);
	assert_false(parsed.attach);
}

/* The longest value that a field has room for. */
static void test_longest_value(void **state)
{
	struct policy parsed;
	struct error err;

	(void)state;
	assert_int_equal(parse("[files]\ncert_dir = /" HUNDRED HUNDRED TEN TEN TEN TEN TEN "aaaa\n", &parsed, &err), 0);
	assert_int_equal(strlen(parsed.cert_dir), 255);
	assert_int_equal(parse("[certificate]\nsubject = CN=" HUNDRED HUNDRED TEN TEN TEN TEN TEN "aaa\n", &parsed, &err),
			 -EINVAL);
	assert_string_equal(err.text, "line 2: subject: the value is longer than 255 bytes");
}

static void test_key_type_names(void **state)
{
	(void)state;
	assert_string_equal(key_type_name(KEY_EC_P256), "ec-p256");
	assert_string_equal(key_type_name(KEY_RSA_2048), "rsa-2048");
	assert_string_equal(key_type_name(KEY_RSA_3072), "rsa-3072");
	assert_string_equal(key_type_name(KEY_RSA_4096), "rsa-4096");
}

/* ---- bad ones ---- */

#define C "[certificate]\n"

static const struct {
	const char *text;
	const char *begins; /* the sentence */
	const char *reason; /* somewhere in it */
} bad[] = {
	{C "attach = maybe\n", "line 2: attach: ", "'maybe' is neither yes nor no"},
	{C "attach = YES\n", "line 2: attach: ", "neither yes nor no"},
	{C "attach =\n", "line 2: attach: ", "'' is neither yes nor no"},
	{C "attach = true\n", "line 2: attach: ", "neither yes nor no"},
	{C "rotate_key = 1\n", "line 2: rotate_key: ", "neither yes nor no"},
	{C "key_type = dsa\n", "line 2: key_type: ", "not one of ec-p256, rsa-2048, rsa-3072, rsa-4096"},
	{C "key_type = RSA-2048\n", "line 2: key_type: ", "'RSA-2048' is not one of"},
	{C "key_type =\n", "line 2: key_type: ", "is not one of"},
	{C "renewal = never\n", "line 2: renewal: ", "not one of on-read, auto, manual"},
	{C "validity_days = 0\n", "line 2: validity_days: ", "days from 1 to 36500"},
	{C "validity_days = -1\n", "line 2: validity_days: ", "'-1' is not a whole number"},
	{C "validity_days = 36501\n", "line 2: validity_days: ", "from 1 to 36500"},
	{C "validity_days = 99999999999999999999\n", "line 2: validity_days: ", "from 1 to 36500"},
	{C "validity_days = 4294967297\n", "line 2: validity_days: ", "from 1 to 36500"},
	{C "validity_days = +90\n", "line 2: validity_days: ", "whole number"},
	{C "validity_days = 90d\n", "line 2: validity_days: ", "'90d' is not a whole number"},
	{C "validity_days = 9 0\n", "line 2: validity_days: ", "whole number"},
	{C "validity_days = 90.5\n", "line 2: validity_days: ", "whole number"},
	{C "validity_days = 0x20\n", "line 2: validity_days: ", "whole number"},
	{C "validity_days =\n", "line 2: validity_days: ", "'' is not a whole number"},
	{C "validity_days = ; a comment\n", "line 2: validity_days: ", "'' is not a whole number"},
	{C "renew_before_days = -1\n", "line 2: renew_before_days: ", "from 0 to 36499"},
	{C "renew_before_days = 365\n", "line 2: renew_before_days (365)", "must be below validity_days (365)"},
	{C "validity_days = 30\n", "line 2: renew_before_days (30)", "must be below validity_days (30)"},
	{C "renew_before_days = 10\nvalidity_days = 10\n", "line 3: renew_before_days (10)", "below validity_days (10)"},
	{C "subject = %a\n", "line 2: subject: ", "the form CN=TEXT"},
	{C "subject = CN=\n", "line 2: subject: ", "the form CN=TEXT"},
	{C "subject = cn=%a\n", "line 2: subject: ", "the form CN=TEXT"},
	{C "subject = O=x,CN=%a\n", "line 2: subject: ", "the form CN=TEXT"},
	{C "subject =\n", "line 2: subject: ", "the value is empty"},
	{C "subject = CN=%b\n", "line 2: subject: ", "after % only a (app instance), p (project) or % may follow"},
	{C "subject = CN=%a%\n", "line 2: subject: ", "after % only"},
	{C "subject = CN=%%%\n", "line 2: subject: ", "after % only"},
	{C "subject = CN=\xff\n", "line 2: subject: ", "not UTF-8 without control characters"},
	{C "subject = CN=a\x01z\n", "line 2: subject: ", "not UTF-8 without control characters"},
	{C "subject = CN=\xed\xa0\x80\n", "line 2: subject: ", "not UTF-8"},
	{C "path_length = 101\n", "line 2: path_length: ", "from 0 to 100"},
	{C "path_length = -1\n", "line 2: path_length: ", "from 0 to 100"},
	{C "revoke_grace_hours = 87601\n", "line 2: revoke_grace_hours: ", "hours from 0 to 87600"},
	{"[signing_ca]\nwarn_days = soon\n", "line 2: warn_days: ", "days from 0 to 36500"},
	{"[rollout]\nmax_parallel = 0\n", "line 2: max_parallel: ", "from 1 to 1024"},
	{"[rollout]\nmax_parallel = 1025\n", "line 2: max_parallel: ", "from 1 to 1024"},
	{"[rollout]\nper_minute = -1\n", "line 2: per_minute: ", "from 0 to 1000000"},
	{"[files]\ncert_dir = certs\n", "line 2: cert_dir: ", "'certs' is not an absolute path"},
	{"[files]\ncert_dir =\n", "line 2: cert_dir: ", "the value is empty"},
	{"[files]\nkey_dir = /a%20b\n", "line 2: key_dir: ", "not an absolute path without %"},
	{"[files]\nkey_dir = /a\"b\n", "line 2: key_dir: ", "not an absolute path"},
	{"[files]\nkey_dir = /a\\b\n", "line 2: key_dir: ", "not an absolute path"},
	{"[files]\nkey_dir = /a'b\n", "line 2: key_dir: ", "not an absolute path"},
	{"[files]\nkey_mode = 0444\n", "line 2: key_mode: ", "not one of 0400, 0440"},
	{"[files]\nkey_mode = 400\n", "line 2: key_mode: ", "'400' is not one of"},
	{"[variables]\ncert = webhook\n", "line 2: cert: ", "does not begin with $"},
	{"[variables]\ncert = $\n", "line 2: cert: ", "does not begin with $"},
	{"[variables]\ncert = $a b\n", "line 2: cert: ", "has a space or | in it"},
	{"[variables]\nkey = $a|base64\n", "line 2: key: ", "has a space or | in it"},
	{"[variables]\nrequired = $x\ncert = $x\n", "line 3: [variables]: ", "must have different names"},
	{"[variables]\nrequired = $x\nkey = $x\n", "line 3: [variables]: ", "must have different names"},
	{"[variables]\ncert = $webhook.azure.device_ca.key\n", "line 2: [variables]: ", "must have different names"},
	{"attach = yes\n", "line 1: attach: ", "a key must stand below a [section]"},
	{"[certificat]\nattach = yes\n", "line 1: certificat: ", "there is no such [section]"},
	{"[Certificate]\nattach = yes\n", "line 1: Certificate: ", "there is no such [section]"},
	{C "[nowhere]\n", "line 2: nowhere: ", "there is no such [section]"},
	{"[]\n", "line 1: ", "there is no such [section]"},
	{"[certificate] attach = no\n", "line 1: ", "belongs on a line of its own"},
	{"[certificate\xff]\n", "line 1: ", "not UTF-8 without control characters"},
	{C "att\xff" "ach = no\n", "line 2: ", "not UTF-8 without control characters"},
	{C "atach = yes\n", "line 2: atach: ", "there is no such key in this section"},
	{C "warn_days = 3\n", "line 2: warn_days: ", "there is no such key in this section"},
	{"[files]\nattach = yes\n", "line 2: attach: ", "there is no such key in this section"},
	{C "attach = yes\nattach = no\n", "line 3: attach: ", "given twice"},
	{C "attach = yes\n[files]\n" C "attach = yes\n", "line 5: attach: ", "given twice"},
	{C "subject = CN=%a\n  and more\n", "line 3: subject: ", "its second line is indented"},
	{C "attach\n", "line 2: ", "neither [section] nor KEY = VALUE"},
	{"[certificate\n", "line 1: ", "it is not [section] alone"},
	{C "\n; x\n\nkey_type = dsa\n", "line 5: key_type: ", "is not one of"},
	{C "attach = maybe\nkey_type = dsa\n", "line 2: attach: ", "neither yes nor no"},
	{C "; ok\r\nattach = maybe\r\n", "line 3: attach: ", "'maybe' is"},
};

static void test_bad(void **state)
{
	(void)state;
	assert_true(sizeof(bad) / sizeof(bad[0]) >= 40);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy before, policy;
		struct error err;
		int r;

		memset(&before, 0x5a, sizeof(before));
		policy = before;
		r = parse(bad[i].text, &policy, &err);
		if (r != -EINVAL || strncmp(err.text, bad[i].begins, strlen(bad[i].begins)) != 0 ||
		    !strstr(err.text, bad[i].reason))
			fail_msg("policy %zu '%s': %d '%s', not '%s…%s'", i, bad[i].text, r, err.text, bad[i].begins,
				 bad[i].reason);
		assert_int_equal(err.code, EINVAL);
		assert_memory_equal(&policy, &before, sizeof(policy));
	}
}

static void test_nul_byte(void **state)
{
	static const char text[] = C "attach = no\0\nkey_type = dsa\n";
	struct policy policy;
	struct error err = {0};

	(void)state;
	assert_int_equal(policy_parse((struct span){(const uint8_t *)text, sizeof(text) - 1}, &policy, &err), -EINVAL);
	assert_string_equal(err.text, "line 2: there is a NUL byte in it");
}

/* A line that is longer than the parser's must not be read as its beginning. */
static void test_long_line(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy;
	struct error err = {0};

	(void)state;
	buffer_add_text(&text, C "; ");
	for (int i = 0; i < 1000; i++)
		buffer_add_text(&text, TEN);
	buffer_add_text(&text, "\nattach = no\n");
	assert_int_equal(policy_parse(buffer_span(&text), &policy, &err), -EINVAL);
	assert_string_equal(err.text, "line 2: the line is too long");
}

static void test_file_size(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy;
	struct error err = {0};

	(void)state;
	assert_int_equal(buffer_resize(&text, INI_SIZE_MAX), 0);
	memset(text.data, '\n', text.size);
	assert_int_equal(policy_parse(buffer_span(&text), &policy, &err), 0);
	buffer_add_text(&text, "\n");
	assert_int_equal(policy_parse(buffer_span(&text), &policy, &err), -EFBIG);
	assert_non_null(strstr(err.text, "larger than 65536 bytes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_text),
		cmocka_unit_test(test_absent_keys),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_spelling),
		cmocka_unit_test(test_longest_value),
		cmocka_unit_test(test_key_type_names),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul_byte),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_file_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
