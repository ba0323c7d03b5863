#include "procedure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/clock.h"
#include "hook.h"
#include "idlist.h"
#include "pool.h"
#include "procedure_step.h"

/* ---- the table of what is under way ---- */

struct procedures {
	struct core *core;
	pthread_mutex_t lock;
	struct procedure *list; /* protected by lock: under way, or waiting to be tried again */
	bool stopping;          /* protected by lock */
};

bool procedure_has_hooks(const struct config *config)
{
	return hook_configured(config, HOOK_DETAILS) || hook_configured(config, HOOK_PUSH) ||
	       hook_configured(config, HOOK_PURGE) || hook_configured(config, HOOK_RESTART);
}

bool procedure_pushes(const struct config *config, const struct app_row *app)
{
	return hook_configured(config, HOOK_PUSH) && app->delivered < app->last_number;
}

int procedures_new(struct core *core, struct procedures **ret, struct error *err)
{
	struct procedures *procedures = calloc(1, sizeof(*procedures));

	if (!procedures)
		return error_set(err, ENOMEM, "out of memory");
	procedures->core = core;
	pthread_mutex_init(&procedures->lock, NULL);
	*ret = procedures;
	return 0;
}

void procedures_free(struct procedures *procedures)
{
	struct procedure *next;

	if (!procedures)
		return;
	for (struct procedure *p = procedures->list; p; p = next) {
		next = p->next;
		free(p);
	}
	pthread_mutex_destroy(&procedures->lock);
	free(procedures);
}

static struct procedure *find(struct procedures *procedures, rowid app)
{
	struct procedure *p = procedures->list;

	while (p && p->app != app)
		p = p->next;
	return p;
}

/* 0, or EALREADY: it is under way, and will look again at its end; ESHUTDOWN; ENOMEM. */
static int enlist(struct procedures *procedures, rowid app, struct procedure **ret)
{
	struct procedure *p;
	int r = 0;

	pthread_mutex_lock(&procedures->lock);
	p = find(procedures, app);
	if (procedures->stopping)
		r = -ESHUTDOWN;
	else if (p)
		r = -EALREADY;
	if (p)
		p->again = true;
	p = r == 0 ? calloc(1, sizeof(*p)) : NULL;
	if (r == 0 && !p)
		r = -ENOMEM;
	if (p) {
		p->procedures = procedures;
		p->core = procedures->core;
		p->app = app;
		p->row.app = app;
		p->next = procedures->list;
		procedures->list = p;
	}
	pthread_mutex_unlock(&procedures->lock);
	*ret = p;
	return r;
}

/* True if somebody wanted to start it meanwhile. */
static bool unlist(struct procedure *p)
{
	struct procedure **link = &p->procedures->list;
	bool again;

	pthread_mutex_lock(&p->procedures->lock);
	again = p->again;
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	pthread_mutex_unlock(&p->procedures->lock);
	return again;
}

/* ---- called by the steps ---- */

static bool stopping(struct procedures *procedures)
{
	bool is;

	pthread_mutex_lock(&procedures->lock);
	is = procedures->stopping;
	pthread_mutex_unlock(&procedures->lock);
	return is;
}

/* The store knows where it stands: it goes on after the next start. */
static void interrupted(struct procedure *p)
{
	struct error err = {0};

	procedure_finish(p, error_set(&err, ESHUTDOWN, "certfs is about to end"), &err);
}

void procedure_next(struct procedure *p)
{
	if (stopping(p->procedures)) {
		interrupted(p);
		return;
	}
	p->task.run = p->loaded ? procedure_step : procedure_load;
	pool_submit(p->core->hook_pool, &p->task);
}

void procedure_wait(struct procedure *p, int seconds)
{
	struct core *core = p->core;

	pthread_mutex_lock(&p->procedures->lock);
	p->due = clock_monotonic() / 1000 + seconds;
	p->waits = !p->procedures->stopping;
	if (p->waits)
		p = NULL; /* somebody else's from here on */
	pthread_mutex_unlock(&core->procedures->lock);
	if (p)
		interrupted(p);
	else
		core_leave(core);
}

void procedure_finish(struct procedure *p, int r, const struct error *err)
{
	struct core *core = p->core;
	const rowid app = p->app;
	const bool again = unlist(p);

	if (p->done)
		p->done(p->context, r, 0, err);
	free(p);
	if (again)
		procedure_start(core->procedures, app);
	core_leave(core);
}

/* ---- starting ---- */

static void begin(struct procedure *p)
{
	core_enter(p->core);
	p->task.run = procedure_load;
	pool_submit(p->core->hook_pool, &p->task);
}

void procedure_start(struct procedures *procedures, rowid app)
{
	struct procedure *p;

	if (enlist(procedures, app, &p) == 0)
		begin(p);
}

bool procedure_goes_on(const struct procedure_row *row, const struct view *view)
{
	return row->app && row->failed && strcmp(row->kind, "purge") == 0 &&
	       (row->step <= STEP_ISSUE || !view_attached(view) || view_current(view));
}

void procedure_name_purge(struct procedure_row *row, int64_t counter)
{
	snprintf(row->operation, sizeof(row->operation), "purge-%lld-%lld", (long long)row->app, (long long)counter);
}

void procedure_run(struct procedures *procedures, const struct procedure_row *row, core_done done, void *context)
{
	struct procedure *p;
	struct error err = {0};
	int r = enlist(procedures, row->app, &p);

	if (r < 0) { /* a purge that is under way makes its certificate anew, too */
		done(context, r == -EALREADY ? 0 : error_set(&err, -r, "the procedure could not start"), 0, &err);
		return;
	}
	p->row = *row;
	p->of_job = true;
	p->done = done;
	p->context = context;
	begin(p);
}

/* Those whose time to wait is over; all: nothing starts any more from now on, and none waits. */
static struct procedure *take_waiting(struct procedures *procedures, bool all)
{
	const int64_t now = clock_monotonic() / 1000;
	struct procedure *ready = NULL;

	pthread_mutex_lock(&procedures->lock);
	procedures->stopping = procedures->stopping || all;
	for (struct procedure *p = procedures->list; p; p = p->next) {
		if (!p->waits || (now < p->due && !all))
			continue;
		p->waits = false;
		p->ready = ready;
		ready = p;
	}
	pthread_mutex_unlock(&procedures->lock);
	return ready;
}

static void go_on(struct procedure *ready)
{
	while (ready) {
		struct procedure *p = ready;

		ready = p->ready;
		core_enter(p->core);
		procedure_next(p);
	}
}

void procedures_tick(struct procedures *procedures)
{
	go_on(take_waiting(procedures, false));
}

void procedures_stop(struct procedures *procedures)
{
	go_on(take_waiting(procedures, true)); /* which ends them */
}

static int collect_purge(void *context, const struct procedure_row *row)
{
	return strcmp(row->kind, "purge") == 0 && !row->failed ? idlist_add(context, row->app) : 0;
}

int procedures_resume(struct procedures *procedures, struct error *err)
{
	_cleanup_idlist_ struct idlist apps = {0};
	struct store *store;
	int r = core_reader(procedures->core, &store, err);

	if (r == 0)
		r = procedure_each(store, collect_purge, &apps, err);
	for (size_t i = 0; r == 0 && i < apps.count; i++)
		procedure_start(procedures, apps.id[i]);
	return r;
}
