/* Counts by state against the state of each app instance, by the rules of its own status: in random histories, at random moments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "device_ca.h"
#include "store.h"

enum { START = 1800000000, APPS = 60, CAS = 3, STEPS = 700, HISTORIES = 12 };

#define OK(call)                                             \
	do {                                                 \
		if ((call) < 0)                              \
			fail_msg("%s: %s", #call, err.text); \
	} while (0)

static struct error err;

struct world {
	char directory[32], path[64];
	struct store *store;
	rowid project, app[APPS], ca[CAS], key[CAS];
	int64_t serial;
	unixtime now;
	uint32_t seed;
};

static uint32_t dice(struct world *w, uint32_t sides)
{
	w->seed = w->seed * 1664525 + 1013904223;
	return (w->seed >> 8) % sides;
}

static void add_ca(struct world *w, int i)
{
	uint8_t spki[FINGERPRINT_SIZE] = {(uint8_t)(i + 1)};
	struct signing_ca_row row = {.project = w->project,
				     .not_before = START - i * 1000,
				     .not_after = START + (200 + 300 * i) * (unixtime)DAY};

	OK(signing_key_put(w->store, spki, span_text("sealed"), START, &w->key[i], &err));
	row.key = w->key[i];
	OK(signing_ca_insert(w->store, &row, &err));
	w->ca[i] = row.id;
}

static void open_world(struct world *w, uint32_t seed)
{
	struct project_row project = {.name = "p"};

	*w = (struct world){.directory = "/tmp/test_tally.XXXXXX", .now = START, .seed = seed};
	assert_non_null(mkdtemp(w->directory));
	snprintf(w->path, sizeof(w->path), "%s/c.db", w->directory);
	OK(store_open(w->path, STORE_CREATE, &w->store, &err));
	OK(store_migrate(w->store, &err));
	OK(store_begin(w->store, &err)); /* a commit at each step would cost an fsync */
	OK(project_insert(w->store, &project, "", &err));
	w->project = project.id;
	for (int i = 0; i < CAS; i++)
		add_ca(w, i);
	OK(project_set_signing_ca(w->store, w->project, w->ca[0], &err));
}

