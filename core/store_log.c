/* What happened: triggers fired, requests answered, keys read. */
#include "store_internal.h"

#include <stdio.h>
#include <string.h>

int total_get(struct store *store, const char *name, int64_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "SELECT value FROM total WHERE name=?", "t", name);
	int r = statement_one(store, stmt, name, err);

	if (r == 0)
		*ret = sqlite3_column_int64(stmt, 0);
	return r;
}

int total_count(struct store *store, const char *name, struct error *err)
{
	return statement_run(store, err, "UPDATE total SET value=value+1 WHERE name=?", "t", name);
}

int trigger_get(struct store *store, const char *scope, rowid object, const char *name,
		struct trigger_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT counter, last, reason, state FROM fired WHERE scope=? AND object=? AND name=?", "tit",
			  scope, object, name);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r < 0)
		return r;
	*ret = (struct trigger_row){.state = "none"};
	if (r == 0)
		return 0;
	ret->counter = sqlite3_column_int64(stmt, 0);
	ret->last = sqlite3_column_int64(stmt, 1);
	column_text(stmt, 2, ret->reason, sizeof(ret->reason));
	column_text(stmt, 3, ret->state, sizeof(ret->state));
	return 0;
}

int trigger_put(struct store *store, const char *scope, rowid object, const char *name, const struct trigger_row *row,
		struct error *err)
{
	return statement_run(store, err,
			     "INSERT INTO fired(scope, object, name, counter, last, reason, state)"
			     " VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(scope, object, name) DO UPDATE SET"
			     " counter=excluded.counter, last=excluded.last, reason=excluded.reason, state=excluded.state",
			     "titiitt", scope, object, name, row->counter, row->last, row->reason, row->state);
}

int trigger_fire(struct store *store, const char *scope, rowid object, const char *name,
		 const struct trigger_firing *firing, int64_t *ret_counter, struct error *err)
{
	struct trigger_row row;
	int64_t floor;
	int r = trigger_get(store, scope, object, name, &row, err);

	if (r == 0)
		r = store_floor(store, &floor, err);
	if (r < 0)
		return r;
	row.counter = (row.counter > floor ? row.counter : floor) + 1;
	row.last = firing->time;
	snprintf(row.reason, sizeof(row.reason), "%s", firing->reason);
	snprintf(row.state, sizeof(row.state), "%s", firing->state);
	if (ret_counter)
		*ret_counter = row.counter;
	return trigger_put(store, scope, object, name, &row, err);
}

int trigger_drop(struct store *store, const char *scope, rowid object, struct error *err)
{
	int r = statement_run(store, err, "DELETE FROM fired WHERE scope=? AND object=?", "ti", scope, object);

	return r == 0 ? statement_run(store, err, "DELETE FROM document WHERE scope=? AND object=?", "ti", scope, object) : r;
}

int document_get(struct store *store, const char *scope, rowid object, const char *name, struct buffer *ret,
		 struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT content FROM document WHERE scope=? AND object=? AND name=?", "tit", scope,
			  object, name);
	int r = statement_one(store, stmt, name, err);

	return r < 0 ? r : column_buffer(stmt, 0, ret, err);
}

int document_put(struct store *store, const char *scope, rowid object, const char *name, struct span content,
		 struct error *err)
{
	return statement_run(store, err,
			     "INSERT INTO document(scope, object, name, content) VALUES(?, ?, ?, ?)"
			     " ON CONFLICT(scope, object, name) DO UPDATE SET content=excluded.content",
			     "titb", scope, object, name, content);
}

int object_written(struct store *store, const char *scope, rowid object, unixtime now, struct error *err)
{
	const char *sql = strcmp(scope, "app") == 0 ? "UPDATE app SET written_at=max(?, written_at+1,"
						      " (SELECT written_at+1 FROM project WHERE project.id=app.project)) WHERE id=?" :
						      "UPDATE project SET written_at=max(?, written_at+1) WHERE id=?";

	return statement_run(store, err, sql, "ii", now, object);
}

