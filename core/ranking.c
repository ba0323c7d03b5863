#include "ranking.h"

#include <stdlib.h>
#include <string.h>

static int rank_compare(const void *a, const void *b)
{
	const struct app_ranked *left = a, *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	if (left->not_after != right->not_after)
		return left->not_after < right->not_after ? -1 : 1;
	if (left->project != right->project)
		return left->project < right->project ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void cut(struct ranking *ranking)
{
	qsort(ranking->row, ranking->count, sizeof(*ranking->row), rank_compare);
	if (ranking->count > RANKING_MAX)
		ranking->count = RANKING_MAX;
}

/* There is room for twice as many: sorted once for each RANKING_MAX that come. */
static int take_row(void *context, const struct app_ranked *row)
{
	struct ranking *ranking = context;

	if (ranking->count == (size_t)2 * RANKING_MAX)
		cut(ranking);
	ranking->row[ranking->count++] = *row;
	return 0;
}

static int rank_project(const struct view *view, struct store *store, rowid id, struct ranking *ranking, struct error *err)
{
	struct app_ranking by = {.now = view->now, .room = RANKING_MAX};
	struct project *project;
	int r = core_project(view->core, id, &project, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* removed meanwhile */
	by.renew_before = (int64_t)project->policy.renew_before_days * DAY;
	r = app_each_ranked(store, &project->row, &by, take_row, ranking, err);
	object_unref(&project->object);
	return r;
}

int ranking_load(const struct view *view, struct store *store, const struct fleet *fleet, struct ranking *ranking,
		 struct error *err)
{
	int r = 0;

	ranking->row = calloc((size_t)2 * RANKING_MAX, sizeof(*ranking->row));
	if (!ranking->row)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < fleet->count; i++)
		if (!fleet->project[i].hidden)
			r = rank_project(view, store, fleet->project[i].id, ranking, err);
	cut(ranking);
	return r;
}

void ranking_clear(struct ranking *ranking)
{
	free(ranking->row);
	*ranking = (struct ranking){0};
}