static void close_world(struct world *w)
{
	store_rollback(w->store);
	store_close(w->store);
	for (int i = 0; i < 3; i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s%s", w->path, (const char *const[]){"", "-wal", "-shm"}[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w->directory), 0);
}

/* ---- what happens ---- */

static rowid *any_app(struct world *w)
{
	return &w->app[dice(w, APPS)];
}

static void make_or_remove(struct world *w)
{
	rowid *app = any_app(w);
	struct app_row row = {.project = w->project};

	snprintf(row.name, sizeof(row.name), "a%d", (int)(app - w->app));
	if (*app && dice(w, 4) == 0) {
		OK(app_delete(w->store, *app, &err));
		*app = 0;
	} else if (!*app) {
		OK(app_insert(w->store, &row, &err));
		*app = row.id;
	}
}

/* As issuer_validity clamps it: often the begin, the end or the life is that of many others. */
static void issue(struct world *w)
{
	static const int lives[] = {1, 30, 90, 91, 365};
	const int which = (int)dice(w, CAS);
	struct generation_row row = {0};
	struct signing_ca_row ca;
	struct project_row project;
	struct app_row app;
	rowid *id = any_app(w);

	if (!*id)
		return;
	OK(app_by_id(w->store, *id, &app, &err));
	OK(project_by_id(w->store, w->project, &project, &err));
	OK(signing_ca_by_id(w->store, dice(w, 3) ? project.signing_ca : w->ca[which], &ca, &err));
	row = (struct generation_row){
		.app = *id, .number = app.last_number + 1, .signing_ca = ca.id, .epoch = project.epoch};
	row.not_before = w->now - 300 > ca.not_before && dice(w, 3) ? w->now - 300 : ca.not_before;
	row.not_after = w->now + lives[dice(w, 5)] * (unixtime)DAY + dice(w, 3);
	if (row.not_after > ca.not_after)
		row.not_after = ca.not_after;
	w->serial++;
	memcpy(row.serial, &w->serial, sizeof(w->serial));
	OK(generation_insert(w->store, &row, ca.key, span_text("c"), span_text("s"), &err));
	OK(app_set_generation(w->store, *id, row.id, row.number, 0, &err));
}

static void make_stale(struct world *w)
{
	const rowid *app = any_app(w);
	struct app_row row;

	if (!*app)
		return;
	OK(app_by_id(w->store, *app, &row, &err));
	OK(app_set_stale(w->store, *app, row.last_number, &err));
}

static void revoke_or_lift(struct world *w)
{
	const rowid *app = any_app(w);

	if (*app)
		OK(app_set_revoked(w->store, *app, dice(w, 2) ? w->now : 0, "", &err));
}

static void change_project(struct world *w)
{
	if (dice(w, 3) == 0)
		OK(project_next_epoch(w->store, w->project, false, &err));
	else if (dice(w, 4) != 0)
		OK(project_set_signing_ca(w->store, w->project, w->ca[dice(w, CAS)], &err));
	else if (dice(w, 4) == 0)
		OK(signing_key_compromise(w->store, w->key[dice(w, CAS)], w->now, "", &err));
}

/* What is undone must be undone in the counts, too, also if they were asked for meanwhile. */
static void undone(struct world *w)
{
	struct app_counts counts;

	OK(store_savepoint(w->store, &err));
	issue(w);
	make_stale(w);
	if (dice(w, 2))
		OK(app_count_states(w->store, w->project, w->now, DAY, &counts, &err));
	revoke_or_lift(w);
	store_undo(w->store);
}

static void pass_time(struct world *w)
{
	static const unixtime scale[] = {1, 60, 7200, 10 * DAY, 200 * DAY};

	w->now += dice(w, 200) * scale[dice(w, 5)] / 100;
	if (w->now > START + 1500 * (unixtime)DAY || dice(w, 60) == 0) /* the clock is set back */
		w->now = START + (unixtime)dice(w, 100000);
}

static void something(struct world *w)
{
	static void (*const what[])(struct world * w) = {make_or_remove, issue,     issue, issue,
							 make_or_remove, pass_time, issue, undone};
	static void (*const seldom[])(struct world * w) = {make_stale, revoke_or_lift, change_project};

	if (dice(w, 12) == 0)
		seldom[dice(w, 3)](w);
	else
		what[dice(w, 8)](w);
}

/* ---- two ways to count ---- */

static void count_one(struct world *w, rowid id, const struct project *project, int64_t of[STATE_COUNT],
		      unixtime *earliest)
{
	enum state state;
	struct signing_ca signer = {0};
	struct app app = {0};
	struct situation s = {.project = project, .app = &app, .now = w->now};

	OK(app_by_id(w->store, id, &app.row, &err));
	if (app.row.generation) {
		OK(generation_by_id(w->store, app.row.generation, &app.generation, &err));
		OK(signing_ca_by_id(w->store, app.generation.signing_ca, &signer.row, &err));
		s.signer = &signer;
	}
	state = device_ca_state(&s);
	of[state]++;
	if ((state == STATE_UPDATE_REQUIRED || state == STATE_EXPIRING || state == STATE_VALID) &&
	    (!*earliest || app.generation.not_after < *earliest))
		*earliest = app.generation.not_after;
}

struct ranks {
	int64_t of[STATE_COUNT];
	struct app_ranked last;
};

static int take_rank(void *context, const struct app_ranked *row)
{
	struct ranks *ranks = context;

	assert_true(row->rank > ranks->last.rank || (row->rank == ranks->last.rank && row->not_after >= ranks->last.not_after));
	ranks->last = *row;
	ranks->of[row->rank]++;
	return 0;
}

/* The list of the dashboard has the same states: its statement is another one (store_ranked.c). */
static void compare_ranked(struct world *w, const struct project *project, const int64_t of[STATE_COUNT])
{
	const struct app_ranking by = {.now = w->now,
				       .renew_before = (int64_t)project->policy.renew_before_days * DAY,
				       .room = APPS};
	struct ranks ranks = {0};

	OK(app_each_ranked(w->store, &project->row, &by, take_rank, &ranks, &err));
	for (int state = 0; state < STATE_COUNT; state++)
		assert_int_equal(ranks.of[state], of[state]);
}

/* What an update would do under another signing CA, counted one by one. */
static void count_due(struct world *w, const struct project *project, struct app_due *due)
{
	struct error ignored;

	for (int i = 0; i < APPS; i++) {
		struct signing_ca signer = {0};
		struct app app = {0};
		struct situation s = {.project = project, .app = &app, .now = w->now};
		enum state state;

		if (!w->app[i])
			continue;
		OK(app_by_id(w->store, w->app[i], &app.row, &err));
		if (!app.row.generation)
			continue;
		OK(generation_by_id(w->store, app.row.generation, &app.generation, &err));
		OK(signing_ca_by_id(w->store, app.generation.signing_ca, &signer.row, &err));
		s.signer = &signer;
		state = device_ca_state(&s);
		if (device_ca_update(&s, &ignored) != 0)
			*(state == STATE_EXPIRED    ? &due->expired
			  : state == STATE_EXPIRING ? &due->expiring
						    : &due->update_required) += 1;
	}
}

static void compare_due(struct world *w, const struct project *now)
{
	struct signing_ca ca = {0};
	struct project project = *now;
	struct app_due due, one_by_one = {0};
	struct app_due_by by;

	project.policy.attach = true;
	project.policy.validity_days = (int)(1 + dice(w, 400));
	project.row.signing_ca = w->ca[dice(w, CAS)];
	project.signing_ca = &ca;
	OK(signing_ca_by_id(w->store, project.row.signing_ca, &ca.row, &err));
	count_due(w, &project, &one_by_one);
	by = (struct app_due_by){.now = w->now,
				 .renew_before = (int64_t)project.policy.renew_before_days * DAY,
				 .signing_ca = ca.row.id,
				 .gains_until = device_ca_gains_until(&project.policy, &ca, w->now)};
	OK(app_count_due(w->store, w->project, &by, &due, &err));
	assert_int_equal(due.expired, one_by_one.expired);
	assert_int_equal(due.expiring, one_by_one.expiring);
	assert_int_equal(due.update_required, one_by_one.update_required);
}

static void compare(struct world *w)
{
	static const int windows[] = {0, 1, 10, 30, 89, 364};
	struct project project = {0};
	struct app_counts counts;
	int64_t of[STATE_COUNT] = {0};
	unixtime earliest = 0;
	int64_t total = 0;

	project.policy.renew_before_days = windows[dice(w, 6)];
	OK(project_by_id(w->store, w->project, &project.row, &err));
	for (int i = 0; i < APPS; i++) {
		if (!w->app[i])
			continue;
		total++;
		count_one(w, w->app[i], &project, of, &earliest);
	}
	OK(app_count_states(w->store, w->project, w->now, project.policy.renew_before_days * (int64_t)DAY, &counts,
			    &err));
	assert_int_equal(counts.total, total);
	assert_int_equal(counts.compromised, of[STATE_COMPROMISED]);
	assert_int_equal(counts.expired, of[STATE_EXPIRED]);
	assert_int_equal(counts.revoked, of[STATE_REVOKED]);
	assert_int_equal(counts.update_required, of[STATE_UPDATE_REQUIRED]);
	assert_int_equal(counts.expiring, of[STATE_EXPIRING]);
	assert_int_equal(counts.valid, of[STATE_VALID]);
	assert_int_equal(counts.not_issued, of[STATE_NOT_ISSUED]);
	assert_int_equal(counts.earliest, earliest);
	compare_ranked(w, &project, of);
	compare_due(w, &project);
}

/* To the second where the state of one changes. */
static void compare_at_edges(struct world *w)
{
	const unixtime now = w->now;
	const rowid *id = any_app(w);
	struct generation_row g;
	struct app_row app;

	if (!*id)
		return;
	OK(app_by_id(w->store, *id, &app, &err));
	if (!app.generation)
		return;
	OK(generation_by_id(w->store, app.generation, &g, &err));
	for (int i = -1; i <= 1; i++) {
		w->now = g.not_after + i;
		compare(w);
		w->now = g.not_after - (g.not_after - g.not_before) / 3 + i;
		compare(w);
		w->now = g.not_after - 30 * (unixtime)DAY + i;
		compare(w);
	}
	w->now = now;
}

static void found(void *context, const char *what, int64_t id, const char *remedy)
{
	(void)context;
	(void)remedy;
	if (strstr(what, "by state") || strstr(what, "is counted"))
		fail_msg("%s: %lld", what, (long long)id);
}

/* Changes are written at the end of a transaction, or when they are counted in it. */
static void commit(struct world *w)
{
	OK(store_commit(w->store, &err));
	OK(store_consistency(w->store, found, NULL, &err));
	OK(store_begin(w->store, &err));
}

static void test_histories(void **state)
{
	struct world w;

	(void)state;
	for (uint32_t seed = 1; seed <= HISTORIES; seed++) {
		print_message("history %u\n", seed);
		open_world(&w, seed);
		for (int i = 0; i < STEPS; i++) {
			something(&w);
			if (dice(&w, 3) == 0)
				compare(&w);
			if (i % 50 == 0)
				commit(&w);
			if (i % 10 == 0)
				compare_at_edges(&w);
		}
		for (int i = 0; i < APPS; i++) {
			if (w.app[i] && i % 2)
				OK(app_delete(w.store, w.app[i], &err));
			w.app[i] = i % 2 ? 0 : w.app[i];
		}
		compare(&w);
		OK(store_consistency(w.store, found, NULL, &err));
		close_world(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_histories)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