int document_each_details(struct store *store, rowid project, details_fn each, void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT a.name, d.content FROM app a JOIN document d ON d.scope='app' AND d.object=a.id AND d.name='details'"
			  " WHERE a.project=?",
			  "i", project);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	while (r > 0) {
		char name[NAME_SIZE];

		column_text(stmt, 0, name, sizeof(name));
		r = each(context, name, column_span(stmt, 1), err);
		if (r == 0)
			r = statement_step(store, stmt, err);
	}
	return r;
}

int request_find(struct store *store, uint64_t connection, uint64_t request, int64_t *ret_result, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT result FROM request WHERE connection=? AND request=?", "ii",
			  (int64_t)connection, (int64_t)request);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r == 1)
		*ret_result = sqlite3_column_int64(stmt, 0);
	return r;
}

int request_put(struct store *store, uint64_t connection, uint64_t request, int64_t result, unixtime now,
		struct error *err)
{
	return statement_run(store, err, "INSERT INTO request(connection, request, result, time) VALUES(?, ?, ?, ?)",
			     "iiii", (int64_t)connection, (int64_t)request, result, now);
}

int request_prune(struct store *store, uint64_t connection, unixtime before, struct error *err)
{
	return statement_run(store, err, "DELETE FROM request WHERE connection<>? OR time<?", "ii",
			     (int64_t)connection, before);
}

int audit_insert(struct store *store, struct audit_row *row, struct error *err)
{
	int r = statement_run(store, err,
			      "INSERT INTO audit(time, uid, gid, pid, command, action, object, app, generation)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "iiiitttii", row->time, (int64_t)row->uid, (int64_t)row->gid, (int64_t)row->pid,
			      row->command, row->action, row->object, row->app, row->generation);

	if (r < 0)
		return r;
	row->id = store_last_id(store);
	return store_trim(store, "DELETE FROM audit WHERE id<=?", row->id, true, err);
}

int audit_each(struct store *store, int64_t after, int (*each)(void *context, const struct audit_row *row), void *context,
	       struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT id, time, uid, gid, pid, command, action, object, app, generation FROM audit WHERE id>?"
			  " ORDER BY id",
			  "i", after);
	struct audit_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		row.id = sqlite3_column_int64(stmt, 0);
		row.time = sqlite3_column_int64(stmt, 1);
		row.uid = (uid_t)sqlite3_column_int64(stmt, 2);
		row.gid = (gid_t)sqlite3_column_int64(stmt, 3);
		row.pid = (pid_t)sqlite3_column_int64(stmt, 4);
		column_text(stmt, 5, row.command, sizeof(row.command));
		column_text(stmt, 6, row.action, sizeof(row.action));
		column_text(stmt, 7, row.object, sizeof(row.object));
		row.app = sqlite3_column_int64(stmt, 8);
		row.generation = sqlite3_column_int64(stmt, 9);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int audit_bytes(struct store *store, size_t *ret_bytes, int64_t *ret_count, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err,
		"SELECT coalesce(sum(length(CAST(id AS TEXT))+length(CAST(uid AS TEXT))+length(CAST(gid AS TEXT))"
		"+length(CAST(pid AS TEXT))+length(CAST(json_quote(command) AS BLOB))+length(action)+length(object)"
		"+length(CAST(generation AS TEXT))), 0), count(*) FROM audit",
		"");
	int r = statement_one(store, stmt, "sum", err);

	if (r < 0)
		return r;
	*ret_bytes = (size_t)sqlite3_column_int64(stmt, 0);
	*ret_count = sqlite3_column_int64(stmt, 1);
	return 0;
}

int reader_each(struct store *store, rowid app, int (*each)(void *context, const struct reader_row *row), void *context,
		struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT uid, command, max(generation), max(time), count(*) FROM audit WHERE app=? AND action='read'"
			  " GROUP BY uid, command ORDER BY max(generation) DESC, uid, command",
			  "i", app);
	struct reader_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		row.uid = (uid_t)sqlite3_column_int64(stmt, 0);
		column_text(stmt, 1, row.command, sizeof(row.command));
		row.generation = sqlite3_column_int64(stmt, 2);
		row.last = sqlite3_column_int64(stmt, 3);
		row.reads = sqlite3_column_int64(stmt, 4);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}
