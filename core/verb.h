/* What all changes have in common: a job for the writer, an answer to give, and core held open until then.
 * A verb of its own embeds struct verb as its first member; it is allocated by verb_new and freed after its answer.
 */
#ifndef CORE_VERB_H
#define CORE_VERB_H

#include "core_internal.h"
#include "rejected.h"
#include "writer.h"

/* A write that may be refused for what it says. */
struct refusable {
	enum rejected_file file;
	rowid project; /* 0: this is none */
	rowid app;     /* 0: the file is the project's */
	unsigned part; /* 0: all of it; else it is one of several that make a whole: see rejected_set_part */
};

struct verb {
	struct job job;
	struct core *core;
	core_done done;
	void *context;
	void (*committed)(struct verb *verb); /* after the commit, before the answer; NULL: nothing to do */
	void (*clear)(struct verb *verb);     /* frees what it owns besides itself; NULL: nothing */
	struct refusable refusable; /* EINVAL, EFBIG and EKEYREJECTED are told in status until the next good write, and as an event */
	struct error refusal;       /* verb.c's */
};

/* size: of the struct that embeds it; zeroed. NULL: out of memory, and done has been called. */
void *verb_new(size_t size, struct core *core, const struct caller *caller, core_done done, void *context);

void verb_submit(struct verb *verb, int (*apply)(struct job *job, struct store *store, struct error *err));

/* Answers without asking the writer (but for the event of a refusal), and frees. */
void verb_answer(struct verb *verb, int r, const struct error *err);

#endif
