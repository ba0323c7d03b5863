/* Changes of the counts by state (store_tally.c) and of totals, collected until their transaction ends: what a group commit does to hundreds of app
 * instances comes to a few rows, written once. Only the writer's connection has any. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

struct change {
	rowid tally;
	int64_t at;
	int64_t by;
	bool shaped; /* it is in buckets, too */
};

/* [0, written) is in the tables already. A savepoint remembers both, since its undoing takes rows back. */
struct pending {
	struct change *change;
	size_t count, room, written;
	size_t mark, mark_written;
	int64_t total[TOTAL_COUNT], mark_total[TOTAL_COUNT]; /* not written yet */
};

int pending_new(struct pending **ret, struct error *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : error_set(err, ENOMEM, "out of memory");
}

void pending_free(struct pending *pending)
{
	if (pending)
		free(pending->change);
	free(pending);
}

void pending_clear(struct pending *pending)
{
	pending->count = pending->written = 0;
	memset(pending->total, 0, sizeof(pending->total));
	pending_mark(pending);
}

void pending_mark(struct pending *pending)
{
	pending->mark = pending->count;
	pending->mark_written = pending->written;
	memcpy(pending->mark_total, pending->total, sizeof(pending->total));
}

void pending_undo(struct pending *pending)
{
	pending->count = pending->mark;
	pending->written = pending->mark_written;
	memcpy(pending->total, pending->mark_total, sizeof(pending->total));
}

static int pending_grow(struct pending *pending, struct error *err)
{
	const size_t room = pending->room ? 2 * pending->room : 256;
	struct change *change = reallocarray(pending->change, room, sizeof(*change));

	if (!change)
		return error_set(err, ENOMEM, "out of memory");
	pending->change = change;
	pending->room = room;
	return 0;
}

int pending_add(struct store *store, rowid tally, bool shaped, int64_t at, int64_t by, struct error *err)
{
	struct pending *pending = store_pending(store);
	int r = pending->count < pending->room ? 0 : pending_grow(pending, err);

	if (r < 0)
		return r;
	pending->change[pending->count++] = (struct change){.tally = tally, .at = at, .by = by, .shaped = shaped};
	return store_in_transaction(store) ? 0 : pending_write(store, err);
}

int pending_count(struct store *store, enum total total, int64_t by, struct error *err)
{
	store_pending(store)->total[total] += by;
	return store_in_transaction(store) ? 0 : pending_write(store, err);
}

/* ---- writing ---- */

/* A row that counts nothing any more goes, so that old moments leave nothing behind. */
static int write_bucket(struct store *store, rowid tally, int64_t level, int64_t bucket, int64_t by, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "INSERT INTO tally_bucket(tally, level, bucket, count) VALUES(?, ?, ?, ?)"
			  " ON CONFLICT(tally, level, bucket) DO UPDATE SET count=tally_bucket.count+excluded.count"
			  " RETURNING count",
			  "iiii", tally, level, bucket, by);
	int r = statement_one(store, stmt, "bucket", err);

	if (r < 0 || sqlite3_column_int64(stmt, 0) != 0)
		return r;
	return statement_run(store, err, "DELETE FROM tally_bucket WHERE tally=? AND level=? AND bucket=?", "iii",
			     tally, level, bucket);
}

static int write_total(struct store *store, rowid tally, int64_t by, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "UPDATE tally SET total=total+? WHERE id=? RETURNING total", "ii", by, tally);
	int r = statement_one(store, stmt, "tally", err);

	if (r < 0 || sqlite3_column_int64(stmt, 0) != 0)
		return r;
	return statement_run(store, err, "DELETE FROM tally WHERE id=?", "i", tally);
}

/* The changes are of one tally, in the order of `at`: those of one bucket are neighbours at each level. */
static int write_level(struct store *store, const struct change *change, size_t count, int level, struct error *err)
{
	int64_t by = 0;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const int64_t bucket = tally_bucket_of(change[i].at, level);

		by += change[i].by;
		if (i + 1 < count && tally_bucket_of(change[i + 1].at, level) == bucket)
			continue;
		if (by != 0)
			r = write_bucket(store, change[i].tally, level, bucket, by, err);
		by = 0;
	}
	return r;
}

static int write_tally(struct store *store, const struct change *change, size_t count, struct error *err)
{
	int64_t by = 0;
	int r = 0;

	for (int level = 0; level < TALLY_LEVELS && change->shaped && r == 0; level++)
		r = write_level(store, change, count, level, err);
	for (size_t i = 0; i < count; i++)
		by += change[i].by;
	return r == 0 ? write_total(store, change->tally, by, err) : r;
}

static int compare_changes(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->tally != y->tally)
		return x->tally < y->tally ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static int write_sorted(struct store *store, const struct change *change, size_t count, struct error *err)
{
	size_t same;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i += same) {
		for (same = 1; i + same < count && change[i + same].tally == change[i].tally;)
			same++;
		r = write_tally(store, change + i, same, err);
	}
	return r;
}

static int write_counts(struct store *store, struct pending *pending, struct error *err)
{
	static const char *const name[TOTAL_COUNT] = {"issued", "renewed", "revoked"};
	int r = 0;

	for (int i = 0; i < TOTAL_COUNT && r == 0; i++) {
		if (pending->total[i] == 0)
			continue;
		r = statement_run(store, err, "UPDATE total SET value=value+? WHERE name=?", "it", pending->total[i], name[i]);
		if (r == 0)
			pending->total[i] = 0;
	}
	return r;
}

/* Sorted is a copy: a savepoint may cut the list. */
static int write_changes(struct store *store, struct pending *pending, struct error *err)
{
	const size_t count = pending->count - pending->written;
	struct change *sorted;
	int r;

	if (count == 0)
		return 0;
	sorted = reallocarray(NULL, count, sizeof(*sorted));
	if (!sorted)
		return error_set(err, ENOMEM, "out of memory");
	memcpy(sorted, pending->change + pending->written, count * sizeof(*sorted));
	qsort(sorted, count, sizeof(*sorted), compare_changes);
	r = write_sorted(store, sorted, count, err);
	free(sorted);
	if (r == 0)
		pending->written = pending->count;
	return r;
}

int pending_write(struct store *store, struct error *err)
{
	struct pending *pending = store_pending(store);
	int r = write_changes(store, pending, err);

	if (r == 0)
		r = write_counts(store, pending, err);
	if (r == 0 && !store_in_transaction(store))
		pending_clear(pending);
	return r;
}
