/* What a step of a procedure leaves in the store, and what follows of it (procedure_step.h). */
#include <stdio.h>
#include <string.h>

#include "certfs/log.h"
#include "clock.h"
#include "event.h"
#include "hook.h"
#include "procedure_step.h"
#include "verb.h"

enum { BACKOFF_MAX_SECONDS = 300, STORE_PAUSE_SECONDS = 5 };

/* One change of the row, and what goes with it. */
struct note {
	struct verb verb;
	struct procedure *p;
	struct procedure_row row; /* as it shall be */
	enum hook_kind hook;      /* that succeeded or failed; HOOK_COUNT: none */
	struct buffer output;     /* of the hook details */
	int64_t generation;
	bool taken_over;     /* a purge has begun: row is the purge's */
	bool begins;         /* row is that of the purge that was queued */
	char complaint[512]; /* of the hook that failed, "": it did not */
};

static void note_clear(struct verb *verb)
{
	buffer_clear(&((struct note *)verb)->output);
}

static int note_event(const struct note *note, struct store *store, const struct app_row *app, struct error *err)
{
	const bool failed = *note->complaint;
	char type[32];
	struct project_row project = {0};
	struct event event;
	int r;

	if (note->hook == HOOK_COUNT && !failed)
		return 0;
	r = project_by_id(store, app->project, &project, err);
	snprintf(type, sizeof(type), "hook.%s", note->hook == HOOK_COUNT ? "issue" : hook_name(note->hook));
	if (r < 0)
		return r;
	event = event_of(!failed ? "NOTICE" : note->row.failed ? "ERROR" : "WARN", type, &project, app);
	event.operation = note->row.operation;
	if (!failed)
		return event_add(store, &event, err, "%s: done", note->row.operation);
	if (note->hook != HOOK_COUNT)
		r = total_count(store, "hook_failed", err);
	if (r < 0)
		return r;
	return event_add(store, &event, err, "%s: try %d failed%s: %s", note->row.operation, note->row.attempts,
			 !note->row.failed      ? ""
			 : note->row.queued > 0 ? ", given up; the purge that is queued begins"
						: ", given up; touch the trigger to go on at this step",
			 note->complaint);
}

static int purge_state(struct store *store, rowid app, const char *state, struct error *err)
{
	struct trigger_row trigger;
	int r = trigger_get(store, "app", app, "purge", &trigger, err);

	if (r < 0 || trigger.counter == 0)
		return r;
	snprintf(trigger.state, sizeof(trigger.state), "%s", state);
	return trigger_put(store, "app", app, "purge", &trigger, err);
}

static int begin_queued(struct note *note, struct store *store, const struct procedure_row *stored, struct error *err)
{
	struct trigger_row trigger;
	int r = trigger_get(store, "app", note->row.app, "purge", &trigger, err);

	if (r < 0)
		return r;
	procedure_name_purge(&note->row, trigger.counter);
	note->row.queued = stored->queued - 1;
	note->row.step = STEP_DETAILS;
	note->row.attempts = 0;
	note->row.failed = false;
	note->begins = true;
	return procedure_put(store, &note->row, err);
}

/* The end of a purge begins the one that was queued meanwhile. */
static int note_end(struct note *note, struct store *store, const struct procedure_row *stored, struct error *err)
{
	int r = 0;

	if (stored->queued > 0)
		return begin_queued(note, store, stored, err);
	if (strcmp(note->row.kind, "purge") == 0)
		r = purge_state(store, note->row.app, "done", err);
	return r == 0 ? procedure_delete(store, note->row.app, err) : r;
}

static int note_success(struct note *note, struct store *store, struct error *err)
{
	if (note->hook == HOOK_DETAILS)
		return document_put(store, "app", note->row.app, "details", buffer_span(&note->output), err);
	if (note->hook == HOOK_PUSH)
		return app_set_delivered(store, note->row.app, note->generation, clock_now(), err);
	return 0;
}

/* A purge goes before the job that was at this app instance, and the job takes its certificate over (SPEC 5.9). */
static bool purge_took_over(struct note *note, const struct procedure_row *stored)
{
	note->taken_over = stored->app && !stored->failed && strcmp(stored->kind, "purge") == 0 &&
			   strcmp(stored->operation, note->row.operation) != 0;
	if (note->taken_over)
		note->row = *stored;
	return note->taken_over;
}

