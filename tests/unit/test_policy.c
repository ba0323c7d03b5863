/* The policy: what it takes, and the sentence for everything that it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy.h"

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

static void parse(struct span text, struct policy *ret)
{
	struct error err = {0};

	if (policy_parse(text, ret, &err) != 0)
		fail_msg("refused: %s", err.text);
	assert_int_equal(err.code, 0);
}

/* ---- defaults ---- */

/* What SPEC section 6 says, spelled out. */
static void test_default(void **state)
{
	struct policy policy;

	(void)state;
	policy_default(&policy);
	assert_true(policy.attach);
	assert_int_equal(policy.key_type, KEY_EC_P256);
	assert_int_equal(policy.validity_days, 365);
	assert_int_equal(policy.renew_before_days, 30);
	assert_int_equal(policy.renewal, RENEWAL_ON_READ);
	assert_false(policy.rotate_key);
	assert_string_equal(policy.subject, "CN=%a.%p.ca");
	assert_int_equal(policy.path_length, 0);
	assert_int_equal(policy.revoke_grace_hours, 72);
	assert_int_equal(policy.warn_days, 30);
	assert_int_equal(policy.max_parallel, 16);
	assert_int_equal(policy.per_minute, 0);
	assert_string_equal(policy.cert_dir, "/var/aziot/certs");
	assert_string_equal(policy.key_dir, "/var/aziot/secret");
	assert_int_equal(policy.key_mode, 0400);
	assert_string_equal(policy.variable_required, "$webhook.azure.device_ca.required");
	assert_string_equal(policy.variable_cert, "$webhook.azure.device_ca.cert");
	assert_string_equal(policy.variable_key, "$webhook.azure.device_ca.key");
}

static void test_default_text(void **state)
{
	struct policy expected, policy = {0};

	(void)state;
	policy_default(&expected);
	parse(span_text(policy_default_text()), &policy);
	assert_policy_equal(&policy, &expected);
}

/* An absent key has its default, so the text must name every one: each is turned into nonsense, which must be noticed. */
static void test_default_text_is_complete(void **state)
{
	static const char *const keys[] = {
		"attach", "key_type", "validity_days", "renew_before_days", "renewal",
		"rotate_key", "subject", "path_length", "revoke_grace_hours", "warn_days",
		"max_parallel", "per_minute", "cert_dir", "key_dir", "key_mode",
		"required", "cert", "key",
	};
	const char *text = policy_default_text();

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		_cleanup_buffer_ struct buffer line = {0};

		buffer_printf(&line, "\n%s = ", keys[i]);
		buffer_add(&line, "", 1);
		if (!strstr(text, (const char *)line.data))
			fail_msg("the default text does not name %s", keys[i]);
	}
}

static void test_empty(void **state)
{
	struct policy expected, policy = {0};

	(void)state;
	policy_default(&expected);
	parse(span_text(""), &policy);
	assert_policy_equal(&policy, &expected);
	policy = (struct policy){0};
	parse((struct span){NULL, 0}, &policy);
	assert_policy_equal(&policy, &expected);
	policy = (struct policy){0};
	parse(span_text("; nothing\n\n# but comments\n[certificate]\n[variables]\n"), &policy);
	assert_policy_equal(&policy, &expected);
}

/* ---- what is taken ---- */

static const char other_text[] =
	"[certificate]\n"
	"attach = no\n"
	"key_type = rsa-3072\n"
	"validity_days = 36500\n"
	"renew_before_days = 36499\n"
	"renewal = manual\n"
	"rotate_key = yes\n"
	"subject = CN=%p/%a 100%% W\xc3\xa4rme\n"
	"path_length = 100\n"
	"revoke_grace_hours = 87600\n"
	"[signing_ca]\n"
	"warn_days = 36500\n"
	"[rollout]\n"
	"max_parallel = 1024\n"
	"per_minute = 1000000\n"
	"[files]\n"
	"cert_dir = /c\n"
	"key_dir = /k e y\n"
	"key_mode = 0440\n"
	"[variables]\n"
	"required = $r\n"
	"cert = $webhook.azure.device_ca.cert2\n"
	"key = $k\n";

