/* Trigger files: how often and when they fired, and what firing now would do. And the progress of the job that some start. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hook.h"
#include "procedure.h"
#include "render_internal.h"

enum { EFFECT_SIZE = 320, WOULD_SIZE = 640 };

/* ---- the common form ---- */

static int render_trigger(const struct trigger_row *row, const char *would, struct store *store, struct buffer *out,
			  struct error *err)
{
	struct document document;

	document_begin(&document, DOCUMENT_TEXT, store, out, err);
	document_number(&document, "counter", row->counter);
	document_time(&document, "last", row->last);
	document_text(&document, "reason", row->reason);
	document_word(&document, "state", row->state);
	document_text(&document, "would", would);
	return document_end(&document);
}

/* Most triggers are refused while nothing can be issued. without: the effect under attach = no, where it is not refused then; else NULL. */
static void would_issue(const struct view *view, const char *effect, const char *without, char would[WOULD_SIZE])
{
	const struct situation situation = view_situation(view);
	struct error refusal;

	if (without && !view_attached(view))
		snprintf(would, WOULD_SIZE, "%s", without);
	else if (device_ca_issuable(&situation, &refusal) < 0)
		snprintf(would, WOULD_SIZE, "be refused: %s", refusal.text);
	else
		snprintf(would, WOULD_SIZE, "%s", effect);
}

/* ---- of an app instance ---- */

static int app_trigger(const struct view *view, const char *name, const char *would, struct buffer *out,
		       struct error *err)
{
	struct trigger_row row;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = trigger_get(store, "app", view->app->row.id, name, &row, err);
	return r == 0 ? render_trigger(&row, would, store, out, err) : r;
}

static int issuing_trigger(const struct view *view, const char *name, const char *how, const char *without, struct buffer *out,
			   struct error *err)
{
	char effect[EFFECT_SIZE];
	char would[WOULD_SIZE];

	snprintf(effect, sizeof(effect), "issue generation %" PRId64 " (1 certificate), %s",
		 view->app->row.next_number, how);
	would_issue(view, effect, without, would);
	return app_trigger(view, name, would, out, err);
}

int render_renew(const struct view *view, struct buffer *out, struct error *err)
{
	const struct situation situation = view_situation(view);

	if (view->app->row.revoked_at && view_attached(view))
		return app_trigger(view, "renew", "be refused: it was revoked, touch purge to lift that", out, err);
	return issuing_trigger(view, "renew",
			       device_ca_keeps_key(&situation) ? "keep the key, revoke nothing"
							       : "with a new key, revoke nothing",
			       NULL, out, err);
}

/* One that failed goes on where it stopped (SPEC 5.6). */
static int failed_purge(const struct view *view, struct procedure_row *ret, struct error *err)
{
	struct store *store;
	int r = core_reader(view->core, &store, err);

	return r == 0 ? procedure_get(store, view->app->row.id, ret, err) : r;
}

int render_purge(const struct view *view, struct buffer *out, struct error *err)
{
	struct procedure_row row;
	char would[WOULD_SIZE];
	int r = failed_purge(view, &row, err);

	if (r < 0)
		return r;
	if (procedure_goes_on(&row, view)) {
		snprintf(would, sizeof(would), "go on with %s at the step that failed: %s", row.operation, step_name(row.step));
		return app_trigger(view, "purge", would, out, err);
	}
	return issuing_trigger(view, "purge", "with a new key; the current certificate becomes stale at once",
			       "issue nothing (attach = no): make the certificate it had stale, and run the hooks", out, err);
}

int render_revoke(const struct view *view, struct buffer *out, struct error *err)
{
	const bool valid = view->generation.id && view->generation.not_after > view->now;

	return app_trigger(view, "revoke",
			   valid ? "revoke the current certificate (1) and refuse reads until purge; needs a text" :
				   "refuse reads until purge (0 certificates); needs a text",
			   out, err);
}

/* ---- of a project ---- */

/* The state of the job that the trigger started, if it is the newest. */
static int job_state(struct store *store, rowid project, const char *kind, struct trigger_row *row, struct error *err)
{
	struct operation_row operation;
	int r = operation_newest(store, project, &operation, err);

	if (r < 0 || strcmp(operation.kind, kind) != 0)
		return r;
	snprintf(row->state, sizeof(row->state), "%s",
		 operation.finished_at ? (operation.failed ? "failed" : "done") : "running");
	return 0;
}

static int project_trigger(const struct view *view, const char *name, const char *would, struct buffer *out,
			   struct error *err)
{
	const rowid project = view->project->row.id;
	struct trigger_row row;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = trigger_get(store, "project", project, name, &row, err);
	if (r == 0)
		r = job_state(store, project, name, &row, err);
	return r == 0 ? render_trigger(&row, would, store, out, err) : r;
}

