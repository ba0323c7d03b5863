/* App instances of a project by state, without a look at each.
 *
 * App instances that differ in nothing but when their certificates end share a tally, a row that counts them. What the project does to
 * all of them at once (another epoch or signing CA, a compromised key) is asked of the few tallies when counting. What time does is asked of
 * buckets: how many certificates end in each second, and in each 256, 65536 and 16777216 of them, so that "up to T" is a sum of a few hundred
 * rows at most, whatever T is and however many there are. Exact at any moment, also when the clock or the policy jumps.
 *
 * A renewal window depends on the end and the life of a certificate. In each tally one of two ends is the same for all (or the life is), so
 * the windows that are open are those up to some value of the other. */
#include "store_internal.h"

/* What is the same in a tally (its column fixed), and what app.tally_at and the buckets are about. */
enum shape {
	SHAPE_NONE,  /* no certificate */
	SHAPE_END,   /* ends with its signing CA; about not_before */
	SHAPE_BEGIN, /* begins with its signing CA; about not_after */
	SHAPE_LIFE,  /* the same life; about not_after */
};

enum { RADIX = 256 };

struct place {
	rowid project, signing_ca;
	int64_t epoch, stale, revoked, shape, fixed, at;
};

/* ---- changes [w] ---- */

static int tally_find(struct store *store, const struct place *p, rowid *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err,
			  "SELECT id FROM tally WHERE project=? AND signing_ca=? AND epoch=? AND stale=? AND revoked=?"
			  " AND shape=? AND fixed=?",
			  "iiiiiii", p->project, p->signing_ca, p->epoch, p->stale, p->revoked, p->shape, p->fixed);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r == 1)
		*ret = sqlite3_column_int64(stmt, 0);
	if (r != 0)
		return r < 0 ? r : 0;
	r = statement_run(store, err,
			  "INSERT INTO tally(project, signing_ca, epoch, stale, revoked, shape, fixed)"
			  " VALUES(?, ?, ?, ?, ?, ?, ?)",
			  "iiiiiii", p->project, p->signing_ca, p->epoch, p->stale, p->revoked, p->shape, p->fixed);
	if (r == 0)
		*ret = store_last_id(store);
	return r;
}

/* Columns 5 to 8: not_before and not_after of the certificate, and of its signing CA. */
static void place_shape(sqlite3_stmt *stmt, struct place *place)
{
	const int64_t begin = sqlite3_column_int64(stmt, 5);
	const int64_t end = sqlite3_column_int64(stmt, 6);

	place->at = end;
	if (end == sqlite3_column_int64(stmt, 8)) {
		place->shape = SHAPE_END;
		place->fixed = end;
		place->at = begin;
	} else if (begin == sqlite3_column_int64(stmt, 7)) {
		place->shape = SHAPE_BEGIN;
		place->fixed = begin;
	} else {
		place->shape = SHAPE_LIFE;
		place->fixed = end - begin;
	}
}

static int place_of(struct store *store, rowid app, struct place *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err,
		"SELECT a.project, a.revoked_at<>0, g.signing_ca, g.epoch, g.number<=a.stale_number,"
		" g.not_before, g.not_after, c.not_before, c.not_after FROM app a"
		" LEFT JOIN generation g ON g.id=a.generation LEFT JOIN signing_ca c ON c.id=g.signing_ca WHERE a.id=?",
		"i", app);
	int r = statement_one(store, stmt, "app instance", err);

	if (r < 0)
		return r;
	*ret = (struct place){
		.project = sqlite3_column_int64(stmt, 0),
		.revoked = sqlite3_column_int64(stmt, 1),
		.signing_ca = sqlite3_column_int64(stmt, 2), /* NULL is 0 */
		.epoch = sqlite3_column_int64(stmt, 3),
		.stale = sqlite3_column_int64(stmt, 4),
	};
	if (sqlite3_column_type(stmt, 6) != SQLITE_NULL)
		place_shape(stmt, ret);
	return 0;
}

