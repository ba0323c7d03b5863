/* The worker's files (confine.h). */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fs/confine.h"

#ifndef P11_MODULES
#define P11_MODULES "/usr/share/p11-kit/modules"
#endif

/* ---- what Landlock has, also where the headers are older than the kernel ---- */

enum {
	VERSION_MAX = 6,
	ALL_V1 = (1 << 13) - 1,
	REFER = 1 << 13,     /* version 2 */
	TRUNCATE = 1 << 14,  /* version 3 */
	IOCTL_DEV = 1 << 15, /* version 5 */
	TCP = 3,             /* version 4: bind and connect */
	SCOPE_ABSTRACT = 1,  /* version 6 */
	SCOPE_SIGNAL = 2,
};

struct ruleset_attr {
	uint64_t files, net, scoped;
};

enum {
	READ = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	WRITE = LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE,
	CHANGE = WRITE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		 LANDLOCK_ACCESS_FS_REMOVE_DIR | REFER,
	DEVICE = WRITE | IOCTL_DEV,
	/* a rule for what is no directory may not name more */
	OF_FILES = LANDLOCK_ACCESS_FS_READ_FILE | WRITE | IOCTL_DEV,
};

struct rules {
	int fd;
	uint64_t handled;
	struct error *err;
};

static uint64_t handled_by(int version)
{
	return (uint64_t)ALL_V1 | (version >= 2 ? REFER : 0) | (version >= 3 ? TRUNCATE : 0) | (version >= 5 ? IOCTL_DEV : 0);
}

static int rules_open(struct rules *rules, int version, bool token)
{
	const struct ruleset_attr attr = {
		.files = handled_by(version),
		.net = version >= 4 && !token ? TCP : 0,
		.scoped = version >= 6 ? SCOPE_SIGNAL | (token ? 0 : SCOPE_ABSTRACT) : 0,
	};
	const size_t size = version >= 6 ? sizeof(attr) : version >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);

	rules->handled = attr.files;
	rules->fd = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	return rules->fd < 0 ? error_set(rules->err, errno, "Landlock makes no rules: %s", strerror(errno)) : 0;
}

/* What is not there needs no rule: it can't be made later either. */
static int allow(const struct rules *rules, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.parent_fd = open(path, O_PATH | O_CLOEXEC)};
	struct stat st;
	long r;

	if (rule.parent_fd < 0)
		return 0;
	rule.allowed_access = access & rules->handled;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	r = syscall(SYS_landlock_add_rule, rules->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
	return r < 0 ? error_set(rules->err, errno, "Landlock takes no rule for %s: %s", path, strerror(errno)) : 0;
}

/* ---- places ---- */

/* The file may be a link: what is written beside it is written where it really is. */
static int allow_directory_of(const struct rules *rules, const char *file, uint64_t access)
{
	char path[PATH_MAX];

	if (!realpath(file, path))
		snprintf(path, sizeof(path), "%s", file);
	return allow(rules, dirname(path), access);
}

static int allow_store(const struct rules *rules, const struct config *config)
{
	int r = allow_directory_of(rules, config->store_path, READ | CHANGE);

	if (r == 0 && strncmp(config->master_key, "file:", 5) == 0)
		r = allow_directory_of(rules, config->master_key + 5, READ);
	return r;
}

/* The libraries' own, and what tells who reads a key (/proc/PID/comm). */
static int allow_system(const struct rules *rules)
{
	static const char *const read[] = {"/usr", "/lib", "/lib64", "/etc/ssl", "/etc/ld.so.cache", "/etc/localtime",
					   "/proc", "/sys/devices/system/cpu", "/dev/random", "/dev/urandom"};
	static const char *const named[] = {"CREDENTIALS_DIRECTORY", "OPENSSL_CONF", "OPENSSL_MODULES"};
	int r = allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_READ_FILE | WRITE);

	for (size_t i = 0; r == 0 && i < sizeof(read) / sizeof(read[0]); i++)
		r = allow(rules, read[i], READ);
	for (size_t i = 0; r == 0 && i < sizeof(named) / sizeof(named[0]); i++)
		if (secure_getenv(named[i]))
			r = allow(rules, secure_getenv(named[i]), READ);
	return r;
}

/* ---- tokens ---- */

bool confine_token(const struct config *config)
{
	glob_t found = {0};
	bool other = false;

	if (config->token_paths[0] || strncmp(config->master_key, "pkcs11:", 7) == 0)
		return true;
	(void)glob(P11_MODULES "/*.module", 0, NULL, &found);
	(void)glob("/etc/pkcs11/modules/*.module", found.gl_pathc ? GLOB_APPEND : 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		other |= strstr(found.gl_pathv[i], "/p11-kit-trust.module") == NULL;
	globfree(&found);
	return other;
}

/* SoftHSM locks a token's files by writing to them. Its configuration says where they are. */
static int allow_softhsm(const struct rules *rules)
{
	const char *path = secure_getenv("SOFTHSM2_CONF");
	FILE *file = fopen(path ? path : "/etc/softhsm/softhsm2.conf", "re");
	char line[PATH_MAX + 64], directory[PATH_MAX];
	int r = 0;

	while (file && r == 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, " directories.tokendir = %4095s", directory) == 1)
			r = allow(rules, directory, READ | CHANGE);
	if (file)
		fclose(file);
	return r;
}

static int allow_tokens(const struct rules *rules, const struct config *config)
{
	char paths[sizeof(config->token_paths)];
	char *rest = NULL;
	int r = allow(rules, "/", READ);

	if (r == 0)
		r = allow(rules, "/dev", READ | DEVICE);
	if (r == 0)
		r = allow_softhsm(rules);
	memcpy(paths, config->token_paths, sizeof(paths));
	for (const char *path = strtok_r(paths, " ", &rest); path && r == 0; path = strtok_r(NULL, " ", &rest))
		r = allow(rules, path, READ | CHANGE | IOCTL_DEV);
	return r;
}

/* ---- all of it ---- */

bool confine_strict(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
	return false;
#endif
#endif
	return true;
}

int confine_files(const struct config *config, bool token, int *ret_version, struct error *err)
{
	struct rules rules = {.fd = -1, .err = err};
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	int r;

	*ret_version = 0;
	if (version <= 0 || !confine_strict())
		return 0;
	version = version < VERSION_MAX ? version : VERSION_MAX;
	r = rules_open(&rules, (int)version, token);
	if (r == 0)
		r = allow_store(&rules, config);
	if (r == 0)
		r = allow_system(&rules);
	if (r == 0 && token)
		r = allow_tokens(&rules, config);
	if (r == 0 && syscall(SYS_landlock_restrict_self, rules.fd, 0) < 0)
		r = error_set(err, errno, "Landlock does not take its rules: %s", strerror(errno));
	if (rules.fd >= 0)
		close(rules.fd);
	if (r == 0)
		*ret_version = (int)version;
	return r;
}
