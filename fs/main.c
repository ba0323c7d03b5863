/* certfs: the command line. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certfs/core.h"
#include "certfs/log.h"
#include "fs/command.h"
#include "fs/fs.h"

#ifndef CERTFS_VERSION
#define CERTFS_VERSION "unknown"
#endif

static int command_version(int argc, char **argv);

static const struct command {
	const char *name;
	int (*function)(int argc, char **argv);
	const char *usage;
	const char *description;
} commands[] = {
	{"mount", command_mount, COMMAND_MOUNT_USAGE, "serve the certificates as files at MOUNTPOINT"},
	{"check", command_check, COMMAND_CHECK_USAGE, "verify the store: pairs, chains, serial numbers"},
	{"backup", command_backup, COMMAND_BACKUP_USAGE, "copy the store, which may be in use, without its master key, to DEST"},
	{"restore", command_restore, COMMAND_RESTORE_USAGE, "make a store from the backup SRC, in an empty place"},
	{"rekey", command_rekey, COMMAND_REKEY_USAGE, "make a new master key; the store may be in use"},
	{"status", command_status, COMMAND_STATUS_USAGE, "the fleet as a table, or whether one certificate is good"},
	{"wait", command_wait, COMMAND_WAIT_USAGE, "wait for the end of an update or force_update"},
	{"version", command_version, "", "show the version"},
};

enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const char default_config[] = "/etc/certfs/certfs.conf";

/* ---- what the commands share ---- */

int command_config(const char *path, struct config *ret, struct error *err)
{
	if (!path && access(default_config, F_OK) < 0) {
		config_default(ret);
		return 0;
	}
	return config_load(path ? path : default_config, ret, err);
}

int command_failed(const struct error *err)
{
	log_about(LOG_ERR, LOG_SUBJECT(.error = err->code), "%s", err->text);
	return STATUS_FAILURE;
}

int command_misused(const char *name, const char *usage)
{
	fprintf(stderr, "usage: certfs %s %s\n", name, usage);
	return STATUS_USAGE;
}

/* ---- small commands ---- */

static int command_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return command_misused("version", "");
	printf("certfs %s\nlibfuse %s\n", CERTFS_VERSION, fuse_pkgversion());
	return STATUS_OK;
}

/* ---- the table ---- */

/* Of all commands, or of one. */
static void print_usage(FILE *out, const struct command *only)
{
	fputs("usage:\n", out);
	for (const struct command *c = commands; c < commands + COMMANDS; c++)
		if (!only || c == only)
			fprintf(out, "  certfs %s%s%s\n      %s\n", c->name, *c->usage ? " " : "", c->usage, c->description);
	fputs("See certfs(8).\n", out);
}

static const struct command *command_find(const char *name)
{
	static const struct {
		const char *option, *name;
	} also[] = {{"--version", "version"}, {"-V", "version"}};

	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		if (strcmp(name, also[i].option) == 0)
			name = also[i].name;
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static bool wants_help(const char *argument)
{
	return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0 || strcmp(argument, "help") == 0;
}

static int run(const struct command *command, int argc, char **argv)
{
	char name[32]; /* what getopt(3) begins its complaints with */

	if (argc > 2 && *argv[2] == '-' && wants_help(argv[2])) { /* `help` may be the name of something */
		print_usage(stdout, command);
		return STATUS_OK;
	}
	snprintf(name, sizeof(name), "certfs %s", command->name);
	argv[1] = name;
	return command->function(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc > 0 && strcmp(basename(argv[0]), "mount.certfs") == 0)
		return command_mount_helper(argc, argv);
	if (argc > 1 && wants_help(argv[1])) {
		print_usage(stdout, argc > 2 ? command_find(argv[2]) : NULL);
		return STATUS_OK;
	}
	command = argc > 1 ? command_find(argv[1]) : NULL;
	if (command)
		return run(command, argc, argv);
	if (argc > 1)
		fprintf(stderr, "certfs: there is no command `%s`\n", argv[1]);
	print_usage(stderr, NULL);
	return STATUS_USAGE;
}
