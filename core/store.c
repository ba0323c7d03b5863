/* One connection to the store: opening, transactions, statements. */
#include "store_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { STATEMENT_SLOTS = 256 };

struct store {
	sqlite3 *db;
	char *path;
	enum store_mode mode;
	int64_t events; /* added by this connection */
	int64_t keep_events, keep_audit; /* 0: all */
	bool broken; /* a failure after which this connection can't be trusted: store_ready opens it again */
	struct error failure; /* the last one that broke it */
	struct pending *pending;
	struct {
		const char *sql;
		sqlite3_stmt *stmt;
	} statements[STATEMENT_SLOTS]; /* open addressing by the constant's address */
};

/* SQLite's primary result codes as errno. What is not here is EIO. */
static const struct {
	int rc;
	int code;
	const char *remedy;
} failures[] = {
	{SQLITE_FULL, ENOSPC, "the disk is full: make room, nothing was lost"},
	{SQLITE_NOMEM, ENOMEM, "out of memory"},
	{SQLITE_READONLY, EROFS, "it is read-only: make the file and its directory writable"},
	{SQLITE_PERM, EACCES, "its permissions forbid it"},
	{SQLITE_CANTOPEN, EIO, "it can't be opened: look at the path, its permissions and free descriptors"},
	{SQLITE_BUSY, EIO, "another process has locked it: end that process"},
	{SQLITE_LOCKED, EIO, "another process has locked it: end that process"},
	{SQLITE_CORRUPT, EIO, "it is damaged: run `certfs check`, then restore a backup"},
	{SQLITE_NOTADB, EIO, "it is not a certfs store, or damaged: look at store.path"},
	{SQLITE_INTERRUPT, EINTR, "interrupted: nothing is left of it"},
	{SQLITE_IOERR, EIO, "the disk reports an error: look at the kernel's log"},
};

static bool failure_is_fatal(int rc)
{
	return rc == SQLITE_IOERR || rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB || rc == SQLITE_CANTOPEN;
}

static int failure_describe(const struct store *store, int rc, struct error *err)
{
	const char *path = store->path;

	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		return error_set(err, EEXIST, "the store %s already has such an entry", path);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
		if (failures[i].rc == (rc & 0xff))
			return error_set(err, failures[i].code, "store %s: %s (%s)", path, failures[i].remedy,
					 sqlite3_errstr(rc));
	return error_set(err, EIO, "store %s: %s: run `certfs check`", path,
			 store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc));
}

int store_fail(struct store *store, int rc, struct error *err)
{
	const int r = failure_describe(store, rc, err);

	if (failure_is_fatal(rc & 0xff)) {
		store->broken = true;
		store->failure = *err;
	}
	return r;
}

bool store_failed(const struct store *store, struct error *ret_why)
{
	if (store->broken)
		*ret_why = store->failure;
	return store->broken;
}

int store_exec(struct store *store, const char *sql, struct error *err)
{
	int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : store_fail(store, rc, err);
}

/* facts/store-and-faults.md, "SQLite": FULL is what survives a power cut; the busy timeout comes before any PRAGMA. */
static int store_configure(struct store *store, struct error *err)
{
	sqlite3_busy_timeout(store->db, 5000);
	sqlite3_extended_result_codes(store->db, 1);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	if (store->mode == STORE_READ)
		return store_exec(store, "PRAGMA query_only=ON; PRAGMA mmap_size=0; PRAGMA cache_size=-2000", err);
	return store_exec(store,
			  "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
			  "PRAGMA wal_autocheckpoint=1000;" /* bounds recovery; checkpoint.h keeps it shorter */
			  "PRAGMA mmap_size=0; PRAGMA cache_size=-8000; PRAGMA temp_store=MEMORY",
			  err);
}

/* Without totals of memory that nobody asks for: their lock is taken at each malloc. */
static void library_configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* Readers open for writing too: a reader may have to make the WAL's index; query_only keeps it from changing rows. */
static int store_connect(struct store *store, struct error *err)
{
	static pthread_once_t configured = PTHREAD_ONCE_INIT;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		    (store->mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0);
	int rc;

	pthread_once(&configured, library_configure);
	rc = sqlite3_open_v2(store->path, &store->db, flags, NULL);
	return rc == SQLITE_OK ? store_configure(store, err) : store_fail(store, rc, err);
}

static void store_disconnect(struct store *store)
{
	for (size_t i = 0; i < STATEMENT_SLOTS; i++) {
		sqlite3_finalize(store->statements[i].stmt);
		store->statements[i].stmt = NULL;
		store->statements[i].sql = NULL;
	}
	sqlite3_close(store->db);
	store->db = NULL;
}

int store_open(const char *path, enum store_mode mode, struct store **ret, struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int r;

	if (!store || !(store->path = strdup(path))) {
		free(store);
		return error_set(err, ENOMEM, "out of memory");
	}
	store->mode = mode;
	r = pending_new(&store->pending, err);
	if (r == 0)
		r = store_connect(store, err);
	if (r < 0) {
		store_close(store);
		return r;
	}
	*ret = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_disconnect(store);
	pending_free(store->pending);
	free(store->path);
	free(store);
}

int store_ready(struct store *store, struct error *err)
{
	int r;

	if (!store->broken)
		return 0;
	store_disconnect(store);
	r = store_connect(store, err);
	if (r == 0)
		store->broken = false;
	return r;
}

bool store_in_transaction(struct store *store)
{
	return store->db && !sqlite3_get_autocommit(store->db);
}

/* Transactions. A failed COMMIT leaves the transaction open unless SQLite rolled it back itself. */
int store_begin(struct store *store, struct error *err)
{
	pending_clear(store->pending); /* SQLite may have rolled the last transaction back by itself */
	return statement_run(store, err, "BEGIN IMMEDIATE", "");
}

