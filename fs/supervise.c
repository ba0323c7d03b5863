/* The supervisor's loop (supervise.h). */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certfs/clock.h"
#include "certfs/log.h"
#include "fs/channel.h"
#include "fs/daemonize.h"
#include "fs/process.h"
#include "fs/program.h"
#include "fs/supervise.h"
#include "fs/worker.h"

enum {
	DEATHS_MAX = 10,           /* in a row, with nothing answered in between */
	QUICK_MS = 10 * 1000,      /* who lived longer did not die of what it was asked at its start */
	UNUSABLE_MAX_MS = 30 * 1000,
	PAUSE_FIRST_MS = 10,
	PAUSE_MAX_MS = 1000,
	DRAIN_MAX_MS = 10 * 1000,
	REPLACE_MAX_MS = 500, /* clients wait as long: a hook that takes longer is run again */
};

struct supervisor {
	struct fs *fs;
	const struct session_options *options;
	int signals;             /* signalfd */
	int report;              /* what the worker says (worker.h), -1: nothing more to come */
	pid_t worker;            /* 0: none runs */
	int64_t started;         /* the worker, like all times here as clock_monotonic tells them */
	int64_t restart;         /* when to start the next one, while none runs */
	int deaths;              /* in a row */
	uint64_t answered;       /* at the last death */
	int64_t pause;           /* before the next try to open core; 0: the last worker received */
	int64_t unusable_since;
	struct error reason;     /* why the last worker could not open core */
	bool mount_answers;      /* a worker has received: for good */
	bool stopping;
	bool replacing;          /* the worker drains for one with another configuration, or of another program */
	bool succeeded;          /* ... of another program: it takes over when the worker has ended */
	struct program program;  /* a new one that says whether it could take over */
	int64_t deadline;        /* of the drain */
	bool ended;
	int result;
	struct error *err;
};

static void end(struct supervisor *s, int result)
{
	s->ended = true;
	s->result = result;
}

/* ---- starting a worker ---- */

static const int signals_taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR2};

static void signal_set(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(signals_taken) / sizeof(signals_taken[0]); i++)
		sigaddset(ret, signals_taken[i]);
}

