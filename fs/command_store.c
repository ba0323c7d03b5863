/* certfs check, backup, restore and rekey: the store as a whole. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "certfs/core.h"
#include "fs/command.h"

struct request {
	const char *name, *usage;
	const char *operand; /* NULL: it takes none */
	bool takes_operand;
	const char *config_path;
	int (*run)(const struct config *config, const char *operand, struct error *err);
};

/* ---- what they have in common ---- */

static int parse(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (c != 'c')
			return command_misused(request->name, request->usage);
		request->config_path = optarg;
	}
	if (optind + request->takes_operand != argc)
		return command_misused(request->name, request->usage);
	request->operand = request->takes_operand ? argv[optind] : NULL;
	return STATUS_OK;
}

/* What would end the process in the middle waits until nothing half is left: core looks whether it is pending. */
static void hold_signals(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

static int run_with(const struct request *request, struct error *err)
{
	struct config config;
	int r = command_config(request->config_path, &config, err);

	if (r == 0)
		r = core_memory_init(err);
	return r == 0 ? request->run(&config, request->operand, err) : r;
}

static int run(int argc, char **argv, struct request *request)
{
	struct error err = {0};
	int status = parse(argc, argv, request);
	int r;

	if (status != STATUS_OK)
		return status;
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	hold_signals(SIG_BLOCK);
	r = run_with(request, &err);
	hold_signals(SIG_UNBLOCK); /* ends here if one came */
	if (r < 0 && *err.text)
		return command_failed(&err);
	return r < 0 || fflush(stdout) != 0 ? STATUS_FAILURE : STATUS_OK;
}

/* ---- the commands ---- */

static int run_check(const struct config *config, const char *operand, struct error *err)
{
	int r;

	(void)operand;
	hold_signals(SIG_UNBLOCK); /* it changes nothing */
	r = core_check(config, stdout, err);
	if (r == -EUCLEAN)
		*err->text = '\0'; /* the report says what */
	return r;
}

static int run_backup(const struct config *config, const char *operand, struct error *err)
{
	return core_backup(config, operand, stdout, err);
}

static int run_restore(const struct config *config, const char *operand, struct error *err)
{
	return core_restore(config, operand, stdout, err);
}

static int run_rekey(const struct config *config, const char *operand, struct error *err)
{
	(void)operand;
	return core_rekey(config, stdout, err);
}

int command_check(int argc, char **argv)
{
	return run(argc, argv, &(struct request){.name = "check", .usage = COMMAND_CHECK_USAGE, .run = run_check});
}

int command_backup(int argc, char **argv)
{
	return run(argc, argv,
		   &(struct request){"backup", COMMAND_BACKUP_USAGE, .takes_operand = true, .run = run_backup});
}

int command_restore(int argc, char **argv)
{
	return run(argc, argv,
		   &(struct request){"restore", COMMAND_RESTORE_USAGE, .takes_operand = true, .run = run_restore});
}

int command_rekey(int argc, char **argv)
{
	return run(argc, argv, &(struct request){.name = "rekey", .usage = COMMAND_REKEY_USAGE, .run = run_rekey});
}
