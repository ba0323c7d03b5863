#include "hook.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

enum { OUTPUT_MAX = 64 << 10, TEXT_SIZE = 256, VARIABLES = 8, VARIABLE_SIZE = 4200 };

static const char *const names[HOOK_COUNT] = {
	[HOOK_DETAILS] = "details",
	[HOOK_PUSH] = "push",
	[HOOK_PURGE] = "purge",
	[HOOK_RESTART] = "restart",
	[HOOK_EVENT] = "event",
};

const char *hook_name(enum hook_kind kind)
{
	return names[kind];
}

bool hook_configured(const struct config *config, enum hook_kind kind)
{
	return config->hook[kind][0] != '\0';
}

/* ---- what is made ready before the fork ---- */

/* All that the child needs, since between fork and exec it may call little (POSIX: async-signal-safe functions). */
struct child {
	const char *path;
	char *argv[2];
	char text[VARIABLES][VARIABLE_SIZE];
	char *envp[VARIABLES + 1];
	uid_t uid;
	gid_t gid;
	bool switches; /* to uid and gid */
	int in, out, err;
};

static void add_variable(struct child *child, int *count, const char *name, const char *value)
{
	if (!value)
		return;
	snprintf(child->text[*count], VARIABLE_SIZE, "%s=%s", name, value);
	child->envp[*count] = child->text[*count];
	(*count)++;
}

static void fill_environment(struct child *child, const struct hook_call *call)
{
	char generation[24];
	int count = 0;

	snprintf(generation, sizeof(generation), "%" PRId64, call->generation);
	add_variable(child, &count, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_variable(child, &count, "CERTFS_HOOK", names[call->kind]);
	add_variable(child, &count, "CERTFS_MOUNT", call->mount);
	add_variable(child, &count, "CERTFS_PROJECT", call->project);
	add_variable(child, &count, "CERTFS_APP", call->app);
	add_variable(child, &count, "CERTFS_OPERATION", call->operation);
	add_variable(child, &count, "CERTFS_GENERATION", call->generation ? generation : NULL);
	child->envp[count] = NULL;
}

static int find_user(struct child *child, const char *name, struct error *err)
{
	struct passwd entry, *found;
	char room[4096];

	if (!*name)
		return 0;
	if (getpwnam_r(name, &entry, room, sizeof(room), &found) != 0 || !found)
		return error_set(err, ENOENT, "hooks.user = %s: there is no such user", name);
	child->uid = entry.pw_uid;
	child->gid = entry.pw_gid;
	child->switches = true;
	return 0;
}

/* ---- the child ---- */

static bool become(const struct child *child)
{
	if (!child->switches)
		return true;
	return setgroups(1, &child->gid) == 0 && setgid(child->gid) == 0 && setuid(child->uid) == 0;
}

/* certfs blocks signals and ignores SIGPIPE; a hook starts as any program does, in a group of its own so that all of it can be ended. */
static _Noreturn void child_run(const struct child *child)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	if (dup2(child->in, STDIN_FILENO) < 0 || dup2(child->out, STDOUT_FILENO) < 0 ||
	    dup2(child->err, STDERR_FILENO) < 0 || close_range(3, ~0U, 0) < 0 || chdir("/") < 0 || !become(child))
		_exit(126);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(child->path, child->argv, child->envp);
	_exit(127);
}

/* ---- the parent: feed, listen, wait ---- */

struct pipes {
	int in[2], out[2], err[2];
};

static void pipes_close(struct pipes *pipes)
{
	int *const fds[] = {&pipes->in[0],  &pipes->in[1],  &pipes->out[0],
			    &pipes->out[1], &pipes->err[0], &pipes->err[1]};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		cleanup_close(fds[i]);
		*fds[i] = -1;
	}
}

static int pipes_open(struct pipes *pipes, struct error *err)
{
	if (pipe2(pipes->in, O_CLOEXEC) < 0 || pipe2(pipes->out, O_CLOEXEC) < 0 || pipe2(pipes->err, O_CLOEXEC) < 0)
		return error_set(err, errno, "no pipe for a hook: %s: raise the number of open files (ulimit -n, LimitNOFILE)", strerror(errno));
	fcntl(pipes->in[1], F_SETFL, O_NONBLOCK);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void shut(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}

/* Takes what is there; closes at the end. Bytes beyond room are read and dropped, so that the hook does not block. */
static void take(int *fd, struct buffer *out, size_t room)
{
	uint8_t bytes[4096];
	const ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n <= 0) {
		shut(fd);
		return;
	}
	if (out->size < room)
		buffer_add(out, bytes, (size_t)n < room - out->size ? (size_t)n : room - out->size);
}

