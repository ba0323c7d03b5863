#include "bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/clock.h"
#include "certfs/log.h"
#include "core_internal.h"
#include "idlist.h"
#include "issue.h"
#include "operation.h"
#include "pool.h"
#include "procedure.h"
#include "rollout.h"
#include "writer.h"

/* Between two batches of a job the signers wait for the disk, but within one nobody can pause or cancel it, and progress stands still: so
 * the first is small, and each may be four times as large as the one before, but not take much longer than BATCH_MS (RSA keys). With hooks
 * max_parallel says how many. All jobs together have ALL_MAX or little more under way, to bound memory, but each gets on. */
enum { BATCH_MIN = 16, BATCH_FIRST = 32, BATCH_MAX = 1024, BATCH_MS = 1000, ALL_MAX = 2048 };

struct bulk_order {
	struct issue_order order;
	struct bulk *bulk;
};

/* The job of one project. Its steps follow each other: list a batch, have it issued, note it, list the next. */
struct bulk {
	struct bulk *next;
	struct bulks *bulks;
	struct task task;
	rowid project;
	struct operation_row row; /* as last read */
	struct bulk_order *order; /* the batch; NULL between two */
	int count;                /* orders of it */
	int count_max;            /* for the next one */
	int64_t begun;            /* clock_monotonic() of this one */
	rowid last;               /* the last app instance of it */
	struct rollout rollout;
	int waiting, failed;      /* of the batch; protected by the lock of struct bulks, as what follows */
	bool held;                /* nothing can be issued, or stored, for now */
	bool later;               /* at the next tick: rollout.per_minute allows no more for now, or the store failed */
	bool interrupted;         /* certfs is about to end: the batch is done again after the next start */
	bool resting;             /* no step is under way */
	bool again;               /* kicked while one was */
};

struct bulks {
	struct core *core;
	pthread_mutex_t lock;
	struct bulk *list; /* protected by lock, as what follows */
	int under_way;     /* orders of all batches */
	bool stopping;
};

int bulks_new(struct core *core, struct bulks **ret, struct error *err)
{
	struct bulks *bulks = calloc(1, sizeof(*bulks));

	if (!bulks)
		return error_set(err, ENOMEM, "out of memory");
	bulks->core = core;
	pthread_mutex_init(&bulks->lock, NULL);
	*ret = bulks;
	return 0;
}

void bulks_free(struct bulks *bulks)
{
	struct bulk *next;

	if (!bulks)
		return;
	for (struct bulk *bulk = bulks->list; bulk; bulk = next) {
		next = bulk->next;
		free(bulk);
	}
	pthread_mutex_destroy(&bulks->lock);
	free(bulks);
}

/* ---- steps, each held open in core ---- */

static void bulk_step(struct task *task);

static struct bulk *task_bulk(struct task *task)
{
	return (struct bulk *)((char *)task - offsetof(struct bulk, task));
}

static void bulk_submit_step(struct bulk *bulk)
{
	core_enter(bulk->bulks->core);
	bulk->task.run = bulk_step;
	pool_submit(bulk->bulks->core->pool, &bulk->task);
}

static void bulk_unlink(struct bulk *bulk)
{
	struct bulk **link = &bulk->bulks->list;

	while (*link != bulk)
		link = &(*link)->next;
	*link = bulk->next;
}

/* The step has ended; another one follows at once, at a tick, or at the next kick. What no tick is to find is forgotten: a kick makes it anew. */
static void bulk_rest(struct bulk *bulk, bool go_on)
{
	struct bulks *bulks = bulk->bulks;
	bool ended;

	pthread_mutex_lock(&bulks->lock);
	go_on = (go_on || bulk->again) && !bulks->stopping;
	bulk->again = false;
	bulk->resting = !go_on;
	ended = !go_on && !bulk->held && !bulk->later;
	if (ended)
		bulk_unlink(bulk);
	pthread_mutex_unlock(&bulks->lock);
	if (go_on)
		bulk_submit_step(bulk);
	if (ended)
		free(bulk);
	core_leave(bulks->core);
}

static void bulk_rest_for_a_tick(struct bulk *bulk)
{
	pthread_mutex_lock(&bulk->bulks->lock);
	bulk->later = true;
	pthread_mutex_unlock(&bulk->bulks->lock);
	bulk_rest(bulk, false);
}

/* Once for many: the log counts the others. */
static void bulk_log(const struct bulk *bulk, int priority, rowid app, const char *what, const struct error *err)
{
	const struct names names = core_names(bulk->bulks->core, bulk->project, app);

	log_about(priority,
		  LOG_SUBJECT(.project = names.project, .app = names.app, .operation = bulk->row.kind, .error = err->code),
		  "%s of %s%s%s: %s: %s", bulk->row.kind, names.project, *names.app ? "/" : "", names.app, what, err->text);
}

