/* The daemon's configuration: its defaults, and file and line of whatever is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "certfs/buffer.h"
#include "certfs/config.h"

static char directory[] = "/tmp/test_config.XXXXXX";
static char path[sizeof(directory) + 16];

static void write_bytes(const void *data, size_t size)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(close(fd), 0);
}

static void load(const char *text, struct config *ret)
{
	struct error err = {0};

	write_bytes(text, strlen(text));
	if (config_load(path, ret, &err) != 0)
		fail_msg("refused: %s", err.text);
	assert_int_equal(err.code, 0);
}

static void assert_config_equal(const struct config *a, const struct config *b)
{
	assert_string_equal(a->store_path, b->store_path);
	assert_string_equal(a->master_key, b->master_key);
	assert_string_equal(a->daemon_user, b->daemon_user);
	for (int hook = 0; hook < HOOK_COUNT; hook++)
		assert_string_equal(a->hook[hook], b->hook[hook]);
	assert_string_equal(a->hook_user, b->hook_user);
	assert_int_equal(a->hook_timeout_seconds, b->hook_timeout_seconds);
	assert_int_equal(a->hook_retries, b->hook_retries);
	assert_int_equal(a->limit_projects, b->limit_projects);
	assert_int_equal(a->limit_apps_per_project, b->limit_apps_per_project);
	assert_int_equal(a->log_level, b->log_level);
}

/* ---- what is taken ---- */

static const struct config defaults = {
	.store_path = "/var/lib/certfs/certfs.db",
	.master_key = "file:/var/lib/certfs/master.key",
	.hook_timeout_seconds = 30,
	.hook_retries = 5,
	.limit_projects = 10000,
	.limit_apps_per_project = 1000000,
	.log_level = LOG_INFO,
};

static void test_default(void **state)
{
	struct config config;

	(void)state;
	memset(&config, 'x', sizeof(config));
	config_default(&config);
	assert_config_equal(&config, &defaults);
}

static void test_empty_file(void **state)
{
	struct config config;

	(void)state;
	load("", &config);
	assert_config_equal(&config, &defaults);
}

/* The file that SPEC section 7 shows. */
static void test_sample(void **state)
{
	struct config config;

	(void)state;
	load("[store]\n"
	     "path = /var/lib/certfs/certfs.db\n"
	     "[keystore]\n"
	     "master_key = file:/var/lib/certfs/master.key   ; or credential:NAME (systemd), or a pkcs11: URI;\n"
	     "                                               ; default: file master.key beside the store\n"
	     "[daemon]\n"
	     "user =                       ; what the worker becomes\n"
	     "[hooks]\n"
	     "details =                    ; absolute paths of executables, none by default\n"
	     "purge =\n"
	     "push =\n"
	     "restart =\n"
	     "event =\n"
	     "user =                       ; who they run as\n"
	     "timeout_seconds = 30\n"
	     "retries = 5\n"
	     "[limits]\n"
	     "projects = 10000\n"
	     "apps_per_project = 1000000\n"
	     "[log]\n"
	     "level = info\n",
	     &config);
	assert_config_equal(&config, &defaults);
}

static void test_every_key(void **state)
{
	static const struct config expected = {
		.store_path = "/srv/c.db",
		.master_key = "credential:certfs",
		.daemon_user = "certfs",
		.hook = {[HOOK_DETAILS] = "/h/details",
			 [HOOK_PUSH] = "/h/push",
			 [HOOK_PURGE] = "/h/purge",
			 [HOOK_RESTART] = "/h/restart",
			 [HOOK_EVENT] = "/h/event"},
		.hook_user = "hooks",
		.hook_timeout_seconds = 86400,
		.hook_retries = 0,
		.limit_projects = 1,
		.limit_apps_per_project = 100000000,
		.log_level = LOG_DEBUG,
	};
	struct config config;

	(void)state;
	load("[store]\npath = /srv/c.db\n[keystore]\nmaster_key = credential:certfs\n"
	     "[daemon]\nuser = certfs\n"
	     "[hooks]\ndetails = /h/details\npurge = /h/purge\npush = /h/push\nrestart = /h/restart\n"
	     "event = /h/event\nuser = hooks\ntimeout_seconds = 86400\nretries = 0\n"
	     "[limits]\nprojects = 1\napps_per_project = 100000000\n[log]\nlevel = debug",
	     &config);
	assert_config_equal(&config, &expected);
}

static const struct {
	const char *text, *master_key;
} master_keys[] = {
	{"[store]\npath = /srv/x/c.db\n", "file:/srv/x/master.key"},
	{"[store]\npath = /srv/x y/c.db\n", "file:/srv/x y/master.key"},
	{"[keystore]\nmaster_key = file:/m\n[store]\npath = /srv/x/c.db\n", "file:/m"},
	{"[keystore]\nmaster_key = pkcs11:token=t;object=k?pin-source=/p\n", "pkcs11:token=t;object=k?pin-source=/p"},
	{"[keystore]\nmaster_key = credential:k\n", "credential:k"},
};

static void test_master_keys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(master_keys) / sizeof(master_keys[0]); i++) {
		struct config config;

		load(master_keys[i].text, &config);
		assert_string_equal(config.master_key, master_keys[i].master_key);
	}
}

