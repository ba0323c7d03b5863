#include "trigger.h"

#include <stdlib.h>
#include <string.h>

#include "certfs/view.h"
#include "audit.h"
#include "clock.h"
#include "event.h"
#include "issue.h"
#include "procedure.h"
#include "utf8.h"
#include "verb.h"

/* ---- the text ---- */

static const char saved_copy[] = "counter:";
static const char compromise[] = "compromised";

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

int trigger_reason(struct span text, char ret[REASON_SIZE], struct error *err)
{
	char line[REASON_SIZE] = "";
	size_t size = 0;

	while (size < text.size && text.data[size] != '\n')
		size++;
	size = utf8_cut((struct span){text.data, size}, REASON_SIZE - 1);
	if (!utf8_printable((struct span){text.data, size}))
		return error_set(err, EINVAL,
				 "the text of a trigger is one line of UTF-8 without control characters: write another one");
	if (size)
		memcpy(line, text.data, size);
	if (begins_with(line, saved_copy))
		return error_set(err, EINVAL,
				 "this is a saved copy of a trigger file: touch the trigger, or write a reason, to fire it");
	strcpy(ret, line[strspn(line, " ")] ? line : ""); /* blanks are no text */
	return 0;
}

bool trigger_says_compromised(const char *reason)
{
	return begins_with(reason, compromise);
}

/* ---- renew ---- */

struct renewing {
	struct issue_order order;
	struct core *core;
	core_done done;
	void *context;
};

static void renewal_done(struct issue_order *order, int r, const struct error *err)
{
	struct renewing *renewal = (struct renewing *)order;
	struct core *core = renewal->core;

	renewal->done(renewal->context, r, 0, err);
	free(renewal);
	core_leave(core);
}

static int renewal_reason(struct span text, char ret[REASON_SIZE], struct error *err)
{
	int r = trigger_reason(text, ret, err);

	if (r == 0 && trigger_says_compromised(ret))
		return error_set(err, EINVAL,
				 "a renewal keeps the key: after a compromise write this text to purge instead");
	return r;
}

void core_app_renew(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		    void *context)
{
	struct renewing *renewal = calloc(1, sizeof(*renewal));
	struct error err = {0};
	int r;

	if (!renewal) {
		done(context, error_set(&err, ENOMEM, "out of memory"), 0, &err);
		return;
	}
	core_enter(core);
	*renewal = (struct renewing){
		.order = {.cause = ISSUE_FOR_RENEW, .app = app, .caller = *caller, .done = renewal_done},
		.core = core,
		.done = done,
		.context = context,
	};
	r = core->options.read_only ? error_set(&err, EROFS, "the mount is read-only (-o ro): nothing fires") :
				      renewal_reason(text, renewal->order.reason, &err);
	if (r < 0)
		renewal_done(&renewal->order, r, &err);
	else
		issue_submit(core->issue, &renewal->order);
}

/* ---- reading ---- */

struct reading {
	struct issue_order order;
	struct core *core;
	core_done done;
	void *context;
};

static void reading_done(struct issue_order *order, int r, const struct error *err)
{
	struct reading *reading = (struct reading *)order;
	struct core *core = reading->core;

	reading->done(reading->context, r, 0, err);
	free(reading);
	core_leave(core);
}

void core_app_read(struct core *core, rowid app, core_done done, void *context)
{
	struct reading *reading = calloc(1, sizeof(*reading));
	struct error err = {0};

	if (!reading) {
		done(context, error_set(&err, ENOMEM, "out of memory"), 0, &err);
		return;
	}
	core_enter(core);
	*reading = (struct reading){
		.order = {.cause = ISSUE_FOR_READ, .app = app, .done = reading_done},
		.core = core,
		.done = done,
		.context = context,
	};
	if (core->options.read_only)
		reading_done(&reading->order,
			     error_set(&err, EROFS, "the mount is read-only (-o ro): nothing is issued"), &err);
	else
		issue_submit(core->issue, &reading->order);
}

/* ---- purge ---- */

struct purge {
	struct verb verb;
	rowid app;
	char reason[REASON_SIZE];
	int grace_hours;
	bool goes_on; /* with one that was given up */
};

static void purge_committed(struct verb *verb)
{
	procedure_start(verb->core->procedures, ((struct purge *)verb)->app);
}