int update_due(const struct view *view, const struct signing_ca *ca, struct app_due *ret, struct error *err)
{
	const struct policy *policy = &view->project->policy;
	const struct app_due_by by = {
		.now = view->now,
		.renew_before = (int64_t)policy->renew_before_days * DAY,
		.signing_ca = ca->row.id,
		.gains_until = device_ca_gains_until(policy, ca, view->now),
	};
	struct store *store;
	int r = core_reader(view->core, &store, err);

	return r == 0 ? app_count_due(store, view->project->row.id, &by, ret, err) : r;
}

/* Under the signing CA that is active then: with a staged successor, that. */
static int due(const struct view *view, struct app_due *ret, struct error *err)
{
	struct signing_ca *next;
	int r;

	*ret = (struct app_due){0};
	if (!view->project->row.next_ca)
		return view->project->signing_ca ? update_due(view, view->project->signing_ca, ret, err) : 0;
	r = core_signing_ca(view->core, view->project->row.next_ca, &next, err);
	if (r < 0)
		return r;
	r = update_due(view, next, ret, err);
	object_unref(&next->object);
	return r;
}

int render_update(const struct view *view, struct buffer *out, struct error *err)
{
	static const char *const nothing = "re-issue nothing (attach = no)";
	struct app_due counts;
	char effect[EFFECT_SIZE];
	char would[WOULD_SIZE];
	int64_t all;
	int r = due(view, &counts, err);

	if (r < 0)
		return r;
	all = counts.expired + counts.expiring + counts.update_required;
	snprintf(effect, sizeof(effect),
		 "re-issue %" PRId64 " certificate%s (EXPIRED %" PRId64 ", EXPIRING %" PRId64 ", UPDATE_REQUIRED %" PRId64
		 ") and push them%s; no purge, no restart",
		 all, plural(all), counts.expired, counts.expiring, counts.update_required,
		 hook_configured(&view->core->config, HOOK_PUSH) ? ", and others that have not been delivered" : "");
	if (view->project->row.next_ca)
		snprintf(would, sizeof(would), "switch to the staged successor, then %s",
			 view_attached(view) ? effect : nothing);
	else
		would_issue(view, effect, nothing, would);
	return project_trigger(view, "update", would, out, err);
}

/* Without a look at each: a touch is answered with the size of this text, and must take the same time for ten and for a million. */
static int issued_of(const struct view *view, int64_t *ret, struct error *err)
{
	struct store *store;
	int r = core_reader(view->core, &store, err);

	return r == 0 ? project_issued(store, view->project->row.id, ret, err) : r;
}

int render_force_update(const struct view *view, struct buffer *out, struct error *err)
{
	char effect[EFFECT_SIZE], without[EFFECT_SIZE];
	char would[WOULD_SIZE];
	int64_t issued;
	int r = issued_of(view, &issued, err);

	if (r < 0)
		return r;
	snprintf(effect, sizeof(effect),
		 "make %" PRId64 " certificate%s stale at once, re-issue all with new keys, and push, purge and restart each",
		 issued, plural(issued));
	snprintf(without, sizeof(without),
		 "issue nothing (attach = no): make %" PRId64 " certificate%s stale at once, and run the hooks of each", issued,
		 plural(issued));
	would_issue(view, effect, without, would);
	return project_trigger(view, "force_update", would, out, err);
}

int render_compromised(const struct view *view, struct buffer *out, struct error *err)
{
	char would[WOULD_SIZE];
	int64_t issued;
	int r = issued_of(view, &issued, err);

	if (r < 0)
		return r;
	if (!view->project->signing_ca)
		snprintf(would, sizeof(would), "be refused: the project has no active signing CA");
	else
		snprintf(would, sizeof(would),
			 "mark the active signing CA's key for ever and hand out none of %" PRId64
			 " certificate%s; needs a text",
			 issued, plural(issued));
	return project_trigger(view, "compromised", would, out, err);
}

/* ---- progress ---- */

static int64_t rate_of(const struct operation_row *row, unixtime now)
{
	const unixtime end = row->finished_at ? row->finished_at : now;
	const int64_t seconds = end > row->started_at ? end - row->started_at : 1;

	return (row->done + row->failed) / seconds;
}

int render_progress(const struct view *view, struct buffer *out, struct error *err)
{
	struct operation_row row;
	struct document document;
	struct store *store;
	int64_t rate;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = operation_newest(store, view->project->row.id, &row, err);
	if (r == 0 && row.id && !row.finished_at && row.total == 0) /* it has just begun */
		r = project_issued(store, view->project->row.id, &row.total, err);
	if (r < 0)
		return r;
	rate = rate_of(&row, view->now);
	document_begin(&document, DOCUMENT_TEXT, store, out, err);
	document_word(&document, "operation", row.kind);
	document_word(&document, "state", strcmp(row.state, "held") == 0 ? "paused" : row.state);
	document_number(&document, "total", row.total);
	document_number(&document, "done", row.done);
	document_number(&document, "failed", row.failed);
	document_number(&document, "rate_per_second", row.id ? rate : 0);
	document_number(&document, "eta_seconds",
			row.id && !row.finished_at && rate > 0 ? (row.total - row.done - row.failed) / rate : 0);
	document_time(&document, "started", row.started_at);
	document_time(&document, "finished", row.finished_at);
	return document_end(&document);
}
