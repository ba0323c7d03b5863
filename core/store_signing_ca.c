/* Signing CAs, their chains and their keys in the store. */
#include "store_internal.h"

#define SIGNING_CA_SELECT                                                                                  \
	"SELECT c.id, c.project, c.key, c.not_before, c.not_after, c.path_length, c.self_signed, c.has_root,"  \
	" c.crl_sign, c.chain_revision, c.activated_at, c.fingerprint, k.spki, k.compromised_at,"              \
	" k.compromised_reason, c.warning FROM signing_ca c JOIN signing_key k ON k.id=c.key "

static void signing_ca_read(sqlite3_stmt *stmt, struct signing_ca_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	ret->project = sqlite3_column_int64(stmt, 1);
	ret->key = sqlite3_column_int64(stmt, 2);
	ret->not_before = sqlite3_column_int64(stmt, 3);
	ret->not_after = sqlite3_column_int64(stmt, 4);
	ret->path_length = sqlite3_column_int(stmt, 5);
	ret->self_signed = sqlite3_column_int(stmt, 6) != 0;
	ret->has_root = sqlite3_column_int(stmt, 7) != 0;
	ret->crl_sign = sqlite3_column_int(stmt, 8) != 0;
	ret->chain_revision = sqlite3_column_int64(stmt, 9);
	ret->activated_at = sqlite3_column_int64(stmt, 10);
	column_bytes(stmt, 11, ret->fingerprint, sizeof(ret->fingerprint));
	column_bytes(stmt, 12, ret->spki, sizeof(ret->spki));
	ret->compromised_at = sqlite3_column_int64(stmt, 13);
	column_text(stmt, 14, ret->compromised_reason, sizeof(ret->compromised_reason));
	column_text(stmt, 15, ret->warning, sizeof(ret->warning));
}

static int signing_ca_get(struct store *store, sqlite3_stmt *stmt, struct signing_ca_row *ret, struct error *err)
{
	int r = statement_one(store, stmt, "signing CA", err);

	if (r == 0)
		signing_ca_read(stmt, ret);
	return r;
}

static struct span spki_span(const uint8_t spki[FINGERPRINT_SIZE])
{
	return (struct span){spki, FINGERPRINT_SIZE};
}

int signing_ca_by_id(struct store *store, rowid id, struct signing_ca_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, SIGNING_CA_SELECT "WHERE c.id=?", "i", id);

	return signing_ca_get(store, stmt, ret, err);
}

int signing_ca_by_spki(struct store *store, rowid project, const uint8_t spki[FINGERPRINT_SIZE],
		       struct signing_ca_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, SIGNING_CA_SELECT "WHERE c.project=? AND k.spki=? ORDER BY c.id DESC LIMIT 1",
			  "ib", project, spki_span(spki));

	return signing_ca_get(store, stmt, ret, err);
}

int signing_ca_each_of_key(struct store *store, rowid key, int (*each)(void *context, rowid id), void *context,
			   struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id FROM signing_ca WHERE key=? ORDER BY id", "i", key);

	return rows_each_id(store, stmt, each, context, err);
}

int signing_ca_certs(struct store *store, rowid id, int (*each)(void *context, struct span der), void *context,
		     struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err, "SELECT der FROM signing_ca_cert WHERE signing_ca=? ORDER BY position", "i", id);
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		r = each(context, column_span(stmt, 0));
		if (r < 0)
			return r;
	}
	return r;
}

int signing_ca_each_replaced(struct store *store, const struct project_row *project, unixtime since,
			     int (*each)(void *context, rowid id), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT id FROM signing_ca WHERE project=? AND id<>? AND last_not_after>? ORDER BY id", "iii",
			  project->id, project->signing_ca, since);

	return rows_each_id(store, stmt, each, context, err);
}

int signing_ca_issued(struct store *store, rowid id, unixtime not_after, struct error *err)
{
	return statement_run(store, err, "UPDATE signing_ca SET last_not_after=? WHERE id=? AND last_not_after<?", "iii",
			     not_after, id, not_after);
}

int signing_ca_insert(struct store *store, struct signing_ca_row *row, struct error *err)
{
	int r = statement_run(store, err,
			      "INSERT INTO signing_ca(project, key, not_before, not_after, path_length, self_signed,"
			      " has_root, crl_sign, chain_revision, activated_at, fingerprint, warning)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "iiiiiiiiiibt", row->project, row->key, row->not_before, row->not_after,
			      (int64_t)row->path_length, (int64_t)row->self_signed, (int64_t)row->has_root,
			      (int64_t)row->crl_sign, row->chain_revision, row->activated_at,
			      spki_span(row->fingerprint), row->warning);

	if (r == 0)
		row->id = store_last_id(store);
	return r;
}

