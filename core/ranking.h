/* The app instances that a page lists: of all projects that are not closed to others the worst ones, and of these who ends first. */
#ifndef CORE_RANKING_H
#define CORE_RANKING_H

#include "fleet.h"

enum { RANKING_MAX = 10000 };

struct ranking {
	struct app_ranked *row; /* worst first */
	size_t count;           /* at most RANKING_MAX */
};

/* To be given to ranking_clear in any case. */
int ranking_load(const struct view *view, struct store *store, const struct fleet *fleet, struct ranking *ranking,
		 struct error *err);
void ranking_clear(struct ranking *ranking);

#endif