static const struct policy other = {
	.attach = false,
	.key_type = KEY_RSA_3072,
	.validity_days = 36500,
	.renew_before_days = 36499,
	.renewal = RENEWAL_MANUAL,
	.rotate_key = true,
	.subject = "CN=%p/%a 100%% W\xc3\xa4rme",
	.path_length = 100,
	.revoke_grace_hours = 87600,
	.warn_days = 36500,
	.max_parallel = 1024,
	.per_minute = 1000000,
	.cert_dir = "/c",
	.key_dir = "/k e y",
	.key_mode = 0440,
	.variable_required = "$r",
	.variable_cert = "$webhook.azure.device_ca.cert2",
	.variable_key = "$k",
};

static void test_every_key(void **state)
{
	struct policy policy = {0};

	(void)state;
	parse(span_text(other_text), &policy);
	assert_policy_equal(&policy, &other);
}

/* Windows editors: CRLF and a byte order mark. */
static void test_crlf_and_bom(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy = {0};

	(void)state;
	buffer_add_text(&text, "\xef\xbb\xbf");
	for (const char *c = other_text; *c; c++)
		buffer_add_text(&text, *c == '\n' ? "\r\n" : (char[]){*c, '\0'});
	parse(buffer_span(&text), &policy);
	assert_policy_equal(&policy, &other);
}

/* The span ends where it ends, whatever stands behind it. */
static void test_span_without_end(void **state)
{
	static const char text[] = "[certificate]\nvalidity_days = 3650\nnonsense";
	struct policy policy = {0};

	(void)state;
	parse((struct span){(const uint8_t *)text, strlen("[certificate]\nvalidity_days = 365")}, &policy);
	assert_int_equal(policy.validity_days, 365);
	parse((struct span){(const uint8_t *)text, strlen("[certificate]\nvalidity_days = 3650")}, &policy);
	assert_int_equal(policy.validity_days, 3650);
}

static const struct {
	const char *line, *subject;
} subjects[] = {
	{"subject = CN=%a", "CN=%a"},
	{"subject=CN=%a.%p.ca", "CN=%a.%p.ca"},
	{"subject = CN=%a ; a comment", "CN=%a"},
	{"subject = CN=%a;b", "CN=%a;b"},
	{"subject = CN=%a # b", "CN=%a # b"},
	{"subject = CN=a=b:c", "CN=a=b:c"},
	{"subject = CN=%%", "CN=%%"},
	{"subject = CN=%%%a", "CN=%%%a"},
	{"subject = CN=[%a]", "CN=[%a]"},
	{"subject = CN=\xe2\x82\xac", "CN=\xe2\x82\xac"},
};

static void test_subjects(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		_cleanup_buffer_ struct buffer text = {0};
		struct policy policy = {0};

		buffer_printf(&text, "[certificate]\n%s\n", subjects[i].line);
		parse(buffer_span(&text), &policy);
		assert_string_equal(policy.subject, subjects[i].subject);
	}
}

/* A section may come in two parts. */
static void test_section_twice(void **state)
{
	struct policy policy = {0};

	(void)state;
	parse(span_text("[certificate]\nattach = no\n[files]\nkey_mode = 0440\n[certificate]\nrenewal = auto\n"),
	      &policy);
	assert_false(policy.attach);
	assert_int_equal(policy.key_mode, 0440);
	assert_int_equal(policy.renewal, RENEWAL_AUTO);
}

static void test_key_type_names(void **state)
{
	static const char *const names[] = {"ec-p256", "rsa-2048", "rsa-3072", "rsa-4096"};

	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++) {
		_cleanup_buffer_ struct buffer text = {0};
		struct policy policy = {0};

		assert_string_equal(key_type_name((enum key_type)type), names[type]);
		buffer_printf(&text, "[certificate]\nkey_type = %s\n", names[type]);
		parse(buffer_span(&text), &policy);
		assert_int_equal(policy.key_type, type);
	}
}

/* ---- what is refused ---- */

#define CERT "[certificate]\n"

