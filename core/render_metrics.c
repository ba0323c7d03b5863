/* `metrics`: the text exposition format of Prometheus, version 0.0.4. One table says what there is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crl.h"
#include "fleet.h"
#include "render_internal.h"

#ifndef CERTFS_VERSION
#define CERTFS_VERSION "unknown"
#endif

/* What a project has to tell. Its name needs no escaping: names are letters, digits, `.`, `_` and `-`. */
struct project_numbers {
	char name[NAME_SIZE];
	struct app_counts apps;
	unixtime signing_ca_end; /* 0: none is active */
	unixtime crl_next_update;
	struct operation_row job; /* the newest, id 0: none */
};

struct scrape {
	struct core *core;
	struct store *store;
	struct serving serving;
	struct project_numbers *project;
	size_t projects, room;
	struct project_numbers closed; /* of all projects that are closed to others, together */
	bool has_closed;
	struct buffer *out;
};

struct metric {
	const char *name, *type, *help;
	int (*samples)(const struct scrape *scrape, const struct metric *metric, struct error *err);
	const char *total; /* a total of the store */
};

/* ---- gathering ---- */

static struct project_numbers *make_room(struct scrape *scrape)
{
	const size_t room = scrape->room ? scrape->room * 2 : 16;
	struct project_numbers *more;

	if (scrape->projects < scrape->room)
		return &scrape->project[scrape->projects];
	more = realloc(scrape->project, room * sizeof(*more));
	if (!more)
		return NULL;
	scrape->project = more;
	scrape->room = room;
	return &more[scrape->projects];
}

static void earlier(unixtime *first, unixtime time)
{
	if (time && (!*first || time < *first))
		*first = time;
}

/* Everybody may read what is told here, so these have no names (SPEC 6), but whoever is alerted must hear of them. */
static void merge_closed(struct scrape *scrape, const struct project_numbers *numbers)
{
	struct project_numbers *closed = &scrape->closed;

	snprintf(closed->name, sizeof(closed->name), "(closed)");
	counts_add(&closed->apps, &numbers->apps);
	earlier(&closed->apps.earliest, numbers->apps.earliest);
	earlier(&closed->signing_ca_end, numbers->signing_ca_end);
	earlier(&closed->crl_next_update, numbers->crl_next_update);
	if (numbers->job.id && !numbers->job.finished_at)
		closed->job = numbers->job;
	scrape->has_closed = true;
}

static int add_closed(struct scrape *scrape, struct error *err)
{
	struct project_numbers *numbers;

	if (!scrape->has_closed)
		return 0;
	numbers = make_room(scrape);
	if (!numbers)
		return error_set(err, ENOMEM, "out of memory");
	*numbers = scrape->closed;
	scrape->projects++;
	return 0;
}

static int numbers_of(void *context, const struct project *project, const struct fleet_project *facts, struct error *err)
{
	struct scrape *scrape = context;
	struct project_numbers *numbers = make_room(scrape);
	int r;

	if (!numbers)
		return error_set(err, ENOMEM, "out of memory");
	*numbers = (struct project_numbers){.apps = facts->counts};
	memcpy(numbers->name, facts->name, sizeof(numbers->name));
	if (project->signing_ca) {
		numbers->signing_ca_end = project->signing_ca->row.not_after;
		numbers->crl_next_update = crl_next_update(scrape->core, project->row.signing_ca);
	}
	r = operation_newest(scrape->store, facts->id, &numbers->job, err);
	if (r == 0 && facts->hidden)
		merge_closed(scrape, numbers);
	else if (r == 0)
		scrape->projects++;
	return r;
}

static void scrape_clear(struct scrape *scrape)
{
	free(scrape->project);
}

/* ---- samples ---- */

static int build_info(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	buffer_printf(scrape->out, "%s{version=\"%s\"} 1\n", metric->name, CERTFS_VERSION);
	return 0;
}