static void give(int *fd, struct span *rest)
{
	const ssize_t n = rest->size ? write(*fd, rest->data, rest->size) : 0;

	if (n > 0) {
		rest->data += n;
		rest->size -= (size_t)n;
	}
	if (rest->size == 0 || (n < 0 && errno != EAGAIN))
		shut(fd); /* a hook need not read its input */
}

/* False: the time is over. */
static bool converse(struct pipes *pipes, struct span input, struct buffer *output, struct buffer *complaint,
		     int64_t deadline)
{
	while (pipes->out[0] >= 0 || pipes->err[0] >= 0) {
		struct pollfd fds[] = {
			{.fd = pipes->in[1], .events = POLLOUT},
			{.fd = pipes->out[0], .events = POLLIN},
			{.fd = pipes->err[0], .events = POLLIN},
		};
		const int64_t left = deadline - now_ms();

		if (left <= 0)
			return false;
		if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
			return false;
		if (fds[0].revents)
			give(&pipes->in[1], &input);
		if (fds[1].revents)
			take(&pipes->out[0], output, OUTPUT_MAX);
		if (fds[2].revents)
			take(&pipes->err[0], complaint, TEXT_SIZE - 1);
	}
	return true;
}

/* Waits for the end of a child that has closed its pipes; false: the time is over. */
static bool wait_until(pid_t pid, int64_t deadline, int *ret_status)
{
	while (waitpid(pid, ret_status, WNOHANG) == 0) {
		if (now_ms() >= deadline)
			return false;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return true;
}

static int outcome(const struct config *config, enum hook_kind kind, int status, const struct buffer *complaint,
		   struct error *err)
{
	const char *path = config->hook[kind];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(err, ENOENT, "hook %s: %s can't be started: look at the path and its permissions",
				 names[kind], path);
	return error_set(err, EIO, "hook %s: %s %s %d%s%.*s", names[kind], path,
			 WIFEXITED(status) ? "exited with" : "was ended by signal",
			 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status), complaint->size ? ": " : "",
			 (int)complaint->size, complaint->data ? (const char *)complaint->data : "");
}

static int supervise_child(const struct config *config, const struct hook_call *call, pid_t pid, struct pipes *pipes,
			   struct buffer *output, struct error *err)
{
	_cleanup_buffer_ struct buffer complaint = {0};
	const int64_t deadline = now_ms() + (int64_t)config->hook_timeout_seconds * 1000;
	int status = 0;

	if (converse(pipes, call->event, output, &complaint, deadline) && wait_until(pid, deadline, &status))
		return outcome(config, call->kind, status, &complaint, err);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return error_set(err, ETIME, "hook %s: %s was ended after %d seconds (hooks.timeout_seconds)", names[call->kind],
			 config->hook[call->kind], config->hook_timeout_seconds);
}

int hook_run(const struct config *config, const struct hook_call *call, struct buffer *ret_output, struct error *err)
{
	__attribute__((cleanup(pipes_close))) struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	struct child child = {.path = config->hook[call->kind]};
	pid_t pid;
	int r = pipes_open(&pipes, err);

	if (r == 0)
		r = find_user(&child, config->hook_user, err);
	if (r < 0)
		return r;
	fill_environment(&child, call);
	child.argv[0] = (char *)(uintptr_t)child.path;
	child.in = pipes.in[0];
	child.out = pipes.out[1];
	child.err = pipes.err[1];
	pid = fork();
	if (pid < 0)
		return error_set(err, errno, "a hook can't be started: %s", strerror(errno));
	if (pid == 0)
		child_run(&child);
	setpgid(pid, pid); /* in both: whoever is first */
	shut(&pipes.in[0]);
	shut(&pipes.out[1]);
	shut(&pipes.err[1]);
	return supervise_child(config, call, pid, &pipes, ret_output, err);
}
