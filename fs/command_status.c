/* certfs status: the fleet for people and scripts, from the tree's own files. */
#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certfs/json.h"
#include "fs/command.h"
#include "fs/tree_file.h"

enum { WATCH_SECONDS = 2 };

struct status {
	char mount[PATH_MAX];
	const char *check; /* PROJECT/APP */
	long min_days;
	bool json, watch, colour;
	struct json *reader;
};

/* ---- colour ---- */

static const char *colour_of(const struct status *status, const char *state)
{
	static const struct {
		const char *state, *code;
	} colours[] = {
		{"VALID", "\033[32m"},         {"NOT_ISSUED", "\033[2m"}, {"EXPIRING", "\033[33m"},
		{"UPDATE_REQUIRED", "\033[33m"},
	};

	if (!status->colour)
		return "";
	for (size_t i = 0; i < sizeof(colours) / sizeof(colours[0]); i++)
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].code;
	return "\033[1;31m";
}

static const char *colour_end(const struct status *status)
{
	return status->colour ? "\033[0m" : "";
}

/* ---- the table ---- */

static void field(const struct status *status, const struct buffer *text, const char *path, char *ret, size_t size)
{
	struct error err = {0};

	if (json_get(status->reader, (const char *)text->data, path, ret, size, &err) < 0)
		snprintf(ret, size, "-");
}

static void print_project(const struct status *status, const char *name, const struct buffer *text)
{
	char state[32], apps[24], days[24], message[300];

	field(status, text, "$.state", state, sizeof(state));
	field(status, text, "$.apps", apps, sizeof(apps));
	field(status, text, "$.days_left", days, sizeof(days));
	field(status, text, "$.message", message, sizeof(message));
	printf("%-24s %s%-16s%s %8s %8s  %s\n", name, colour_of(status, state), state, colour_end(status), apps, days,
	       message);
}

static int each_project(const struct status *status, int (*each)(const struct status *, const char *, struct buffer *, bool),
			struct error *err)
{
	char path[PATH_MAX + 16];
	struct dirent **names;
	bool first = true;
	int count, r = 0;

	snprintf(path, sizeof(path), "%s/projects", status->mount);
	count = scandir(path, &names, NULL, alphasort);
	if (count < 0)
		return error_set(err, errno, "%s: %s: is this the mount point of a certfs?", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		_cleanup_buffer_ struct buffer text = {0};

		snprintf(path, sizeof(path), "projects/%s/status.json", names[i]->d_name);
		if (names[i]->d_name[0] != '.' && tree_read(status->mount, path, &text, err) == 0) {
			r = each(status, names[i]->d_name, &text, first);
			first = false;
		} /* else: closed to this user, or removed meanwhile */
		free(names[i]);
	}
	free(names);
	return r;
}

static int table_row(const struct status *status, const char *name, struct buffer *text, bool first)
{
	if (first)
		printf("%-24s %-16s %8s %8s  %s\n", "PROJECT", "STATE", "APPS", "CA DAYS", "WHAT TO DO");
	print_project(status, name, text);
	return 0;
}

static int print_table(const struct status *status, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	char state[32], projects[24], apps[24];
	int r = tree_read(status->mount, "status.json", &text, err);

	if (r < 0)
		return r;
	field(status, &text, "$.state", state, sizeof(state));
	field(status, &text, "$.projects", projects, sizeof(projects));
	field(status, &text, "$.apps", apps, sizeof(apps));
	printf("%s: %s%s%s, %s project%s, %s app instance%s\n", status->mount, colour_of(status, state), state,
	       colour_end(status), projects, plural(strtoll(projects, NULL, 10)), apps, plural(strtoll(apps, NULL, 10)));
	return each_project(status, table_row, err);
}

/* ---- for programs ---- */

/* Names need no quoting: see SPEC 1 for what they are made of. */
static int json_row(const struct status *status, const char *name, struct buffer *text, bool first)
{
	(void)status;
	printf("%s\"%s\": %s", first ? "" : ", ", name, (const char *)text->data);
	return 0;
}

static int print_json(const struct status *status, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	int r = tree_read(status->mount, "status.json", &text, err);

	if (r < 0)
		return r;
	printf("{\"fleet\": %s, \"projects\": {", (const char *)text.data);
	r = each_project(status, json_row, err);
	puts("}}");
	return r;
}

/* ---- --check ---- */

static bool is_served(const char *state)
{
	return strcmp(state, "VALID") == 0 || strcmp(state, "EXPIRING") == 0 || strcmp(state, "UPDATE_REQUIRED") == 0;
}

static int check_app(const struct status *status, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	const char *slash = strchr(status->check, '/');
	char path[PATH_MAX], state[32], days[24];
	int r;

	snprintf(path, sizeof(path), "projects/%.*s/apps/%s/status.json", (int)(slash - status->check), status->check,
		 slash + 1);
	r = tree_read(status->mount, path, &text, err);
	if (r < 0)
		return r;
	field(status, &text, "$.state", state, sizeof(state));
	field(status, &text, "$.days_left", days, sizeof(days));
	printf("%s: %s%s%s, %s days left\n", status->check, colour_of(status, state), state, colour_end(status), days);
	if (!is_served(state))
		return error_set(err, EKEYREJECTED, "%s is %s: see %s/%s", status->check, state, status->mount, path);
	if (strtol(days, NULL, 10) < status->min_days)
		return error_set(err, EKEYEXPIRED, "%s ends in %s days, wanted are at least %ld: touch its renew", status->check,
				 days, status->min_days);
	return 0;
}

/* ---- the command ---- */

static int status_once(const struct status *status, struct error *err)
{
	if (status->check)
		return check_app(status, err);
	return status->json ? print_json(status, err) : print_table(status, err);
}

static int status_run(struct status *status)
{
	struct error err = {0};
	int r = *status->mount ? 0 : tree_find_mount(status->mount, sizeof(status->mount), &err);

	if (r == 0)
		r = json_open(&status->reader, &err);
	do {
		if (r == 0 && status->watch && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		if (r == 0)
			r = status_once(status, &err);
		fflush(stdout);
	} while (r == 0 && status->watch && sleep(WATCH_SECONDS) == 0);
	json_close(status->reader);
	return r == 0 ? STATUS_OK : command_failed(&err);
}

static bool take_option(struct status *status, int option)
{
	char *end;

	switch (option) {
	case 'j': status->json = true; return true;
	case 'w': status->watch = true; return true;
	case 'k': status->check = optarg; return strchr(optarg, '/') != NULL;
	case 'd': status->min_days = strtol(optarg, &end, 10); return *optarg && !*end && status->min_days >= 0;
	default: return false;
	}
}

int command_status(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},           {"watch", no_argument, NULL, 'w'},
		{"check", required_argument, NULL, 'k'},    {"min-days", required_argument, NULL, 'd'},
		{NULL, 0, NULL, 0},
	};
	struct status status = {.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(&status, c))
			return command_misused("status", COMMAND_STATUS_USAGE);
	if (argc - optind > 1)
		return command_misused("status", COMMAND_STATUS_USAGE);
	if (optind < argc)
		snprintf(status.mount, sizeof(status.mount), "%s", argv[optind]);
	return status_run(&status);
}
