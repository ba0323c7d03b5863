/* The schema, as numbered steps. A step never changes once it has been released: add another one. */
#include "store_internal.h"

static const char schema_1[] =
	/* Data keys of the seal, wrapped by the master key (seal.h). */
	"CREATE TABLE term("
	"  id INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;"

	"CREATE TABLE project("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
	"  uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL,"
	"  created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, apps_changed_at INTEGER NOT NULL,"
	"  apps INTEGER NOT NULL DEFAULT 0, issued INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 1,"
	"  compromised_epoch INTEGER NOT NULL DEFAULT 0,"
	/* The monitor's: next look at the signing CA (0: none), the state last told of; and how far a new policy has been applied to
	 * the looks at app instances (-1: to all). */
	"  due_at INTEGER NOT NULL DEFAULT 0, announced INTEGER NOT NULL DEFAULT -1, recheck INTEGER NOT NULL DEFAULT -1,"
	/* The staged successor (a signing_ca), and the key of csr.pem (a signing_key). */
	"  next_ca INTEGER NOT NULL DEFAULT 0, csr_key INTEGER NOT NULL DEFAULT 0,"
	"  revision INTEGER NOT NULL DEFAULT 1, signing_ca INTEGER NOT NULL DEFAULT 0,"
	"  policy TEXT NOT NULL) STRICT;"

	/* A key, whichever projects use it: a mark of compromise is on the key, for ever. sealed NULL: the key is gone. */
	"CREATE TABLE signing_key("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, spki BLOB NOT NULL UNIQUE, sealed BLOB,"
	"  created_at INTEGER NOT NULL, compromised_at INTEGER NOT NULL DEFAULT 0,"
	"  compromised_reason TEXT NOT NULL DEFAULT '') STRICT;"

	"CREATE TABLE signing_ca("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, key INTEGER NOT NULL,"
	"  not_before INTEGER NOT NULL, not_after INTEGER NOT NULL, path_length INTEGER NOT NULL,"
	"  self_signed INTEGER NOT NULL, has_root INTEGER NOT NULL, crl_sign INTEGER NOT NULL,"
	"  chain_revision INTEGER NOT NULL, activated_at INTEGER NOT NULL, fingerprint BLOB NOT NULL,"
	"  last_not_after INTEGER NOT NULL DEFAULT 0, warning TEXT NOT NULL) STRICT;"
	"CREATE INDEX signing_ca_project ON signing_ca(project);"
	"CREATE INDEX signing_ca_key ON signing_ca(key);"
	"CREATE TABLE signing_ca_cert("
	"  signing_ca INTEGER NOT NULL, position INTEGER NOT NULL, der BLOB NOT NULL,"
	"  PRIMARY KEY(signing_ca, position)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE app("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, name TEXT NOT NULL,"
	"  uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL,"
	"  created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL DEFAULT 0, last_number INTEGER NOT NULL DEFAULT 0,"
	"  stale_number INTEGER NOT NULL DEFAULT 0, revoked_at INTEGER NOT NULL DEFAULT 0,"
	"  revoke_reason TEXT NOT NULL DEFAULT '',"
	"  due_at INTEGER NOT NULL DEFAULT 0, announced INTEGER NOT NULL DEFAULT -1,"
	"  delivered INTEGER NOT NULL DEFAULT 0, delivered_at INTEGER NOT NULL DEFAULT 0,"
	"  tally INTEGER NOT NULL DEFAULT 0, tally_at INTEGER NOT NULL DEFAULT 0, UNIQUE(project, name)) STRICT;"
	"CREATE INDEX app_listing ON app(project, id, name);"
	"CREATE INDEX app_due ON app(due_at) WHERE due_at<>0;"

	/* Counts by state, see store_tally.c. */
	"CREATE TABLE tally("
	"  id INTEGER PRIMARY KEY, project INTEGER NOT NULL, signing_ca INTEGER NOT NULL, epoch INTEGER NOT NULL,"
	"  stale INTEGER NOT NULL, revoked INTEGER NOT NULL, shape INTEGER NOT NULL, fixed INTEGER NOT NULL,"
	"  total INTEGER NOT NULL DEFAULT 0, UNIQUE(project, signing_ca, epoch, stale, revoked, shape, fixed)) STRICT;"
	"CREATE TABLE tally_bucket("
	"  tally INTEGER NOT NULL, level INTEGER NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL,"
	"  PRIMARY KEY(tally, level, bucket)) STRICT, WITHOUT ROWID;"

	/* sealed NULL: a newer generation has taken the key's place. spki names the key of the certificate, key its signer. */
	"CREATE TABLE generation("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, app INTEGER NOT NULL, number INTEGER NOT NULL,"
	"  signing_ca INTEGER NOT NULL, key INTEGER NOT NULL, epoch INTEGER NOT NULL, revision INTEGER NOT NULL,"
	"  serial BLOB NOT NULL, not_before INTEGER NOT NULL, not_after INTEGER NOT NULL,"
	"  issued_at INTEGER NOT NULL, previous_at INTEGER NOT NULL, key_type INTEGER NOT NULL,"
	"  spki BLOB NOT NULL, cert BLOB NOT NULL, sealed BLOB, revoked_at INTEGER NOT NULL DEFAULT 0,"
	"  revoke_reason TEXT NOT NULL DEFAULT '', UNIQUE(app, number), UNIQUE(key, serial)) STRICT;"

	"CREATE INDEX generation_revoked ON generation(key, revoked_at) WHERE revoked_at<>0;"

	"CREATE TABLE fired("
	"  scope TEXT NOT NULL, object INTEGER NOT NULL, name TEXT NOT NULL, counter INTEGER NOT NULL,"
	"  last INTEGER NOT NULL, reason TEXT NOT NULL, state TEXT NOT NULL,"
	"  PRIMARY KEY(scope, object, name)) STRICT, WITHOUT ROWID;"

	/* Templates and details that users wrote; scope as in fired. */
	"CREATE TABLE document("
	"  scope TEXT NOT NULL, object INTEGER NOT NULL, name TEXT NOT NULL, content BLOB NOT NULL,"
	"  PRIMARY KEY(scope, object, name)) STRICT, WITHOUT ROWID;"

	/* What a request was answered, in the transaction of its effect: a resent one gets the same answer. */
	"CREATE TABLE request("
	"  connection INTEGER NOT NULL, request INTEGER NOT NULL, result INTEGER NOT NULL, time INTEGER NOT NULL,"
	"  PRIMARY KEY(connection, request)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE audit("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, uid INTEGER NOT NULL, gid INTEGER NOT NULL,"
	"  pid INTEGER NOT NULL, command TEXT NOT NULL, action TEXT NOT NULL, object TEXT NOT NULL,"
	"  app INTEGER NOT NULL,"
	"  generation INTEGER NOT NULL) STRICT;"
	"CREATE INDEX audit_app ON audit(app, id);"

	/* An update or force_update on its way over a project's app instances, and the ended ones. */
	"CREATE TABLE operation("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,"
	"  total INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
	"  cursor INTEGER NOT NULL DEFAULT 0, started_at INTEGER NOT NULL, finished_at INTEGER NOT NULL DEFAULT 0) STRICT;"
	"CREATE INDEX operation_project ON operation(project, id);"
	"CREATE INDEX operation_active ON operation(id) WHERE finished_at=0;"

	/* Where an app instance stands in a purge or a project's job: the step that comes next. A row for each that is under way, or failed. */
	"CREATE TABLE procedure("
	"  app INTEGER PRIMARY KEY, operation TEXT NOT NULL, kind TEXT NOT NULL, step INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL, failed INTEGER NOT NULL, queued INTEGER NOT NULL) STRICT;"

	/* line: the JSON object behind its id (event.h). project, app: 0 where the event is not of one. */
	"CREATE TABLE event("
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, project INTEGER NOT NULL, app INTEGER NOT NULL,"
	"  line TEXT NOT NULL) STRICT;"
	"CREATE INDEX event_project ON event(project, id);"
	"CREATE INDEX event_app ON event(app, id) WHERE app<>0;";

