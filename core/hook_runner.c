#include "hook_runner.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certfs/core.h"
#include "cleanup.h"

enum { FD_SOCKET = 3, FDS = 4 }; /* of one request: standard input, output, error, and the socket of its answer */

static int runner = -1; /* the worker's end; set before there are threads */

/* ---- the hook itself ---- */

struct person {
	bool switches;
	uid_t uid;
	gid_t gid;
};

/* hooks.user, else what the worker is: a worker that gave root up must not get it back by a hook. */
static bool find_person(const struct config *config, struct person *ret)
{
	const char *name = config->hook_user[0] ? config->hook_user : config->daemon_user;
	const struct passwd *entry;

	*ret = (struct person){0};
	if (!*name)
		return true;
	entry = getpwnam(name);
	if (entry)
		*ret = (struct person){true, entry->pw_uid, entry->pw_gid};
	return entry != NULL;
}

static bool become(const struct person *person)
{
	if (!person->switches)
		return true;
	if (geteuid() != 0 && geteuid() == person->uid)
		return true; /* certfs was started as this user */
	return setgroups(1, &person->gid) == 0 && setgid(person->gid) == 0 && setuid(person->uid) == 0;
}

/* certfs blocks signals and ignores SIGPIPE; a hook starts as any program does, in a group of its own so that all of it can be ended. */
static _Noreturn void hook_exec(const struct config *config, struct hook_request *request, const struct person *person,
				const int fds[FDS])
{
	char *argv[] = {(char *)(uintptr_t)config->hook[request->kind], NULL};
	char *envp[HOOK_VARIABLES + 1] = {0};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	for (int i = 0; i < request->variables; i++)
		envp[i] = request->variable[i];
	for (int i = 0; i < FD_SOCKET; i++)
		if (dup2(fds[i], i) < 0)
			_exit(126);
	if (close_range(3, ~0U, 0) < 0 || chdir("/") < 0 || !become(person))
		_exit(126);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* ---- one process beside each hook, which waits for its end or ends it ---- */

static void wait_or_end(pid_t pid, int call, int *ret_status)
{
	_cleanup_close_ int child = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd fds[] = {{.fd = child, .events = POLLIN}, {.fd = call, .events = POLLIN}};

	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	if (!fds[0].revents) {
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL);
	}
	waitpid(pid, ret_status, 0);
}

static _Noreturn void guard(const struct config *config, struct hook_request *request, const int fds[FDS])
{
	struct hook_answer answer = {0};
	struct person person;
	pid_t pid;

	signal(SIGCHLD, SIG_DFL);
	answer.no_user = !find_person(config, &person);
	if (!answer.no_user) {
		pid = fork();
		if (pid == 0)
			hook_exec(config, request, &person, fds);
		if (pid < 0)
			_exit(1);
		setpgid(pid, pid); /* in both: whoever is first */
		for (int i = 0; i < FD_SOCKET; i++)
			close(fds[i]);
		wait_or_end(pid, fds[FD_SOCKET], &answer.status);
	}
	_exit(send(fds[FD_SOCKET], &answer, sizeof(answer), MSG_NOSIGNAL) < 0 ? 1 : 0);
}

/* ---- the runner ---- */

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(FDS * sizeof(int))];
};

/* False at the end of the worker. What is not a whole request has request->variables < 0. */
static bool receive(int fd, struct hook_request *request, int fds[FDS])
{
	struct iovec part = {request, sizeof(*request)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	if (n <= 0 || !header || header->cmsg_len != CMSG_LEN(FDS * sizeof(int)) || n != sizeof(*request))
		return false; /* a worker that speaks otherwise is not ours any more */
	memcpy(fds, CMSG_DATA(header), FDS * sizeof(int));
	return true;
}

/* The worker may be anybody's by now: nothing of a request is believed. */
static bool sane(struct hook_request *request, const struct config *config)
{
	for (int i = 0; i < HOOK_VARIABLES; i++)
		request->variable[i][HOOK_VARIABLE_SIZE - 1] = '\0';
	for (int i = 0; i < HOOK_VARIABLES && i < request->variables; i++)
		if (strncmp(request->variable[i], "CERTFS_", 7) != 0 && strncmp(request->variable[i], "PATH=/usr/local/sbin:", 21) != 0)
			return false;
	return (unsigned int)request->kind < HOOK_COUNT && config->hook[request->kind][0] && request->variables >= 0 &&
	       request->variables <= HOOK_VARIABLES;
}

static void forget_descriptors(int keep)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd < 3; fd++)
		dup2(null, fd);
	dup2(keep, 3);
	close_range(4, ~0U, 0);
}

static _Noreturn void runner_run(const struct config *config, pid_t worker, int fd)
{
	static struct hook_request request;
	int fds[FDS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "certfs-hooks");
	if (getppid() != worker)
		_exit(0);
	forget_descriptors(fd);
	signal(SIGCHLD, SIG_IGN);
	while (receive(3, &request, fds)) {
		if (sane(&request, config) && fork() == 0) {
			close(3);
			guard(config, &request, fds);
		}
		for (int i = 0; i < FDS; i++)
			close(fds[i]);
	}
	_exit(0);
}

int core_hooks_start(const struct config *config, struct error *err)
{
	const pid_t worker = getpid();
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_system(err, errno, "no socket for the process that starts hooks");
	pid = fork();
	if (pid == 0)
		runner_run(config, worker, ends[1]);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return error_system(err, errno, "can't start the process that starts hooks");
	}
	runner = ends[0];
	return 0;
}

/* ---- the worker's side ---- */

static bool request_send(const struct hook_request *request, const int fds[FDS])
{
	struct iovec part = {(void *)(uintptr_t)request, sizeof(*request)};
	union control control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};

	control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(FDS * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), fds, FDS * sizeof(int));
	return sendmsg(runner, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(*request);
}

int hook_runner_call(const struct hook_request *request, const int fds[3], struct error *err)
{
	int ends[2];
	bool sent;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_system(err, errno, "no socket for a hook");
	sent = request_send(request, (const int[FDS]){fds[0], fds[1], fds[2], ends[1]});
	close(ends[1]);
	if (sent)
		return ends[0];
	close(ends[0]);
	return error_set(err, EPIPE, "the process that starts hooks is gone: mount again, or end the worker (another one starts both)");
}
