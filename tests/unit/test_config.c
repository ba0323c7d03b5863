/* The configuration file: defaults, every key, and what is refused with file and line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cmocka.h>

#include "certfs/config.h"

#define TEN "aaaaaaaaaa"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

static char directory[] = "/tmp/test_config.XXXXXX";
static char file[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(file, sizeof(file), "%s/certfs.conf", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(directory);
}

static int load(const char *text, struct config *ret, struct error *err)
{
	FILE *stream = fopen(file, "w");

	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
	*err = (struct error){0};
	return config_load(file, ret, err);
}

/* ---- good ones ---- */

static void assert_defaults(const struct config *config)
{
	assert_string_equal(config->store_path, "/var/lib/certfs/certfs.db");
	assert_string_equal(config->master_key, "file:/var/lib/certfs/master.key");
	assert_string_equal(config->daemon_user, "");
	for (int i = 0; i < HOOK_COUNT; i++)
		assert_string_equal(config->hook[i], "");
	assert_string_equal(config->hook_user, "");
	assert_int_equal(config->hook_timeout_seconds, 30);
	assert_int_equal(config->hook_retries, 5);
	assert_int_equal(config->limit_projects, 10000);
	assert_int_equal(config->limit_apps_per_project, 1000000);
	assert_int_equal(config->log_level, LOG_INFO);
}

static void test_default(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	memset(&config, 0x5a, sizeof(config));
	config_default(&config);
	assert_defaults(&config);
	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(load("", &config, &err), 0);
	assert_defaults(&config);
}

static void test_every_key(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(load("[store]\npath = /srv/c.db\n[keystore]\nmaster_key = credential:master\n"
			      "[daemon]\nuser = certfs\n"
			      "[hooks]\ndetails = /h/d\npurge = /h/pu\npush = /h/ps\nrestart = /h/r\nevent = /h/e\n"
			      "user = hooks\ntimeout_seconds = 86400\nretries = 0\n"
			      "[limits]\nprojects = 1\napps_per_project = 100000000\n[log]\nlevel = debug\n",
			      &config, &err),
			 0);
	assert_string_equal(config.store_path, "/srv/c.db");
	assert_string_equal(config.master_key, "credential:master");
	assert_string_equal(config.daemon_user, "certfs");
	assert_string_equal(config.hook[HOOK_DETAILS], "/h/d");
	assert_string_equal(config.hook[HOOK_PUSH], "/h/ps");
	assert_string_equal(config.hook[HOOK_PURGE], "/h/pu");
	assert_string_equal(config.hook[HOOK_RESTART], "/h/r");
	assert_string_equal(config.hook[HOOK_EVENT], "/h/e");
	assert_string_equal(config.hook_user, "hooks");
	assert_int_equal(config.hook_timeout_seconds, 86400);
	assert_int_equal(config.hook_retries, 0);
	assert_int_equal(config.limit_projects, 1);
	assert_int_equal(config.limit_apps_per_project, 100000000);
	assert_int_equal(config.log_level, LOG_DEBUG);
}

/* The key stands beside the store, wherever that is. */
static void test_master_key_beside_store(void **state)
{
	static const struct {
		const char *text, *master_key;
	} cases[] = {
		{"[store]\npath = /srv/a b/c.db\n", "file:/srv/a b/master.key"},
		{"[store]\npath = /c.db\n", "file://master.key"},
		{"[store]\npath = /srv/c.db\n[keystore]\nmaster_key = file:/k\n", "file:/k"},
		{"[keystore]\nmaster_key = pkcs11:token=t;object=o\n", "pkcs11:token=t;object=o"},
	};
	struct config config;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(load(cases[i].text, &config, &err), 0);
		assert_string_equal(config.master_key, cases[i].master_key);
	}
}

/* What SPEC 7 shows as an example, comments included. */
static void test_example(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(load("[store]\npath = /var/lib/certfs/certfs.db\n[keystore]\n"
			      "master_key = file:/var/lib/certfs/master.key   ; or credential:NAME (systemd)\n"
			      "                                               ; default: beside the store\n"
			      "[daemon]\nuser =                       ; what the worker becomes\n"
			      "[hooks]\ndetails =                    ; absolute paths of executables, none by default\n"
			      "purge =\npush =\nrestart =\nevent =\nuser =       ; who they run as\n"
			      "timeout_seconds = 30\nretries = 5\n[limits]\nprojects = 10000\n"
			      "apps_per_project = 1000000\n[log]\nlevel = info\n",
			      &config, &err),
			 0);
	assert_defaults(&config);
}