static int note_apply(struct job *job, struct store *store, struct error *err)
{
	struct note *note = (struct note *)job;
	struct procedure_row stored;
	struct app_row app;
	int r = app_by_id(store, note->row.app, &app, err);

	if (r == 0)
		r = procedure_get(store, app.id, &stored, err);
	if (r == 0 && purge_took_over(note, &stored))
		return 0;
	if (r == 0) {
		note->row.queued = stored.queued;
		r = note_event(note, store, &app, err);
	}
	if (r == 0 && !*note->complaint)
		r = note_success(note, store, err);
	if (r < 0)
		return r;
	job->touched_app = app.id;
	if (note->row.step == STEP_END)
		return note_end(note, store, &stored, err);
	if (note->row.failed && stored.queued > 0) /* whoever touched for it won't come again */
		return begin_queued(note, store, &stored, err);
	if (note->row.failed && strcmp(note->row.kind, "purge") == 0)
		r = purge_state(store, app.id, "failed", err);
	return r == 0 ? procedure_put(store, &note->row, err) : r;
}

static int backoff(int attempts)
{
	const int seconds = attempts < 9 ? 1 << (attempts - 1) : BACKOFF_MAX_SECONDS;

	return seconds < BACKOFF_MAX_SECONDS ? seconds : BACKOFF_MAX_SECONDS;
}

/* Who waited for the job's procedure is answered: the purge does more. */
void procedure_becomes_purge(struct procedure *p)
{
	struct error none = {0};

	if (p->done)
		p->done(p->context, 0, 0, &none);
	p->done = NULL;
	p->of_job = false;
}

/* The store, memory or descriptors fail: nobody else looks after a purge, so it goes on from where the store says when the cause is gone. */
void procedure_interrupted(struct procedure *p, int r, const struct error *err)
{
	if (p->of_job || r == -ENOENT) { /* the app instance went away */
		procedure_finish(p, r, err);
		return;
	}
	log_about(LOG_ERR, LOG_SUBJECT(.operation = p->row.operation, .error = err->code), "a purge can't go on, trying again: %s", err->text);
	p->loaded = false;
	procedure_wait(p, STORE_PAUSE_SECONDS);
}

static void noted(void *context, int r, int64_t result, const struct error *err)
{
	struct note *note = context; /* freed by verb_answer after this */
	struct procedure *p = note->p;
	struct error error = *err;

	(void)result;
	if (r < 0) {
		procedure_interrupted(p, r, &error);
		return;
	}
	p->row = note->row;
	if (note->taken_over)
		procedure_becomes_purge(p);
	if (note->taken_over || note->begins) {
		procedure_next(p);
	} else if (p->row.failed) {
		error_set(&error, EIO, "%s", note->complaint);
		procedure_finish(p, -EIO, &error);
	} else if (*note->complaint) {
		procedure_wait(p, backoff(p->row.attempts));
	} else if (p->row.step == STEP_END) {
		procedure_finish(p, 0, &error);
	} else {
		procedure_next(p);
	}
}

static void note_lost(void *context, int r, int64_t result, const struct error *err)
{
	(void)result;
	procedure_interrupted(context, r, err);
}

/* NULL: out of memory, and the procedure is somebody else's; the store knows where it stands. */
static struct note *note_new(struct procedure *p, enum hook_kind hook)
{
	struct note *note = verb_new(sizeof(*note), p->core, NULL, note_lost, p);

	if (!note)
		return NULL;
	note->verb.done = noted;
	note->verb.context = note;
	note->verb.clear = note_clear;
	note->p = p;
	note->row = p->row;
	note->hook = hook;
	return note;
}

void procedure_note_done(struct procedure *p, enum hook_kind hook, struct buffer *output, int64_t generation)
{
	struct note *note = note_new(p, hook);

	if (!note)
		return;
	note->row.step++;
	note->row.attempts = 0;
	note->generation = generation;
	if (output)
		note->output = buffer_take(output);
	verb_submit(&note->verb, note_apply);
}

void procedure_note_failed(struct procedure *p, enum hook_kind hook, const struct error *err)
{
	struct note *note = note_new(p, hook);

	if (!note)
		return;
	note->row.attempts++;
	note->row.failed = note->row.attempts > p->core->config.hook_retries;
	snprintf(note->complaint, sizeof(note->complaint), "%s", err->text);
	verb_submit(&note->verb, note_apply);
}

void procedure_note_end(struct procedure *p)
{
	struct note *note = note_new(p, HOOK_COUNT);

	if (note)
		verb_submit(&note->verb, note_apply);
}
