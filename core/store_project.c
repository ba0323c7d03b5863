/* Projects in the store. */
#include "store_internal.h"

#define PROJECT_COLUMNS                                                                                 \
	"id, name, uid, gid, mode, created_at, changed_at, apps_changed_at, apps, epoch, revision, signing_ca,"       \
	" compromised_epoch, next_ca, csr_key, due_at, announced, recheck, written_at"

static void project_read(sqlite3_stmt *stmt, struct project_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	column_text(stmt, 1, ret->name, sizeof(ret->name));
	ret->owner.uid = (uid_t)sqlite3_column_int64(stmt, 2);
	ret->owner.gid = (gid_t)sqlite3_column_int64(stmt, 3);
	ret->owner.mode = (mode_t)sqlite3_column_int64(stmt, 4);
	ret->owner.created_at = sqlite3_column_int64(stmt, 5);
	ret->owner.changed_at = sqlite3_column_int64(stmt, 6);
	ret->apps_changed_at = sqlite3_column_int64(stmt, 7);
	ret->apps = sqlite3_column_int64(stmt, 8);
	ret->epoch = sqlite3_column_int64(stmt, 9);
	ret->revision = sqlite3_column_int64(stmt, 10);
	ret->signing_ca = sqlite3_column_int64(stmt, 11);
	ret->compromised_epoch = sqlite3_column_int64(stmt, 12);
	ret->next_ca = sqlite3_column_int64(stmt, 13);
	ret->csr_key = sqlite3_column_int64(stmt, 14);
	ret->due_at = sqlite3_column_int64(stmt, 15);
	ret->announced = sqlite3_column_int(stmt, 16);
	ret->recheck = sqlite3_column_int64(stmt, 17);
	ret->written_at = sqlite3_column_int64(stmt, 18);
}

static int project_get(struct store *store, sqlite3_stmt *stmt, struct project_row *ret, struct error *err)
{
	int r = statement_one(store, stmt, "project", err);

	if (r == 0)
		project_read(stmt, ret);
	return r;
}

int project_by_id(struct store *store, rowid id, struct project_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " PROJECT_COLUMNS " FROM project WHERE id=?", "i", id);

	return project_get(store, stmt, ret, err);
}

int project_by_name(struct store *store, const char *name, struct project_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " PROJECT_COLUMNS " FROM project WHERE name=?", "t", name);

	return project_get(store, stmt, ret, err);
}

int project_each(struct store *store, rowid after, int (*each)(void *context, rowid id, const char *name),
		 void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id, name FROM project WHERE id>? ORDER BY id", "i", after);

	return rows_each_name(store, stmt, each, context, err);
}

int project_count(struct store *store, int64_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "SELECT count(*) FROM project", "");
	int r = statement_one(store, stmt, "count", err);

	if (r == 0)
		*ret = sqlite3_column_int64(stmt, 0);
	return r;
}

int project_policy(struct store *store, rowid id, struct buffer *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT policy FROM project WHERE id=?", "i", id);
	int r = statement_one(store, stmt, "project", err);

	return r < 0 ? r : column_buffer(stmt, 0, ret, err);
}

int project_insert(struct store *store, struct project_row *row, const char *policy, struct error *err)
{
	const struct owner *o = &row->owner;
	int r = statement_run(store, err,
			      "INSERT INTO project(name, uid, gid, mode, created_at, changed_at, apps_changed_at, policy)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			      "tiiiiiit", row->name, (int64_t)o->uid, (int64_t)o->gid, (int64_t)o->mode,
			      o->created_at, o->changed_at, row->apps_changed_at, policy);

	if (r == 0)
		row->id = store_last_id(store);
	return r;
}

/* The key of csr.pem, if no certificate has answered it. */
static int project_forget_request(struct store *store, rowid id, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE signing_key SET sealed=NULL WHERE id IN (SELECT csr_key FROM project WHERE id=?)"
			     " AND id NOT IN (SELECT key FROM signing_ca)",
			     "i", id);
}