/* A path may have PATH_MAX bytes, and so a line more. */
static void test_long_path(void **state)
{
	struct config config;
	struct error err;

	(void)state;
	assert_int_equal(load("[store]\npath = /" HUNDRED "/" HUNDRED "/" HUNDRED "/c.db\n", &config, &err), 0);
	assert_string_equal(config.store_path, "/" HUNDRED "/" HUNDRED "/" HUNDRED "/c.db");
}

/* ---- bad ones ---- */

static const struct {
	const char *text;
	int line;
	const char *reason;
} bad[] = {
	{"[store]\npath = certfs.db\n", 2, "path: 'certfs.db' is not an absolute path"},
	{"[store]\npath =\n", 2, "path: the value is empty"},
	{"[keystore]\nmaster_key = /k\n", 2, "master_key: '/k' is none of file:/PATH, credential:NAME and pkcs11:"},
	{"[keystore]\nmaster_key = file:k\n", 2, "master_key: 'file:k' is none of"},
	{"[keystore]\nmaster_key = credential:\n", 2, "master_key: 'credential:' is none of"},
	{"[keystore]\nmaster_key =\n", 2, "master_key: the value is empty"},
	{"[hooks]\npush = push.sh\n", 2, "push: 'push.sh' is not an absolute path"},
	{"[hooks]\n\nevent = ./e\n", 3, "event: './e' is not an absolute path"},
	{"[hooks]\ntimeout_seconds = 0\n", 2, "timeout_seconds: '0' is not a whole number of seconds from 1 to 86400"},
	{"[hooks]\ntimeout_seconds = 30s\n", 2, "timeout_seconds: '30s'"},
	{"[hooks]\nretries = 1001\n", 2, "retries: '1001' is not a whole number from 0 to 1000"},
	{"[limits]\nprojects = 0\n", 2, "projects: '0' is not a whole number from 1 to 1000000"},
	{"[limits]\napps_per_project = 100000001\n", 2, "from 1 to 100000000"},
	{"[log]\nlevel = loud\n", 2, "level: 'loud' is not one of error, warning, info, debug"},
	{"[log]\nlevle = info\n", 2, "levle: there is no such key in this section"},
	{"[logs]\nlevel = info\n", 1, "logs: there is no such [section]"},
	{"path = /c\n", 1, "path: a key must stand below a [section]"},
	{"[store]\npath = /c\n[log]\n[store]\npath = /d\n", 5, "path: this key is given twice"},
	{"[daemon]\nuser = " HUNDRED "\n", 2, "user: the value is longer than 63 bytes"},
	{"[daemon]\nuser = a\x1b[1m\n", 2, "user: the value is not UTF-8 without control characters"},
	{"[store\npath = /c\n", 1, "it is not [section] alone"},
};

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config before, config;
		struct error err;
		char place[96];
		int r;

		memset(&before, 0x5a, sizeof(before));
		config = before;
		r = load(bad[i].text, &config, &err);
		snprintf(place, sizeof(place), "%s:%d: ", file, bad[i].line);
		if (r != -EINVAL || strncmp(err.text, place, strlen(place)) != 0 || !strstr(err.text, bad[i].reason))
			fail_msg("configuration %zu: %d '%s', not '%s%s'", i, r, err.text, place, bad[i].reason);
		assert_memory_equal(&config, &before, sizeof(config));
	}
}

static void test_no_file(void **state)
{
	struct config config;
	struct error err = {0};

	(void)state;
	assert_int_equal(config_load("/nowhere/certfs.conf", &config, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/certfs.conf"));
	assert_int_equal(config_load(directory, &config, &err), -EISDIR);
	assert_non_null(strstr(err.text, directory));
}

static void test_file_size(void **state)
{
	static char text[(64 << 10) + 2];
	struct config config;
	struct error err;

	(void)state;
	memset(text, '\n', sizeof(text) - 2);
	assert_int_equal(load(text, &config, &err), 0);
	text[sizeof(text) - 2] = '\n';
	assert_int_equal(load(text, &config, &err), -EFBIG);
	assert_non_null(strstr(err.text, file));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_master_key_beside_store),
		cmocka_unit_test(test_example),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_file_size),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
