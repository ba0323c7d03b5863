/* Core's life: lock, prepare, open, close; and the snapshots that everything works on. */
#include "core_internal.h"

#include <stdlib.h>

#include "bulk.h"
#include "cleanup.h"
#include "clock.h"
#include "clock_trouble.h"
#include "crl.h"
#include "event_hook.h"
#include "issue.h"
#include "keypool.h"
#include "monitor.h"
#include "picture.h"
#include "pool.h"
#include "procedure.h"
#include "rejected.h"
#include "upload.h"
#include "writer.h"

enum { CACHED_PROJECTS = 256, CACHED_SIGNING_CAS = 256, CACHED_APPS = 16384, CLOCK_SLACK_SECONDS = 3600, HOOK_THREADS = 16 };

/* ---- readers ---- */

static void reader_close(void *store)
{
	store_close(store);
}

int core_reader(struct core *core, struct store **ret, struct error *err)
{
	struct store *store = pthread_getspecific(core->reader);
	struct error why;
	int r;

	if (store && core->writer && store_failed(store, &why))
		writer_tell(core->writer, &why);
	r = store ? store_ready(store, err) : store_open(core->config.store_path, STORE_READ, &store, err);
	if (r < 0)
		return r;
	if (!pthread_getspecific(core->reader) && pthread_setspecific(core->reader, store) != 0) {
		store_close(store);
		return error_set(err, ENOMEM, "out of memory");
	}
	*ret = store;
	return 0;
}

/* ---- snapshots ---- */

int core_signing_ca(struct core *core, rowid id, struct signing_ca **ret, struct error *err)
{
	uint64_t ticket;
	struct signing_ca *ca = (struct signing_ca *)cache_get(core->signing_cas, id, &ticket);
	struct store *store;
	int r;

	if (!ca) {
		r = core_reader(core, &store, err);
		if (r == 0)
			r = signing_ca_load(store, id, &ca, err);
		if (r < 0)
			return r;
		cache_put(core->signing_cas, id, &ca->object, ticket);
	}
	*ret = ca;
	return 0;
}

static int project_fetch(struct core *core, rowid id, struct project **ret, struct error *err)
{
	struct signing_ca *ca = NULL;
	struct project_row row;
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = project_by_id(store, id, &row, err);
	if (r == 0 && row.signing_ca)
		r = core_signing_ca(core, row.signing_ca, &ca, err);
	if (r == 0)
		r = project_load(store, &row, ca, ret, err);
	if (ca)
		object_unref(&ca->object);
	return r;
}

int core_project(struct core *core, rowid id, struct project **ret, struct error *err)
{
	uint64_t ticket;
	struct project *project = (struct project *)cache_get(core->projects, id, &ticket);
	int r;

	if (!project) {
		r = project_fetch(core, id, &project, err);
		if (r < 0)
			return r;
		cache_put(core->projects, id, &project->object, ticket);
		keypool_want(core->keypool, project->policy.key_type);
	}
	*ret = project;
	return 0;
}

int core_app(struct core *core, rowid id, struct app **ret, struct error *err)
{
	uint64_t ticket;
	struct app *app = (struct app *)cache_get(core->apps, id, &ticket);
	struct store *store;
	int r;

	if (!app) {
		r = core_reader(core, &store, err);
		if (r == 0)
			r = app_load(store, id, &app, err);
		if (r < 0)
			return r;
		cache_put(core->apps, id, &app->object, ticket);
	}
	*ret = app;
	return 0;
}

/* A commit is there before core_touched has dropped what it replaced. */
int core_sealed_key(struct core *core, const struct generation_row *newest, struct buffer *ret, struct error *err)
{
	struct store *store;
	struct app_row app;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = generation_sealed(store, newest->id, ret, err);
	if (r != -ENOENT)
		return r;
	r = app_by_id(store, newest->app, &app, err);
	if (r < 0)
		return r;
	if (app.generation == newest->id)
		return error_set(err, EIO, "the store has lost the private key of %s: run `certfs check`, touch purge for a new one", app.name);
	cache_drop(core->apps, newest->app);
	return error_set(err, ESTALE, "a newer generation has taken its place");
}

/* Whoever was shown an app instance's files a moment ago was shown them from a snapshot that is here still. */
static struct view_version served_so_far(struct core *core, rowid id)
{
	uint64_t ticket;
	struct app *app = (struct app *)cache_get(core->apps, id, &ticket);
	struct signing_ca *signer = app ? (struct signing_ca *)cache_get(core->signing_cas, app->generation.signing_ca, &ticket) : NULL;
	struct view_version version = {0};

	if (signer)
		version = view_version_served(&app->generation, signer->row.chain_revision);
	if (signer)
		object_unref(&signer->object);
	if (app)
		object_unref(&app->object);
	return version;
}

/* Runs on the writer's thread, after the commit and before any answer. A project's snapshot holds its signing CA's, so both go. */
static void core_touched(void *context, const struct job *job)
{
	struct core *core = context;
	struct view_version was = {0};

	atomic_fetch_add(&core->changes, 1);
	if (job->announce && job->touched_app)
		was = served_so_far(core, job->touched_app);
	if (job->touched_all) {
		cache_drop_all(core->signing_cas);
		cache_drop_all(core->projects);
	}
	if (job->touched_signing_ca)
		cache_drop(core->signing_cas, job->touched_signing_ca);
	if (job->touched_project)
		cache_drop(core->projects, job->touched_project);
	if (job->touched_app)
		cache_drop(core->apps, job->touched_app);
	if (job->announce && job->touched_app && core->options.app_changed)
		core->options.app_changed(core->options.context, job->touched_app, &was);
	else if (job->announce && job->touched_project && core->options.project_changed)
		core->options.project_changed(core->options.context, job->touched_project);
}

