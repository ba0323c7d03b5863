/* What the files of the store share; nothing else includes this. */
#ifndef CORE_STORE_INTERNAL_H
#define CORE_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store.h"

/* The prepared statement for sql, a string constant: prepared once per connection, found again by its address. Parameters are bound by
 * format: 'i' int64_t, 't' const char *, 'b' struct span, 'n' (no argument) NULL. NULL on failure.
 * The caller gives it back with statement_done (see _cleanup_statement_). */
sqlite3_stmt *statement(struct store *store, struct error *err, const char *sql, const char *format, ...);

/* 1: a row is there, 0: no more, negative errno. */
int statement_step(struct store *store, sqlite3_stmt *stmt, struct error *err);
void statement_done(sqlite3_stmt **stmt);
#define _cleanup_statement_ __attribute__((cleanup(statement_done)))

/* Runs a statement that gives no rows. */
int statement_run(struct store *store, struct error *err, const char *sql, const char *format, ...);

/* Steps to the one row that must be there; ENOENT "no such WHAT" otherwise. */
int statement_one(struct store *store, sqlite3_stmt *stmt, const char *what, struct error *err);

/* Runs sql, which deletes rows up to an id, for what is no longer to be kept of events or the audit. */
int store_trim(struct store *store, const char *sql, rowid newest, bool audit, struct error *err);
void store_count_event(struct store *store);
/* Three ways to take rows: calls each with the id in column 0 until it fails; calls each with id and name of columns 0 and 1
 * until it returns non-zero; fills *ret with the ids of column 0, as many as the statement's LIMIT, and returns how many.
 * stmt NULL: *err says why. */
int rows_each_id(struct store *store, sqlite3_stmt *stmt, int (*each)(void *context, rowid id), void *context,
		 struct error *err);
int rows_each_name(struct store *store, sqlite3_stmt *stmt, int (*each)(void *context, rowid id, const char *name),
		   void *context, struct error *err);
int rows_collect(struct store *store, sqlite3_stmt *stmt, rowid *ret, struct error *err);

sqlite3 *store_db(struct store *store);
rowid store_last_id(struct store *store);
int store_fail(struct store *store, int rc, struct error *err); /* SQLite's code as errno and sentence */
int store_exec(struct store *store, const char *sql, struct error *err);

/* Columns into fields. Text and blobs are cut or zero-filled to the field's size. */
void column_text(sqlite3_stmt *stmt, int column, char *ret, size_t size);
void column_bytes(sqlite3_stmt *stmt, int column, uint8_t *ret, size_t size);
struct span column_span(sqlite3_stmt *stmt, int column);
int column_buffer(sqlite3_stmt *stmt, int column, struct buffer *ret, struct error *err);

/* [w] Takes an app instance out of the counts by state (app_count_states), and puts it where it belongs now. */
int tally_leave(struct store *store, rowid app, struct error *err);
int tally_enter(struct store *store, rowid app, struct error *err);

/* At level L a bucket is 256^L seconds (store_tally.c). */
enum { TALLY_LEVELS = 4 };
static inline int64_t tally_bucket_of(int64_t at, int level)
{
	return at >> (8 * level);
}

/* [w] A tally counts `by` more; where shaped, in the buckets of `at`, too. The tables are written at the end of the transaction, and outside
 * of one at once. */
int pending_add(struct store *store, rowid tally, bool shaped, int64_t at, int64_t by, struct error *err);

/* [w] The same for what has ever happened (table total). */
enum total { TOTAL_ISSUED, TOTAL_RENEWED, TOTAL_REVOKED, TOTAL_COUNT };
int pending_count(struct store *store, enum total total, int64_t by, struct error *err);
int pending_write(struct store *store, struct error *err);

/* What a connection has pending follows its transactions: store.c calls these. */
struct pending;
int pending_new(struct pending **ret, struct error *err);
void pending_free(struct pending *pending);
void pending_clear(struct pending *pending);
void pending_mark(struct pending *pending);
void pending_undo(struct pending *pending);
struct pending *store_pending(struct store *store);

#endif
