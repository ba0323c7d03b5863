/* A mount's life in the supervisor (session.h). */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "certfs/log.h"
#include "fs/channel.h"
#include "fs/handover.h"
#include "fs/mountpoint.h"
#include "fs/privilege.h"
#include "fs/session.h"
#include "fs/supervise.h"

/* ---- making the session ---- */

__attribute__((format(printf, 2, 0))) static void libfuse_log(enum fuse_log_level level, const char *format, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, ap);
	text[strcspn(text, "\n")] = '\0';
	log_write(level <= FUSE_LOG_ERR ? LOG_ERR : (int)level, "%s", text);
}

static bool add_options(char **list, const struct session_options *options)
{
	const bool named = options->source && *options->source;
	bool ok = fuse_opt_add_opt(list, "subtype=certfs,default_permissions,nosuid,nodev,noexec") == 0;
	char source[PATH_MAX + 16];

	snprintf(source, sizeof(source), "fsname=%s", named ? options->source : "certfs");
	ok = ok && fuse_opt_add_opt_escaped(list, source) == 0;
	if (ok && options->read_only)
		ok = fuse_opt_add_opt(list, "ro") == 0;
	if (ok && geteuid() == 0)
		ok = fuse_opt_add_opt(list, "allow_other") == 0;
	if (ok && options->fuse_options && *options->fuse_options)
		ok = fuse_opt_add_opt(list, options->fuse_options) == 0;
	return ok;
}

static bool add_arguments(struct fuse_args *args, const struct session_options *options)
{
	char *list = NULL;
	bool ok = add_options(&list, options) && fuse_opt_add_arg(args, "certfs") == 0 &&
		  fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, list) == 0;

	free(list);
	return ok;
}

/* The kernel's first request is answered here and never again: what a worker inherits is initialised. */
static void session_init(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	if (fs_ops.init)
		fs_ops.init(userdata, conn);
	fs->initialised = true;
}

static int session_make(struct fs *fs, const struct session_options *options, struct error *err)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_lowlevel_ops ops = fs_ops;
	bool ok;

	ops.init = session_init;
	fuse_set_log_func(libfuse_log);
	ok = add_arguments(&args, options);
	if (ok)
		fs->session = fuse_session_new(&args, &ops, sizeof(ops), fs);
	fuse_opt_free_args(&args);
	if (!ok)
		return error_set(err, ENOMEM, "out of memory");
	return fs->session ? 0 : error_set(err, EINVAL, "libfuse refuses the mount options: correct what follows -o (the line above says which)");
}

/* ---- mounting ---- */

static int session_mount(struct fs *fs, int connection, struct error *err)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/fd/%d", connection); /* libfuse's way to say that it is mounted */
	if (fuse_session_mount(fs->session, connection < 0 ? fs->mountpoint : path) == 0)
		return 0;
	return error_set(err, EPERM,
			 "can't mount at %s (the line above says why): mounting needs root (CAP_SYS_ADMIN), or the setuid program "
			 "fusermount3 (Debian package fuse3) and a mount point that you own",
			 fs->mountpoint);
}

static void first_request(struct fs *fs, const struct fuse_buf *buffer)
{
	if (buffer->size <= sizeof(fs->takeover.request)) {
		memcpy(fs->takeover.request, buffer->mem, buffer->size);
		fs->takeover.request_size = (uint32_t)buffer->size;
	}
	fuse_session_process_buf(fs->session, buffer);
}

static int session_initialise(struct fs *fs, struct error *err)
{
	struct fuse_buf buffer = {0};

	while (!fs->initialised && !fuse_session_exited(fs->session)) {
		int r = fuse_session_receive_buf(fs->session, &buffer);

		if (r > 0)
			first_request(fs, &buffer);
		else if (r < 0 && r != -EINTR && r != -EAGAIN)
			break;
	}
	free(buffer.mem);
	if (!fs->initialised)
		return error_set(err, EPROTO, "the kernel and libfuse don't agree on how to serve %s: unmounted meanwhile, or too old a kernel",
				 fs->mountpoint);
	return 0;
}

/* Tried once, where nothing can be in flight yet. */
static void learn_resend(struct fs *fs)
{
	fs->shared->kernel_resends = channel_resend(fuse_session_fd(fs->session)) == 0;
	if (!fs->shared->kernel_resends)
		log_write(LOG_NOTICE, "this kernel can't resend requests (Linux 6.9 can): those in flight when the serving "
				      "process dies get EIO");
}

static int session_start(struct fs *fs, int connection, struct error *err)
{
	int r = session_mount(fs, connection, err);

	if (r < 0)
		return r;
	r = channel_watch(fs->session, fuse_session_fd(fs->session), err);
	if (r == 0)
		r = session_initialise(fs, err);
	if (r < 0)
		fuse_session_unmount(fs->session);
	else
		learn_resend(fs);
	return r;
}

