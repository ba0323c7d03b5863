#include "verb.h"

#include <stdlib.h>

#include "event.h"

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

static void answer(struct verb *verb, int r, const struct error *err)
{
	struct core *core = verb->core;

	verb->done(verb->context, r, verb->job.result, err);
	if (verb->clear)
		verb->clear(verb);
	free(verb);
	core_leave(core);
}

/* ---- refusals ---- */

static const struct {
	const char *event, *what;
} refusable_files[REJECTED_FILE_COUNT] = {
	[REJECTED_SIGNING_CA] = {"signing_ca.rejected", "signing_ca"},
	[REJECTED_NEXT] = {"signing_ca.rejected", "signing_ca/next"},
	[REJECTED_POLICY] = {"policy.rejected", "policy"},
	[REJECTED_POLICY_TEMPLATE] = {"user_data.rejected", "app_policy/user_data.in"},
	[REJECTED_POLICY_DETAILS] = {"user_data.rejected", "app_policy/details"},
	[REJECTED_TEMPLATE] = {"user_data.rejected", "user_data.in"},
	[REJECTED_DETAILS] = {"user_data.rejected", "details"},
};

static int refusal_apply(struct job *job, struct store *store, struct error *err)
{
	const struct verb *verb = (struct verb *)job;
	const struct refusable *of = &verb->refusable;
	struct project_row project;
	struct app_row app = {0};
	struct event event;
	int r = project_by_id(store, of->project, &project, err);

	if (r == 0 && of->app)
		r = app_by_id(store, of->app, &app, err);
	if (r < 0)
		return r;
	event = event_of("WARN", refusable_files[of->file].event, &project, of->app ? &app : NULL);
	event.generation = 0; /* of no certificate */
	return event_add(store, &event, err, "a write of %s was refused: %s", refusable_files[of->file].what, verb->refusal.text);
}

/* Whether the event could be kept or not. */
static void refusal_done(struct job *job, int r, const struct error *err)
{
	struct verb *verb = (struct verb *)job;

	(void)r;
	(void)err;
	answer(verb, -verb->refusal.code, &verb->refusal);
}

static bool refused(int r)
{
	return r == -EINVAL || r == -EFBIG || r == -EKEYREJECTED;
}

/* The event is a job of its own: the one that was refused is undone, and a request is remembered only for what it did. */
static void refuse(struct verb *verb, int r, const struct error *err)
{
	verb->refusal = *err;
	verb->refusal.code = -r;
	verb->job = (struct job){.apply = refusal_apply, .done = refusal_done};
	writer_submit(verb->core->writer, &verb->job);
}

void verb_answer(struct verb *verb, int r, const struct error *err)
{
	const struct refusable *of = &verb->refusable;

	if (of->project && of->part)
		rejected_set_part(verb->core->rejected, of->project, of->file, of->part, r < 0 ? err->text : NULL);
	else if (of->project) /* what the store or a token prevented, too */
		rejected_set(verb->core->rejected, of->app ? of->app : of->project, of->file, r < 0 ? err->text : NULL);
	if (of->project && refused(r))
		refuse(verb, r, err);
	else
		answer(verb, r, err);
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
