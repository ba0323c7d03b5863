/* Revocations, as a CRL tells of them. */
#include "store_internal.h"

static sqlite3_stmt *revocation_select(struct store *store, const struct signing_ca_row *ca, unixtime now, unixtime since,
				       struct error *err)
{
	if (ca->compromised_at)
		return statement(store, err,
				 "SELECT serial, CASE WHEN revoked_at=0 OR revoked_at>? THEN ? ELSE revoked_at END,"
				 " CASE WHEN revoke_reason='' THEN 'cACompromise' ELSE revoke_reason END"
				 " FROM generation WHERE key=? AND signing_ca=? AND not_after>? ORDER BY id",
				 "iiiii", ca->compromised_at, ca->compromised_at, ca->key, ca->id, since);
	return statement(store, err,
			 "SELECT serial, revoked_at, revoke_reason FROM generation"
			 " WHERE key=? AND signing_ca=? AND revoked_at<>0 AND revoked_at<=? AND not_after>?"
			 " ORDER BY revoked_at, id",
			 "iiii", ca->key, ca->id, now, since);
}

int revocation_each(struct store *store, const struct signing_ca_row *ca, unixtime now, unixtime since,
		    int (*each)(void *context, const struct revocation_row *row), void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = revocation_select(store, ca, now, since, err);
	struct revocation_row row;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		column_bytes(stmt, 0, row.serial, sizeof(row.serial));
		row.revoked_at = sqlite3_column_int64(stmt, 1);
		column_text(stmt, 2, row.reason, sizeof(row.reason));
		r = each(context, &row);
		if (r < 0)
			return r;
	}
	return r;
}

/* Of a compromised key the list changes once: when it is marked. */
int revocation_count(struct store *store, const struct signing_ca_row *ca, unixtime now, struct revocations *ret,
		     struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT count(*), coalesce(max(revoked_at), 0) FROM generation"
			  " WHERE key=? AND signing_ca=? AND revoked_at<>0 AND revoked_at<=?",
			  "iii", ca->key, ca->id, now);
	int r = statement_one(store, stmt, "count", err);

	if (r < 0)
		return r;
	ret->count = ca->compromised_at ? -1 - sqlite3_column_int64(stmt, 0) : sqlite3_column_int64(stmt, 0);
	ret->latest = sqlite3_column_int64(stmt, 1);
	return 0;
}