static void core_events(void *context)
{
	struct core *core = context;

	event_hook_kick(core->event_hook);
	if (core->options.events_added)
		core->options.events_added(core->options.context);
}

unixtime core_clock_floor(struct core *core)
{
	unixtime built = clock_build_time();
	unixtime newest = atomic_load(&core->newest) - CLOCK_SLACK_SECONDS;

	return newest > built ? newest : built;
}

/* ---- activity: what core_close waits for ---- */

void core_enter(struct core *core)
{
	pthread_mutex_lock(&core->activity_lock);
	core->activity++;
	pthread_mutex_unlock(&core->activity_lock);
}

void core_leave(struct core *core)
{
	pthread_mutex_lock(&core->activity_lock);
	if (--core->activity == 0)
		pthread_cond_broadcast(&core->idle);
	pthread_mutex_unlock(&core->activity_lock);
}

static void core_wait_idle(struct core *core)
{
	pthread_mutex_lock(&core->activity_lock);
	while (core->activity > 0)
		pthread_cond_wait(&core->idle, &core->activity_lock);
	pthread_mutex_unlock(&core->activity_lock);
}

/* ---- open and close ---- */

static int core_load_newest(struct core *core, struct error *err)
{
	unixtime newest = 0;
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = generation_newest(store, &newest, err);
	atomic_store(&core->newest, newest);
	return r;
}

static int core_make_caches(struct core *core, struct error *err)
{
	core->projects = cache_new(CACHED_PROJECTS);
	core->signing_cas = cache_new(CACHED_SIGNING_CAS);
	core->apps = cache_new(CACHED_APPS);
	core->rejected = rejected_new();
	core->crls = crls_new();
	core->dashboard = picture_new();
	core->clock_believed = true;
	if (!core->projects || !core->signing_cas || !core->apps || !core->rejected || !core->crls || !core->dashboard)
		return error_set(err, ENOMEM, "out of memory");
	return 0;
}

static int core_start(struct core *core, struct error *err)
{
	const struct writer_hooks hooks = {
		.touched = core_touched,
		.events = core_events,
		.context = core,
		.keep_events = core->config.limit_events,
		.keep_audit = core->config.limit_audit,
	};
	int r = core_make_caches(core, err);

	if (r == 0)
		r = core_unseal(core, err);
	if (r == 0)
		r = core_load_newest(core, err);
	if (r == 0)
		r = upload_new(core, &core->upload, err);
	if (r == 0)
		r = bulks_new(core, &core->bulks, err);
	if (r == 0)
		r = monitor_new(core, &core->monitor, err);
	if (r == 0)
		r = procedures_new(core, &core->procedures, err);
	if (r == 0)
		r = event_hook_new(core, &core->event_hook, err);
	if (r == 0)
		r = issue_new(core, &core->issue, err);
	if (r == 0)
		r = keypool_new(&core->keypool, err);
	if (r == 0)
		r = pool_new(0, "certfs-signer", &core->pool, err);
	if (r == 0)
		r = pool_new(HOOK_THREADS, "certfs-hook", &core->hook_pool, err);
	if (r == 0)
		r = writer_new(core->config.store_path, core->options.connection, core->options.read_only, &hooks,
			       &core->writer, err);
	if (r == 0 && !core->options.read_only)
		r = procedures_resume(core->procedures, err);
	return r == 0 && !core->options.read_only ? bulks_resume(core->bulks, err) : r;
}

int core_open(const struct config *config, const struct core_options *options, struct core **ret, struct error *err)
{
	struct core *core = calloc(1, sizeof(*core));
	int r;

	if (!core)
		return error_set(err, ENOMEM, "out of memory");
	core->config = *config;
	core->options = *options;
	pthread_mutex_init(&core->activity_lock, NULL);
	pthread_cond_init(&core->idle, NULL);
	r = pthread_key_create(&core->reader, reader_close);
	if (r != 0) {
		free(core);
		return error_set(err, r, "can't make a thread key");
	}
	r = core_start(core, err);
	if (r < 0) {
		core_close(core);
		return r;
	}
	*ret = core;
	return 0;
}

void core_tick(struct core *core)
{
	clock_trouble_tick(core);
	upload_tick(core->upload, clock_now());
	monitor_tick(core->monitor);
	writer_tick(core->writer);
	bulks_tick(core->bulks);
	procedures_tick(core->procedures);
	event_hook_kick(core->event_hook);
	picture_tick(core->dashboard, clock_now());
}

void core_drain(struct core *core)
{
	if (core->bulks)
		bulks_stop(core->bulks);
	if (core->procedures)
		procedures_stop(core->procedures);
	if (core->event_hook)
		event_hook_stop(core->event_hook);
	core_wait_idle(core);
}

void core_close(struct core *core)
{
	if (!core)
		return;
	core_drain(core);
	pool_free(core->hook_pool);
	pool_free(core->pool);
	keypool_free(core->keypool);
	writer_free(core->writer);
	upload_free(core->upload);
	bulks_free(core->bulks);
	monitor_free(core->monitor);
	procedures_free(core->procedures);
	event_hook_free(core->event_hook);
	issue_free(core->issue);
	cache_free(core->projects);
	cache_free(core->signing_cas);
	cache_free(core->apps);
	rejected_free(core->rejected);
	crls_free(core->crls);
	picture_free(core->dashboard);
	seal_free(core->seal);
	store_close(pthread_getspecific(core->reader));
	pthread_key_delete(core->reader);
	pthread_mutex_destroy(&core->activity_lock);
	pthread_cond_destroy(&core->idle);
	free(core);
}
