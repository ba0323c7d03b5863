#include "certfs/config.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "ini_table.h"

static int check_path(const char *value, struct error *err)
{
	return value[0] == '/' ? 0 : error_set(err, EINVAL, "'%s' is not an absolute path: begin it with /", value);
}

static int check_master_key(const char *value, struct error *err)
{
	if (strncmp(value, "file:/", 6) == 0 || strncmp(value, "pkcs11:", 7) == 0 ||
	    (strncmp(value, "credential:", 11) == 0 && value[11]))
		return 0;
	return error_set(err, EINVAL, "'%s' is none of file:/PATH, credential:NAME and pkcs11:…", value);
}

static const struct ini_choice levels[] = {
	{"error", LOG_ERR}, {"warning", LOG_WARNING}, {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {0},
};

#define FIELD(name) offsetof(struct config, name)
#define HOOK(kind) FIELD(hook[kind])

static const struct ini_key keys[] = {
	{"store", "path", INI_TEXT, FIELD(store_path), .size = PATH_MAX, .check = check_path},
	{"keystore", "master_key", INI_TEXT, FIELD(master_key), .size = PATH_MAX, .check = check_master_key},
	{"keystore", "token_paths", INI_TEXT_OR_EMPTY, FIELD(token_paths), .size = PATH_MAX, .check = check_path},
	{"daemon", "user", INI_TEXT_OR_EMPTY, FIELD(daemon_user), .size = 64},
	{"hooks", "details", INI_TEXT_OR_EMPTY, HOOK(HOOK_DETAILS), .size = PATH_MAX, .check = check_path},
	{"hooks", "push", INI_TEXT_OR_EMPTY, HOOK(HOOK_PUSH), .size = PATH_MAX, .check = check_path},
	{"hooks", "purge", INI_TEXT_OR_EMPTY, HOOK(HOOK_PURGE), .size = PATH_MAX, .check = check_path},
	{"hooks", "restart", INI_TEXT_OR_EMPTY, HOOK(HOOK_RESTART), .size = PATH_MAX, .check = check_path},
	{"hooks", "event", INI_TEXT_OR_EMPTY, HOOK(HOOK_EVENT), .size = PATH_MAX, .check = check_path},
	{"hooks", "user", INI_TEXT_OR_EMPTY, FIELD(hook_user), .size = 64},
	{"hooks", "timeout_seconds", INI_INT, FIELD(hook_timeout_seconds), 1, 86400, "seconds"},
	{"hooks", "retries", INI_INT, FIELD(hook_retries), 0, 1000},
	{"limits", "projects", INI_INT64, FIELD(limit_projects), 1, 1000000},
	{"limits", "apps_per_project", INI_INT64, FIELD(limit_apps_per_project), 1, 100000000},
	{"limits", "events", INI_INT64, FIELD(limit_events), 1000, 10000000},
	{"limits", "audit", INI_INT64, FIELD(limit_audit), 1000, 100000000},
	{"log", "level", INI_CHOICE, FIELD(log_level), .choices = levels},
};

/* The master key stands beside the store unless the configuration says otherwise. */
static void default_master_key(struct config *config)
{
	char copy[PATH_MAX];

	if (config->master_key[0])
		return;
	snprintf(copy, sizeof(copy), "%s", config->store_path);
	snprintf(config->master_key, sizeof(config->master_key), "file:%.*s/master.key", PATH_MAX - 20, dirname(copy));
}

static void config_initial(struct config *ret)
{
	*ret = (struct config){
		.store_path = "/var/lib/certfs/certfs.db",
		.hook_timeout_seconds = 30,
		.hook_retries = 5,
		.limit_projects = 10000,
		.limit_apps_per_project = 1000000,
		.limit_events = 20000,
		.limit_audit = 100000,
		.log_level = LOG_INFO,
	};
}

void config_default(struct config *ret)
{
	config_initial(ret);
	default_master_key(ret);
}

static int unreadable(const char *path, struct error *err)
{
	return error_set(err, errno, "the configuration %s can't be read: %s: name another one by -c", path, strerror(errno));
}

/* To the end, or one byte beyond what is allowed: a pipe gives it in parts. */
static int read_file(const char *path, struct buffer *ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 0;
	ssize_t n;

	if (fd < 0)
		return unreadable(path, err);
	if (buffer_resize(ret, INI_SIZE_MAX + 1) < 0)
		return error_set(err, ENOMEM, "out of memory");
	do {
		n = read(fd, ret->data + size, ret->size - size);
		size += n > 0 ? (size_t)n : 0;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return unreadable(path, err);
	return buffer_resize(ret, size);
}

/* "line 7: …" of the table becomes "FILE:7: …". */
static int name_place(const char *path, struct error *err)
{
	static const char line[] = "line ";
	struct error copy = *err;

	if (strncmp(copy.text, line, strlen(line)) == 0)
		return error_set(err, copy.code, "%s:%s", path, copy.text + strlen(line));
	return error_prefix(err, "%s", path);
}

int config_load(const char *path, struct config *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct config config;
	int r = read_file(path, &text, err);

	if (r < 0)
		return r;
	config_initial(&config);
	r = ini_table_read(buffer_span(&text), keys, sizeof(keys) / sizeof(keys[0]), &config, NULL, err);
	if (r < 0)
		return name_place(path, err);
	default_master_key(&config);
	*ret = config;
	return 0;
}
