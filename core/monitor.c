#include "monitor.h"

#include <stdlib.h>
#include <string.h>

#include "certfs/log.h"
#include "certfs/view.h"
#include "clock.h"
#include "digest.h"
#include "event.h"
#include "issue.h"
#include "pool.h"
#include "successor.h"
#include "verb.h"

enum { BATCH = 256, RETRY_SECONDS = 300, STAGE_SECONDS = 3600 };

struct monitor {
	struct core *core;
	struct task task;
	_Atomic bool busy; /* a round is under way */
};

int monitor_new(struct core *core, struct monitor **ret, struct error *err)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return error_set(err, ENOMEM, "out of memory");
	monitor->core = core;
	*ret = monitor;
	return 0;
}

void monitor_free(struct monitor *monitor)
{
	free(monitor);
}

static void looked(void *context, int r, int64_t result, const struct error *err)
{
	(void)context;
	(void)result;
	if (r < 0 && r != -ENOENT)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err->code),
			  "the monitor could not note what it saw, it looks again: %s", err->text);
}

/* ---- app instances ---- */

struct look {
	struct verb verb;
	rowid id;
	int64_t number; /* of the newest generation, as it was looked at */
	unixtime due_at;
	int announced;
	bool tell;
	bool silent;    /* app_look: the project's event says it for all */
	enum state state;
	char message[256];
	rowid recheck; /* recheck_apply: what to set it to */
	bool apps;     /* project_look: its app instances are to be looked at again, too */
};

/* Automatic renewals are spread over the first two thirds of the window by a hash of the name: the rest is for retries. */
static unixtime auto_renewal_at(const struct view *view)
{
	const struct generation_row *g = &view->generation;
	const unixtime opens = device_ca_renewal_at(&view->project->policy, g);
	const unixtime spread = (g->not_after - opens) * 2 / 3;
	uint8_t hash[DIGEST_SIZE];

	digest_sha256(span_text(view->app->row.name), hash);
	return spread > 0 ? opens + (unixtime)((uint32_t)hash[0] << 16 | (uint32_t)hash[1] << 8 | hash[2]) % spread : opens;
}

static bool renews_by_itself(const struct view *view, const struct situation *situation)
{
	struct error ignored;

	return view->project->policy.renewal == RENEWAL_AUTO && !view->app->row.revoked_at &&
	       view->now >= auto_renewal_at(view) && device_ca_update(situation, &ignored) == 1;
}

/* The next moment at which something changes by itself. */
static unixtime next_look(const struct view *view, bool renewing)
{
	const struct generation_row *g = &view->generation;
	const unixtime moments[] = {
		device_ca_renewal_at(&view->project->policy, g),
		view->project->policy.renewal == RENEWAL_AUTO ? auto_renewal_at(view) : 0,
		g->not_after,
	};

	if (renewing)
		return view->now + RETRY_SECONDS;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++)
		if (moments[i] > view->now)
			return moments[i];
	return 0;
}

static const struct {
	enum state state;
	const char *severity, *type, *message;
} told[] = {
	{STATE_EXPIRING, "WARN", "device_ca.expiring",
	 "The device CA certificate expires soon: touch renew, or read it, and deliver the new one."},
	{STATE_EXPIRED, "ERROR", "device_ca.expired",
	 "The device CA certificate has expired: touch renew, and deliver the new one."},
};

static int app_look_event(const struct look *look, struct store *store, const struct app_row *app, struct error *err)
{
	struct project_row project = {0};
	struct event event;
	int r = project_by_id(store, app->project, &project, err);

	for (size_t i = 0; r == 0 && i < sizeof(told) / sizeof(told[0]); i++) {
		if (told[i].state != look->state)
			continue;
		event = event_of(told[i].severity, told[i].type, &project, app);
		return event_add(store, &event, err, "%s", told[i].message);
	}
	return r;
}

static int app_look_apply(struct job *job, struct store *store, struct error *err)
{
	const struct look *look = (struct look *)job;
	struct app_row app;
	int r = app_by_id(store, look->id, &app, err);

	if (r < 0)
		return r;
	if (app.announced != look->announced || app.last_number != look->number) /* another one, with moments of its own */
		return 0;
	job->touched_app = app.id;
	r = app_set_due(store, app.id, look->due_at, look->tell ? (int)look->state : look->announced, err);
	return r == 0 && look->tell && !look->silent ? app_look_event(look, store, &app, err) : r;
}

