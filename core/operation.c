#include "operation.h"

#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "bulk.h"
#include "certfs/view.h"
#include "clock.h"
#include "event.h"
#include "trigger.h"
#include "verb.h"

struct operation_verb {
	struct verb verb;
	struct operation_row row;
	char reason[REASON_SIZE];
	char wish[16]; /* progress: pause, resume, cancel */
};

static int operation_event(struct store *store, rowid project, const char *severity, const char *kind, const char *what,
			   struct error *err)
{
	struct project_row row = {0};
	char type[48];
	struct event event;
	int r = project_by_id(store, project, &row, err);

	snprintf(type, sizeof(type), "%s.%s", kind, what);
	event = event_of(severity, type, &row, NULL);
	event.operation = kind;
	return r == 0 ? event_add(store, &event, err, "%s: %s", kind, what) : r;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool running(const struct operation_row *row)
{
	return row->id && row->finished_at == 0;
}

static int next_usable(struct core *core, const struct view *view, struct error *err)
{
	struct signing_ca *next;
	int r = core_signing_ca(core, view->project->row.next_ca, &next, err);

	if (r < 0)
		return r;
	r = signing_ca_usable(next, view->now, err);
	object_unref(&next->object);
	return r;
}

/* While nothing can be issued a job would only take certificates away: it is refused, and nothing changes (SPEC 5.9). */
static int operation_possible(struct core *core, rowid project, bool switches, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	struct situation situation;
	int r = view_project(core, project, &view, err);

	if (r < 0)
		return r;
	if (switches && view->project->row.next_ca)
		return next_usable(core, view, err);
	if (!view_attached(view))
		return 0;
	situation = view_situation(view);
	return device_ca_issuable(&situation, err);
}

/* ---- the triggers ---- */

static int operation_start(struct operation_verb *v, struct job *job, struct store *store,
			   struct error *err)
{
	/* Behind the newest operation, whose own state is shown, there are only ended ones. */
	const struct trigger_firing firing = {
		.time = v->row.started_at, .reason = v->reason, .state = "done"};
	struct project_row project;
	int r = trigger_fire(store, "project", v->row.project, v->row.kind, &firing, NULL, err);

