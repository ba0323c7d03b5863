#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "idlist.h"

/* ---- one project ---- */

static int project_facts(const struct view *view, struct store *store, const struct project *project,
			 struct fleet_project *ret, struct error *err)
{
	const struct project_row *row = &project->row;
	int r = app_count_states(store, row->id, view->now, (int64_t)project->policy.renew_before_days * DAY, &ret->counts, err);

	ret->id = row->id;
	snprintf(ret->name, sizeof(ret->name), "%s", row->name);
	ret->hidden = !(row->owner.mode & S_IXOTH);
	ret->signing_ca = project_signing_ca_state(project, view->now);
	return r;
}

enum state fleet_worst(const struct fleet_project *project)
{
	const enum state apps = counts_worst(&project->counts);

	if (project->signing_ca == STATE_NO_SIGNING_CA)
		return apps < STATE_VALID ? apps : STATE_NO_SIGNING_CA;
	return apps < project->signing_ca ? apps : project->signing_ca;
}

bool fleet_needs_someone(enum state worst)
{
	return worst < STATE_VALID || worst == STATE_NO_SIGNING_CA;
}

/* ---- the walk ---- */

static int visit(const struct view *view, struct store *store, rowid id, fleet_fn each, void *context, struct error *err)
{
	struct fleet_project facts = {0};
	struct project *project;
	int r = core_project(view->core, id, &project, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* removed meanwhile */
	r = project_facts(view, store, project, &facts, err);
	if (r == 0)
		r = each(context, project, &facts, err);
	object_unref(&project->object);
	return r;
}

int fleet_each(const struct view *view, struct store *store, fleet_fn each, void *context, struct error *err)
{
	_cleanup_idlist_ struct idlist ids = {0};
	int r = project_each(store, 0, idlist_collect_named, &ids, err);

	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = visit(view, store, ids.id[i], each, context, err);
	return r;
}

/* ---- all of it ---- */

void fleet_clear(struct fleet *fleet)
{
	free(fleet->project);
	*fleet = (struct fleet){0};
}

struct loading {
	struct fleet fleet;
	size_t room;
};

static int load_one(void *context, const struct project *project, const struct fleet_project *facts, struct error *err)
{
	struct loading *loading = context;
	struct fleet *fleet = &loading->fleet;

	(void)project;
	if (fleet->count == loading->room) {
		const size_t room = loading->room ? loading->room * 2 : 16;
		struct fleet_project *more = realloc(fleet->project, room * sizeof(*more));

		if (!more)
			return error_set(err, ENOMEM, "out of memory");
		fleet->project = more;
		loading->room = room;
	}
	fleet->project[fleet->count++] = *facts;
	counts_add(&fleet->counts, &facts->counts);
	return 0;
}

int fleet_load(const struct view *view, struct fleet *ret, struct error *err)
{
	struct loading loading = {0};
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = fleet_each(view, store, load_one, &loading, err);
	if (r < 0)
		fleet_clear(&loading.fleet);
	else
		*ret = loading.fleet;
	return r;
}

static int compare_id(const void *key, const void *member)
{
	const rowid id = *(const rowid *)key, other = ((const struct fleet_project *)member)->id;

	return id < other ? -1 : id > other;
}

const struct fleet_project *fleet_find(const struct fleet *fleet, rowid id)
{
	return fleet->count ? bsearch(&id, fleet->project, fleet->count, sizeof(*fleet->project), compare_id) : NULL;
}