static void test_log_levels(void **state)
{
	static const struct {
		const char *name;
		int priority;
	} levels[] = {{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}};

	(void)state;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		struct config config;
		char text[64];

		snprintf(text, sizeof(text), "[log]\nlevel = %s\n", levels[i].name);
		load(text, &config);
		assert_int_equal(config.log_level, levels[i].priority);
	}
}

/* ---- what is refused ---- */

static const struct {
	const char *text, *error; /* behind the path: the sentence's beginning */
} bad[] = {
	{"[store]\npath = certfs.db\n", ":2: path: 'certfs.db' is not an absolute path"},
	{"[store]\npath =\n", ":2: path: the value is empty"},
	{"[store]\npath = /a\xff\n", ":2: path: the value is not UTF-8"},
	{"[keystore]\nmaster_key = /m\n", ":2: master_key: '/m' is none of file:/PATH, credential:NAME and pkcs11:"},
	{"[keystore]\nmaster_key = file:m\n", ":2: master_key: 'file:m' is none of"},
	{"[keystore]\nmaster_key = credential:\n", ":2: master_key: 'credential:' is none of"},
	{"[keystore]\nmaster_key =\n", ":2: master_key: the value is empty"},
	{"[hooks]\npush = push.sh\n", ":2: push: 'push.sh' is not an absolute path"},
	{"[hooks]\n\n; x\nevent = ./e\n", ":4: event: './e' is not an absolute path"},
	{"[hooks]\ntimeout_seconds = 0\n",
	 ":2: timeout_seconds: '0' is not a whole number of seconds from 1 to 86400"},
	{"[hooks]\nretries = 1001\n", ":2: retries: '1001' is not a whole number from 0 to 1000"},
	{"[hooks]\nretries = many\n", ":2: retries: 'many' is not a whole number"},
	{"[limits]\nprojects = 0\n", ":2: projects: '0' is not a whole number from 1 to"},
	{"[limits]\napps_per_project = 99999999999999999999\n", ":2: apps_per_project: '99999999999999999999' is not"},
	{"[log]\nlevel = loud\n", ":2: level: 'loud' is not one of error, warning, info, debug"},
	{"[log]\nlevel = \xff\n", ":2: level: the value is not UTF-8"},
	{"[log]\nlevels = info\n", ":2: levels: there is no such key in this section"},
	{"[logs]\nlevel = info\n", ":1: logs: there is no such [section]"},
	{"level = info\n", ":1: level: a key must stand below a [section]"},
	{"[log]\nlevel = info\nlevel = info\n", ":3: level: this key is given twice"},
	{"[log]\nlevel\n", ":2: it is neither [section] nor KEY = VALUE"},
	{"[daemon]\nuser = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	 ":2: user: the value is longer than 63 bytes"},
};

static void refuse(int code, const char *sentence)
{
	struct config config = defaults;
	struct error err = {0};
	const int r = config_load(path, &config, &err);

	if (r != -code || err.code != code)
		fail_msg("%d instead of %d (%s): %s", r, -code, sentence, err.text);
	if (strncmp(err.text, path, strlen(path)) != 0 ||
	    strncmp(err.text + strlen(path), sentence, strlen(sentence)) != 0)
		fail_msg("\n got    %s\n wanted %s%s", err.text, path, sentence);
	assert_config_equal(&config, &defaults); /* untouched */
}

static void test_bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_bytes(bad[i].text, strlen(bad[i].text));
		refuse(EINVAL, bad[i].error);
	}
}

static void test_nul(void **state)
{
	static const char text[] = "[log]\nlevel = info\0x\n";

	(void)state;
	write_bytes(text, sizeof(text) - 1);
	refuse(EINVAL, ":2: there is a NUL byte in it");
}

/* A path of every length is taken whole or refused, never cut. */
static void test_long_path(void **state)
{
	bool refused = false;

	(void)state;
	for (size_t size = 150; size < 250; size++) {
		struct error err = {0};
		struct config config;
		char text[512];

		snprintf(text, sizeof(text), "[hooks]\npush = /%0*d\n", (int)size, 1);
		write_bytes(text, strlen(text));
		if (config_load(path, &config, &err) == 0) {
			assert_int_equal(strlen(config.hook[HOOK_PUSH]), size + 1);
			continue;
		}
		refused = true;
		refuse(EINVAL, ":2: the line is too long");
	}
	assert_true(refused);
}

static void test_too_large(void **state)
{
	_cleanup_buffer_ struct buffer text = {0};

	(void)state;
	while (text.size <= 64 << 10)
		buffer_add_text(&text, ";\n");
	write_bytes(text.data, text.size);
	refuse(EINVAL, ": the file is larger than 65536 bytes");
}

static void test_missing(void **state)
{
	(void)state;
	unlink(path);
	refuse(ENOENT, ": No such file or directory");
}

static void test_directory(void **state)
{
	(void)state;
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	refuse(EISDIR, ": Is a directory");
	rmdir(path);
}

/* Root may read everything, so it tries as somebody else. */
static void test_forbidden(void **state)
{
	const uid_t user = geteuid();

	(void)state;
	write_bytes("", 0);
	assert_int_equal(chmod(path, 0), 0);
	if (user == 0)
		assert_int_equal(seteuid(65534), 0);
	refuse(EACCES, ": Permission denied");
	assert_int_equal(seteuid(user), 0);
	unlink(path);
}

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/certfs.conf", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_master_keys),
		cmocka_unit_test(test_log_levels),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_forbidden),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