int tally_leave(struct store *store, rowid app, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err, "SELECT t.id, t.shape, a.tally_at FROM app a JOIN tally t ON t.id=a.tally WHERE a.id=?",
		"i", app);
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r <= 0) /* in none yet */
		return r;
	return pending_add(store, sqlite3_column_int64(stmt, 0), sqlite3_column_int64(stmt, 1) != SHAPE_NONE,
			   sqlite3_column_int64(stmt, 2), -1, err);
}

int tally_enter(struct store *store, rowid app, struct error *err)
{
	struct place place;
	rowid tally = 0;
	int r = place_of(store, app, &place, err);

	if (r == -ENOENT) /* removed meanwhile */
		return 0;
	if (r == 0)
		r = tally_find(store, &place, &tally, err);
	if (r == 0)
		r = pending_add(store, tally, place.shape != SHAPE_NONE, place.at, 1, err);
	return r == 0 ? statement_run(store, err, "UPDATE app SET tally=?, tally_at=? WHERE id=?", "iii", tally,
				      place.at, app)
		      : r;
}

/* ---- counting ---- */

/* How many of a tally are at `last` or before. */
static int tally_up_to(struct store *store, rowid tally, int64_t last, int64_t *ret, struct error *err)
{
	const int64_t end = last + 1;

	*ret = 0;
	for (int level = 0; level < TALLY_LEVELS; level++) {
		const int64_t from = level + 1 < TALLY_LEVELS ? tally_bucket_of(end, level + 1) * RADIX : INT64_MIN;
		_cleanup_statement_ sqlite3_stmt *stmt = statement(
			store, err,
			"SELECT sum(count) FROM tally_bucket WHERE tally=? AND level=? AND bucket>=? AND bucket<?",
			"iiii", tally, (int64_t)level, from, tally_bucket_of(end, level));
		int r = statement_one(store, stmt, "sum", err);

		if (r < 0)
			return r;
		*ret += sqlite3_column_int64(stmt, 0);
	}
	return 0;
}

struct tally {
	rowid id;
	int64_t shape, fixed, total;
	bool revoked, behind, compromised;
};

struct sum {
	struct app_counts counts;
	int64_t expired_revoked; /* of those that have expired */
};

