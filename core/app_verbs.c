/* Changes of app instances: mkdir, rmdir, chmod, chown. */
#include <string.h>

#include "clock.h"
#include "event.h"
#include "manage.h"
#include "name.h"
#include "verb.h"

static int app_event(struct store *store, const struct project_row *project, const struct app_row *row, const char *type,
		     const char *what, struct error *err)
{
	const struct event event = event_of("NOTICE", type, project, row);

	return event_add(store, &event, err, "%s", what);
}

struct app_verb {
	struct verb verb;
	struct app_row row;
	struct owner_change change;
};

/* ---- mkdir ---- */

static int app_create_apply(struct job *job, struct store *store, struct error *err)
{
	struct app_verb *v = (struct app_verb *)job;
	struct project_row project;
	int r = project_by_id(store, v->row.project, &project, err);

	if (r < 0)
		return r;
	if (project.apps >= v->verb.core->config.limit_apps_per_project)
		return error_set(err, ENOSPC,
				 "project %s has %lld app instance%s already: raise limits.apps_per_project",
				 project.name, (long long)project.apps, plural(project.apps));
	r = app_insert(store, &v->row, err);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "project %s has an app instance %s already: choose another name", project.name, v->row.name);
	job->result = v->row.id;
	job->touched_project = project.id;
	if (r == 0)
		r = project_add_apps(store, project.id, 1, v->row.owner.created_at, err);
	return r == 0 ? app_event(store, &project, &v->row, "app.created", "app instance made", err) : r;
}

void core_app_create(struct core *core, const struct caller *caller, rowid project, const char *name, mode_t mode,
		     core_done done, void *context)
{
	struct app_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	struct error err = {0};
	int r;

	if (!v)
		return;
	r = name_check(name, &err);
	if (r < 0) {
		verb_answer(&v->verb, r, &err);
		return;
	}
	strcpy(v->row.name, name);
	v->row.project = project;
	v->row.owner = owner_new(caller, mode);
	verb_submit(&v->verb, app_create_apply);
}

/* ---- rmdir ---- */

static int no_purge_runs(struct store *store, const struct app_row *app, struct error *err)
{
	struct procedure_row procedure;
	int r = procedure_get(store, app->id, &procedure, err);

	if (r == 0 && procedure.app && !procedure.failed && strcmp(procedure.kind, "purge") == 0)
		return error_set(err, EBUSY, "a purge of %s is running: wait for its end (see purge)", app->name);
	return r;
}

static int app_remove_apply(struct job *job, struct store *store, struct error *err)
{
	struct app_verb *v = (struct app_verb *)job;
	struct project_row project;
	struct app_row row;
	unixtime now = clock_now();
	int r = app_by_id(store, v->row.id, &row, err);

	if (r == 0)
		r = project_by_id(store, row.project, &project, err);
	if (r == 0)
		r = no_purge_runs(store, &row, err);
	if (r < 0)
		return r;
	job->touched_app = row.id;
	job->touched_project = row.project;
	r = generation_retire(store, row.id, now, "cessationOfOperation", err);
	if (r == 0)
		r = app_delete(store, row.id, err);
	if (r == 0)
		r = project_add_apps(store, row.project, -1, now, err);
	if (r == 0 && row.generation)
		r = project_add_issued(store, row.project, -1, err);
	return r == 0 ? app_event(store, &project, &row, "app.removed", "app instance removed, its certificate revoked", err) :
			r;
}

void core_app_remove(struct core *core, const struct caller *caller, rowid id, core_done done, void *context)
{
	struct app_verb *v = verb_new(sizeof(*v), core, caller, done, context);

	if (!v)
		return;
	v->row.id = id;
	verb_submit(&v->verb, app_remove_apply);
}

/* ---- chmod, chown ---- */

static int app_own_apply(struct job *job, struct store *store, struct error *err)
{
	struct app_verb *v = (struct app_verb *)job;
	struct app_row row;
	int r = app_by_id(store, v->row.id, &row, err);

	if (r < 0)
		return r;
	owner_apply(&row.owner, &v->change);
	job->touched_app = row.id;
	job->announce = true;
	return app_set_owner(store, row.id, &row.owner, err);
}

void core_app_own(struct core *core, const struct caller *caller, rowid id, const struct owner_change *change,
		  core_done done, void *context)
{
	struct app_verb *v = verb_new(sizeof(*v), core, caller, done, context);

	if (!v)
		return;
	v->row.id = id;
	v->change = *change;
	verb_submit(&v->verb, app_own_apply);
}
