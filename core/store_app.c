/* App instances in the store. */
#include "store_internal.h"

#define APP_COLUMNS                                                                                     \
	"id, project, name, uid, gid, mode, created_at, changed_at, generation, last_number, stale_number,"  \
	" revoked_at, revoke_reason, due_at, announced, delivered, delivered_at, written_at,"  \
	" max(last_number, (SELECT floor FROM restored))+1"

static void app_read(sqlite3_stmt *stmt, struct app_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	ret->project = sqlite3_column_int64(stmt, 1);
	column_text(stmt, 2, ret->name, sizeof(ret->name));
	ret->owner.uid = (uid_t)sqlite3_column_int64(stmt, 3);
	ret->owner.gid = (gid_t)sqlite3_column_int64(stmt, 4);
	ret->owner.mode = (mode_t)sqlite3_column_int64(stmt, 5);
	ret->owner.created_at = sqlite3_column_int64(stmt, 6);
	ret->owner.changed_at = sqlite3_column_int64(stmt, 7);
	ret->generation = sqlite3_column_int64(stmt, 8);
	ret->last_number = sqlite3_column_int64(stmt, 9);
	ret->stale_number = sqlite3_column_int64(stmt, 10);
	ret->revoked_at = sqlite3_column_int64(stmt, 11);
	column_text(stmt, 12, ret->revoke_reason, sizeof(ret->revoke_reason));
	ret->due_at = sqlite3_column_int64(stmt, 13);
	ret->announced = sqlite3_column_int(stmt, 14);
	ret->delivered = sqlite3_column_int64(stmt, 15);
	ret->delivered_at = sqlite3_column_int64(stmt, 16);
	ret->written_at = sqlite3_column_int64(stmt, 17);
	ret->next_number = sqlite3_column_int64(stmt, 18);
}

static int app_get(struct store *store, sqlite3_stmt *stmt, struct app_row *ret, struct error *err)
{
	int r = statement_one(store, stmt, "app instance", err);

	if (r == 0)
		app_read(stmt, ret);
	return r;
}

int app_by_id(struct store *store, rowid id, struct app_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " APP_COLUMNS " FROM app WHERE id=?", "i", id);

	return app_get(store, stmt, ret, err);
}

/* Of the index alone: each first look at a name asks. */
int app_id_of_name(struct store *store, rowid project, const char *name, rowid *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id FROM app WHERE project=? AND name=?", "it", project, name);
	int r = statement_one(store, stmt, "app instance", err);

	if (r == 0)
		*ret = sqlite3_column_int64(stmt, 0);
	return r;
}

int app_each(struct store *store, rowid project, rowid after, int (*each)(void *context, rowid id, const char *name),
	     void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err, "SELECT id, name FROM app WHERE project=? AND id>? ORDER BY id", "ii", project, after);

	return rows_each_name(store, stmt, each, context, err);
}

int app_insert(struct store *store, struct app_row *row, struct error *err)
{
	const struct owner *o = &row->owner;
	int r = statement_run(store, err,
			      "INSERT INTO app(project, name, uid, gid, mode, created_at, changed_at)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?)",
			      "itiiiii", row->project, row->name, (int64_t)o->uid, (int64_t)o->gid, (int64_t)o->mode,
			      o->created_at, o->changed_at);

	if (r < 0)
		return r;
	row->id = store_last_id(store);
	return tally_enter(store, row->id, err);
}

int app_delete(struct store *store, rowid id, struct error *err)
{
	int r = tally_leave(store, id, err);

	if (r == 0)
		r = statement_run(store, err, "DELETE FROM app WHERE id=?", "i", id);
	if (r == 0)
		r = procedure_delete(store, id, err);
	return r == 0 ? trigger_drop(store, "app", id, err) : r;
}

int app_set_owner(struct store *store, rowid id, const struct owner *owner, struct error *err)
{
	return statement_run(store, err, "UPDATE app SET uid=?, gid=?, mode=? WHERE id=?", "iiii",
			     (int64_t)owner->uid, (int64_t)owner->gid, (int64_t)owner->mode, id);
}

/* After whatever may have changed its state. */
static int app_count_anew(struct store *store, rowid id, struct error *err)
{
	int r = tally_leave(store, id, err);

	return r == 0 ? tally_enter(store, id, err) : r;
}

int app_set_generation(struct store *store, rowid id, rowid generation, int64_t number, unixtime due_at,
		       struct error *err)
{
	int r = statement_run(store, err,
			      "UPDATE app SET generation=?, last_number=?, due_at=?, announced=-1 WHERE id=?", "iiii",
			      generation, number, due_at, id);

	return r == 0 ? app_count_anew(store, id, err) : r;
}

int app_set_due(struct store *store, rowid id, unixtime due_at, int announced, struct error *err)
{
	return statement_run(store, err, "UPDATE app SET due_at=?, announced=? WHERE id=?", "iii", due_at,
			     (int64_t)announced, id);
}

int app_due(struct store *store, unixtime now, rowid *ret, int room, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id FROM app WHERE due_at<>0 AND due_at<=? ORDER BY due_at LIMIT ?", "ii", now,
			  (int64_t)room);

	return rows_collect(store, stmt, ret, err);
}

int app_set_stale(struct store *store, rowid id, int64_t number, struct error *err)
{
	int r = statement_run(store, err, "UPDATE app SET stale_number=? WHERE id=?", "ii", number, id);

	return r == 0 ? app_count_anew(store, id, err) : r;
}

int app_set_delivered(struct store *store, rowid id, int64_t number, unixtime at, struct error *err)
{
	return statement_run(store, err, "UPDATE app SET delivered=?, delivered_at=? WHERE id=?", "iii", number, at, id);
}

int app_set_revoked(struct store *store, rowid id, unixtime at, const char *reason, struct error *err)
{
	int r = statement_run(store, err, "UPDATE app SET revoked_at=?, revoke_reason=? WHERE id=?", "iti", at, reason, id);

	return r == 0 ? app_count_anew(store, id, err) : r;
}

int app_issued_after(struct store *store, rowid project, rowid after, rowid *ret, int room, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT id FROM app WHERE project=? AND id>? AND generation<>0 ORDER BY id LIMIT ?", "iii", project,
			  after, (int64_t)room);

	return rows_collect(store, stmt, ret, err);
}

int app_each_affected(struct store *store, const struct project_row *project, bool all,
		      int (*each)(void *context, rowid id, const char *name), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT a.id, a.name FROM app a JOIN generation g ON g.id=a.generation"
			  " WHERE a.project=? AND (g.signing_ca<>? OR ?<>0) ORDER BY a.id",
			  "iii", project->id, project->signing_ca, (int64_t)all);

	return rows_each_name(store, stmt, each, context, err);
}