static const struct {
	const char *text, *error; /* error: the whole sentence, or its beginning if it ends with "…" */
} bad[] = {
	/* numbers */
	{CERT "\n\n\n\n\nvalidity_days = abc\n",
	 "line 7: validity_days: 'abc' is not a whole number of days from 1 to 36500"},
	{CERT "validity_days = 0\n", "line 2: validity_days: '0' is not a whole number of days from 1 to 36500"},
	{CERT "validity_days = -1\n", "line 2: validity_days: '-1' is not…"},
	{CERT "validity_days = 36501\n", "line 2: validity_days: '36501' is not…"},
	{CERT "validity_days = 99999999999999999999\n", "line 2: validity_days: '99999999999999999999' is not…"},
	{CERT "validity_days = 4294967297\n", "line 2: validity_days: '4294967297' is not…"},
	{CERT "validity_days = 3.5\n", "line 2: validity_days: '3.5' is not…"},
	{CERT "validity_days = 365d\n", "line 2: validity_days: '365d' is not…"},
	{CERT "validity_days = 1e3\n", "line 2: validity_days: '1e3' is not…"},
	{CERT "validity_days = 0x10\n", "line 2: validity_days: '0x10' is not…"},
	{CERT "validity_days = +5\n", "line 2: validity_days: '+5' is not…"},
	{CERT "validity_days = 3 5\n", "line 2: validity_days: '3 5' is not…"},
	{CERT "validity_days =\n", "line 2: validity_days: '' is not…"},
	{CERT "validity_days = ; 365\n", "line 2: validity_days: '' is not…"},
	{CERT "renew_before_days = -1\n",
	 "line 2: renew_before_days: '-1' is not a whole number of days from 0 to 36499"},
	{CERT "path_length = 101\n", "line 2: path_length: '101' is not a whole number from 0 to 100"},
	{CERT "revoke_grace_hours = 87601\n",
	 "line 2: revoke_grace_hours: '87601' is not a whole number of hours from 0 to 87600"},
	{"[signing_ca]\nwarn_days = never\n", "line 2: warn_days: 'never' is not a whole number of days…"},
	{"[rollout]\nmax_parallel = 0\n", "line 2: max_parallel: '0' is not a whole number from 1 to 1024"},
	{"[rollout]\nmax_parallel = 1025\n", "line 2: max_parallel: '1025' is not…"},
	{"[rollout]\nper_minute = -1\n", "line 2: per_minute: '-1' is not…"},
	/* yes and no, choices */
	{CERT "attach = true\n", "line 2: attach: 'true' is neither yes nor no"},
	{CERT "attach = Yes\n", "line 2: attach: 'Yes' is neither yes nor no"},
	{CERT "attach =\n", "line 2: attach: '' is neither yes nor no"},
	{CERT "rotate_key = 1\n", "line 2: rotate_key: '1' is neither yes nor no"},
	{CERT "key_type = rsa-1024\n",
	 "line 2: key_type: 'rsa-1024' is not one of ec-p256, rsa-2048, rsa-3072, rsa-4096"},
	{CERT "key_type = EC-P256\n", "line 2: key_type: 'EC-P256' is not one of…"},
	{CERT "renewal = never\n", "line 2: renewal: 'never' is not one of on-read, auto, manual"},
	{"[files]\nkey_mode = 0644\n", "line 2: key_mode: '0644' is not one of 0400, 0440"},
	{"[files]\nkey_mode = 400\n", "line 2: key_mode: '400' is not one of 0400, 0440"},
	/* the subject */
	{CERT "subject = %a\n", "line 2: subject: '%a' does not have the form CN=TEXT"},
	{CERT "subject = cn=%a\n", "line 2: subject: 'cn=%a' does not have the form CN=TEXT"},
	{CERT "subject = O=x,CN=%a\n", "line 2: subject: 'O=x,CN=%a' does not have…"},
	{CERT "subject = CN=\n", "line 2: subject: 'CN=' does not have the form CN=TEXT"},
	{CERT "subject =\n", "line 2: subject: the value is empty"},
	{CERT "subject = CN=%d\n", "line 2: subject: 'CN=%d': after % only a (app instance), p (project) or…"},
	{CERT "subject = CN=100%\n", "line 2: subject: 'CN=100%': after % only…"},
	{CERT "subject = CN=%%%\n", "line 2: subject: 'CN=%%%': after % only…"},
	{CERT "subject = CN=%A\n", "line 2: subject: 'CN=%A': after % only…"},
	{CERT "subject = CN=a\xff\n", "line 2: subject: the value is not UTF-8 without control characters"},
	{CERT "subject = CN=a\xc3\n", "line 2: subject: the value is not UTF-8…"},
	{CERT "subject = CN=a\x01z\n", "line 2: subject: the value is not UTF-8…"},
	{CERT "subject = CN=a\tz\n", "line 2: subject: the value is not UTF-8…"},
	{CERT "subject = CN=a\rz\n", "line 2: subject: the value is not UTF-8…"},
	{CERT "subject = CN=a\xc2\x85z\n", "line 2: subject: the value is not UTF-8…"},
	/* what can't be shown is not quoted */
	{CERT "attach = \xff\n", "line 2: attach: the value is not UTF-8 without control characters"},
	{CERT "validity_days = 3\xe2\x82\n", "line 2: validity_days: the value is not UTF-8…"},
	{CERT "renewal = \xc2\x9b" "31m\n", "line 2: renewal: the value is not UTF-8…"},
	{CERT "\xff = 1\n", "line 2: the name of a key or section is not UTF-8 without control characters"},
	{"[\xc0\x80]\nattach = yes\n", "line 2: the name of a key or section is not UTF-8…"},
	/* directories */
	{"[files]\ncert_dir = certs\n", "line 2: cert_dir: 'certs' is not an absolute path…"},
	{"[files]\nkey_dir = ./x\n", "line 2: key_dir: './x' is not an absolute path…"},
	{"[files]\nkey_dir = /a%20b\n", "line 2: key_dir: '/a%20b' is not an absolute path without %…"},
	{"[files]\nkey_dir = /a\"b\n", "line 2: key_dir: '/a\"b' is not an absolute path…"},
	{"[files]\ncert_dir = /a'b\n", "line 2: cert_dir: '/a'b' is not an absolute path…"},
	{"[files]\ncert_dir =\n", "line 2: cert_dir: the value is empty"},
	/* variables */
	{"[variables]\nrequired = required\n", "line 2: required: 'required' does not begin with $…"},
	{"[variables]\ncert = $\n", "line 2: cert: '$' does not begin with $…"},
	{"[variables]\ncert = $a b\n", "line 2: cert: '$a b' does not begin with $, or has a space…"},
	{"[variables]\nkey = $a|base64\n", "line 2: key: '$a|base64' does not begin with $, or has a space or |…"},
	{"[variables]\nkey =\n", "line 2: key: the value is empty"},
	{"[variables]\nrequired = $x\ncert = $x\n",
	 "[variables]: required, cert and key must have different names"},
	{"[variables]\nkey = $webhook.azure.device_ca.cert\n",
	 "[variables]: required, cert and key must have different names"},
	{"[variables]\nrequired = $x\nkey = $x\n",
	 "[variables]: required, cert and key must have different names"},
	/* what does not go together */
	{CERT "validity_days = 30\n", "renew_before_days (30) must be below validity_days (30)"},
	{CERT "validity_days = 10\nrenew_before_days = 11\n",
	 "renew_before_days (11) must be below validity_days (10)"},
	/* the form */
	{"attach = yes\n", "line 1: attach: a key must stand below a [section]"},
	{"; a comment\n\nbogus = yes\n", "line 3: bogus: a key must stand below a [section]"},
	{CERT "bogus = 1\n", "line 2: bogus: there is no such key in this section"},
	{CERT "Attach = yes\n", "line 2: Attach: there is no such key in this section"},
	{CERT "warn_days = 30\n", "line 2: warn_days: there is no such key in this section"},
	{CERT "= 30\n", "line 2: there is no such key in this section"},
	{"[bogus]\nattach = yes\n", "line 2: bogus: there is no such [section]"},
	{"[Certificate]\nattach = yes\n", "line 2: Certificate: there is no such [section]"},
	{"[ certificate ]\nattach = yes\n", "line 2:  certificate : there is no such [section]"},
	{CERT "attach = yes\nattach = yes\n", "line 3: attach: this key is given twice…"},
	{CERT "attach = yes\n[files]\nkey_mode = 0400\n" CERT "attach = no\n",
	 "line 6: attach: this key is given twice…"},
	{CERT "attach = yes\n  no\n", "line 3: attach: this key is given twice, or its second line is indented"},
	{CERT "attach = yes\n  rotate_key = yes\n", "line 3: attach: this key is given twice, or its…"},
	{CERT "attach\n", "line 2: it is neither [section] nor KEY = VALUE"},
	{CERT "attach = yes\nnonsense\n", "line 3: it is neither [section] nor KEY = VALUE"},
	/* the first one is told */
	{CERT "attach = 1\nkey_type = 2\n", "line 2: attach: '1' is neither yes nor no"},
	{CERT "bogus = 1\nattach = 1\n", "line 2: bogus: there is no such key in this section"},
};

