/* certfs mount, and mount(8)'s helper. */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "certfs/core.h"
#include "certfs/log.h"
#include "fs/command.h"
#include "fs/daemonize.h"
#include "fs/handover.h"
#include "fs/mount_options.h"
#include "fs/mountpoint.h"
#include "fs/privilege.h"
#include "fs/session.h"

enum { LOCK_TRIES = 25, LOCK_PAUSE_NS = 20 * 1000 * 1000 };

struct mount_request {
	char config_file[PATH_MAX]; /* config_path as SIGHUP finds it from the directory /; empty: the default */
	bool foreground;
	bool hand_over;          /* only mount, and give the connection to systemd */
	const char *config_path; /* NULL: not given */
	char program[PATH_MAX];  /* this one, as it was called: what SIGUSR2 executes */
	char option_list[4096];  /* of -o, all of them */
	const struct takeover *takeover;
	const char *typed;       /* mount point */
	struct mount_options options;
	struct config config;
	char mountpoint[PATH_MAX];
	int connection;          /* that systemd gave; -1: none */
};

/* ---- the arguments ---- */

static int take_options(struct mount_request *request, const char *list)
{
	const size_t used = strlen(request->option_list);
	struct error err = {0};

	snprintf(request->option_list + used, sizeof(request->option_list) - used, "%s%s", used ? "," : "", list);
	if (mount_options_add(&request->options, list, &err) == 0)
		return STATUS_OK;
	command_failed(&err);
	return STATUS_USAGE;
}

static int take_argument(struct mount_request *request, int c)
{
	switch (c) {
	case 'f':
		request->foreground = true;
		return STATUS_OK;
	case 'H':
		request->hand_over = true;
		return STATUS_OK;
	case 'c':
		request->config_path = optarg;
		return STATUS_OK;
	case 'o':
		return take_options(request, optarg);
	default:
		return command_misused("mount", COMMAND_MOUNT_USAGE);
	}
}

static int parse(int argc, char **argv, struct mount_request *request)
{
	static const struct option options[] = {
		{"foreground", no_argument, NULL, 'f'},
		{"hand-over", no_argument, NULL, 'H'},
		{"config", required_argument, NULL, 'c'},
		{"options", required_argument, NULL, 'o'},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "fc:o:", options, NULL)) != -1) {
		int status = take_argument(request, c);

		if (status != STATUS_OK)
			return status;
	}
	if (optind != argc - 1)
		return command_misused("mount", COMMAND_MOUNT_USAGE);
	request->typed = argv[optind];
	return STATUS_OK;
}

/* ---- what can be known before anything is started ---- */

static int look_ahead(struct mount_request *request, struct error *err)
{
	int r = command_config(request->config_path, &request->config, err);

	if (r == 0 && request->config_path && !realpath(request->config_path, request->config_file))
		snprintf(request->config_file, sizeof(request->config_file), "%s", request->config_path); /* a pipe */
	if (r == 0)
		r = mountpoint_resolve(request->typed, request->mountpoint, err);
	if (r == 0)
		r = mountpoint_check_store(request->mountpoint, &request->config, err);
	return r;
}

/* ---- serving ---- */

