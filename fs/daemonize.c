/* The way into the background (daemonize.h). */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "certfs/log.h"
#include "fs/daemonize.h"

/* ---- the parent ---- */

/* Passes text on until the byte that says ready (true) or the end (false). */
static bool relay_until_ready(int fd)
{
	char text[512];
	ssize_t n;

	while ((n = read(fd, text, sizeof(text))) != 0) {
		const char *ready;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		ready = memchr(text, '\0', (size_t)n);
		if (write(STDERR_FILENO, text, ready ? (size_t)(ready - text) : (size_t)n) < 0 && !ready)
			return false;
		if (ready)
			return true;
	}
	return false;
}

static int child_status(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	if (WIFSIGNALED(status))
		log_write(LOG_ERR, "the background process was ended by signal %d (%s) before it could mount: `certfs mount -f` shows what it does",
			  WTERMSIG(status), strsignal(WTERMSIG(status)));
	return 1;
}

/* ---- the child ---- */

static void null_onto(int fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, fd);
	if (null != fd)
		close(null);
}

static int become_background(int pipe_end, struct error *err)
{
	if (setsid() < 0)
		return error_system(err, errno, "can't start a session for the background process");
	if (dup2(pipe_end, STDERR_FILENO) < 0)
		return error_system(err, errno, "can't redirect standard error");
	/* Whatever else was inherited is not ours, and somebody may wait for its end. */
	close_range(STDERR_FILENO + 1, UINT_MAX, 0);
	null_onto(STDIN_FILENO);
	null_onto(STDOUT_FILENO);
	return 0;
}

int daemonize(int *ret_status, struct error *err)
{
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_system(err, errno, "can't make a pipe");
	child = fork();
	if (child < 0)
		return error_system(err, errno, "can't start a process for the background");
	if (child == 0) {
		close(ends[0]);
		return become_background(ends[1], err);
	}
	close(ends[1]);
	*ret_status = relay_until_ready(ends[0]) ? 0 : child_status(child);
	close(ends[0]);
	return 1;
}

void daemonize_ready(int log_level)
{
	if (write(STDERR_FILENO, "", 1) < 0)
		log_write(LOG_NOTICE, "whoever started certfs did not wait for it");
	daemonize_detach(log_level);
}

void daemonize_detach(int log_level)
{
	log_open(true, log_level);
	null_onto(STDIN_FILENO);
	null_onto(STDOUT_FILENO);
	null_onto(STDERR_FILENO);
}

/* ---- systemd ---- */

void service_notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#else
	(void)state;
#endif
}