/* The kernel asked once, whoever answered; here the same question is answered again, to nobody. */
static int session_take_over(struct fs *fs, struct error *err)
{
	uint8_t request[TAKEOVER_INIT_MAX];
	const struct fuse_buf buffer = {.mem = request, .size = fs->takeover.request_size};
	int r = channel_watch(fs->session, fs->takeover.fuse, err);

	if (r < 0)
		return r;
	memcpy(request, fs->takeover.request, sizeof(request));
	fuse_session_process_buf(fs->session, &buffer);
	if (!fs->initialised || fs->init_differs)
		return error_set(err, ENOTSUP, "this program agrees on other things with the kernel than the one that runs: unmount %s, and mount again",
				 fs->mountpoint);
	return 0;
}

/* libfuse unmounts only what it mounted. The connection is closed first, or unmounting could wait for ourselves. */
static void session_unmount(struct fs *fs)
{
	struct pollfd connection = {.fd = fs->takeover.fuse};
	struct error err;
	int null;

	if (!fs->taken_over) {
		fuse_session_unmount(fs->session);
		return;
	}
	if (fs->takeover.handed_over)
		return;
	if (poll(&connection, 1, 0) == 1 && connection.revents & POLLERR)
		return; /* somebody has unmounted it */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		dup3(null, fs->takeover.fuse, O_CLOEXEC);
	if (mountpoint_release(fs->mountpoint, &err) < 0)
		log_write(LOG_ERR, "%s", err.text);
}

/* A mount that failed in service stays, without a server: whoever comes gets ENOTCONN instead of an empty directory, since "no such
 * file" would make a key service invent a key of its own. The next mount takes it away. */
static int session_serve(struct fs *fs, const struct session_options *options, struct error *err)
{
	bool answered = false;
	int r = supervise(fs, options, &answered, err);

	if (r == 0 || !answered)
		session_unmount(fs);
	return r;
}

/* ---- the whole ---- */

static struct fs *fs_new(const struct session_options *options, const struct config *config)
{
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return NULL;
	fs->config = config;
	fs->read_only = options->read_only;
	snprintf(fs->mountpoint, sizeof(fs->mountpoint), "%s", options->mountpoint);
	fs->taken_over = options->takeover != NULL;
	if (fs->taken_over) {
		fs->takeover = *options->takeover;
		fs->shared = shared_attach(fs->takeover.shared);
	} else {
		fs->takeover = (struct takeover){
			.layout = TAKEOVER_LAYOUT,
			.lock = options->lock,
			.shared = -1,
			.handed_over = options->connection >= 0,
		};
		fs->shared = shared_create(&fs->takeover.shared);
		if (fs->shared && fs->shared->keep_size == 0)
			log_write(LOG_NOTICE, "no memory can be locked for what outlives a worker: if it is killed, parts of uploads that wait are "
					      "forgotten; raise LimitMEMLOCK (ulimit -l)");
	}
	if (fs->shared)
		return fs;
	free(fs);
	return NULL;
}

static void fs_free(struct fs *fs)
{
	if (fs->session)
		fuse_session_destroy(fs->session); /* closes the connection: what still waits gets ECONNABORTED */
	shared_free(fs->shared);
	close(fs->takeover.shared);
	free(fs);
}

static bool probing(const struct session_options *options)
{
	return options->takeover && options->takeover->probe;
}

static int session_open(const struct session_options *options, const struct config *config, struct fs **ret, struct error *err)
{
	const bool mounted = options->takeover || options->connection >= 0;
	struct fs *fs;
	int r = mounted ? 0 : mountpoint_prepare(options->mountpoint, err);

	if (r < 0)
		return r;
	fs = fs_new(options, config);
	if (!fs)
		return error_set(err, ENOMEM, "out of memory, or no memory shared with the program that mounted");
	r = session_make(fs, options, err);
	if (r < 0)
		fs_free(fs);
	else
		*ret = fs;
	return r;
}

/* The capabilities go once there is nothing left that needs them. */
static int session_keep(struct fs *fs, const struct session_options *options, const struct config *config, struct error *err)
{
	int r = privilege_reduce(config, err);

	if (r == 0)
		return session_serve(fs, options, err);
	if (!fs->taken_over)
		session_unmount(fs);
	return r;
}

int session_run(const struct session_options *options, const struct config *config, struct error *err)
{
	struct fs *fs;
	int r;

	supervise_block_signals();
	r = session_open(options, config, &fs, err);
	if (r < 0)
		return r;
	r = fs->taken_over ? session_take_over(fs, err) : session_start(fs, options->connection, err);
	if (r == 0 && !probing(options))
		r = session_keep(fs, options, config, err);
	fs_free(fs);
	return r;
}

int session_hand_over(const struct session_options *options, const struct config *config, struct error *err)
{
	struct fs *fs;
	int r = handover_forget(err);

	if (r == 0)
		r = session_open(options, config, &fs, err);
	if (r < 0)
		return r;
	r = session_mount(fs, -1, err);
	if (r == 0) {
		r = handover_give(fuse_session_fd(fs->session), err);
		if (r < 0)
			session_unmount(fs);
	}
	fs_free(fs);
	return r;
}
