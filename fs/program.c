#include "fs/program.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certfs/clock.h"
#include "certfs/log.h"
#include "fs/process.h"

enum { ANSWER_MAX_MS = 10 * 1000 };

static int execute(const struct fs *fs, const struct session_options *options, bool probe, struct error *err)
{
	struct takeover takeover = fs->takeover;

	takeover.fuse = fuse_session_fd(fs->session);
	takeover.probe = probe;
	return options->execute(options, &takeover, err);
}

int program_execute(const struct fs *fs, const struct session_options *options, struct error *err)
{
	return execute(fs, options, false, err);
}

static _Noreturn void child(const struct fs *fs, const struct session_options *options, pid_t supervisor)
{
	struct error err;

	process_die_with(supervisor);
	execute(fs, options, true, &err);
	log_write(LOG_ERR, "%s", err.text);
	_exit(1);
}

void program_ask(struct program *program, const struct fs *fs, const struct session_options *options)
{
	const pid_t supervisor = getpid();
	pid_t pid;

	if (program->pid)
		return;
	pid = fork();
	if (pid == 0)
		child(fs, options, supervisor);
	if (pid < 0) {
		log_write(LOG_ERR, "SIGUSR2: can't start the program on disk: %s", strerror(errno));
		return;
	}
	*program = (struct program){.pid = pid, .deadline = clock_monotonic() + ANSWER_MAX_MS};
}

bool program_has_ended(struct program *program, bool *ret_could)
{
	int status;

	if (!program->pid || waitpid(program->pid, &status, WNOHANG) != program->pid)
		return false;
	program->pid = 0;
	*ret_could = WIFEXITED(status) && WEXITSTATUS(status) == TAKEOVER_READY;
	return true;
}

bool program_is_late(const struct program *program)
{
	return program->pid && clock_monotonic() >= program->deadline;
}

void program_end(struct program *program)
{
	log_write(LOG_ERR, "SIGUSR2: the program on disk has not said within %d s whether it can take over", ANSWER_MAX_MS / 1000);
	kill(program->pid, SIGKILL);
	program->deadline = INT64_MAX / 2;
}
