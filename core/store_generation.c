/* Generations: the certificates that were issued, and the sealed key of the current one. */
#include "store_internal.h"

#define GENERATION_COLUMNS                                                                                 \
	"id, app, number, signing_ca, epoch, revision, not_before, not_after, issued_at, previous_at,"         \
	" key_type, length(cert), revoked_at, serial, spki"

static void generation_read(sqlite3_stmt *stmt, struct generation_row *ret)
{
	ret->id = sqlite3_column_int64(stmt, 0);
	ret->app = sqlite3_column_int64(stmt, 1);
	ret->number = sqlite3_column_int64(stmt, 2);
	ret->signing_ca = sqlite3_column_int64(stmt, 3);
	ret->epoch = sqlite3_column_int64(stmt, 4);
	ret->revision = sqlite3_column_int64(stmt, 5);
	ret->not_before = sqlite3_column_int64(stmt, 6);
	ret->not_after = sqlite3_column_int64(stmt, 7);
	ret->issued_at = sqlite3_column_int64(stmt, 8);
	ret->previous_at = sqlite3_column_int64(stmt, 9);
	ret->key_type = sqlite3_column_int(stmt, 10);
	ret->cert_size = sqlite3_column_int64(stmt, 11);
	ret->revoked_at = sqlite3_column_int64(stmt, 12);
	column_bytes(stmt, 13, ret->serial, sizeof(ret->serial));
	column_bytes(stmt, 14, ret->spki, sizeof(ret->spki));
}

static int generation_get(struct store *store, sqlite3_stmt *stmt, struct generation_row *ret, struct error *err)
{
	int r = statement_one(store, stmt, "generation", err);

	if (r == 0)
		generation_read(stmt, ret);
	return r;
}

int generation_by_id(struct store *store, rowid id, struct generation_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " GENERATION_COLUMNS " FROM generation WHERE id=?", "i", id);

	return generation_get(store, stmt, ret, err);
}

int generation_by_number(struct store *store, rowid app, int64_t number, struct generation_row *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " GENERATION_COLUMNS " FROM generation WHERE app=? AND number=?", "ii",
			  app, number);

	return generation_get(store, stmt, ret, err);
}

int generation_each(struct store *store, rowid app, int64_t after,
		    int (*each)(void *context, rowid id, int64_t number), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id, number FROM generation WHERE app=? AND number>? ORDER BY number", "ii",
			  app, after);
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1)
		if (each(context, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1)) != 0)
			return 0;
	return r;
}

int generation_every(struct store *store, int (*each)(void *context, const struct generation_row *row), void *context,
		     struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT " GENERATION_COLUMNS " FROM generation ORDER BY id", "");
	struct generation_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		generation_read(stmt, &row);
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

int generation_cert(struct store *store, rowid id, struct buffer *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT cert FROM generation WHERE id=?", "i", id);
	int r = statement_one(store, stmt, "generation", err);

	return r < 0 ? r : column_buffer(stmt, 0, ret, err);
}

int generation_sealed(struct store *store, rowid id, struct buffer *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err, "SELECT sealed FROM generation WHERE id=? AND sealed IS NOT NULL", "i", id);
	int r = statement_one(store, stmt, "private key: a newer generation has taken its place", err);

	return r < 0 ? r : column_buffer(stmt, 0, ret, err);
}

int generation_newest(struct store *store, unixtime *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT issued_at FROM generation ORDER BY id DESC LIMIT 1", "");
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r < 0)
		return r;
	*ret = r == 1 ? sqlite3_column_int64(stmt, 0) : 0;
	return 0;
}

int generation_insert(struct store *store, struct generation_row *row, rowid signing_key, struct span cert,
		      struct span sealed, struct error *err)
{
	int r = statement_run(store, err,
			      "INSERT INTO generation(app, number, signing_ca, key, epoch, revision, serial, not_before,"
			      " not_after, issued_at, previous_at, key_type, spki, cert, sealed)"
			      " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			      "iiiiiibiiiiibbb", row->app, row->number, row->signing_ca, signing_key, row->epoch,
			      row->revision, (struct span){row->serial, SERIAL_SIZE}, row->not_before, row->not_after,
			      row->issued_at, row->previous_at, (int64_t)row->key_type,
			      (struct span){row->spki, FINGERPRINT_SIZE}, cert, sealed);

	if (r < 0)
		return r;
	row->id = store_last_id(store);
	r = pending_count(store, TOTAL_ISSUED, 1, err);
	return r == 0 && row->number > 1 ? pending_count(store, TOTAL_RENEWED, 1, err) : r;
}

int generation_drop_key(struct store *store, rowid id, struct error *err)
{
	return statement_run(store, err, "UPDATE generation SET sealed=NULL WHERE id=?", "i", id);
}

/* stmt tells how many have no revocation yet of those that get one. */
static int count_revoked(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *owned = stmt;
	int r = statement_one(store, owned, "count", err);

	return r == 0 ? pending_count(store, TOTAL_REVOKED, sqlite3_column_int64(owned, 0), err) : r;
}

int generation_revoke(struct store *store, rowid id, unixtime at, const char *reason, struct error *err)
{
	int r = count_revoked(store, statement(store, err, "SELECT count(*) FROM generation WHERE id=? AND revoked_at=0", "i", id),
			      err);

	return r < 0 ? r :
		       statement_run(store, err,
				     "UPDATE generation SET revoked_at=?, revoke_reason=? WHERE id=? AND (revoked_at=0 OR revoked_at>?)",
				     "itii", at, reason, id, at);
}

int generation_revoke_up_to(struct store *store, rowid app, int64_t number, unixtime at, const char *reason,
			    struct error *err)
{
	int r = count_revoked(store,
			      statement(store, err,
					"SELECT count(*) FROM generation WHERE app=? AND number<=? AND not_after>? AND revoked_at=0",
					"iii", app, number, at),
			      err);

	return r < 0 ? r :
		       statement_run(store, err,
				     "UPDATE generation SET revoked_at=?, revoke_reason=?"
				     " WHERE app=? AND number<=? AND not_after>? AND (revoked_at=0 OR revoked_at>?)",
				     "itiiii", at, reason, app, number, at, at);
}

int generation_retire(struct store *store, rowid app, unixtime now, const char *reason, struct error *err)
{
	int r = count_revoked(store,
			      statement(store, err, "SELECT count(*) FROM generation WHERE app=? AND not_after>? AND revoked_at=0",
					"ii", app, now),
			      err);

	return r < 0 ? r :
		       statement_run(store, err,
				     "UPDATE generation SET sealed=NULL,"
				     " revoke_reason=CASE WHEN (revoked_at=0 OR revoked_at>?) AND not_after>? THEN ? ELSE revoke_reason END,"
				     " revoked_at=CASE WHEN (revoked_at=0 OR revoked_at>?) AND not_after>? THEN ? ELSE revoked_at END WHERE app=?",
				     "iitiiii", now, now, reason, now, now, now, app);
}
