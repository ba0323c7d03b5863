#include "certfs/view.h"

#include <stdlib.h>

#include "clock.h"
#include "core_internal.h"
#include "issue.h"

static int view_new(struct core *core, struct view **ret, struct error *err)
{
	struct view *view = calloc(1, sizeof(*view));

	if (!view)
		return error_set(err, ENOMEM, "out of memory");
	view->core = core;
	view->now = clock_now();
	*ret = view;
	return 0;
}

void view_free(struct view *view)
{
	if (!view)
		return;
	if (view->project)
		object_unref(&view->project->object);
	if (view->app)
		object_unref(&view->app->object);
	if (view->signer)
		object_unref(&view->signer->object);
	free(view);
}

void view_freep(struct view **view)
{
	view_free(*view);
}

struct situation view_situation(const struct view *view)
{
	return (struct situation){
		.project = view->project,
		.app = view->app,
		.signer = view->signer,
		.now = view->now,
		.clock_floor = core_clock_floor(view->core),
		.backing_off = view->core->options.read_only ||
			       (view->app && issue_backing_off(view->core->issue, view->app->row.id, view->now)),
	};
}

int view_fleet(struct core *core, struct view **ret, struct error *err)
{
	return view_new(core, ret, err);
}

int view_project(struct core *core, rowid project, struct view **ret, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	int r = view_new(core, &view, err);

	if (r == 0)
		r = core_project(core, project, &view->project, err);
	if (r < 0)
		return r;
	*ret = view;
	view = NULL;
	return 0;
}

static int view_load_app(struct core *core, rowid app, struct view *view, struct error *err)
{
	int r = core_app(core, app, &view->app, err);

	return r == 0 ? core_project(core, view->app->row.project, &view->project, err) : r;
}

static int view_load_signer(struct core *core, struct view *view, struct error *err)
{
	return view->generation.id ? core_signing_ca(core, view->generation.signing_ca, &view->signer, err) : 0;
}

int view_app(struct core *core, rowid app, struct view **ret, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	struct situation situation;
	int r = view_new(core, &view, err);

	if (r == 0)
		r = view_load_app(core, app, view, err);
	if (r < 0)
		return r;
	view->generation = view->app->generation;
	r = view_load_signer(core, view, err);
	if (r < 0)
		return r;
	situation = view_situation(view);
	device_ca_decide(&situation, &view->decision);
	*ret = view;
	view = NULL;
	return 0;
}

int view_generation(struct core *core, rowid generation, struct view **ret, struct error *err)
{
	_cleanup_view_ struct view *view = NULL;
	struct store *store;
	int r = view_new(core, &view, err);

	if (r == 0)
		r = core_reader(core, &store, err);
	if (r == 0)
		r = generation_by_id(store, generation, &view->generation, err);
	if (r == 0)
		r = view_load_app(core, view->generation.app, view, err);
	if (r == 0)
		r = view_load_signer(core, view, err);
	if (r < 0)
		return r;
	view->one_generation = true;
	*ret = view;
	view = NULL;
	return 0;
}

/* Only the user that mounts may make projects: SPEC 6, one user per tenant. */
struct owner view_owner(const struct view *view)
{
	if (view->app)
		return view->app->row.owner;
	if (view->project)
		return view->project->row.owner;
	return view->core->options.owner;
}

int64_t view_projects(const struct view *view)
{
	struct error ignored;
	int64_t count = 0;

	(void)core_project_count(view->core, &count, &ignored);
	return count;
}

const struct project_row *view_project_row(const struct view *view)
{
	return view->project ? &view->project->row : NULL;
}

const struct app_row *view_app_row(const struct view *view)
{
	return view->app ? &view->app->row : NULL;
}

const struct generation_row *view_generation_row(const struct view *view)
{
	return view->generation.id ? &view->generation : NULL;
}

bool view_current(const struct view *view)
{
	const struct situation situation = view_situation(view);

	return view->project->policy.attach && view->generation.id == view->app->row.generation &&
	       !view->app->row.revoked_at &&
	       device_ca_servable(&situation);
}

bool view_attached(const struct view *view)
{
	return view->project->policy.attach;
}

mode_t view_key_mode(const struct view *view)
{
	return view->project ? view->project->policy.key_mode : 0400;
}

bool view_written_within(const struct view *view, unixtime seconds)
{
	return view->project && view->now <= view->project->row.written_at + seconds;
}

enum view_reading view_reading(const struct view *view, struct error *ret_refusal)
{
	if (view->one_generation || view->decision.verdict == VERDICT_SERVE)
		return VIEW_SERVES;
	if (view->decision.verdict == VERDICT_ISSUE)
		return VIEW_ISSUES;
	*ret_refusal = view->decision.refusal;
	return VIEW_REFUSES;
}

struct view_version view_version_served(const struct generation_row *g, int64_t chain_revision)
{
	return (struct view_version){
		.number = g->number,
		.revision = later(g->revision, chain_revision),
		.issued_at = g->issued_at,
		.previous_at = g->previous_at,
	};
}

struct view_version view_version(const struct view *view)
{
	const struct generation_row *g = &view->generation;
	unixtime last = g->id ? g->issued_at : view->app->row.owner.created_at;

	if (view->one_generation || view->decision.verdict == VERDICT_SERVE)
		return view_version_served(g, view->signer->row.chain_revision);
	return (struct view_version){
		.number = view->app->row.next_number,
		.revision = view->project->row.revision,
		.issued_at = last,
		.previous_at = last,
	};
}
