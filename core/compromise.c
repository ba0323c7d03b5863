/* What takes trust away: a stolen gateway (revoke), a compromised signing key. SPEC 5.7. */
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "event.h"
#include "idlist.h"
#include "trigger.h"
#include "verb.h"

struct distrust {
	struct verb verb;
	rowid object; /* app instance or project */
	char reason[REASON_SIZE];
};

/* Nothing so grave happens by a touch: a reason must be given. */
static int reason_given(struct span text, char ret[REASON_SIZE], struct error *err)
{
	int r = trigger_reason(text, ret, err);

	if (r == 0 && !*ret)
		return error_set(err, EINVAL, "write the reason as text to fire this trigger");
	return r;
}

static void distrust_submit(struct core *core, const struct caller *caller, rowid object, struct span text,
			    int (*apply)(struct job *job, struct store *store, struct error *err), core_done done,
			    void *context)
{
	struct distrust *d = verb_new(sizeof(*d), core, caller, done, context);
	struct error err = {0};
	int r;

	if (!d)
		return;
	d->object = object;
	r = reason_given(text, d->reason, &err);
	if (r < 0)
		verb_answer(&d->verb, r, &err);
	else
		verb_submit(&d->verb, apply);
}

static int count_firing(const struct distrust *d, struct store *store, const char *scope, const char *name,
			struct error *err)
{
	const struct trigger_firing firing = {
		.time = clock_now(), .reason = d->reason, .state = "done"};

	return trigger_fire(store, scope, d->object, name, &firing, NULL, err);
}

/* ---- revoke ---- */

static int revoke_event(const struct distrust *d, struct store *store, const struct app_row *app, struct error *err)
{
	struct project_row project = {0};
	int r = project_by_id(store, app->project, &project, err);
	const struct event event = event_of("WARN", "device_ca.revoked", &project, app);

	if (r == 0)
		r = audit_trigger(store, &d->verb.job.caller, "revoke", &project, app, err);
	return r == 0 ? event_add(store, &event, err, "app instance revoked: %s; touch purge to lift that", d->reason) : r;
}

static int revoke_apply(struct job *job, struct store *store, struct error *err)
{
	struct distrust *d = (struct distrust *)job;
	const char *why = trigger_says_compromised(d->reason) ? "cACompromise" : "cessationOfOperation";
	unixtime now = clock_now();
	struct app_row app;
	int r = app_by_id(store, d->object, &app, err);

	if (r == 0)
		r = count_firing(d, store, "app", "revoke", err);
	if (r == 0)
		r = app_set_revoked(store, app.id, now, d->reason, err);
	if (r == 0)
		r = generation_retire(store, app.id, now, why, err);
	job->touched_app = d->object;
	job->announce = true;
	return r == 0 ? revoke_event(d, store, &app, err) : r;
}

void core_app_revoke(struct core *core, const struct caller *caller, rowid app, struct span text, core_done done,
		     void *context)
{
	distrust_submit(core, caller, app, text, revoke_apply, done, context);
}

/* ---- compromised ---- */

static int compromised_event(const struct distrust *d, struct store *store, rowid id, struct error *err)
{
	struct project_row project = {0};
	int r = project_by_id(store, id, &project, err);
	const struct event event = event_of("ERROR", "signing_ca.compromised", &project, NULL);

	if (r < 0)
		return r;
	if (id != d->object)
		return event_add(store, &event, err,
				 "the key of a signing CA of this project was marked compromised in another one that uses it: %s; upload "
				 "another one if it is the active one, then touch force_update", d->reason);
	return event_add(store, &event, err,
			 "signing CA marked compromised: %s; upload another one, then touch force_update", d->reason);
}

/* One event for each project that is concerned. */
static int compromised_events(const struct distrust *d, struct store *store, rowid key, struct error *err)
{
	_cleanup_idlist_ struct idlist projects = {0};
	int r = signing_key_projects(store, key, clock_now(), idlist_collect, &projects, err);

	for (size_t i = 0; r == 0 && i < projects.count; i++)
		r = compromised_event(d, store, projects.id[i], err);
	return r;
}

static int compromised_apply(struct job *job, struct store *store, struct error *err)
{
	struct distrust *d = (struct distrust *)job;
	struct signing_ca_row ca;
	struct project_row project;
	int r = project_by_id(store, d->object, &project, err);

	if (r == 0 && !project.signing_ca)
		return error_set(err, ENOKEY, "project %s has no active signing CA to be marked: there is nothing to do", project.name);
	if (r == 0)
		r = signing_ca_by_id(store, project.signing_ca, &ca, err);
	if (r == 0)
		r = count_firing(d, store, "project", "compromised", err);
	if (r == 0)
		r = audit_trigger(store, &job->caller, "compromised", &project, NULL, err);
	if (r < 0 || ca.compromised_at)
		return r; /* already marked: the counter only */
	r = signing_key_compromise(store, ca.key, clock_now(), d->reason, err);
	job->touched_all = true; /* the key may be in other projects, too */
	return r == 0 ? compromised_events(d, store, ca.key, err) : r;
}

void core_compromised(struct core *core, const struct caller *caller, rowid project, struct span text, core_done done,
		      void *context)
{
	distrust_submit(core, caller, project, text, compromised_apply, done, context);
}