static int total(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	int64_t value;
	int r = total_get(scrape->store, metric->total, &value, err);

	if (r == 0)
		buffer_printf(scrape->out, "%s %" PRId64 "\n", metric->name, value);
	return r;
}

static int apps_by_state(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++)
		for (enum state state = 0; state < STATE_NO_SIGNING_CA; state++)
			buffer_printf(scrape->out, "%s{project=\"%s\",state=\"%s\"} %" PRId64 "\n", metric->name,
				      scrape->project[i].name, state_name(state),
				      counts_in(&scrape->project[i].apps, state));
	return 0;
}

/* A time that there is not has no sample. */
static void project_time(const struct scrape *scrape, const struct metric *metric, size_t project, unixtime time)
{
	if (time)
		buffer_printf(scrape->out, "%s{project=\"%s\"} %" PRId64 "\n", metric->name, scrape->project[project].name,
			      time);
}

static int device_ca_ends(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++)
		project_time(scrape, metric, i, scrape->project[i].apps.earliest);
	return 0;
}

static int signing_ca_ends(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++)
		project_time(scrape, metric, i, scrape->project[i].signing_ca_end);
	return 0;
}

static int crl_next_updates(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++)
		project_time(scrape, metric, i, scrape->project[i].crl_next_update);
	return 0;
}

static int job_running(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++) {
		const struct operation_row *job = &scrape->project[i].job;

		buffer_printf(scrape->out, "%s{project=\"%s\"} %d\n", metric->name, scrape->project[i].name,
			      job->id && !job->finished_at);
	}
	return 0;
}

static int job_apps(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (size_t i = 0; i < scrape->projects; i++) {
		const struct operation_row *job = &scrape->project[i].job;
		const struct {
			const char *progress;
			int64_t count;
		} rows[] = {{"total", job->total}, {"done", job->done}, {"failed", job->failed}};

		for (size_t k = 0; job->id && k < sizeof(rows) / sizeof(rows[0]); k++)
			buffer_printf(scrape->out, "%s{project=\"%s\",operation=\"%s\",progress=\"%s\"} %" PRId64 "\n",
				      metric->name, scrape->project[i].name, job->kind, rows[k].progress, rows[k].count);
	}
	return 0;
}

static int issue_time(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	const struct histogram *time = &scrape->core->issue_time;
	uint64_t count = 0;

	(void)err;
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		count += atomic_load(&time->count[i]);
		buffer_printf(scrape->out, "%s_bucket{le=\"%g\"} %" PRIu64 "\n", metric->name, histogram_bound(i), count);
	}
	count += atomic_load(&time->count[HISTOGRAM_BUCKETS]);
	buffer_printf(scrape->out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", metric->name, count);
	buffer_printf(scrape->out, "%s_sum %.9f\n", metric->name, (double)atomic_load(&time->nanoseconds) / 1e9);
	buffer_printf(scrape->out, "%s_count %" PRIu64 "\n", metric->name, count);
	return 0;
}

static int64_t file_size(const char *path, const char *suffix)
{
	char name[4200];
	struct stat st;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? st.st_size : 0;
}

static int store_size(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	const char *path = scrape->core->config.store_path;

	(void)err;
	buffer_printf(scrape->out, "%s{file=\"store\"} %" PRId64 "\n", metric->name, file_size(path, ""));
	buffer_printf(scrape->out, "%s{file=\"log\"} %" PRId64 "\n", metric->name, file_size(path, "-wal"));
	return 0;
}

static int requests(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	for (int i = 0; i < scrape->serving.kinds; i++)
		buffer_printf(scrape->out, "%s{kind=\"%s\"} %" PRIu64 "\n", metric->name, scrape->serving.request[i].kind,
			      scrape->serving.request[i].count);
	return 0;
}