/* result: 1 if the job still runs, see operation_note. */
static void bulk_noted(void *context, int r, int64_t result, const struct error *err)
{
	struct bulk *bulk = context;

	if (r == 0) {
		bulk_rest(bulk, result == 1);
		return;
	}
	bulk_log(bulk, LOG_ERR, 0, "its progress could not be noted, the batch is done again", err);
	bulk_rest_for_a_tick(bulk);
}

/* How many the next batch may have, after this one. */
static int batch_next(const struct bulk *bulk)
{
	const int64_t took = clock_monotonic() - bulk->begun;
	const int64_t good = bulk->count * (int64_t)BATCH_MS / (took > 0 ? took : 1);
	const int most = bulk->count_max < BATCH_MAX / 4 ? 4 * bulk->count_max : BATCH_MAX;

	if (procedure_has_hooks(&bulk->bulks->core->config))
		return BATCH_MAX;
	return good > most ? most : good < BATCH_MIN ? BATCH_MIN : (int)good;
}

static void batch_free(struct bulk *bulk)
{
	bulk->count_max = batch_next(bulk);
	pthread_mutex_lock(&bulk->bulks->lock);
	bulk->bulks->under_way -= bulk->count;
	pthread_mutex_unlock(&bulk->bulks->lock);
	free(bulk->order);
	bulk->order = NULL;
}

static void batch_ended(struct task *task)
{
	struct bulk *bulk = task_bulk(task);
	struct operation_row row = bulk->row;

	batch_free(bulk);
	if (bulk->interrupted) {
		bulk_rest(bulk, false);
		return;
	}
	strcpy(row.state, bulk->held ? "held" : "running");
	if (bulk->held) {
		row.done = row.failed = 0;
	} else {
		row.done = bulk->count - bulk->failed;
		row.failed = bulk->failed;
		row.cursor = bulk->last;
	}
	operation_note(bulk->bulks->core, &row, bulk_noted, bulk);
}

/* The job waits until that is over, and does the batch again. */
static bool holds(const struct bulk *bulk, int r)
{
	struct error why;

	return operation_holds(r) || writer_fails(bulk->bulks->core->writer, &why);
}

static void app_done(struct bulk *bulk, rowid app, int r, const struct error *err)
{
	const bool failed = r < 0 && r != -ENOENT /* removed meanwhile */ && r != -ESHUTDOWN;
	const bool held = failed && holds(bulk, r);
	bool last;

	pthread_mutex_lock(&bulk->bulks->lock);
	bulk->interrupted |= r == -ESHUTDOWN;
	bulk->held |= held;
	bulk->failed += failed && !held;
	last = --bulk->waiting == 0;
	pthread_mutex_unlock(&bulk->bulks->lock);
	if (failed && !operation_holds(r))
		bulk_log(bulk, LOG_WARNING, app, "not done", err);
	if (!last)
		return;
	bulk->task.run = batch_ended;
	pool_submit(bulk->bulks->core->pool, &bulk->task);
}

static void order_done(struct issue_order *order, int r, const struct error *err)
{
	app_done(((struct bulk_order *)order)->bulk, order->app, r, err);
}

static void procedure_done(void *context, int r, int64_t result, const struct error *err)
{
	struct bulk_order *order = context;

	(void)result;
	app_done(order->bulk, order->order.app, r, err);
}

/* Without hooks there is only the certificate to be made. */
static void app_submit(struct bulk_order *order)
{
	struct core *core = order->bulk->bulks->core;
	struct procedure_row row = {.app = order->order.app, .step = STEP_DETAILS};

	if (!procedure_has_hooks(&core->config)) {
		issue_submit(core->issue, &order->order);
		return;
	}
	strcpy(row.kind, order->bulk->row.kind);
	snprintf(row.operation, sizeof(row.operation), "%s-%lld", row.kind, (long long)order->bulk->row.id);
	procedure_run(core->procedures, &row, procedure_done, order);
}

static int batch_room(const struct bulk *bulk)
{
	int room;

	pthread_mutex_lock(&bulk->bulks->lock);
	room = ALL_MAX - bulk->bulks->under_way;
	pthread_mutex_unlock(&bulk->bulks->lock);
	return room < BATCH_MIN ? BATCH_MIN : room < bulk->count_max ? room : bulk->count_max;
}

static int batch_new(struct bulk *bulk, int count, struct error *err)
{
	bulk->order = calloc((size_t)count, sizeof(*bulk->order));
	if (!bulk->order)
		return error_set(err, ENOMEM, "out of memory");
	pthread_mutex_lock(&bulk->bulks->lock);
	bulk->bulks->under_way += count;
	pthread_mutex_unlock(&bulk->bulks->lock);
	bulk->count = count;
	return 0;
}

static void batch_submit(struct bulk *bulk, const rowid *apps)
{
	const int count = bulk->count; /* the last one done ends the batch */

	bulk->begun = clock_monotonic();
	bulk->interrupted = false;
	bulk->last = apps[count - 1];
	bulk->waiting = count;
	bulk->failed = 0;
	bulk->held = false;
	for (int i = 0; i < count; i++) {
		bulk->order[i] = (struct bulk_order){
			.order = {.cause = ISSUE_FOR_UPDATE, .app = apps[i], .done = order_done},
			.bulk = bulk,
		};
		app_submit(&bulk->order[i]);
	}
}

