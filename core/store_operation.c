/* Operations over whole projects. */
#include "store_internal.h"

static void operation_read(sqlite3_stmt *stmt, struct operation_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	ret->project = sqlite3_column_int64(stmt, 1);
	column_text(stmt, 2, ret->kind, sizeof(ret->kind));
	column_text(stmt, 3, ret->state, sizeof(ret->state));
	ret->total = sqlite3_column_int64(stmt, 4);
	ret->done = sqlite3_column_int64(stmt, 5);
	ret->failed = sqlite3_column_int64(stmt, 6);
	ret->cursor = sqlite3_column_int64(stmt, 7);
	ret->started_at = sqlite3_column_int64(stmt, 8);
	ret->finished_at = sqlite3_column_int64(stmt, 9);
}

int operation_newest(struct store *store, rowid project, struct operation_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT id, project, kind, state, total, done, failed, cursor, started_at, finished_at"
			  " FROM operation WHERE project=? ORDER BY id DESC LIMIT 1",
			  "i", project);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r < 0)
		return r;
	*ret = (struct operation_row){.project = project, .state = "none", .kind = "none"};
	if (r == 1)
		operation_read(stmt, ret);
	return 0;
}

int operation_each_active(struct store *store, int (*each)(void *context, rowid project), void *context,
			  struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT project FROM operation WHERE finished_at=0", "");

	return rows_each_id(store, stmt, each, context, err);
}

int operation_cancel(struct store *store, rowid project, unixtime now, struct error *err)
{
	return statement_run(store, err, "UPDATE operation SET state='cancelled', finished_at=? WHERE project=? AND finished_at=0", "ii", now,
			     project);
}

/* A new one takes the place of those that still run: each app instance is made anew once, by the newest. */
int operation_insert(struct store *store, struct operation_row *row, struct error *err)
{
	int r = operation_cancel(store, row->project, row->started_at, err);

	if (r == 0)
		r = statement_run(store, err,
				  "INSERT INTO operation(project, kind, state, started_at) VALUES(?, ?, ?, ?)", "itti",
				  row->project, row->kind, row->state, row->started_at);
	if (r == 0)
		row->id = store_last_id(store);
	return r;
}

int operation_update(struct store *store, const struct operation_row *row, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE operation SET state=?, total=?, done=?, failed=?, cursor=?, finished_at=? WHERE id=?",
			     "tiiiiii", row->state, row->total, row->done, row->failed, row->cursor, row->finished_at,
			     row->id);
}

int operation_release(struct store *store, rowid project, struct error *err)
{
	return statement_run(store, err, "UPDATE operation SET state='running' WHERE project=? AND state='held'", "i",
			     project);
}

/* ---- procedures ---- */

#define PROCEDURE_SELECT "SELECT app, operation, kind, step, attempts, failed, queued FROM procedure "

static void procedure_read(sqlite3_stmt *stmt, struct procedure_row *ret)
{
	ret->app = sqlite3_column_int64(stmt, 0);
	column_text(stmt, 1, ret->operation, sizeof(ret->operation));
	column_text(stmt, 2, ret->kind, sizeof(ret->kind));
	ret->step = sqlite3_column_int(stmt, 3);
	ret->attempts = sqlite3_column_int(stmt, 4);
	ret->failed = sqlite3_column_int(stmt, 5) != 0;
	ret->queued = sqlite3_column_int(stmt, 6);
}

int procedure_get(struct store *store, rowid app, struct procedure_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, PROCEDURE_SELECT "WHERE app=?", "i", app);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r < 0)
		return r;
	*ret = (struct procedure_row){0};
	if (r == 1)
		procedure_read(stmt, ret);
	return 0;
}

int procedure_each(struct store *store, int (*each)(void *context, const struct procedure_row *row), void *context,
		   struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, PROCEDURE_SELECT "ORDER BY app", "");
	struct procedure_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		procedure_read(stmt, &row);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int procedure_put(struct store *store, const struct procedure_row *row, struct error *err)
{
	return statement_run(store, err,
			     "INSERT INTO procedure(app, operation, kind, step, attempts, failed, queued)"
			     " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(app) DO UPDATE SET operation=excluded.operation,"
			     " kind=excluded.kind, step=excluded.step, attempts=excluded.attempts, failed=excluded.failed,"
			     " queued=excluded.queued",
			     "ittiiii", row->app, row->operation, row->kind, (int64_t)row->step, (int64_t)row->attempts,
			     (int64_t)row->failed, (int64_t)row->queued);
}

int procedure_delete(struct store *store, rowid app, struct error *err)
{
	return statement_run(store, err, "DELETE FROM procedure WHERE app=?", "i", app);
}