static const char schema_2[] =
	/* SHA-256 of the master key that wraps it, x'' if that was not noted yet. */
	"ALTER TABLE term ADD COLUMN master BLOB NOT NULL DEFAULT x'';"

	/* One row: see store_raise. */
	"CREATE TABLE restored(id INTEGER PRIMARY KEY, floor INTEGER NOT NULL) STRICT;"
	"INSERT INTO restored(id, floor) VALUES(1, 0);";

/* What has ever happened, for `metrics`: counted where it happens, so that nothing is missed and nothing counted twice. */
static const char schema_3[] =
	"CREATE TABLE total(name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"INSERT INTO total VALUES"
	" ('issued', (SELECT count(*) FROM generation)),"
	" ('renewed', (SELECT count(*) FROM generation WHERE number>1)),"
	" ('revoked', (SELECT count(*) FROM generation WHERE revoked_at<>0)),"
	" ('hook_failed', 0);"
	"CREATE TRIGGER generation_issued AFTER INSERT ON generation BEGIN"
	"  UPDATE total SET value=value+1 WHERE name='issued' OR (name='renewed' AND new.number>1); END;"
	"CREATE TRIGGER generation_revoked AFTER UPDATE OF revoked_at ON generation"
	"  WHEN old.revoked_at=0 AND new.revoked_at<>0 BEGIN"
	"  UPDATE total SET value=value+1 WHERE name='revoked'; END;";