	if (r == 0)
		r = project_by_id(store, v->row.project, &project, err);
	if (r == 0)
		r = audit_trigger(store, &job->caller, v->row.kind, &project, NULL, err);
	if (r == 0)
		r = operation_insert(store, &v->row, err);
	job->touched_project = v->row.project;
	return r == 0 ? operation_event(store, v->row.project, "NOTICE", v->row.kind, "started", err) : r;
}

/* One row makes every certificate of the project stale. */
static int force_update_apply(struct job *job, struct store *store, struct error *err)
{
	struct operation_verb *v = (struct operation_verb *)job;
	int r = operation_possible(v->verb.core, v->row.project, false, err);

	if (r == 0)
		r = project_next_epoch(store, v->row.project, trigger_says_compromised(v->reason), err);
	return r == 0 ? operation_start(v, job, store, err) : r;
}

/* The staged successor becomes the active signing CA (SPEC 5.4). What csr.pem asks for is another one for that which it replaces. */
static int switch_to_next(struct store *store, const struct project_row *project, struct error *err)
{
	const struct event event = event_of("NOTICE", "signing_ca.activated", project, NULL);
	int r = project_set_signing_ca(store, project->id, project->next_ca, err);

	if (r == 0)
		r = object_written(store, "project", project->id, clock_now(), err);
	if (r == 0)
		r = project_set_next(store, project->id, 0, 0, err);
	return r == 0 ? event_add(store, &event, err, "the staged successor is the active signing CA now") : r;
}

static int update_apply(struct job *job, struct store *store, struct error *err)
{
	struct operation_verb *v = (struct operation_verb *)job;
	struct operation_row newest;
	struct project_row project;
	int r = operation_possible(v->verb.core, v->row.project, true, err);

	if (r == 0)
		r = operation_newest(store, v->row.project, &newest, err);
	if (r == 0)
		r = project_by_id(store, v->row.project, &project, err);
	if (r == 0 && running(&newest))
		return error_set(err, EBUSY, "%s is running: wait for it (see progress), or cancel it there", newest.kind);
	if (r == 0 && project.next_ca)
		r = switch_to_next(store, &project, err);
	return r == 0 ? operation_start(v, job, store, err) : r;
}

static void operation_committed(struct verb *verb)
{
	bulks_kick(verb->core->bulks, ((struct operation_verb *)verb)->row.project);
}

static void operation_submit(struct core *core, const struct caller *caller, rowid project, struct span text,
			     const char *kind, int (*apply)(struct job *job, struct store *store, struct error *err),
			     core_done done, void *context)
{
	struct operation_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	struct error err = {0};
	int r;

	if (!v)
		return;
	v->verb.committed = operation_committed;
	v->row = (struct operation_row){.project = project, .state = "running", .started_at = clock_now()};
	strcpy(v->row.kind, kind);
	r = trigger_reason(text, v->reason, &err);
	if (r < 0)
		verb_answer(&v->verb, r, &err);
	else
		verb_submit(&v->verb, apply);
}

void core_update(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		 void *context)
{
	operation_submit(core, caller, project, text, "update", update_apply, done, context);
}

void core_force_update(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		       void *context)
{
	operation_submit(core, caller, project, text, "force_update", force_update_apply, done, context);
}

/* ---- progress: pause, resume, cancel ---- */

static const struct {
	const char *wish, *state;
} wishes[] = {
	{"pause", "paused"},
	{"resume", "running"},
	{"cancel", "cancelled"},
};

static const char *state_wished(const char *wish)
{
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if (is(wishes[i].wish, wish))
			return wishes[i].state;
	return NULL;
}

static int progress_apply(struct job *job, struct store *store, struct error *err)
{
	struct operation_verb *v = (struct operation_verb *)job;
	struct operation_row row;
	int r = operation_newest(store, v->row.project, &row, err);

	if (r == 0 && !running(&row))
		return error_set(err, EINVAL, "no update or force_update is running: there is nothing to %s", v->wish);
	if (r < 0)
		return r;
	strcpy(row.state, state_wished(v->wish));
	if (is(row.state, "cancelled"))
		row.finished_at = clock_now();
	if (row.total == 0) /* no batch has ended yet */
		r = project_issued(store, row.project, &row.total, err);
	if (r == 0)
		r = operation_update(store, &row, err);
	return r == 0 ? operation_event(store, row.project, "NOTICE", row.kind, row.state, err) : r;
}

void core_progress(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		   void *context)
{
	struct operation_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	char wish[REASON_SIZE];
	struct error err = {0};
	int r;

	if (!v)
		return;
	v->verb.committed = operation_committed;
	v->row.project = project;
	r = trigger_reason(text, wish, &err);
	if (r == 0 && !state_wished(wish))
		r = error_set(&err, EINVAL, "write pause, resume or cancel");
	if (r < 0) {
		verb_answer(&v->verb, r, &err);
		return;
	}
	strcpy(v->wish, wish);
	verb_submit(&v->verb, progress_apply);
}

/* ---- what the job has done ---- */

bool operation_holds(int r)
{
	return r == -ENOKEY || r == -EKEYEXPIRED || r == -EKEYREVOKED || r == -EAGAIN;
}

static int note_apply(struct job *job, struct store *store, struct error *err)
{
	const struct operation_verb *v = (struct operation_verb *)job;
	struct operation_row row;
	bool was_held;
	int r = operation_newest(store, v->row.project, &row, err);

	if (r < 0 || row.id != v->row.id || !running(&row))
		return r;
	if (!row.total)
		row.total = v->row.total;
	was_held = is(row.state, "held");
	row.done += v->row.done;
	row.failed += v->row.failed;
	row.cursor = v->row.cursor;
	if (row.total < row.done + row.failed)
		row.total = row.done + row.failed; /* some were issued for the first time meanwhile, and the job came by there, too */
	if (is(v->row.state, "done") || !is(row.state, "paused"))
		strcpy(row.state, v->row.state);
	if (is(row.state, "done"))
		row.finished_at = clock_now();
	r = operation_update(store, &row, err);
	job->result = is(row.state, "running");
	if (r == 0 && (is(row.state, "done") || (is(row.state, "held") && !was_held)))
		r = operation_event(store, row.project, row.failed || is(row.state, "held") ? "WARN" : "NOTICE", row.kind,
				    row.state, err);
	return r;
}

void operation_note(struct core *core, const struct operation_row *row, core_done done, void *context)
{
	struct operation_verb *v = verb_new(sizeof(*v), core, NULL, done, context);

	if (!v)
		return;
	v->row = *row;
	verb_submit(&v->verb, note_apply);
}
