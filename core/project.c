#include "project.h"

#include <stdlib.h>

static void project_free(struct object *object)
{
	struct project *project = (struct project *)object;

	buffer_clear(&project->policy_text);
	if (project->signing_ca)
		object_unref(&project->signing_ca->object);
	free(project);
}

int project_load(struct store *store, const struct project_row *row, struct signing_ca *signing_ca,
		 struct project **ret, struct error *err)
{
	struct project *project = calloc(1, sizeof(*project));
	int r;

	if (!project)
		return error_set(err, ENOMEM, "out of memory");
	object_init(&project->object, project_free);
	project->row = *row;
	r = project_policy(store, row->id, &project->policy_text, err);
	if (r == 0)
		r = policy_parse(buffer_span(&project->policy_text), &project->policy, err);
	if (r < 0) {
		object_unref(&project->object);
		return r;
	}
	if (signing_ca) {
		object_ref(&signing_ca->object);
		project->signing_ca = signing_ca;
	}
	*ret = project;
	return 0;
}

static void app_free(struct object *object)
{
	free(object);
}

int app_load(struct store *store, rowid id, struct app **ret, struct error *err)
{
	struct app *app = calloc(1, sizeof(*app));
	int r;

	if (!app)
		return error_set(err, ENOMEM, "out of memory");
	object_init(&app->object, app_free);
	r = app_by_id(store, id, &app->row, err);
	if (r == 0 && app->row.generation)
		r = generation_by_id(store, app->row.generation, &app->generation, err);
	if (r < 0) {
		object_unref(&app->object);
		return r;
	}
	*ret = app;
	return 0;
}
