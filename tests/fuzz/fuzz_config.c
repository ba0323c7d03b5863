/* Whatever stands in the configuration file: it is taken whole and within its bounds, or refused with file and line. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <unistd.h>

#include "certfs/config.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

static void check_text(const char *text, size_t room)
{
	REQUIRE(memchr(text, '\0', room));
	REQUIRE(utf8_printable(span_text(text)));
}

static void check_texts(const struct config *config)
{
	check_text(config->store_path, PATH_MAX);
	REQUIRE(config->store_path[0] == '/');
	check_text(config->master_key, PATH_MAX);
	REQUIRE(strncmp(config->master_key, "file:/", 6) == 0 ||
		strncmp(config->master_key, "credential:", 11) == 0 ||
		strncmp(config->master_key, "pkcs11:", 7) == 0);
	for (int hook = 0; hook < HOOK_COUNT; hook++) {
		check_text(config->hook[hook], PATH_MAX);
		REQUIRE(!config->hook[hook][0] || config->hook[hook][0] == '/');
	}
	check_text(config->daemon_user, sizeof(config->daemon_user));
	check_text(config->hook_user, sizeof(config->hook_user));
}

static void check_numbers(const struct config *config)
{
	REQUIRE(config->hook_timeout_seconds >= 1 && config->hook_timeout_seconds <= 86400);
	REQUIRE(config->hook_retries >= 0 && config->hook_retries <= 1000);
	REQUIRE(config->limit_projects >= 1);
	REQUIRE(config->limit_apps_per_project >= 1);
	REQUIRE(config->log_level >= LOG_ERR && config->log_level <= LOG_DEBUG);
}

static void check_error(int r, const struct error *err, const char *path)
{
	REQUIRE(r == -EINVAL && err->code == EINVAL);
	REQUIRE(strncmp(err->text, path, strlen(path)) == 0);
	REQUIRE(err->text[strlen(path)] == ':');
	REQUIRE(utf8_printable(span_text(err->text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct error err = {0};
	struct config config;
	char path[64];
	int r;

	REQUIRE(fd >= 0);
	REQUIRE(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = config_load(path, &config, &err);
	close(fd);
	if (r < 0) {
		check_error(r, &err, path);
		return 0;
	}
	check_texts(&config);
	check_numbers(&config);
	return 0;
}
