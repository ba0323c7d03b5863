#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "idlist.h"

void fleet_clear(struct fleet *fleet)
{
	free(fleet->project);
	*fleet = (struct fleet){0};
}

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

static int fleet_add(const struct view *view, struct store *store, rowid id, struct fleet *fleet, struct error *err)
{
	struct fleet_project *facts = &fleet->project[fleet->count];
	struct project *project;
	int r = core_project(view->core, id, &project, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* removed meanwhile */
	r = project_facts(view, store, project, facts, err);
	object_unref(&project->object);
	if (r < 0)
		return r;
	counts_add(&fleet->counts, &facts->counts);
	fleet->count++;
	return 0;
}

int fleet_load(const struct view *view, struct fleet *ret, struct error *err)
{
	_cleanup_idlist_ struct idlist ids = {0};
	_cleanup_fleet_ struct fleet fleet = {0};
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = project_each(store, 0, idlist_collect_named, &ids, err);
	if (r < 0)
		return r;
	fleet.project = calloc(ids.count + 1, sizeof(*fleet.project));
	if (!fleet.project)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = fleet_add(view, store, ids.id[i], &fleet, err);
	if (r < 0)
		return r;
	*ret = fleet;
	fleet = (struct fleet){0};
	return 0;
}
