/* certfs wait: until the update or force_update of a project has ended, with a bar. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/command.h"
#include "fs/tree_file.h"

enum { BAR = 40, LOOK_USECONDS = 200 * 1000 };

struct progress {
	char operation[24], state[24];
	long long total, done, failed, eta;
};

static void take_line(const char *line, struct progress *ret)
{
	static const struct {
		const char *key;
		size_t offset;
	} numbers[] = {
		{"total: ", offsetof(struct progress, total)},
		{"done: ", offsetof(struct progress, done)},
		{"failed: ", offsetof(struct progress, failed)},
		{"eta_seconds: ", offsetof(struct progress, eta)},
	};

	if (sscanf(line, "operation: %23s", ret->operation) == 1 || sscanf(line, "state: %23s", ret->state) == 1)
		return;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const size_t length = strlen(numbers[i].key);

		if (strncmp(line, numbers[i].key, length) == 0)
			*(long long *)(void *)((char *)ret + numbers[i].offset) = strtoll(line + length, NULL, 10);
	}
}

static int progress_read(const char *mount, const char *project, struct progress *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	char path[PATH_MAX], *rest = NULL;
	int r;

	snprintf(path, sizeof(path), "projects/%s/progress", project);
	r = tree_read(mount, path, &text, err);
	if (r < 0)
		return r;
	*ret = (struct progress){0};
	for (char *line = strtok_r((char *)text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		take_line(line, ret);
	return 0;
}

static bool has_ended(const struct progress *progress)
{
	return strcmp(progress->state, "running") != 0 && strcmp(progress->state, "paused") != 0;
}

static void print_bar(const struct progress *p)
{
	const long long ended = p->done + p->failed;
	const int full = p->total > 0 ? (int)(ended * BAR / p->total) : 0;

	printf("\r%s [%.*s%*s] %lld/%lld, %lld failed, %s, %lld s left \033[K", p->operation, full,
	       "########################################", BAR - full, "", ended, p->total, p->failed, p->state, p->eta);
	fflush(stdout);
}

static void print_line(const struct progress *p)
{
	printf("%s: %s, %lld of %lld done, %lld failed\n", p->operation, p->state, p->done, p->total, p->failed);
	fflush(stdout);
}

static int watch(const char *mount, const char *project, struct progress *ret, struct error *err)
{
	const bool terminal = isatty(STDOUT_FILENO);
	struct progress last = {0};
	int r;

	for (;;) {
		r = progress_read(mount, project, ret, err);
		if (r < 0)
			return r;
		if (terminal)
			print_bar(ret);
		else if (ret->done + ret->failed != last.done + last.failed || strcmp(ret->state, last.state) != 0)
			print_line(ret);
		last = *ret;
		if (has_ended(ret))
			break;
		usleep(LOOK_USECONDS);
	}
	if (terminal)
		putchar('\n');
	return 0;
}

static int wait_run(const char *mount, const char *project)
{
	struct progress progress;
	struct error err = {0};

	if (progress_read(mount, project, &progress, &err) < 0)
		return command_failed(&err);
	if (strcmp(progress.operation, "none") == 0) {
		printf("%s: nothing to wait for, no update and no force_update was ever started\n", project);
		return STATUS_OK;
	}
	if (watch(mount, project, &progress, &err) < 0)
		return command_failed(&err);
	if (strcmp(progress.state, "cancelled") == 0 || progress.failed > 0)
		return STATUS_FAILURE; /* the last line says it */
	return STATUS_OK;
}

int command_wait(int argc, char **argv)
{
	char mount[PATH_MAX];
	struct error err = {0};

	if (argc < 2 || argc > 3 || argv[1][0] == '-' || strchr(argv[1], '/'))
		return command_misused("wait", COMMAND_WAIT_USAGE);
	if (argc == 3)
		snprintf(mount, sizeof(mount), "%s", argv[2]);
	else if (tree_find_mount(mount, sizeof(mount), &err) < 0)
		return command_failed(&err);
	return wait_run(mount, argv[1]);
}