int signing_ca_update(struct store *store, const struct signing_ca_row *row, struct error *err)
{
	return statement_run(store, err,
			     "UPDATE signing_ca SET not_before=?, not_after=?, path_length=?, self_signed=?, has_root=?,"
			     " crl_sign=?, chain_revision=?, activated_at=?, fingerprint=?, warning=? WHERE id=?",
			     "iiiiiiiibti", row->not_before, row->not_after, (int64_t)row->path_length,
			     (int64_t)row->self_signed, (int64_t)row->has_root, (int64_t)row->crl_sign,
			     row->chain_revision, row->activated_at, spki_span(row->fingerprint), row->warning, row->id);
}

int signing_ca_add_cert(struct store *store, rowid id, int position, struct span der, struct error *err)
{
	return statement_run(store, err, "INSERT INTO signing_ca_cert(signing_ca, position, der) VALUES(?, ?, ?)",
			     "iib", id, (int64_t)position, der);
}

int signing_ca_drop_certs(struct store *store, rowid id, struct error *err)
{
	return statement_run(store, err, "DELETE FROM signing_ca_cert WHERE signing_ca=?", "i", id);
}

static void signing_key_read(sqlite3_stmt *stmt, struct signing_key_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	column_bytes(stmt, 1, ret->spki, sizeof(ret->spki));
	ret->compromised_at = sqlite3_column_int64(stmt, 2);
	column_text(stmt, 3, ret->compromised_reason, sizeof(ret->compromised_reason));
	ret->usable = sqlite3_column_int(stmt, 4) != 0;
}

#define SIGNING_KEY_SELECT \
	"SELECT id, spki, compromised_at, compromised_reason, sealed IS NOT NULL FROM signing_key "

int signing_key_by_spki(struct store *store, const uint8_t spki[FINGERPRINT_SIZE], struct signing_key_row *ret,
			struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, SIGNING_KEY_SELECT "WHERE spki=?", "b", spki_span(spki));
	int r = statement_one(store, stmt, "signing key", err);

	if (r == 0)
		signing_key_read(stmt, ret);
	return r;
}

int signing_key_each(struct store *store, int (*each)(void *context, const struct signing_key_row *row), void *context,
		     struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, SIGNING_KEY_SELECT "ORDER BY id", "");
	struct signing_key_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		signing_key_read(stmt, &row);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int signing_key_sealed(struct store *store, rowid id, struct buffer *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err, "SELECT sealed FROM signing_key WHERE id=? AND sealed IS NOT NULL", "i", id);
	int r = statement_one(store, stmt, "signing key", err);

	return r < 0 ? r : column_buffer(stmt, 0, ret, err);
}

int signing_key_put(struct store *store, const uint8_t spki[FINGERPRINT_SIZE], struct span sealed, unixtime now,
		    rowid *ret, struct error *err)
{
	struct signing_key_row row;
	int r = statement_run(store, err,
			      "INSERT INTO signing_key(spki, sealed, created_at) VALUES(?, ?, ?)"
			      " ON CONFLICT(spki) DO UPDATE SET sealed=excluded.sealed",
			      "bbi", spki_span(spki), sealed, now);

	if (r == 0)
		r = signing_key_by_spki(store, spki, &row, err);
	if (r == 0)
		*ret = row.id;
	return r;
}

int signing_key_compromise(struct store *store, rowid id, unixtime now, const char *reason, struct error *err)
{
	int r = statement_run(store, err,
			      "UPDATE signing_key SET compromised_at=?, compromised_reason=? WHERE id=? AND compromised_at=0",
			      "iti", now, reason, id);

	return r < 0 ? r :
		       statement_run(store, err,
				     "UPDATE project SET revision=revision+1 WHERE signing_ca IN (SELECT id FROM signing_ca WHERE key=?)", "i", id);
}

int signing_key_projects(struct store *store, rowid key, unixtime now, int (*each)(void *context, rowid project), void *context,
			 struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err,
		"SELECT DISTINCT project.id FROM signing_ca JOIN project ON project.id=signing_ca.project WHERE signing_ca.key=?"
		" AND (signing_ca.id IN (project.signing_ca, project.next_ca) OR signing_ca.last_not_after>?) ORDER BY project.id",
		"ii", key, now);

	return rows_each_id(store, stmt, each, context, err);
}

int signing_ca_each(struct store *store, int (*each)(void *context, rowid id), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "SELECT id FROM signing_ca ORDER BY id", "");

	return rows_each_id(store, stmt, each, context, err);
}