/* ---- listing ---- */

/* The next app instances, or 0 at the end, or the error. EAGAIN: there are some, but not now. */
static int batch_list(struct bulk *bulk, rowid apps[BATCH_MAX], struct error *err)
{
	struct core *core = bulk->bulks->core;
	struct store *store;
	int count, r = core_reader(core, &store, err);

	if (r == 0)
		r = operation_newest(store, bulk->project, &bulk->row, err);
	if (r < 0 || !bulk->row.id || bulk->row.finished_at || strcmp(bulk->row.state, "paused") == 0)
		return r < 0 ? r : -ECANCELED;
	if (bulk->row.total == 0) /* counted here and not by the trigger, whose time must not depend on it */
		r = project_issued(store, bulk->project, &bulk->row.total, err);
	if (r == 0)
		r = rollout_read(&bulk->rollout, core, bulk->project, batch_room(bulk), err);
	count = r == 0 ? app_issued_after(store, bulk->project, bulk->row.cursor, apps, bulk->rollout.room, err) : r;
	if (count <= 0)
		return count;
	r = rollout_take(&bulk->rollout, core, bulk->row.kind, apps, count);
	return r > 0 ? r : -EAGAIN;
}

/* There is no batch for now. */
static void bulk_without_batch(struct bulk *bulk, int r, const struct error *err)
{
	const bool over = r == -ECANCELED || r == -ENOENT; /* -ENOENT: a row is missing, and won't come */

	if (r != -EAGAIN && r != -ECANCELED)
		bulk_log(bulk, LOG_ERR, 0, over ? "it stops" : "it can't go on, trying again", err);
	if (!over) {
		bulk_rest_for_a_tick(bulk);
		return;
	}
	pthread_mutex_lock(&bulk->bulks->lock);
	bulk->held = false;
	pthread_mutex_unlock(&bulk->bulks->lock);
	bulk_rest(bulk, false);
}

static void bulk_step(struct task *task)
{
	struct bulk *bulk = task_bulk(task);
	struct operation_row row;
	rowid apps[BATCH_MAX];
	struct error err;
	int count = batch_list(bulk, apps, &err);

	if (count > 0 && batch_new(bulk, count, &err) < 0)
		count = -err.code;
	if (count > 0) {
		batch_submit(bulk, apps);
		return;
	}
	if (count < 0) {
		bulk_without_batch(bulk, count, &err);
		return;
	}
	row = bulk->row;
	row.done = row.failed = 0;
	strcpy(row.state, "done");
	operation_note(bulk->bulks->core, &row, bulk_noted, bulk);
}

/* ---- starting and stopping ---- */

static struct bulk *bulk_get(struct bulks *bulks, rowid project)
{
	struct bulk *bulk = bulks->list;

	while (bulk && bulk->project != project)
		bulk = bulk->next;
	if (bulk)
		return bulk;
	bulk = calloc(1, sizeof(*bulk));
	if (!bulk)
		return NULL;
	bulk->bulks = bulks;
	bulk->project = project;
	bulk->resting = true;
	bulk->count_max = procedure_has_hooks(&bulks->core->config) ? BATCH_MAX : BATCH_FIRST;
	bulk->next = bulks->list;
	bulks->list = bulk;
	return bulk;
}

void bulks_kick(struct bulks *bulks, rowid project)
{
	struct bulk *bulk;
	bool start = false;

	pthread_mutex_lock(&bulks->lock);
	bulk = bulks->stopping ? NULL : bulk_get(bulks, project);
	if (bulk) {
		start = bulk->resting;
		bulk->again = !start;
		bulk->resting = false;
		bulk->later = false;
	}
	pthread_mutex_unlock(&bulks->lock);
	if (start)
		bulk_submit_step(bulk);
}

void bulks_tick(struct bulks *bulks)
{
	_cleanup_idlist_ struct idlist projects = {0};

	pthread_mutex_lock(&bulks->lock);
	for (const struct bulk *bulk = bulks->list; bulk; bulk = bulk->next)
		if (bulk->resting && (bulk->held || bulk->later))
			(void)idlist_add(&projects, bulk->project);
	pthread_mutex_unlock(&bulks->lock);
	for (size_t i = 0; i < projects.count; i++)
		bulks_kick(bulks, projects.id[i]);
}

void bulks_stop(struct bulks *bulks)
{
	pthread_mutex_lock(&bulks->lock);
	bulks->stopping = true;
	pthread_mutex_unlock(&bulks->lock);
}

int bulks_resume(struct bulks *bulks, struct error *err)
{
	_cleanup_idlist_ struct idlist projects = {0};
	struct store *store;
	int r = core_reader(bulks->core, &store, err);

	if (r == 0)
		r = operation_each_active(store, idlist_collect, &projects, err);
	for (size_t i = 0; r == 0 && i < projects.count; i++)
		bulks_kick(bulks, projects.id[i]);
	return r;
}
