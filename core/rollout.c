#include "rollout.h"

#include <string.h>

#include "certfs/clock.h"
#include "certfs/view.h"
#include "procedure.h"

enum { MINUTE_MS = 60 * 1000, SAVED_MS = 2000 /* so much of the time gone by is made up for: a tick's */ };

int rollout_read(struct rollout *rollout, struct core *core, rowid project, int most, struct error *err)
{
	struct project *snapshot;
	int r = core_project(core, project, &snapshot, err);

	if (r < 0)
		return r;
	rollout->room = most;
	if (procedure_has_hooks(&core->config) && snapshot->policy.max_parallel < most)
		rollout->room = snapshot->policy.max_parallel;
	rollout->per_minute = snapshot->policy.per_minute;
	object_unref(&snapshot->object);
	return 0;
}

/* An update passes many by. Force_update wants all. */
static bool wants_something(struct core *core, const char *kind, rowid app)
{
	_cleanup_view_ struct view *view = NULL;
	struct situation situation;
	struct error ignored;
	enum state state;

	if (strcmp(kind, "update") != 0 || view_app(core, app, &view, &ignored) < 0)
		return true;
	situation = view_situation(view);
	state = device_ca_state(&situation);
	return state == STATE_EXPIRED || state == STATE_EXPIRING || state == STATE_UPDATE_REQUIRED ||
	       procedure_pushes(&core->config, &view->app->row);
}

int rollout_take(struct rollout *rollout, struct core *core, const char *kind, const rowid *apps, int count)
{
	const int64_t now = clock_monotonic();
	int64_t pause;
	int taken = 0;

	if (rollout->per_minute == 0)
		return count;
	pause = MINUTE_MS / rollout->per_minute;
	if (rollout->next_at < now - SAVED_MS)
		rollout->next_at = now - (pause < SAVED_MS ? SAVED_MS : 0);
	for (; taken < count; taken++) {
		if (!wants_something(core, kind, apps[taken]))
			continue;
		if (rollout->next_at > now)
			break;
		rollout->next_at += pause;
	}
	return taken;
}