struct renewing {
	struct issue_order order;
	struct core *core;
};

static void renewed(struct issue_order *order, int r, const struct error *err)
{
	struct core *core = ((struct renewing *)order)->core;

	if (r < 0 && r != -ENOENT) {
		const struct names names = core_names(core, 0, order->app);

		log_about(LOG_WARNING,
			  LOG_SUBJECT(.project = names.project, .app = names.app, .operation = "renew", .error = err->code),
			  "automatic renewal of %s/%s failed, tried again in %d seconds: %s", names.project, names.app, RETRY_SECONDS,
			  err->text);
	}
	free(order);
	core_leave(core);
}

static void renew(struct core *core, rowid app)
{
	struct renewing *renewing = calloc(1, sizeof(*renewing));

	if (!renewing)
		return; /* at the next look */
	core_enter(core);
	renewing->core = core;
	renewing->order = (struct issue_order){.cause = ISSUE_FOR_UPDATE, .app = app, .done = renewed};
	issue_submit(core->issue, &renewing->order);
}

static int postpone_apply(struct job *job, struct store *store, struct error *err)
{
	const struct look *look = (struct look *)job;
	struct app_row app;
	int r = app_by_id(store, look->id, &app, err);

	job->touched_app = look->id;
	return r == 0 ? app_set_due(store, app.id, look->due_at, app.announced, err) : r;
}

/* What can't be looked at (its project's policy, or a row, can't be read) must not stand before all others for ever. */
static void postpone(struct core *core, rowid id)
{
	struct look *look = verb_new(sizeof(*look), core, NULL, looked, NULL);

	if (!look)
		return;
	look->id = id;
	look->due_at = clock_now() + RETRY_SECONDS;
	verb_submit(&look->verb, postpone_apply);
}

static void app_look(struct core *core, rowid id)
{
	_cleanup_view_ struct view *view = NULL;
	struct situation situation;
	struct look *look;
	struct error err;
	bool renewing;

	if (view_app(core, id, &view, &err) < 0) {
		postpone(core, id);
		return;
	}
	situation = view_situation(view);
	renewing = view->generation.id && renews_by_itself(view, &situation);
	look = verb_new(sizeof(*look), core, NULL, looked, NULL);
	if (!look)
		return;
	look->id = id;
	look->state = device_ca_state(&situation);
	look->number = view->app->row.last_number;
	look->announced = view->app->row.announced;
	look->tell = (int)look->state != look->announced;
	look->silent = view->signer && view->generation.not_after >= view->signer->row.not_after;
	look->due_at = view->generation.id ? next_look(view, renewing) : 0;
	verb_submit(&look->verb, app_look_apply);
	if (renewing)
		renew(core, id);
}

/* ---- projects ---- */

static unixtime project_next_look(const struct view *view)
{
	const struct signing_ca *ca = view->project->signing_ca;

	if (!ca || ca->row.compromised_at || view->now >= ca->row.not_after)
		return 0;
	if (view->now < project_warning_at(view->project))
		return project_warning_at(view->project);
	/* Until a successor is staged it is tried again. */
	if (!view->project->row.next_ca && !view->project->row.csr_key && view->now + STAGE_SECONDS < ca->row.not_after)
		return view->now + STAGE_SECONDS;
	return ca->row.not_after;
}

/* One event of the project with the number of its app instances, never one for each. */
static int project_look_event(const struct look *look, struct store *store, const struct project_row *project,
			      struct error *err)
{
	const bool expired = look->state == STATE_EXPIRED;
	const struct event event = event_of(expired ? "ERROR" : "WARN",
					    expired ? "signing_ca.expired" : "signing_ca.expiring", project, NULL);

	if (look->state != STATE_EXPIRED && look->state != STATE_EXPIRING)
		return 0;
	return event_add(store, &event, err, "%s %lld app instance%s concerned.", look->message,
			 (long long)project->apps, project->apps == 1 ? " is" : "s are");
}

static int project_look_apply(struct job *job, struct store *store, struct error *err)
{
	const struct look *look = (struct look *)job;
	struct project_row row;
	int r = project_by_id(store, look->id, &row, err);

	if (r < 0 || row.announced != look->announced)
		return r;
	job->touched_project = row.id;
	r = project_set_due(store, row.id, look->due_at, (int)look->state, err);
	if (r == 0 && look->apps)
		r = project_set_recheck(store, row.id, 0, err);
	return r == 0 && look->tell ? project_look_event(look, store, &row, err) : r;
}