/* Keys that no other project uses lose their sealed form: those of signing CAs, and that of csr.pem. Their rows, and so a mark of
 * compromise, stay, as do the certificates: what was issued under them can still be checked. */
static int project_forget_keys(struct store *store, rowid id, struct error *err)
{
	int r = statement_run(store, err,
			      "UPDATE signing_key SET sealed=NULL WHERE id IN (SELECT key FROM signing_ca WHERE project=?)"
			      " AND id NOT IN (SELECT c.key FROM signing_ca c JOIN project p ON p.id=c.project WHERE p.id<>?)",
			      "ii", id, id);

	return r == 0 ? project_forget_request(store, id, err) : r;
}

int project_delete(struct store *store, rowid id, struct error *err)
{
	int r = project_forget_keys(store, id, err);

	if (r == 0)
		r = statement_run(store, err, "DELETE FROM project WHERE id=?", "i", id);
	return r == 0 ? trigger_drop(store, "project", id, err) : r;
}

int project_set_owner(struct store *store, rowid id, const struct owner *owner, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET uid=?, gid=?, mode=? WHERE id=?", "iiii",
			     (int64_t)owner->uid, (int64_t)owner->gid, (int64_t)owner->mode, id);
}

int project_set_policy(struct store *store, rowid id, struct span text, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE project SET policy=CAST(? AS TEXT), revision=revision+1, due_at=1, recheck=0 WHERE id=?",
			     "bi", text, id);
}

int project_set_signing_ca(struct store *store, rowid id, rowid signing_ca, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE project SET signing_ca=?, revision=revision+1, due_at=1, announced=-1 WHERE id=?", "ii",
			     signing_ca, id);
}

int project_next_revision(struct store *store, rowid id, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET revision=revision+1 WHERE id=?", "i", id);
}

int project_set_next(struct store *store, rowid id, rowid next_ca, rowid csr_key, struct error *err)
{
	int r = csr_key ? 0 : project_forget_request(store, id, err);

	return r < 0 ? r :
		       statement_run(store, err, "UPDATE project SET next_ca=?, csr_key=?, revision=revision+1 WHERE id=?", "iii",
				     next_ca, csr_key, id);
}

int project_set_due(struct store *store, rowid id, unixtime due_at, int announced, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET due_at=?, announced=? WHERE id=?", "iii", due_at,
			     (int64_t)announced, id);
}

int project_set_recheck(struct store *store, rowid id, rowid recheck, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET recheck=? WHERE id=?", "ii", recheck, id);
}

/* Projects are few: no index for what is asked every few seconds of some thousand rows. */
int project_due(struct store *store, unixtime now, rowid *ret, int room, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id FROM project WHERE (due_at<>0 AND due_at<=?) OR recheck>=0 LIMIT ?", "ii",
			  now, (int64_t)room);

	return rows_collect(store, stmt, ret, err);
}

int project_next_epoch(struct store *store, rowid id, bool compromised, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE project SET epoch=epoch+1,"
			     " compromised_epoch=CASE WHEN ?<>0 THEN epoch+1 ELSE compromised_epoch END WHERE id=?",
			     "ii", (int64_t)compromised, id);
}

int project_add_issued(struct store *store, rowid id, int64_t count, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET issued=issued+? WHERE id=?", "ii", count, id);
}

int project_issued(struct store *store, rowid id, int64_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT issued FROM project WHERE id=?", "i", id);
	int r = statement_one(store, stmt, "project", err);

	if (r == 0)
		*ret = sqlite3_column_int64(stmt, 0);
	return r;
}

int project_add_apps(struct store *store, rowid id, int64_t count, unixtime now, struct error *err)
{
	return statement_run(store, err, "UPDATE project SET apps=apps+?, apps_changed_at=? WHERE id=?", "iii", count,
			     now, id);
}
