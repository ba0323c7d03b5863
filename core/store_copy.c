/* The store as a whole: copied while it is in use, and made fit to go on from an old copy. */
#include "store_internal.h"

#include <signal.h>
#include <string.h>

/* ---- a copy ---- */

enum { OPCODES_BETWEEN_LOOKS = 10000 };

static int is_stopped(void *context)
{
	static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
	sigset_t pending;

	(void)context;
	sigpending(&pending);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++)
		if (sigismember(&pending, stops[i]))
			return 1;
	return 0;
}

void store_stop_by_signal(struct store *store)
{
	sqlite3_progress_handler(store_db(store), OPCODES_BETWEEN_LOOKS, is_stopped, NULL);
}

/* One read transaction: the copy is one moment, and readers of a WAL keep no writer waiting. Every row is read, so a damaged page
 * fails here and not when the backup is needed; what was deleted is not in it. */
int store_copy(struct store *store, const char *path, struct error *err)
{
	/* query_only takes VACUUM INTO for a change of this database */
	int r = store_exec(store, "PRAGMA query_only=OFF", err);

	if (r == 0)
		r = statement_run(store, err, "VACUUM INTO ?", "t", path);
	return r == 0 && is_stopped(NULL) ? error_set(err, EINTR, "interrupted: nothing is left of it") : r;
}

/* ---- is it one? ---- */

int store_recognise(struct store *store, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err,
							   "SELECT count(*) FROM sqlite_schema WHERE type='table' AND "
							   "name IN ('term', 'project', 'app', 'generation')",
							   "");
	int r = statement_one(store, stmt, "count", err);

	if (r < 0)
		return r;
	if (sqlite3_column_int(stmt, 0) != 4)
		return error_set(err, EINVAL,
				 "it is a database, but no certfs store: name a file that `certfs backup` made");
	return 0;
}

/* ---- going on from an old copy ---- */

/* Row ids that are in FUSE's node ids have 31 bits (fs/ino.h): Unix time as a floor must leave room. */
enum { NODE_ID_FLOOR_MAX = 0x78000000 };

/* Every AUTOINCREMENT. Ids that others know an object, a certificate, an event or an operation by. */
static const struct {
	const char *table;
	bool in_node_ids;
} sequences[] = {
	{"project", true},     {"app", true},        {"generation", true}, {"signing_key", false},
	{"signing_ca", false}, {"operation", false}, {"event", false},     {"audit", false},
};

static int raise_sequence(struct store *store, const char *table, int64_t floor, struct error *err)
{
	int r = statement_run(store, err,
			      "INSERT INTO sqlite_sequence(name, seq) SELECT ?1, 0"
			      " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name=?1)",
			      "t", table);

	return r < 0 ? r
		     : statement_run(store, err, "UPDATE sqlite_sequence SET seq=max(seq+1, ?) WHERE name=?", "it",
				     floor, table);
}

static int raise_sequences(struct store *store, unixtime now, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(sequences) / sizeof(sequences[0]); i++)
		r = raise_sequence(store, sequences[i].table,
				   sequences[i].in_node_ids && now > NODE_ID_FLOOR_MAX ? NODE_ID_FLOOR_MAX : now, err);
	return r;
}

/* What rows count one by one (generations of an app instance, firings of a trigger) goes on above one floor, so that also what the
 * lost store had and this one never heard of is not used again. Answers to requests were for a mount that is gone. */
int store_raise(struct store *store, unixtime now, struct error *err)
{
	int r = store_begin(store, err);

	if (r < 0)
		return r;
	r = raise_sequences(store, now, err);
	if (r == 0)
		r = statement_run(store, err,
				  "UPDATE restored SET floor=max(?, floor+1,"
				  " (SELECT coalesce(max(last_number), 0)+1 FROM app),"
				  " (SELECT coalesce(max(counter), 0)+1 FROM fired))",
				  "i", now);
	if (r == 0)
		r = statement_run(store, err, "DELETE FROM request", "");
	if (r == 0)
		return store_commit(store, err);
	store_rollback(store);
	return r;
}

int store_floor(struct store *store, int64_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "SELECT floor FROM restored", "");
	int r = statement_one(store, stmt, "floor of the counters", err);

	if (r == 0)
		*ret = sqlite3_column_int64(stmt, 0);
	return r;
}