/* A new policy moves the moments of all app instances: they are looked at in batches. */
static int recheck_apply(struct job *job, struct store *store, struct error *err)
{
	const struct look *look = (struct look *)job;

	job->touched_project = look->id;
	return project_set_recheck(store, look->id, look->recheck, err);
}

static void project_recheck(struct core *core, const struct project_row *project)
{
	rowid apps[BATCH];
	struct store *store;
	struct look *look;
	struct error err;
	int count = core_reader(core, &store, &err);

	if (count == 0)
		count = app_issued_after(store, project->id, project->recheck, apps, BATCH, &err);
	if (count < 0)
		return;
	for (int i = 0; i < count; i++)
		app_look(core, apps[i]);
	look = verb_new(sizeof(*look), core, NULL, looked, NULL);
	if (!look)
		return;
	look->id = project->id;
	look->recheck = count ? apps[count - 1] : -1;
	verb_submit(&look->verb, recheck_apply);
}

/* Under a new signing CA what could not be renewed by itself can be: no moment of its own tells of that. */
static void project_look(struct core *core, rowid id)
{
	_cleanup_view_ struct view *view = NULL;
	enum state state;
	struct look *look;
	struct error err;

	if (view_project(core, id, &view, &err) < 0)
		return;
	if (view->project->row.recheck >= 0)
		project_recheck(core, &view->project->row);
	if (!view->project->row.due_at || view->project->row.due_at > view->now)
		return;
	look = verb_new(sizeof(*look), core, NULL, looked, NULL);
	if (!look)
		return;
	look->id = id;
	state = project_signing_ca_state(view->project, view->now);
	look->state = state;
	look->announced = view->project->row.announced;
	look->tell = (int)look->state != look->announced;
	look->due_at = project_next_look(view);
	look->apps = view->project->row.announced < 0 && view->project->policy.renewal == RENEWAL_AUTO;
	strcpy(look->message, look->state == STATE_EXPIRED ? "The CA certificate has expired." :
							     "The CA certificate expires soon: touch update.");
	verb_submit(&look->verb, project_look_apply);
	if (state == STATE_EXPIRING)
		successor_stage(core, view);
}

/* ---- rounds ---- */

/* How many were due. */
static int look_at(struct core *core, void (*at)(struct core *core, rowid id),
		   int (*due)(struct store *store, unixtime now, rowid *ret, int room, struct error *err))
{
	rowid ids[BATCH];
	struct store *store;
	struct error err;
	int count = core_reader(core, &store, &err);

	if (count == 0)
		count = due(store, clock_now(), ids, BATCH, &err);
	if (count < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err.code), "the monitor can't see what is due: %s", err.text);
	for (int i = 0; i < count; i++)
		at(core, ids[i]);
	return count;
}

static void monitor_round(struct task *task);

static void monitor_start(struct monitor *monitor)
{
	core_enter(monitor->core);
	monitor->task.run = monitor_round;
	pool_submit(monitor->core->pool, &monitor->task);
}

static int round_end_apply(struct job *job, struct store *store, struct error *err)
{
	(void)job;
	(void)store;
	(void)err;
	return 0;
}

/* The writer has done everything that the round found: what is due now is something else. */
static void round_ended(void *context, int r, int64_t result, const struct error *err)
{
	struct monitor *monitor = context;

	(void)err;
	if (r == 0 && result == 1)
		monitor_start(monitor);
	else
		atomic_store(&monitor->busy, false);
	core_leave(monitor->core);
}

static void monitor_round(struct task *task)
{
	struct monitor *monitor = (struct monitor *)((char *)task - offsetof(struct monitor, task));
	const int projects = look_at(monitor->core, project_look, project_due);
	const int apps = look_at(monitor->core, app_look, app_due);
	struct verb *end = verb_new(sizeof(*end), monitor->core, NULL, round_ended, monitor);

	if (!end)
		return; /* round_ended has been called */
	end->job.result = projects == BATCH || apps == BATCH;
	verb_submit(end, round_end_apply);
}

void monitor_tick(struct monitor *monitor)
{
	if (!monitor->core->options.read_only && !atomic_exchange(&monitor->busy, true))
		monitor_start(monitor);
}
