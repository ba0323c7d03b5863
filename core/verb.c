#include "verb.h"

#include <stdlib.h>

void *verb_new(size_t size, struct core *core, const struct caller *caller, core_done done, void *context)
{
	struct verb *verb = calloc(1, size);

	if (!verb) {
		struct error err;

		error_set(&err, ENOMEM, "out of memory");
		done(context, -ENOMEM, 0, &err);
		return NULL;
	}
	core_enter(core);
	verb->core = core;
	verb->done = done;
	verb->context = context;
	if (caller)
		verb->job.caller = *caller;
	return verb;
}

void verb_answer(struct verb *verb, int r, const struct error *err)
{
	struct core *core = verb->core;

	verb->done(verb->context, r, verb->job.result, err);
	if (verb->clear)
		verb->clear(verb);
	free(verb);
	core_leave(core);
}

static void verb_done(struct job *job, int r, const struct error *err)
{
	struct verb *verb = (struct verb *)job;

	if (r >= 0 && !job->replayed && verb->committed)
		verb->committed(verb);
	verb_answer(verb, r, err);
}

void verb_submit(struct verb *verb, int (*apply)(struct job *job, struct store *store, struct error *err))
{
	verb->job.apply = apply;
	verb->job.done = verb_done;
	writer_submit(verb->core->writer, &verb->job);
}