static void check_sentence(size_t i, const char *got, const char *wanted)
{
	static const char more[] = "…";
	const size_t size = strlen(wanted);
	const bool open_end = size >= strlen(more) && strcmp(wanted + size - strlen(more), more) == 0;
	const bool same = open_end ? strncmp(got, wanted, size - strlen(more)) == 0 : strcmp(got, wanted) == 0;

	if (!same)
		fail_msg("bad policy %zu:\n got    %s\n wanted %s", i, got, wanted);
}

static void refuse(size_t i, struct span text, const char *sentence)
{
	struct policy policy = other;
	struct error err = {0};

	if (policy_parse(text, &policy, &err) != -EINVAL)
		fail_msg("bad policy %zu was taken (%s)", i, sentence);
	assert_int_equal(err.code, EINVAL);
	check_sentence(i, err.text, sentence);
	assert_policy_equal(&policy, &other); /* nothing of a bad file is taken */
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuse(i, span_text(bad[i].text), bad[i].error);
}

static void test_nul(void **state)
{
	static const char first[] = "[cert\0ificate]\n", value[] = CERT "attach = yes\0\n",
			  line[] = CERT "attach = yes\n\0\n", comment[] = "; \0\n" CERT;

	(void)state;
	refuse(0, (struct span){(const uint8_t *)first, sizeof(first) - 1},
	       "line 1: there is a NUL byte in it");
	refuse(1, (struct span){(const uint8_t *)value, sizeof(value) - 1},
	       "line 2: there is a NUL byte in it");
	refuse(2, (struct span){(const uint8_t *)line, sizeof(line) - 1},
	       "line 3: there is a NUL byte in it");
	refuse(3, (struct span){(const uint8_t *)comment, sizeof(comment) - 1},
	       "line 1: there is a NUL byte in it");
}

