/* Names and listings, and the record of who reads what: the thin calls of core's face. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "upload.h"
#include "verb.h"

int core_project_find(struct core *core, const char *name, rowid *ret, struct error *err)
{
	struct project_row row;
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = project_by_name(store, name, &row, err);
	if (r == 0)
		*ret = row.id;
	return r;
}

int core_app_find(struct core *core, rowid project, const char *name, rowid *ret, struct error *err)
{
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? app_id_of_name(store, project, name, ret, err) : r;
}

struct names core_names(struct core *core, rowid project, rowid app)
{
	struct names names = {0};
	struct project *of_project;
	struct app *of_app;
	struct error ignored;

	if (app && core_app(core, app, &of_app, &ignored) == 0) {
		memcpy(names.app, of_app->row.name, NAME_SIZE);
		project = of_app->row.project;
		object_unref(&of_app->object);
	}
	if (project && core_project(core, project, &of_project, &ignored) == 0) {
		memcpy(names.project, of_project->row.name, NAME_SIZE);
		object_unref(&of_project->object);
	}
	return names;
}

int core_generation_find(struct core *core, rowid app, int64_t number, rowid *ret, struct error *err)
{
	struct generation_row row;
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = generation_by_number(store, app, number, &row, err);
	if (r == 0)
		*ret = row.id;
	return r;
}

struct listing {
	core_each each;
	void *context;
};

static int each_id(void *context, rowid id, const char *name)
{
	const struct listing *listing = context;

	return listing->each(listing->context, id, id, name);
}

static int each_number(void *context, rowid id, int64_t number)
{
	const struct listing *listing = context;
	char name[24];

	snprintf(name, sizeof(name), "%" PRId64, number);
	return listing->each(listing->context, number, id, name);
}

int core_project_each(struct core *core, rowid after, core_each each, void *context, struct error *err)
{
	struct listing listing = {each, context};
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? project_each(store, after, each_id, &listing, err) : r;
}

int core_app_each(struct core *core, rowid project, rowid after, core_each each, void *context, struct error *err)
{
	struct listing listing = {each, context};
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? app_each(store, project, after, each_id, &listing, err) : r;
}

int core_generation_each(struct core *core, rowid app, int64_t after, core_each each, void *context,
			 struct error *err)
{
	struct listing listing = {each, context};
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? generation_each(store, app, after, each_number, &listing, err) : r;
}

int core_project_count(struct core *core, int64_t *ret, struct error *err)
{
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? project_count(store, ret, err) : r;
}

/* ---- audit ---- */

struct audit_verb {
	struct verb verb;
	struct audit_row row;
};

static int audit_apply(struct job *job, struct store *store, struct error *err)
{
	return audit_insert(store, &((struct audit_verb *)job)->row, err);
}

void core_audit(struct core *core, const struct caller *caller, const char *action, const char *object, rowid app,
		int64_t generation, core_done done, void *context)
{
	struct audit_verb *v = verb_new(sizeof(*v), core, NULL, done, context);

	if (!v)
		return;
	v->row = audit_record(caller, action, object);
	v->row.app = app;
	v->row.generation = generation;
	v->verb.job.repeatable = true;
	v->verb.job.when_read_only = true; /* a key leaves, and that is to be known */
	verb_submit(&v->verb, audit_apply);
}

/* ---- resent requests ---- */

static int replay_apply(struct job *job, struct store *store, struct error *err)
{
	(void)job;
	(void)store;
	return error_set(err, EIO, "the write was interrupted: write the file again");
}

void core_replay(struct core *core, const struct caller *caller, core_done done, void *context)
{
	struct verb *verb = verb_new(sizeof(*verb), core, caller, done, context);

	if (verb && upload_knows(core->upload, caller->request))
		verb_answer(verb, 0, &(struct error){0});
	else if (verb)
		verb_submit(verb, replay_apply);
}