static int64_t lesser(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int tally_expired(struct store *store, const struct tally *t, unixtime now, int64_t *ret, struct error *err)
{
	if (t->shape != SHAPE_END)
		return tally_up_to(store, t->id, now, ret, err);
	*ret = t->fixed <= now ? t->total : 0;
	return 0;
}

/* How many have not_after - min(renew_before, life / 3) <= now (device_ca_renewal_at), solved for what the buckets are about; and end until
 * gains_until. */
static int tally_opened(struct store *store, const struct tally *t, const struct app_due_by *by, int64_t *ret,
			struct error *err)
{
	const unixtime now = by->now, until = by->gains_until;

	switch ((enum shape)t->shape) {
	case SHAPE_LIFE:
		return tally_up_to(store, t->id, lesser(until, now + lesser(by->renew_before, t->fixed / 3)), ret, err);
	case SHAPE_BEGIN:
		return tally_up_to(store, t->id,
				   lesser(until, lesser(now + by->renew_before, t->fixed + 3 * (now - t->fixed) / 2)),
				   ret, err);
	default:
		if (t->fixed - by->renew_before <= now && now < t->fixed && t->fixed <= until)
			return tally_up_to(store, t->id, t->fixed - 3 * (t->fixed - now), ret, err);
		*ret = t->fixed <= now ? t->total : 0;
		return 0;
	}
}

/* The first end of a certificate of a tally that is not over. */
static int tally_earliest(struct store *store, const struct tally *t, unixtime now, unixtime *earliest, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = NULL;
	unixtime end = t->fixed > now ? t->fixed : 0;
	int r = 0;

	if (t->shape != SHAPE_END) {
		stmt = statement(store, err, "SELECT min(bucket) FROM tally_bucket WHERE tally=? AND level=0 AND bucket>?",
				 "ii", t->id, now);
		r = statement_one(store, stmt, "end", err);
		end = r == 0 ? sqlite3_column_int64(stmt, 0) : 0; /* NULL is 0 */
	}
	if (end && (!*earliest || end < *earliest))
		*earliest = end;
	return r;
}

/* The conditions are those of device_ca_state, worst first. */
static int tally_count(struct store *store, const struct tally *t, const struct app_due_by *by, struct sum *ret,
		       struct error *err)
{
	struct app_counts *sum = &ret->counts;
	int64_t expired, opened;
	int r;

	sum->total += t->total;
	if (t->shape == SHAPE_NONE || t->compromised) {
		*(t->shape != SHAPE_NONE ? &sum->compromised
		  : t->revoked           ? &sum->revoked
					 : &sum->not_issued) += t->total;
		return 0;
	}
	r = tally_expired(store, t, by->now, &expired, err);
	if (r < 0)
		return r;
	sum->expired += expired;
	ret->expired_revoked += t->revoked ? expired : 0;
	if (!t->revoked)
		r = tally_earliest(store, t, by->now, &sum->earliest, err);
	if (r < 0)
		return r;
	if (t->revoked || t->behind) {
		*(t->revoked ? &sum->revoked : &sum->update_required) += t->total - expired;
		return 0;
	}
	r = tally_opened(store, t, by, &opened, err);
	opened = opened > expired ? opened : expired;
	sum->expiring += opened - expired;
	sum->valid += t->total - opened;
	return r;
}

static int count(struct store *store, rowid project, const struct app_due_by *by, struct sum *ret, struct error *err)
{
	/* While it is open, whatever else this connection reads is of the same moment. */
	_cleanup_statement_ sqlite3_stmt *stmt = statement(
		store, err,
		"SELECT t.id, t.shape, t.fixed, t.total, t.revoked,"
		" t.signing_ca<>iif(?=0, p.signing_ca, ?) OR t.epoch<p.epoch OR t.stale<>0,"
		" k.compromised_at<>0 AND t.epoch>=p.epoch AND t.stale=0 FROM tally t JOIN project p ON p.id=t.project"
		" LEFT JOIN signing_ca c ON c.id=t.signing_ca LEFT JOIN signing_key k ON k.id=c.key WHERE t.project=?",
		"iii", by->signing_ca, by->signing_ca, project);
	struct sum sum = {0};
	int r = stmt ? 0 : -err->code;

	while (stmt && (r = statement_step(store, stmt, err)) == 1) {
		const struct tally t = {
			.id = sqlite3_column_int64(stmt, 0),
			.shape = sqlite3_column_int64(stmt, 1),
			.fixed = sqlite3_column_int64(stmt, 2),
			.total = sqlite3_column_int64(stmt, 3),
			.revoked = sqlite3_column_int(stmt, 4) != 0,
			.behind = sqlite3_column_int(stmt, 5) != 0,
			.compromised = sqlite3_column_int(stmt, 6) != 0,
		};

		r = tally_count(store, &t, by, &sum, err);
		if (r < 0)
			return r;
	}
	if (r == 0)
		*ret = sum;
	return r;
}

int app_count_states(struct store *store, rowid project, unixtime now, int64_t renew_before, struct app_counts *ret,
		     struct error *err)
{
	const struct app_due_by by = {.now = now, .renew_before = renew_before, .gains_until = INT64_MAX};
	struct sum sum;
	int r = pending_write(store, err); /* the writer's own changes, if it is the writer who asks */

	if (r == 0)
		r = count(store, project, &by, &sum, err);
	if (r == 0)
		*ret = sum.counts;
	return r;
}

int app_count_due(struct store *store, rowid project, const struct app_due_by *by, struct app_due *ret,
		  struct error *err)
{
	struct sum sum;
	int r = pending_write(store, err);

	if (r == 0)
		r = count(store, project, by, &sum, err);
	if (r == 0)
		*ret = (struct app_due){.expired = sum.counts.expired - sum.expired_revoked,
					.expiring = sum.counts.expiring,
					.update_required = sum.counts.update_required};
	return r;
}