/* A line of every length around the parser's limit is read whole or refused, never cut. */
static void test_long_lines(void **state)
{
	bool refused = false;

	(void)state;
	for (size_t size = 100; size < 300; size++) {
		_cleanup_buffer_ struct buffer text = {0};
		struct policy policy = {0};
		struct error err = {0};

		buffer_printf(&text, "[certificate]\nsubject = CN=%0*d\nattach = no\n", (int)size, 1);
		if (policy_parse(buffer_span(&text), &policy, &err) == 0) {
			assert_int_equal(strlen(policy.subject), size + 3);
			assert_int_equal(policy.subject[size + 2], '1');
			assert_false(policy.attach);
			continue;
		}
		refused = true;
		if (strncmp(err.text, "line 2: ", 8) != 0 || !strstr(err.text, "long"))
			fail_msg("%zu: %s", size, err.text);
	}
	assert_true(refused);
}

static void test_long_comment(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy;
	struct error err = {0};

	(void)state;
	buffer_printf(&text, "[certificate]\n; %0300d\nattach = no\n", 0);
	assert_int_equal(policy_parse(buffer_span(&text), &policy, &err), -EINVAL);
	assert_string_equal(err.text, "line 2: the line is too long");
}

static void fill(struct buffer *text, size_t size)
{
	while (text->size + 64 <= size)
		buffer_printf(text, "; %061d\n", 0);
	while (text->size < size)
		buffer_add_text(text, "\n");
}

static void test_size(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy = {0};

	(void)state;
	buffer_add_text(&text, CERT "attach = no\n");
	fill(&text, 64 << 10);
	parse(buffer_span(&text), &policy);
	assert_false(policy.attach);
	buffer_add_text(&text, "\n");
	refuse(0, buffer_span(&text), "the file is larger than 65536 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_default_text),
		cmocka_unit_test(test_default_text_is_complete),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_crlf_and_bom),
		cmocka_unit_test(test_span_without_end),
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_section_twice),
		cmocka_unit_test(test_key_type_names),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_comment),
		cmocka_unit_test(test_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