/* What a purge replaces is revoked, but for a compromise only after the grace: a live gateway must get its new one first. */
static int purge_revokes(const struct purge *purge, struct store *store, const struct app_row *app, unixtime now,
			 struct error *err)
{
	if (trigger_says_compromised(purge->reason))
		return generation_revoke_up_to(store, app->id, app->last_number, now, "cACompromise", err);
	return generation_revoke(store, app->generation, now + (unixtime)purge->grace_hours * 3600, "superseded", err);
}

static int purge_event(struct store *store, const struct caller *caller, const struct app_row *app, const char *reason,
		       struct error *err)
{
	struct project_row project = {0};
	int r = project_by_id(store, app->project, &project, err);
	const struct event event = event_of("NOTICE", "device_ca.purged", &project, app);

	if (r == 0)
		r = audit_trigger(store, caller, "purge", &project, app, err);
	if (r < 0)
		return r;
	return event_add(store, &event, err, "purge: the certificate is stale%s%s", *reason ? ": " : "", reason);
}

/* While nothing can be issued a purge would only take the certificate away: it is refused, and nothing changes. */
static int purge_possible(struct purge *purge, const struct procedure_row *row, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	struct situation situation;
	int r = view_app(purge->verb.core, purge->app, &view, err);

	if (r < 0)
		return r;
	purge->grace_hours = view->project->policy.revoke_grace_hours;
	purge->goes_on = procedure_goes_on(row, view);
	if (!view_attached(view))
		return 0; /* no certificate, but details, user data and hooks */
	situation = view_situation(view);
	return device_ca_issuable(&situation, err);
}

/* A purge that runs queues one more; one that was given up goes on at its step. But a compromised key that it has issued meanwhile is to be
 * replaced, whatever it has still to do. */
static int purge_procedure(const struct purge *purge, struct store *store, int64_t counter, struct procedure_row *row, struct error *err)
{
	const bool anew = trigger_says_compromised(purge->reason) && row->step > STEP_ISSUE;

	if (row->app && strcmp(row->kind, "purge") == 0 && !row->failed) {
		row->queued = 1;
	} else if (purge->goes_on && !anew) {
		row->failed = false;
		row->attempts = 0;
	} else {
		*row = (struct procedure_row){.app = purge->app, .kind = "purge", .step = STEP_DETAILS};
		procedure_name_purge(row, counter);
	}
	return procedure_put(store, row, err);
}

/* One that goes on behind the step that issues has its certificate already. */
static int purge_takes_away(struct purge *purge, struct store *store, const struct app_row *app,
			    const struct procedure_row *row, unixtime now, struct error *err)
{
	int r;

	if (row->step > STEP_ISSUE && !row->queued)
		return 0;
	r = app_set_stale(store, app->id, app->last_number, err);
	return r == 0 && app->generation ? purge_revokes(purge, store, app, now, err) : r;
}

static int purge_apply(struct job *job, struct store *store, struct error *err)
{
	struct purge *purge = (struct purge *)job;
	const struct trigger_firing firing = {
		.time = clock_now(), .reason = purge->reason, .state = "running"};
	struct procedure_row procedure;
	struct app_row app;
	int64_t counter;
	int r = procedure_get(store, purge->app, &procedure, err);

	if (r == 0)
		r = purge_possible(purge, &procedure, err);
	if (r == 0)
		r = app_by_id(store, purge->app, &app, err);
	if (r == 0)
		r = trigger_fire(store, "app", app.id, "purge", &firing, &counter, err);
	if (r < 0)
		return r;
	job->touched_app = app.id;
	job->announce = true;
	r = purge_procedure(purge, store, counter, &procedure, err);
	if (r == 0)
		r = purge_takes_away(purge, store, &app, &procedure, firing.time, err);
	if (r == 0 && app.revoked_at)
		r = app_set_revoked(store, app.id, 0, "", err);
	return r == 0 ? purge_event(store, &job->caller, &app, purge->reason, err) : r;
}

void core_app_purge(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		    void *context)
{
	struct purge *purge = verb_new(sizeof(*purge), core, caller, done, context);
	struct error err = {0};
	int r;

	if (!purge)
		return;
	purge->app = app;
	purge->verb.committed = purge_committed;
	r = trigger_reason(text, purge->reason, &err);
	if (r < 0)
		verb_answer(&purge->verb, r, &err);
	else
		verb_submit(&purge->verb, purge_apply);
}
