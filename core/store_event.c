/* Events: JSON lines, newest last. */
#include "store_internal.h"

int event_insert(struct store *store, rowid project, rowid app, const char *line, struct error *err)
{
	int r = statement_run(store, err, "INSERT INTO event(project, app, line) VALUES(?, ?, ?)", "iit", project, app,
			      line);

	if (r < 0)
		return r;
	store_count_event(store);
	return store_trim(store, "DELETE FROM event WHERE id<=?", store_last_id(store), false, err);
}

/* One statement for each scope, so that each has its index. */
static sqlite3_stmt *event_select(struct store *store, struct event_scope scope, int64_t after, struct error *err)
{
	if (scope.app)
		return statement(store, err, "SELECT id, line FROM event WHERE app=? AND app<>0 AND id>? ORDER BY id", "ii",
				 scope.app, after);
	if (scope.project)
		return statement(store, err, "SELECT id, line FROM event WHERE project=? AND id>? ORDER BY id", "ii",
				 scope.project, after);
	return statement(store, err, "SELECT id, line FROM event WHERE id>? ORDER BY id", "i", after);
}

int event_subject(struct store *store, int64_t id, struct event_subject *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT coalesce(json_extract('{'||line, '$.project'), ''), coalesce(json_extract('{'||line, '$.app'), ''),"
			  " coalesce(json_extract('{'||line, '$.generation'), 0) FROM event WHERE id=?",
			  "i", id);
	int r = statement_one(store, stmt, "event", err);

	if (r < 0)
		return r;
	column_text(stmt, 0, ret->project, sizeof(ret->project));
	column_text(stmt, 1, ret->app, sizeof(ret->app));
	ret->generation = sqlite3_column_int64(stmt, 2);
	return 0;
}

int event_each(struct store *store, struct event_scope scope, int64_t after,
	       int (*each)(void *context, int64_t id, struct span line), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = event_select(store, scope, after, err);
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		r = each(context, sqlite3_column_int64(stmt, 0), column_span(stmt, 1));
		if (r < 0)
			return r;
	}
	return r;
}

/* {"id":N,LINE and a newline: 8 bytes more than N and LINE. */
#define BYTES "SELECT coalesce(sum(8+length(CAST(id AS TEXT))+length(CAST(line AS BLOB))), 0) FROM event"

static sqlite3_stmt *event_sum(struct store *store, struct event_scope scope, struct error *err)
{
	if (scope.app)
		return statement(store, err, BYTES " WHERE app=? AND app<>0", "i", scope.app);
	if (scope.project)
		return statement(store, err, BYTES " WHERE project=?", "i", scope.project);
	return statement(store, err, BYTES, "");
}

int event_bytes(struct store *store, struct event_scope scope, size_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = event_sum(store, scope, err);
	int r = statement_one(store, stmt, "sum", err);

	if (r == 0)
		*ret = (size_t)sqlite3_column_int64(stmt, 0);
	return r;
}