/* Also gcore, run by root, keeps to it: no memory that is not a file's. OpenSSL keeps primes of RSA keys outside of its secure heap. */
static void dump_no_memory(void)
{
	const int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		log_about(LOG_DEBUG, LOG_SUBJECT(.error = errno), "/proc/self/coredump_filter: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* No key in a core dump, and none for a debugger that is not root's. */
static void harden(void)
{
	const struct rlimit none = {0, 0};

	dump_no_memory();

	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &none);
	umask(077);
}

static void print_mounted(FILE *out, const char *mountpoint)
{
	fprintf(out, "certfs: mounted at %s; next: cat %s/README\n", mountpoint, mountpoint);
	fflush(out);
}

static void on_ready(const struct session_options *options, const struct config *config)
{
	if (options->background)
		daemonize_ready(config->log_level);
	else
		print_mounted(stderr, options->mountpoint);
}

/* A worker whose supervisor was just killed holds the lock a moment longer. */
static int lock_store(const struct config *config, int *ret_fd, struct error *err)
{
	int r = core_lock(config, ret_fd, err);

	for (int i = 1; i < LOCK_TRIES && r == -EBUSY; i++) {
		nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
		r = core_lock(config, ret_fd, err);
	}
	return r;
}

/* ---- SIGHUP ---- */

/* What is open, or was dropped, stays as it was. */
static void keep(const char *name, char *now, const char *old, size_t size)
{
	if (strcmp(now, old) == 0)
		return;
	log_write(LOG_WARNING, "%s can't change while mounted and stays as it was: unmount and mount again", name);
	memcpy(now, old, size);
}

static int reload(const struct session_options *options)
{
	static struct config config;
	struct mount_request *request = options->reload_context;
	struct config *old = &request->config;
	struct error err = {0};
	int r = command_config(*request->config_file ? request->config_file : NULL, &config, &err);

	if (r < 0) {
		log_about(LOG_ERR, LOG_SUBJECT(.error = err.code), "SIGHUP: the configuration stays as it was: %s", err.text);
		return r;
	}
	keep("store.path", config.store_path, old->store_path, sizeof(old->store_path));
	keep("keystore.master_key", config.master_key, old->master_key, sizeof(old->master_key));
	keep("daemon.user", config.daemon_user, old->daemon_user, sizeof(old->daemon_user));
	*old = config;
	log_open(options->background, config.log_level);
	log_write(LOG_NOTICE, "SIGHUP: the configuration was read again");
	return 0;
}

/* ---- SIGUSR2 ---- */

/* What was typed, but with names that hold in the directory /. */
static int execute(const struct session_options *options, const struct takeover *takeover, struct error *err)
{
	struct mount_request *request = options->reload_context;
	char *argv[9] = {"certfs", "mount"};
	int argc = 2;

	if (request->foreground)
		argv[argc++] = "-f";
	if (request->config_path) {
		argv[argc++] = "-c";
		argv[argc++] = request->config_file;
	}
	if (*request->option_list) {
		argv[argc++] = "-o";
		argv[argc++] = request->option_list;
	}
	argv[argc] = request->mountpoint;
	return takeover_execute(takeover, request->program, argv, err);
}

/* The store is ready to be served, and its lock held. */
static int store_ready(struct mount_request *request, int *ret_lock, struct error *err)
{
	const struct config *config = &request->config;
	int r;

	if (request->takeover) {
		*ret_lock = request->takeover->lock;
		r = core_probe(config, *ret_lock, err);
		if (r < 0 || request->takeover->probe)
			return r;
	} else {
		r = lock_store(config, ret_lock, err);
		if (r == 0 && request->connection < 0)
			r = mountpoint_prepare(request->mountpoint, err); /* or a store would be made for a mount that can't be */
		if (r < 0)
			return r;
	}
	r = core_prepare(config, request->options.read_only, err);
	if (r == 0)
		r = privilege_give_store(config, err);
	if (r == 0 || !request->takeover)
		return r;
	log_write(LOG_ERR, "%s", err->text); /* clients wait: what lasts, the workers will say, again and again for a while */
	return 0;
}

static int serve(struct mount_request *request, struct error *err)
{
	int lock = -1;
	int r = request->hand_over ? 0 : store_ready(request, &lock, err);
	const struct session_options options = {
		.mountpoint = request->mountpoint,
		.source = request->options.source,
		.fuse_options = request->options.fuse,
		.read_only = request->options.read_only,
		.connection = request->connection,
		.background = !request->foreground,
		.ready = on_ready,
		.reload = reload,
		.reload_context = request,
		.execute = *request->program ? execute : NULL,
		.takeover = request->takeover,
		.lock = lock,
	};

	if (r == 0)
		r = request->hand_over ? session_hand_over(&options, &request->config, err) : session_run(&options, &request->config, err);
	if (lock >= 0)
		close(lock);
	return r;
}

static int run(struct mount_request *request)
{
	struct error err = {0};

	harden();
	log_open(request->takeover && !request->foreground, request->config.log_level);
	if (chdir("/") < 0)
		error_system(&err, errno, "can't change to the directory /");
	else if (serve(request, &err) == 0)
		return STATUS_OK;
	return command_failed(&err);
}

static int run_in_background(struct mount_request *request)
{
	struct error err = {0};
	int status = STATUS_FAILURE;
	int r = daemonize(&status, &err);

	if (r == 0)
		return run(request);
	if (r < 0)
		return command_failed(&err);
	if (status == STATUS_OK)
		print_mounted(stdout, request->mountpoint);
	return status;
}

/* In the place of another program (takeover.h). Its mount point is absolute, and must not be looked at: nobody serves it now. */
static int take_over(struct mount_request *request)
{
	static struct takeover takeover;
	struct error err = {0};
	int r;
	int status;

	log_open(!request->foreground, LOG_INFO);
	r = takeover_receive(&takeover, &err);
	if (r == 0)
		r = command_config(request->config_path, &request->config, &err);
	if (r < 0)
		return command_failed(&err);
	if (request->config_path)
		snprintf(request->config_file, sizeof(request->config_file), "%s", request->config_path);
	snprintf(request->mountpoint, sizeof(request->mountpoint), "%s", request->typed);
	request->takeover = &takeover;
	status = run(request);
	return takeover.probe && status == STATUS_OK ? (int)TAKEOVER_READY : status;
}

int command_mount(int argc, char **argv)
{
	static struct mount_request request; /* too large for a stack that is inherited by every worker */
	struct error err = {0};
	int status = parse(argc, argv, &request);

	if (status != STATUS_OK)
		return status;
	if (readlink("/proc/self/exe", request.program, sizeof(request.program) - 1) < 0)
		log_write(LOG_DEBUG, "/proc/self/exe: %s", strerror(errno));
	request.connection = -1;
	if (takeover_asked())
		return take_over(&request);
	request.connection = request.foreground && !request.hand_over ? handover_take() : -1;
	if (look_ahead(&request, &err) < 0)
		return command_failed(&err);
	return request.foreground || request.hand_over ? run(&request) : run_in_background(&request);
}

/* ---- mount(8)'s helper ---- */

struct helper_request {
	const char *config; /* NULL: the default one */
	const char *mountpoint;
	char options[4096];
	bool fake; /* mount -f: everything but the mount */
};

static void add_option(struct helper_request *request, const char *prefix, const char *text)
{
	size_t used = strlen(request->options);

	snprintf(request->options + used, sizeof(request->options) - used, "%s%s%s", used ? "," : "", prefix, text);
}

static int helper_parse(int argc, char **argv, struct helper_request *request)
{
	int c;

	while ((c = getopt(argc, argv, "sfnvo:t:N:")) != -1) {
		if (c == '?')
			return STATUS_USAGE;
		if (c == 'o')
			add_option(request, "", optarg);
		request->fake |= c == 'f';
	}
	if (optind != argc - 2)
		return STATUS_USAGE;
	if (strcmp(argv[optind], "certfs") != 0 && strcmp(argv[optind], "none") != 0)
		request->config = argv[optind];
	request->mountpoint = argv[optind + 1];
	return STATUS_OK;
}

/* The device that mount(8) was given shows in the table of mounts, so `mount -a` knows that it is done. */
static void name_source(struct helper_request *request)
{
	if (request->config && !strpbrk(request->config, ",\\"))
		add_option(request, "fsname=", request->config);
}

static int go_on_as_mount(const struct helper_request *request)
{
	char program[PATH_MAX] = "";
	char *argv[8] = {"certfs", "mount"};
	int argc = 2;

	if (request->config) {
		argv[argc++] = "-c";
		argv[argc++] = (char *)request->config;
	}
	if (*request->options) {
		argv[argc++] = "-o";
		argv[argc++] = (char *)request->options;
	}
	argv[argc++] = (char *)request->mountpoint;
	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0)
		execv(program, argv);
	optind = 1; /* no /proc: only the process list is less clear */
	return command_mount(argc - 1, argv + 1);
}

int command_mount_helper(int argc, char **argv)
{
	struct helper_request request = {0};

	if (helper_parse(argc, argv, &request) != STATUS_OK) {
		fputs("usage: mount.certfs CONFIG MOUNTPOINT [-sfnv] [-o OPTION,…]\n", stderr);
		return STATUS_USAGE;
	}
	if (request.fake)
		return STATUS_OK;
	name_source(&request);
	return go_on_as_mount(&request);
}