static int cache_lookups(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	const struct {
		const char *name;
		struct cache *cache;
	} caches[] = {
		{"projects", scrape->core->projects},
		{"signing_cas", scrape->core->signing_cas},
		{"app_instances", scrape->core->apps},
	};
	uint64_t hits, misses;

	(void)err;
	for (size_t i = 0; i < sizeof(caches) / sizeof(caches[0]); i++) {
		cache_counts(caches[i].cache, &hits, &misses);
		buffer_printf(scrape->out, "%s{cache=\"%s\",result=\"hit\"} %" PRIu64 "\n", metric->name, caches[i].name,
			      hits);
		buffer_printf(scrape->out, "%s{cache=\"%s\",result=\"miss\"} %" PRIu64 "\n", metric->name, caches[i].name,
			      misses);
	}
	return 0;
}

static int restarts(const struct scrape *scrape, const struct metric *metric, struct error *err)
{
	(void)err;
	buffer_printf(scrape->out, "%s %" PRIu64 "\n", metric->name, scrape->serving.worker_restarts);
	return 0;
}

/* ---- the table ---- */

static const struct metric metrics[] = {
	{"certfs_build_info", "gauge", "The version that serves the mount.", build_info, NULL},
	{"certfs_certificates_issued_total", "counter", "Device CA certificates issued, ever.", total, "issued"},
	{"certfs_certificates_renewed_total", "counter", "Of those issued: those that replaced another one.", total, "renewed"},
	{"certfs_certificates_revoked_total", "counter", "Device CA certificates revoked, at once or after the grace.", total,
	 "revoked"},
	{"certfs_app_instances", "gauge", "App instances by the state of their certificate.", apps_by_state, NULL},
	{"certfs_device_ca_expiry_timestamp_seconds", "gauge",
	 "When the first of a project's device CA certificates that are valid now ends.", device_ca_ends, NULL},
	{"certfs_signing_ca_expiry_timestamp_seconds", "gauge", "When a project's signing CA, or the first of its chain, ends.",
	 signing_ca_ends, NULL},
	{"certfs_crl_next_update_timestamp_seconds", "gauge",
	 "The nextUpdate of the CRL that was last made for a project's signing CA.", crl_next_updates, NULL},
	{"certfs_hook_failures_total", "counter", "Runs of hooks that failed, each try counted, ever.", total, "hook_failed"},
	{"certfs_job_running", "gauge", "1 while an update or force_update of the project is under way.", job_running, NULL},
	{"certfs_job_app_instances", "gauge", "How far a project's newest update or force_update is.", job_apps, NULL},
	{"certfs_issue_duration_seconds", "histogram", "From the request for a certificate until it is durable.", issue_time,
	 NULL},
	{"certfs_store_bytes", "gauge", "Size of the store and of its write-ahead log.", store_size, NULL},
	{"certfs_fuse_requests_total", "counter", "Requests of the kernel, since the mount.", requests, NULL},
	{"certfs_cache_lookups_total", "counter", "Lookups in the worker's caches, since it was started.", cache_lookups, NULL},
	{"certfs_worker_restarts_total", "counter", "Workers started because the one before had died, since the mount.",
	 restarts, NULL},
};

int render_metrics(const struct view *view, struct buffer *out, struct error *err)
{
	__attribute__((cleanup(scrape_clear))) struct scrape scrape = {.core = view->core, .out = out};
	const struct core_options *options = &view->core->options;
	int r = core_reader(view->core, &scrape.store, err);

	if (options->serving)
		options->serving(options->context, &scrape.serving);
	if (r == 0)
		r = fleet_each(view, scrape.store, numbers_of, &scrape, err);
	if (r == 0)
		r = add_closed(&scrape, err);
	for (size_t i = 0; r == 0 && i < sizeof(metrics) / sizeof(metrics[0]); i++) {
		buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metrics[i].name, metrics[i].help, metrics[i].name,
			      metrics[i].type);
		r = metrics[i].samples(&scrape, &metrics[i], err);
	}
	return r == 0 && buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : r;
}
