#include "procedure.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static struct procedure *find(struct procedures *procedures, rowid app)
{
	struct procedure *p = procedures->list;

	while (p && p->row.app != app)
		p = p->next;
	return p;
}

/* NULL: it is under way already, or nothing may start. */
static struct procedure *enlist(struct procedures *procedures, rowid app)
{
	struct procedure *p = NULL;

	pthread_mutex_lock(&procedures->lock);
	if (!procedures->stopping && !find(procedures, app))
		p = calloc(1, sizeof(*p));
	if (p) {
		p->procedures = procedures;
		p->core = procedures->core;
		p->row.app = app;
		p->next = procedures->list;
		procedures->list = p;
	}
	pthread_mutex_unlock(&procedures->lock);
	return p;
}

static void unlist(struct procedure *p)
{
	struct procedure **link = &p->procedures->list;

	pthread_mutex_lock(&p->procedures->lock);
	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	pthread_mutex_unlock(&p->procedures->lock);
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
	p->task.run = procedure_step;
	pool_submit(p->core->hook_pool, &p->task);
}

void procedure_wait(struct procedure *p, int seconds)
{
	if (stopping(p->procedures)) {
		interrupted(p);
		return;
	}
	pthread_mutex_lock(&p->procedures->lock);
	p->due = monotonic() + seconds;
	p->waits = true;
	pthread_mutex_unlock(&p->procedures->lock);
	core_leave(p->core);
}

void procedure_finish(struct procedure *p, int r, const struct error *err)
{
	struct core *core = p->core;

	unlist(p);
	if (p->done)
		p->done(p->context, r, 0, err);
	free(p);
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
	struct procedure *p = enlist(procedures, app);

	if (p)
		begin(p);
}

void procedure_run(struct procedures *procedures, const struct procedure_row *row, core_done done, void *context)
{
	struct procedure *p = enlist(procedures, row->app);
	struct error none = {0};

	if (!p) {
		done(context, 0, 0, &none);
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
	const time_t now = monotonic();
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
