/* Hooks (SPEC 5.8): executables of the operator's, run without a shell, with what happened in the environment and as JSON on standard
 * input. One call here runs one hook once, and takes as long as that does: on threads of their own (core->hook_pool).
 */
#ifndef CORE_HOOK_H
#define CORE_HOOK_H

#include "certfs/buffer.h"
#include "certfs/config.h"
#include "certfs/error.h"
#include "certfs/types.h"

/* "details", "push", … */
const char *hook_name(enum hook_kind kind);

bool hook_configured(const struct config *config, enum hook_kind kind);

/* What the hook is told. Strings are borrowed; NULL or 0: left out. */
struct hook_call {
	enum hook_kind kind;
	const char *mount;     /* CERTFS_MOUNT */
	const char *project;   /* CERTFS_PROJECT */
	const char *app;       /* CERTFS_APP */
	const char *operation; /* CERTFS_OPERATION: the same for each try of each step of one operation */
	int64_t generation;    /* CERTFS_GENERATION */
	struct span event;     /* JSON, to standard input */
};

enum { HOOK_OUTPUT_MAX = 64 << 10 };

/* Runs it. 0: it exited with 0, *ret_output is what it wrote to standard output: HOOK_OUTPUT_MAX bytes, and one more where it wrote more. Else EIO (it failed, with what it
 * wrote to standard error), ETIME (it was ended after timeout_seconds), ENOENT, EACCES, … (it can't be started). */
int hook_run(const struct config *config, const struct hook_call *call, struct buffer *ret_output, struct error *err);

#endif
