#include "policy.h"

#include <string.h>

#include "ini_table.h"

/* ---- the table ---- */

static const struct ini_choice key_types[] = {
	{"ec-p256", KEY_EC_P256}, {"rsa-2048", KEY_RSA_2048}, {"rsa-3072", KEY_RSA_3072}, {"rsa-4096", KEY_RSA_4096}, {0},
};

static const struct ini_choice renewals[] = {
	{"on-read", RENEWAL_ON_READ}, {"auto", RENEWAL_AUTO}, {"manual", RENEWAL_MANUAL}, {0},
};

static const struct ini_choice key_modes[] = {{"0400", 0400}, {"0440", 0440}, {0}};

/* "CN=" and text in which % is followed by a, p or %. */
static int check_subject(const char *value, struct error *err)
{
	static const char prefix[] = "CN=";

	if (strncmp(value, prefix, strlen(prefix)) != 0 || !value[strlen(prefix)])
		return error_set(err, EINVAL, "'%s' does not have the form CN=TEXT", value);
	for (const char *c = strchr(value, '%'); c; c = strchr(c + 2, '%'))
		if (!c[1] || !strchr("ap%", c[1]))
			return error_set(err, EINVAL, "'%s': after %% only a (app instance), p (project) or %% may follow",
					 value);
	return 0;
}

/* IoT Edge takes the path of a file URI as it is: no %-encoding, nothing that a quoted string of TOML or YAML would have to escape. */
static int check_directory(const char *value, struct error *err)
{
	if (value[0] != '/' || strpbrk(value, "%\"\\'?#"))
		return error_set(err, EINVAL, "'%s' is not an absolute path without %% \" \\ ' ? #", value);
	return 0;
}

static int check_variable(const char *value, struct error *err)
{
	if (value[0] != '$' || !value[1] || strpbrk(value, " \t|"))
		return error_set(err, EINVAL, "'%s' does not begin with $, or has a space or | in it", value);
	return 0;
}

#define FIELD(name) offsetof(struct policy, name)

static const struct ini_key keys[] = {
	{"certificate", "attach", INI_YES_NO, FIELD(attach)},
	{"certificate", "key_type", INI_CHOICE, FIELD(key_type), .choices = key_types},
	{"certificate", "validity_days", INI_INT, FIELD(validity_days), 1, 36500, "days"},
	{"certificate", "renew_before_days", INI_INT, FIELD(renew_before_days), 0, 36499, "days"},
	{"certificate", "renewal", INI_CHOICE, FIELD(renewal), .choices = renewals},
	{"certificate", "rotate_key", INI_YES_NO, FIELD(rotate_key)},
	{"certificate", "subject", INI_TEXT, FIELD(subject), .size = POLICY_TEXT, .check = check_subject},
	{"certificate", "path_length", INI_INT, FIELD(path_length), 0, 100},
	{"certificate", "revoke_grace_hours", INI_INT, FIELD(revoke_grace_hours), 0, 87600, "hours"},
	{"signing_ca", "warn_days", INI_INT, FIELD(warn_days), 0, 36500, "days"},
	{"rollout", "max_parallel", INI_INT, FIELD(max_parallel), 1, 1024},
	{"rollout", "per_minute", INI_INT, FIELD(per_minute), 0, 1000000},
	{"files", "cert_dir", INI_TEXT, FIELD(cert_dir), .size = POLICY_TEXT, .check = check_directory},
	{"files", "key_dir", INI_TEXT, FIELD(key_dir), .size = POLICY_TEXT, .check = check_directory},
	{"files", "key_mode", INI_CHOICE, FIELD(key_mode), .choices = key_modes},
	{"variables", "required", INI_TEXT, FIELD(variable_required), .size = POLICY_TEXT, .check = check_variable},
	{"variables", "cert", INI_TEXT, FIELD(variable_cert), .size = POLICY_TEXT, .check = check_variable},
	{"variables", "key", INI_TEXT, FIELD(variable_key), .size = POLICY_TEXT, .check = check_variable},
};

/* ---- defaults ---- */