/* A statement that fires a trigger has SQLite copy every page that it changes: store_generation.c counts instead, see store_pending.c. */
static const char schema_4[] =
	"DROP TRIGGER generation_issued;"
	"DROP TRIGGER generation_revoked;";

/* When a user last changed a file of it: what rsync and tar go by. */
static const char schema_5[] =
	"ALTER TABLE project ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE app ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;";

static const char *const steps[] = {schema_1, schema_2, schema_3, schema_4, schema_5};
enum { SCHEMA_VERSION = sizeof(steps) / sizeof(steps[0]) };

static int schema_version(struct store *store, int64_t *ret, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "PRAGMA user_version", "");
	int r = statement_one(store, stmt, "schema", err);

	if (r < 0)
		return r;
	*ret = sqlite3_column_int64(stmt, 0);
	return 0;
}

static int schema_newer(int64_t version, struct error *err)
{
	return error_set(err, ENOTSUP,
			 "the store was made by a newer certfs (schema %lld, this program knows %d): install that version",
			 (long long)version, SCHEMA_VERSION);
}

int store_current(struct store *store, struct error *err)
{
	int64_t version;
	int r = schema_version(store, &version, err);

	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION)
		return schema_newer(version, err);
	if (version < SCHEMA_VERSION)
		return error_set(err, ESTALE, "the store is of an older certfs, or empty: mount it once to bring it up to date");
	return 0;
}

static int schema_step(struct store *store, int64_t from, struct error *err)
{
	char mark[48];
	int r = store_begin(store, err);

	if (r < 0)
		return r;
	sqlite3_snprintf(sizeof(mark), mark, "PRAGMA user_version=%lld", (long long)from + 1);
	r = store_exec(store, steps[from], err);
	if (r >= 0)
		r = store_exec(store, mark, err);
	if (r >= 0)
		return store_commit(store, err);
	store_rollback(store);
	return r;
}

int store_migrate(struct store *store, struct error *err)
{
	int64_t version;
	int r = schema_version(store, &version, err);

	if (r < 0)
		return r;
	if (version > SCHEMA_VERSION)
		return schema_newer(version, err);
	for (; version < SCHEMA_VERSION; version++) {
		r = schema_step(store, version, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int store_term_add(struct store *store, uint32_t term, struct span wrapped, struct error *err)
{
	return statement_run(store, err, "INSERT INTO term(id, wrapped) VALUES(?, ?)", "ib", (int64_t)term, wrapped);
}

int store_term_each(struct store *store, int (*each)(void *context, uint32_t term, struct span wrapped),
		    void *context, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT id, wrapped FROM term ORDER BY id", "");
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		r = each(context, (uint32_t)sqlite3_column_int64(stmt, 0), column_span(stmt, 1));
		if (r < 0)
			return r;
	}
	return r;
}

int store_term_rewrap(struct store *store, uint32_t term, struct span wrapped, const uint8_t master[FINGERPRINT_SIZE],
		      struct error *err)
{
	return statement_run(store, err, "UPDATE term SET wrapped=?, master=? WHERE id=?", "bbi", wrapped,
			     (struct span){master, FINGERPRINT_SIZE}, (int64_t)term);
}

int store_term_master(struct store *store, uint8_t ret[FINGERPRINT_SIZE], struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt =
		statement(store, err, "SELECT master FROM term WHERE length(master)=32 ORDER BY id DESC LIMIT 1", "");
	int r = stmt ? statement_step(store, stmt, err) : -err->code;

	if (r == 1)
		column_bytes(stmt, 0, ret, FINGERPRINT_SIZE);
	return r;
}

int store_term_note(struct store *store, const uint8_t master[FINGERPRINT_SIZE], struct error *err)
{
	return statement_run(store, err, "UPDATE term SET master=? WHERE length(master)<>32", "b",
			     (struct span){master, FINGERPRINT_SIZE});
}
