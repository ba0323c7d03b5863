/* The process that starts hooks.
 *
 * A worker gives up its privileges for good, and what it gives up its children would miss too. So it first forks a runner, which keeps
 * them but has nothing worth stealing: no key, no store, no connection to the kernel. The runner takes a hook's kind and variables, never
 * a path or a user: those are the configuration's as it was at the fork. It ends with its worker, and so does each hook that runs then.
 */
#ifndef CORE_HOOK_RUNNER_H
#define CORE_HOOK_RUNNER_H

#include <stdbool.h>

#include "certfs/config.h"
#include "certfs/error.h"

enum { HOOK_VARIABLES = 8, HOOK_VARIABLE_SIZE = 4200 };

/* What goes to the runner in one message. */
struct hook_request {
	enum hook_kind kind;
	int variables;
	char variable[HOOK_VARIABLES][HOOK_VARIABLE_SIZE]; /* NAME=VALUE */
};

/* What comes back when the hook has ended. */
struct hook_answer {
	int status;   /* of waitpid(2) */
	bool no_user; /* it was not started: the user that it should run as is not there */
};

/* Starts a hook with fds as its standard input, output and error. Returns a socket, which is the caller's: one struct hook_answer can be
 * read from it; shutdown(2) for writing, or closing it, ends the hook and all of its process group. -EPIPE where no runner is. Any thread. */
int hook_runner_call(const struct hook_request *request, const int fds[3], struct error *err);

#endif
