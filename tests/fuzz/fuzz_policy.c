/* Whatever is written to `policy`: it is taken whole and within its bounds, or refused with one clean sentence. */
#include <string.h>

#include "name.h"
#include "policy.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

static void check_text(const char text[POLICY_TEXT])
{
	REQUIRE(memchr(text, '\0', POLICY_TEXT));
	REQUIRE(*text);
	REQUIRE(utf8_printable(span_text(text)));
}

static void check_numbers(const struct policy *policy)
{
	REQUIRE(policy->key_type < KEY_TYPE_COUNT);
	REQUIRE(policy->validity_days >= 1 && policy->validity_days <= 36500);
	REQUIRE(policy->renew_before_days >= 0);
	REQUIRE(policy->renew_before_days < policy->validity_days);
	REQUIRE(policy->renewal <= RENEWAL_MANUAL);
	REQUIRE(policy->path_length >= 0 && policy->path_length <= 100);
	REQUIRE(policy->revoke_grace_hours >= 0 && policy->revoke_grace_hours <= 87600);
	REQUIRE(policy->warn_days >= 0 && policy->warn_days <= 36500);
	REQUIRE(policy->max_parallel >= 1 && policy->max_parallel <= 1024);
	REQUIRE(policy->per_minute >= 0);
	REQUIRE(policy->key_mode == 0400 || policy->key_mode == 0440);
}

static void check_texts(const struct policy *policy)
{
	check_text(policy->subject);
	REQUIRE(strncmp(policy->subject, "CN=", 3) == 0);
	check_text(policy->cert_dir);
	check_text(policy->key_dir);
	REQUIRE(policy->cert_dir[0] == '/' && policy->key_dir[0] == '/');
	check_text(policy->variable_required);
	check_text(policy->variable_cert);
	check_text(policy->variable_key);
	REQUIRE(policy->variable_required[0] == '$' && policy->variable_cert[0] == '$');
	REQUIRE(policy->variable_key[0] == '$');
}

/* What an issue does with it. */
static void check_name(const struct policy *policy)
{
	char name[65];

	name_common_name(policy->subject, "gw-01", "plant-7", name);
	REQUIRE(*name);
	REQUIRE(utf8_printable(span_text(name)));
}

/* `status.json` shows it: it must be one line of UTF-8. */
static void check_error(const struct error *err)
{
	REQUIRE(err->code == EINVAL);
	REQUIRE(*err->text);
	REQUIRE(utf8_printable(span_text(err->text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct policy policy;
	struct error err = {0};
	const int r = policy_parse((struct span){data, size}, &policy, &err);

	if (r < 0) {
		REQUIRE(r == -EINVAL);
		check_error(&err);
		return 0;
	}
	REQUIRE(r == 0 && err.code == 0);
	check_numbers(&policy);
	check_texts(&policy);
	check_name(&policy);
	return 0;
}