static const char default_text[] =
	"; The policy of this project. A bad line is refused as a whole (EINVAL); `status` says which and why.\n"
	"\n"
	"[certificate]\n"
	"attach = yes                ; attach certificate for leaf device or edge module communication\n"
	"key_type = ec-p256          ; ec-p256, rsa-2048, rsa-3072, rsa-4096\n"
	"validity_days = 365\n"
	"renew_before_days = 30      ; EXPIRING from here on\n"
	"renewal = on-read           ; on-read, auto (by the daemon, spread over the window), manual\n"
	"rotate_key = no             ; a renewal keeps the key\n"
	"subject = CN=%a.%p.ca       ; %a app instance, %p project\n"
	"path_length = 0\n"
	"revoke_grace_hours = 72     ; after a purge or force_update, until the old certificate is revoked\n"
	"\n"
	"[signing_ca]\n"
	"warn_days = 30\n"
	"\n"
	"[rollout]\n"
	"max_parallel = 16           ; hooks at once in update and force_update\n"
	"per_minute = 0              ; 0: no limit\n"
	"\n"
	"[files]\n"
	"cert_dir = /var/aziot/certs ; used in config.toml and config.yaml\n"
	"key_dir = /var/aziot/secret\n"
	"key_mode = 0400             ; 0440 lets the directory's group read private keys\n"
	"\n"
	"[variables]                 ; names of the system variables in user_data.in\n"
	"required = $webhook.azure.device_ca.required\n"
	"cert = $webhook.azure.device_ca.cert\n"
	"key = $webhook.azure.device_ca.key\n";

const char *policy_default_text(void)
{
	return default_text;
}

void policy_default(struct policy *ret)
{
	*ret = (struct policy){
		.attach = true,
		.key_type = KEY_EC_P256,
		.validity_days = 365,
		.renew_before_days = 30,
		.renewal = RENEWAL_ON_READ,
		.subject = "CN=%a.%p.ca",
		.revoke_grace_hours = 72,
		.warn_days = 30,
		.max_parallel = 16,
		.cert_dir = "/var/aziot/certs",
		.key_dir = "/var/aziot/secret",
		.key_mode = 0400,
		.variable_required = "$webhook.azure.device_ca.required",
		.variable_cert = "$webhook.azure.device_ca.cert",
		.variable_key = "$webhook.azure.device_ca.key",
	};
}

const char *key_type_name(enum key_type type)
{
	return key_types[type].name;
}

/* ---- the whole ---- */

enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

/* The line of the last of some keys that are given: where the combination went wrong. 0: none is. */
static int line_of(const int lines[KEYS], const char *const *names)
{
	int line = 0;

	for (; *names; names++)
		for (size_t i = 0; i < KEYS; i++)
			if (strcmp(keys[i].key, *names) == 0 && lines[i] > line)
				line = lines[i];
	return line;
}

static int check_together(const struct policy *policy, const int lines[KEYS], struct error *err)
{
	static const char *const days[] = {"renew_before_days", "validity_days", NULL};
	static const char *const variables[] = {"required", "cert", "key", NULL};

	if (policy->renew_before_days >= policy->validity_days)
		return error_set(err, EINVAL, "line %d: renew_before_days (%d) must be below validity_days (%d)",
				 line_of(lines, days), policy->renew_before_days, policy->validity_days);
	if (strcmp(policy->variable_required, policy->variable_cert) == 0 ||
	    strcmp(policy->variable_required, policy->variable_key) == 0 ||
	    strcmp(policy->variable_cert, policy->variable_key) == 0)
		return error_set(err, EINVAL, "line %d: [variables]: required, cert and key must have different names",
				 line_of(lines, variables));
	return 0;
}

int policy_parse(struct span text, struct policy *ret, struct error *err)
{
	struct policy policy;
	int lines[KEYS];
	int r;

	policy_default(&policy);
	r = ini_table_read(text, keys, KEYS, &policy, lines, err);
	if (r == 0)
		r = check_together(&policy, lines, err);
	if (r == 0)
		*ret = policy;
	return r;
}