void supervise_block_signals(void)
{
	sigset_t set;

	signal_set(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static _Noreturn void worker_child(struct supervisor *s, pid_t supervisor, int report[2])
{
	process_die_with(supervisor);
	close(s->signals);
	close(report[0]);
	worker_run(s->fs, report[1], s->options->background);
}

static int worker_fork(struct supervisor *s)
{
	const pid_t supervisor = getpid();
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_system(&s->reason, errno, "can't make a pipe for the worker");
	atomic_fetch_add(&s->fs->shared->workers, 1);
	pid = fork();
	if (pid == 0)
		worker_child(s, supervisor, report);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return error_system(&s->reason, errno, "can't start a worker");
	}
	s->worker = pid;
	s->report = report[0];
	s->started = clock_monotonic();
	return 0;
}

/* ---- what the worker says ---- */

static void report_close(struct supervisor *s)
{
	if (s->report >= 0)
		close(s->report);
	s->report = -1;
}

static void worker_receives(struct supervisor *s)
{
	if (s->pause)
		log_write(LOG_NOTICE, "%s is served again", s->fs->mountpoint);
	s->pause = 0;
	if (s->mount_answers)
		return;
	s->mount_answers = true;
	if (s->options->ready)
		s->options->ready(s->options, s->fs->config);
	service_notify("READY=1");
}

static void report_read(struct supervisor *s)
{
	char text[sizeof(s->reason.text)];
	ssize_t n = s->report < 0 ? 0 : read(s->report, text, sizeof(text) - 1);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	report_close(s);
	if (n <= 0)
		return; /* it died before it could say anything */
	text[n] = '\0';
	if (text[0] == '\0')
		worker_receives(s);
	else
		error_set(&s->reason, EIO, "%s", text);
}

/* ---- another program ---- */

/* The program on disk is asked first, while the worker goes on: once it has been executed there is no way back. */
static void ask_program(struct supervisor *s)
{
	if (s->options->execute && !s->stopping && !s->replacing)
		program_ask(&s->program, s->fs, s->options);
}

static void program_said(struct supervisor *s, bool could)
{
	if (s->stopping)
		return;
	if (!could) {
		log_write(LOG_ERR, "SIGUSR2: the program on disk can't take over (see the line above): the one that runs goes on");
		return;
	}
	s->succeeded = true;
	s->replacing = true;
	s->deadline = clock_monotonic() + REPLACE_MAX_MS;
	if (s->worker)
		kill(s->worker, SIGTERM);
}

/* No worker runs, and none of its requests waits but in the kernel. */
static void succeed(struct supervisor *s)
{
	struct error err;

	s->succeeded = false;
	s->replacing = false;
	program_execute(s->fs, s->options, &err);
	log_write(LOG_ERR, "SIGUSR2: %s: the program that runs goes on", err.text);
	s->restart = clock_monotonic();
}

/* ---- the end of a worker ---- */

/* The store can't be opened. Clients wait meanwhile, for a while: most causes go away by themselves. Whoever has just typed the
 * mount command waits for no second try. */
static void worker_unusable(struct supervisor *s)
{
	const int64_t now = clock_monotonic();

	if (!s->mount_answers) {
		end(s, error_set(s->err, EIO, "%s", s->reason.text));
		return;
	}
	if (s->pause == 0) {
		log_about(LOG_ERR, LOG_SUBJECT(.error = s->reason.code), "a new worker can't serve, trying again for %d s: %s",
			  UNUSABLE_MAX_MS / 1000, s->reason.text);
		s->unusable_since = now;
		s->pause = PAUSE_FIRST_MS;
	} else {
		s->pause = s->pause * 2 < PAUSE_MAX_MS ? s->pause * 2 : PAUSE_MAX_MS;
	}
	s->restart = now + s->pause;
	if (now - s->unusable_since > UNUSABLE_MAX_MS)
		end(s, error_set(s->err, EIO, "%s can't be served for %d s now, giving up (mount again when the cause is gone): %s", s->fs->mountpoint,
				 UNUSABLE_MAX_MS / 1000, s->reason.text));
}

static bool death_in_a_row(struct supervisor *s)
{
	const uint64_t answered = atomic_load(&s->fs->shared->answered);
	const bool in_a_row = answered == s->answered && clock_monotonic() - s->started < QUICK_MS;

	s->answered = answered;
	return in_a_row;
}

static void worker_died(struct supervisor *s, int status)
{
	char how[128];

	process_describe_end(status, how, sizeof(how));
	s->deaths = death_in_a_row(s) ? s->deaths + 1 : 1;
	s->restart = clock_monotonic();
	if (s->deaths < DEATHS_MAX) {
		log_write(LOG_ERR, "the worker of %s died (%s), starting another", s->fs->mountpoint, how);
		return;
	}
	end(s, error_set(s->err, EIO,
			 "the worker of %s died %d times in a row before it answered anything (%s), giving up: see the lines above, run "
			 "`certfs check`, and mount again",
			 s->fs->mountpoint, DEATHS_MAX, how));
}

/* At once, not when the next worker can serve: a request that waits in the kernel's queue ends with the client that is killed, one
 * that was handed to a dead worker does not. */
static void free_requests(const struct supervisor *s)
{
	const int lost = channel_take_over(fuse_session_fd(s->fs->session), s->fs->shared);

	if (lost > 0)
		log_write(LOG_WARNING, "%d requests that the last worker left were answered with EIO: whoever made them has to repeat them", lost);
}

static void worker_ended(struct supervisor *s, int status)
{
	const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	report_read(s);
	report_close(s);
	s->worker = 0;
	free_requests(s);
	if (s->replacing && code != WORKER_UNMOUNTED && !s->stopping)
		s->restart = clock_monotonic(); /* at once, or another program does it */
	else if (code == WORKER_UNMOUNTED || s->stopping) {
		if (code != WORKER_UNMOUNTED && code != WORKER_DRAINED)
			log_write(LOG_WARNING, "the worker of %s ended before it had answered everything: whoever still waited has to ask again", s->fs->mountpoint);
		end(s, 0);
	} else if (code == WORKER_DRAINED) {
		s->restart = clock_monotonic(); /* somebody sent the signal to the worker alone */
	} else if (code == WORKER_UNUSABLE) {
		worker_unusable(s);
	} else {
		worker_died(s, status);
	}
	s->replacing = false;
}

/* ---- signals ---- */

static void worker_signal(const struct supervisor *s, int signal)
{
	if (s->worker)
		kill(s->worker, signal);
}

static void stop(struct supervisor *s)
{
	if (!s->worker) {
		end(s, 0);
	} else if (s->stopping) {
		worker_signal(s, SIGKILL);
	} else {
		service_notify("STOPPING=1");
		s->stopping = true;
		s->deadline = clock_monotonic() + DRAIN_MAX_MS;
		worker_signal(s, SIGTERM);
	}
}

/* What a worker knows of the configuration it has from its start, and so has the process that starts its hooks. */
static void reload(struct supervisor *s)
{
	if (!s->options->reload || s->options->reload(s->options) < 0 || !s->worker || s->stopping || s->replacing)
		return;
	s->replacing = true;
	s->deadline = clock_monotonic() + REPLACE_MAX_MS;
	worker_signal(s, SIGTERM);
}

static void worker_reap(struct supervisor *s)
{
	int status;
	bool could;

	if (s->worker && waitpid(s->worker, &status, WNOHANG) == s->worker)
		worker_ended(s, status);
	if (program_has_ended(&s->program, &could))
		program_said(s, could);
	if (s->succeeded && !s->worker && !s->ended && !s->stopping)
		succeed(s);
}

static void signal_take(struct supervisor *s)
{
	struct signalfd_siginfo info;

	if (read(s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTERM:
	case SIGINT:
		stop(s);
		break;
	case SIGHUP:
		reload(s);
		break;
	case SIGUSR2:
		ask_program(s);
		break;
	case SIGCHLD:
		worker_reap(s);
		break;
	}
}

/* ---- the loop ---- */

static int time_left(const struct supervisor *s)
{
	int64_t until = INT64_MAX;

	if (!s->worker || s->stopping || s->replacing)
		until = s->worker ? s->deadline : s->restart;
	if (s->program.deadline < until && s->program.pid)
		until = s->program.deadline;
	if (until == INT64_MAX)
		return -1;
	until -= clock_monotonic();
	return until < 0 ? 0 : until > INT_MAX ? INT_MAX : (int)until;
}

static void on_time(struct supervisor *s)
{
	if (time_left(s) != 0)
		return;
	if (program_is_late(&s->program)) {
		program_end(&s->program);
	} else if (s->worker && s->replacing && !s->stopping) {
		worker_signal(s, SIGKILL);
		s->deadline = INT64_MAX / 2;
	} else if (s->worker) {
		log_write(LOG_WARNING, "the worker of %s has not answered everything within %d s: ending it", s->fs->mountpoint,
			  DRAIN_MAX_MS / 1000);
		worker_signal(s, SIGKILL);
		s->deadline = INT64_MAX / 2;
	} else if (worker_fork(s) < 0) {
		worker_unusable(s);
	}
}

/* The connection is watched only while no worker reads it: nobody else would notice an unmount then. */
static void step(struct supervisor *s)
{
	struct pollfd fds[] = {
		{.fd = s->signals, .events = POLLIN},
		{.fd = s->report, .events = POLLIN},
		{.fd = s->worker ? -1 : fuse_session_fd(s->fs->session), .events = 0},
	};

	if (poll(fds, sizeof(fds) / sizeof(fds[0]), time_left(s)) < 0)
		return;
	if (fds[1].revents)
		report_read(s);
	if (fds[2].revents & POLLERR)
		end(s, 0);
	else if (fds[0].revents)
		signal_take(s);
	else
		on_time(s);
}

int supervise(struct fs *fs, const struct session_options *options, bool *ret_answered, struct error *err)
{
	struct supervisor s = {
		.fs = fs, .options = options, .report = -1, .restart = clock_monotonic(), .err = err, .mount_answers = fs->taken_over};
	sigset_t set;

	signal_set(&set);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		return error_system(err, errno, "can't wait for signals");
	while (!s.ended)
		step(&s);
	report_close(&s);
	close(s.signals);
	*ret_answered = s.mount_answers;
	return s.result;
}