int store_commit(struct store *store, struct error *err)
{
	int r = pending_write(store, err);

	if (r == 0)
		r = statement_run(store, err, "COMMIT", "");
	if (r < 0)
		store_rollback(store);
	else
		pending_clear(store->pending);
	return r;
}

void store_rollback(struct store *store)
{
	struct error ignored;

	if (store_in_transaction(store))
		(void)statement_run(store, &ignored, "ROLLBACK", "");
	pending_clear(store->pending);
}

int store_savepoint(struct store *store, struct error *err)
{
	pending_mark(store->pending);
	return statement_run(store, err, "SAVEPOINT job", "");
}

int store_release(struct store *store, struct error *err)
{
	return statement_run(store, err, "RELEASE job", "");
}

void store_undo(struct store *store)
{
	struct error ignored;

	(void)statement_run(store, &ignored, "ROLLBACK TO job", "");
	pending_undo(store->pending);
	(void)statement_run(store, &ignored, "RELEASE job", "");
}

int store_checkpoint(struct store *store, struct error *err)
{
	const int rc = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);

	return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY ? 0 : store_fail(store, rc, err);
}

int store_read_begin(struct store *store, struct error *err)
{
	return statement_run(store, err, "BEGIN DEFERRED", "");
}

void store_read_end(struct store *store)
{
	struct error ignored;

	(void)statement_run(store, &ignored, "COMMIT", "");
}

void store_keep(struct store *store, int64_t events, int64_t audit)
{
	store->keep_events = events;
	store->keep_audit = audit;
}

/* Looked at with each TRIM_EVERYth row only: so many may be kept beyond. */
int store_trim(struct store *store, const char *sql, rowid newest, bool audit, struct error *err)
{
	enum { TRIM_EVERY = 256 };
	const int64_t keep = audit ? store->keep_audit : store->keep_events;

	if (keep == 0 || newest % TRIM_EVERY != 0)
		return 0;
	return statement_run(store, err, sql, "i", newest - keep);
}

void store_count_event(struct store *store)
{
	store->events++;
}

int64_t store_events_added(const struct store *store)
{
	return store->events;
}

/* Statements. */
static sqlite3_stmt *statement_prepare(struct store *store, const char *sql, struct error *err)
{
	size_t slot = ((uintptr_t)sql >> 3) % STATEMENT_SLOTS;
	int rc;

	while (store->statements[slot].sql && store->statements[slot].sql != sql)
		slot = (slot + 1) % STATEMENT_SLOTS;
	if (store->statements[slot].sql)
		return store->statements[slot].stmt;
	rc = sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &store->statements[slot].stmt, NULL);
	if (rc != SQLITE_OK) {
		store_fail(store, rc, err);
		return NULL;
	}
	store->statements[slot].sql = sql;
	return store->statements[slot].stmt;
}

static int bind_one(sqlite3_stmt *stmt, int index, char type, va_list *ap)
{
	struct span span;

	switch (type) {
	case 'i':
		return sqlite3_bind_int64(stmt, index, va_arg(*ap, int64_t));
	case 't':
		return sqlite3_bind_text(stmt, index, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
	case 'b':
		span = va_arg(*ap, struct span);
		return sqlite3_bind_blob64(stmt, index, span.data ? (const void *)span.data : "", span.size,
					   SQLITE_TRANSIENT);
	default:
		return sqlite3_bind_null(stmt, index);
	}
}

static sqlite3_stmt *statement_bind(struct store *store, struct error *err, const char *sql, const char *format,
				    va_list *ap)
{
	sqlite3_stmt *stmt;

	if (!store->db) {
		error_set(err, EIO, "store %s is closed after a failure: it is opened again at the next try",
			  store->path);
		return NULL;
	}
	stmt = statement_prepare(store, sql, err);
	for (int i = 0; stmt && format[i]; i++) {
		int rc = bind_one(stmt, i + 1, format[i], ap);

		if (rc != SQLITE_OK) {
			store_fail(store, rc, err);
			return NULL;
		}
	}
	return stmt;
}

sqlite3_stmt *statement(struct store *store, struct error *err, const char *sql, const char *format, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;

	va_start(ap, format);
	stmt = statement_bind(store, err, sql, format, &ap);
	va_end(ap);
	return stmt;
}

int statement_step(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : store_fail(store, rc, err);
}

void statement_done(sqlite3_stmt **stmt)
{
	if (!*stmt)
		return;
	sqlite3_reset(*stmt);
	sqlite3_clear_bindings(*stmt);
	*stmt = NULL;
}

int statement_run(struct store *store, struct error *err, const char *sql, const char *format, ...)
{
	_cleanup_statement_ sqlite3_stmt *stmt = NULL;
	va_list ap;
	int r;

	va_start(ap, format);
	stmt = statement_bind(store, err, sql, format, &ap);
	va_end(ap);
	if (!stmt)
		return -err->code;
	do {
		r = statement_step(store, stmt, err);
	} while (r == 1);
	return r;
}

int statement_one(struct store *store, sqlite3_stmt *stmt, const char *what, struct error *err)
{
	int r;

	if (!stmt)
		return -err->code;
	r = statement_step(store, stmt, err);
	if (r == 0)
		return error_set(err, ENOENT, "there is no such %s", what);
	return r < 0 ? r : 0;
}

struct pending *store_pending(struct store *store)
{
	return store->pending;
}

sqlite3 *store_db(struct store *store)
{
	return store->db;
}

rowid store_last_id(struct store *store)
{
	return sqlite3_last_insert_rowid(store->db);
}
