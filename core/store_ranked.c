/* App instances for the dashboard: worst first, and how many end when. */
#include "store_internal.h"

/* The conditions are those of device_ca_state, as app_count_states has them: test_tally holds all three together. The rank is enum state. */
int app_each_ranked(struct store *store, const struct project_row *project, const struct app_ranking *by,
		    int (*each)(void *context, const struct app_ranked *row), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err,
		"SELECT a.name, CASE"
		"  WHEN a.revoked_at<>0 AND g.id IS NULL THEN 2"
		"  WHEN g.id IS NULL THEN 6"
		"  WHEN k.compromised_at<>0 AND g.epoch>=? AND g.number>a.stale_number THEN 0"
		"  WHEN g.not_after<=? THEN 1"
		"  WHEN a.revoked_at<>0 THEN 2"
		"  WHEN g.signing_ca<>? OR g.epoch<? OR g.number<=a.stale_number THEN 3"
		"  WHEN ?>=g.not_after-min(?, (g.not_after-g.not_before)/3) THEN 4"
		"  ELSE 5 END AS rank, coalesce(g.not_after, 0) AS ends"
		" FROM app a LEFT JOIN generation g ON g.id=a.generation LEFT JOIN signing_key k ON k.id=g.key"
		" WHERE a.project=? ORDER BY rank, ends, a.name LIMIT ?",
		"iiiiiiii", project->epoch, by->now, project->signing_ca, project->epoch, by->now, by->renew_before, project->id,
		(int64_t)by->room);
	struct app_ranked row = {.project = project->id};
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		column_text(stmt, 0, row.name, sizeof(row.name));
		row.rank = sqlite3_column_int(stmt, 1);
		row.not_after = sqlite3_column_int64(stmt, 2);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int app_ends(struct store *store, unixtime now, int64_t period, int64_t *ret, int periods, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT (g.not_after-?)/? AS period, count(*) FROM app a JOIN generation g ON g.id=a.generation"
			  " WHERE g.not_after>? GROUP BY period",
			  "iii", now, period, now);
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		const int64_t i = sqlite3_column_int64(stmt, 0);

		if (i < periods)
			ret[i] += sqlite3_column_int64(stmt, 1);
	}
	return r;
}
