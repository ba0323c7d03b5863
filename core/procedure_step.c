#include "procedure_step.h"

#include <stdio.h>
#include <string.h>

#include "certfs/view.h"
#include "clock.h"
#include "hook.h"
#include "operation.h"
#include "user_data.h"

static const struct {
	enum step step;
	enum hook_kind hook;
	bool in_update; /* update pushes only: no purge, no restart */
} hooks[] = {
	{STEP_DETAILS, HOOK_DETAILS, false},
	{STEP_PUSH, HOOK_PUSH, true},
	{STEP_PURGE, HOOK_PURGE, false},
	{STEP_RESTART, HOOK_RESTART, false},
};

const char *step_name(int step)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if ((int)hooks[i].step == step)
			return hook_name(hooks[i].hook);
	return step == STEP_ISSUE ? "issue" : "end";
}

/* The hook of a step; HOOK_COUNT: it has none to run. */
static enum hook_kind hook_of(const struct procedure *p, int step)
{
	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if ((int)hooks[i].step == step && (hooks[i].in_update || strcmp(p->row.kind, "update") != 0) &&
		    hook_configured(&p->core->config, hooks[i].hook))
			return hooks[i].hook;
	return HOOK_COUNT;
}

static struct procedure *task_procedure(struct task *task)
{
	return (struct procedure *)((char *)task - offsetof(struct procedure, task));
}

/* ---- the steps ---- */

static void issued(struct issue_order *order, int r, const struct error *err)
{
	struct procedure *p = (struct procedure *)((char *)order - offsetof(struct procedure, order));

	if (r < 0 && p->of_job && operation_holds(r))
		procedure_finish(p, r, err); /* the job waits, and comes again */
	else if (r < 0)
		procedure_note_failed(p, HOOK_COUNT, err);
	else
		procedure_note_done(p, HOOK_COUNT, NULL, 0);
}

/* attach = no: there is no certificate to be made, but the gateway gets its user data all the same. */
static void step_issue(struct procedure *p, const struct view *view)
{
	if (!view_attached(view)) {
		procedure_note_done(p, HOOK_COUNT, NULL, 0);
		return;
	}
	p->order = (struct issue_order){
		.cause = strcmp(p->row.kind, "purge") == 0 ? ISSUE_FOR_READ : ISSUE_FOR_UPDATE,
		.app = p->row.app,
		.done = issued,
	};
	issue_submit(p->core->issue, &p->order);
}

static int call_hook(struct procedure *p, enum hook_kind hook, const struct view *view, struct buffer *output,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer event = {0};
	struct hook_call call = {
		.kind = hook,
		.mount = p->core->options.mountpoint,
		.project = view_project_row(view)->name,
		.app = view_app_row(view)->name,
		.operation = p->row.operation,
		.generation = view_app_row(view)->last_number,
	};
	char time[32];

	clock_format(clock_now(), time);
	buffer_printf(&event,
		      "{\"id\":0,\"time\":\"%s\",\"severity\":\"NOTICE\",\"type\":\"hook.%s\",\"project\":\"%s\",\"app\":\"%s\","
		      "\"generation\":%lld,\"operation\":\"%s\",\"message\":\"%s of %s\"}\n",
		      time, hook_name(hook), call.project, call.app, (long long)call.generation, call.operation,
		      hook_name(hook), call.app);
	if (buffer_status(&event) < 0)
		return error_set(err, ENOMEM, "out of memory");
	call.event = buffer_span(&event);
	return hook_run(&p->core->config, &call, output, err);
}

/* What the hook details says replaces the details, if it is good. */
static int check_output(enum hook_kind hook, const struct view *view, const struct buffer *output, struct error *err)
{
	int r;

	if (hook != HOOK_DETAILS)
		return 0;
	if (buffer_status(output) < 0)
		return error_set(err, ENOMEM, "out of memory");
	r = output->size > HOOK_OUTPUT_MAX ? error_set(err, EFBIG, "more than %d bytes: shorten it", HOOK_OUTPUT_MAX) :
					     user_data_judge_details(view, buffer_span(output), err);
	return r < 0 ? error_prefix(err, "the output of the hook details") : 0;
}

static void step_hook(struct procedure *p, enum hook_kind hook, const struct view *view)
{
	_cleanup_buffer_ struct buffer output = {0};
	struct error err = {0};
	int r = call_hook(p, hook, view, &output, &err);

	if (r == 0)
		r = check_output(hook, view, &output, &err);
	if (r < 0)
		procedure_note_failed(p, hook, &err);
	else
		procedure_note_done(p, hook, &output, view_app_row(view)->last_number);
}

/* An update pushes what it has re-issued, and what has not been delivered before. */
static bool nothing_to_push(const struct procedure *p, const struct view *view)
{
	return p->row.step == STEP_PUSH && strcmp(p->row.kind, "update") == 0 &&
	       !procedure_pushes(&p->core->config, view_app_row(view));
}

/* A job has nothing for a gateway that was revoked, or whose certificate is not handed out: it would get the old one, or none. Without
 * certificates (attach = no) it gets its user data. */
static bool nothing_for_it(const struct procedure *p, const struct view *view)
{
	struct error refusal;

	if (!p->of_job)
		return false;
	if (view_app_row(view)->revoked_at)
		return true;
	return p->row.step > STEP_ISSUE && view_attached(view) && view_reading(view, &refusal) == VIEW_REFUSES;
}

void procedure_step(struct task *task)
{
	struct procedure *p = task_procedure(task);
	_cleanup_view_ struct view *view = NULL;
	struct error err = {0};
	int r = view_app(p->core, p->row.app, &view, &err);

	if (r < 0) {
		procedure_interrupted(p, r, &err);
		return;
	}
	if (nothing_for_it(p, view))
		p->row.step = STEP_END;
	while (p->row.step < STEP_END && p->row.step != STEP_ISSUE &&
	       (hook_of(p, p->row.step) == HOOK_COUNT || nothing_to_push(p, view)))
		p->row.step++;
	if (p->row.step == STEP_ISSUE) {
		step_issue(p, view);
	} else if (p->row.step < STEP_END) {
		step_hook(p, hook_of(p, p->row.step), view);
	} else {
		procedure_note_end(p);
	}
}

/* ---- the first look ---- */

void procedure_load(struct task *task)
{
	struct procedure *p = task_procedure(task);
	struct procedure_row stored;
	struct error err = {0};
	struct store *store;
	int r = core_reader(p->core, &store, &err);

	if (r == 0)
		r = procedure_get(store, p->row.app, &stored, &err);
	if (r < 0) {
		procedure_interrupted(p, r, &err);
		return;
	}
	if (!p->of_job && (!stored.app || stored.failed)) {
		procedure_finish(p, 0, &err);
		return;
	}
	if (p->of_job && stored.app && !stored.failed && strcmp(stored.kind, "purge") == 0)
		procedure_becomes_purge(p);
	if (!p->of_job || strcmp(stored.operation, p->row.operation) == 0)
		p->row = stored;
	p->row.failed = false;
	p->loaded = true;
	procedure_step(task);
}
