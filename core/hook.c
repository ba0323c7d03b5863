#include "hook.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certfs/clock.h"
#include "cleanup.h"
#include "hook_runner.h"

enum { TEXT_SIZE = 256, LAST_WORDS_MS = 1000 };

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

/* ---- what the hook is told ---- */

static void add_variable(struct hook_request *request, const char *name, const char *value)
{
	if (value)
		snprintf(request->variable[request->variables++], HOOK_VARIABLE_SIZE, "%s=%s", name, value);
}

static void fill_environment(struct hook_request *request, const struct hook_call *call)
{
	char generation[24];

	snprintf(generation, sizeof(generation), "%" PRId64, call->generation);
	add_variable(request, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	add_variable(request, "CERTFS_HOOK", names[call->kind]);
	add_variable(request, "CERTFS_MOUNT", call->mount);
	add_variable(request, "CERTFS_PROJECT", call->project);
	add_variable(request, "CERTFS_APP", call->app);
	add_variable(request, "CERTFS_OPERATION", call->operation);
	add_variable(request, "CERTFS_GENERATION", call->generation ? generation : NULL);
}

/* ---- feed, listen, wait ---- */

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

/* False: the time is over. A process that the hook leaves behind (ssh's ControlPersist) may hold the pipes for ever: when the hook
 * itself has ended, call says so, only what is still under way is waited for. */
static bool converse(struct pipes *pipes, int call, struct span input, struct buffer *output, struct buffer *complaint,
		     int64_t deadline)
{
	while (pipes->out[0] >= 0 || pipes->err[0] >= 0) {
		struct pollfd fds[] = {
			{.fd = pipes->in[1], .events = POLLOUT},
			{.fd = pipes->out[0], .events = POLLIN},
			{.fd = pipes->err[0], .events = POLLIN},
			{.fd = call, .events = POLLIN},
		};
		const int64_t left = deadline - clock_monotonic();

		if (left <= 0)
			return call < 0;
		if (poll(fds, 4, (int)left) < 0 && errno != EINTR)
			return false;
		if (fds[3].revents) {
			call = -1;
			deadline = clock_monotonic() + LAST_WORDS_MS;
		}
		if (fds[0].revents)
			give(&pipes->in[1], &input);
		if (fds[1].revents)
			take(&pipes->out[0], output, HOOK_OUTPUT_MAX + 1);
		if (fds[2].revents)
			take(&pipes->err[0], complaint, TEXT_SIZE - 1);
	}
	return true;
}

/* False: the time is over. A hook may close its pipes long before it ends. */
static bool wait_answer(int call, int64_t deadline, struct hook_answer *ret)
{
	struct pollfd fd = {.fd = call, .events = POLLIN};
	int64_t left;
	int n;

	do {
		left = deadline - clock_monotonic();
		n = poll(&fd, 1, left > 0 ? (int)left : 0); /* also when the time is over: it may have ended in time */
	} while (n <= 0 && left > 0);
	if (n <= 0)
		return false;
	if (recv(call, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret))
		ret->status = SIGKILL; /* as waitpid says that: its guard was ended */
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

static int no_user(const struct config *config, struct error *err)
{
	const bool own = config->hook_user[0];

	return error_set(err, ENOENT, "%s.user = %s: there is no such user: make it (useradd --system), or leave that empty", own ? "hooks" : "daemon",
			 own ? config->hook_user : config->daemon_user);
}

static int attend(const struct config *config, const struct hook_call *call, int fd, struct pipes *pipes,
		  struct buffer *output, struct error *err)
{
	_cleanup_buffer_ struct buffer complaint = {0};
	const int64_t deadline = clock_monotonic() + (int64_t)config->hook_timeout_seconds * 1000;
	struct hook_answer answer = {0};

	if (converse(pipes, fd, call->event, output, &complaint, deadline) && wait_answer(fd, deadline, &answer))
		return answer.no_user ? no_user(config, err) : outcome(config, call->kind, answer.status, &complaint, err);
	shutdown(fd, SHUT_WR);
	if (recv(fd, &answer, sizeof(answer), 0) < 0)
		return error_set(err, errno, "hook %s: %s can't be ended: %s", names[call->kind], config->hook[call->kind],
				 strerror(errno));
	return error_set(err, ETIME, "hook %s: %s was ended after %d seconds (hooks.timeout_seconds)", names[call->kind],
			 config->hook[call->kind], config->hook_timeout_seconds);
}

int hook_run(const struct config *config, const struct hook_call *call, struct buffer *ret_output, struct error *err)
{
	__attribute__((cleanup(pipes_close))) struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
	struct hook_request request = {.kind = call->kind};
	_cleanup_close_ int fd = -1;
	int r = pipes_open(&pipes, err);

	if (r < 0)
		return r;
	fill_environment(&request, call);
	fd = hook_runner_call(&request, (const int[]){pipes.in[0], pipes.out[1], pipes.err[1]}, err);
	if (fd < 0)
		return fd;
	shut(&pipes.in[0]);
	shut(&pipes.out[1]);
	shut(&pipes.err[1]);
	return attend(config, call, fd, &pipes, ret_output, err);
}
