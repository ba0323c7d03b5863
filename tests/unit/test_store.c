/* The store: the schema's versions, rows that come back as they went in, ids and serials that are never used twice, and what a
 * transaction leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store.h"

enum { NOW = 1800000000 };

#define OK(call)                                                                    \
	do {                                                                        \
		if ((call) < 0)                                                     \
			fail_msg("%s: %s", #call, err.text);                        \
	} while (0)

struct fixture {
	char directory[32], path[64];
	struct store *store; /* the writer's */
};

static struct error err; /* of the last call */

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->directory, "/tmp/test_store.XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/c.db", f->directory);
	*state = f;
	err = (struct error){0};
	if (store_open(f->path, STORE_CREATE, &f->store, &err) < 0)
		return -1;
	return store_migrate(f->store, &err);
}

static int teardown(void **state)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	struct fixture *f = *state;
	char path[80];

	store_close(f->store);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, suffixes[i]);
		unlink(path);
	}
	if (rmdir(f->directory) < 0)
		return -1;
	free(f);
	return 0;
}

/* SQL that no call of the store's would run. */
static void raw(const struct fixture *f, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static rowid add_project(struct store *store, const char *name)
{
	struct project_row row = {.owner = {.uid = 1000, .gid = 1001, .mode = 0750, .created_at = NOW, .changed_at = NOW + 1},
				  .apps_changed_at = NOW + 2};

	snprintf(row.name, sizeof(row.name), "%s", name);
	OK(project_insert(store, &row, "[certificate]\n", &err));
	assert_true(row.id > 0);
	return row.id;
}

static rowid add_app(struct store *store, rowid project, const char *name)
{
	struct app_row row = {.project = project,
			      .owner = {.uid = 7, .gid = 8, .mode = 0700, .created_at = NOW, .changed_at = NOW + 1}};

	snprintf(row.name, sizeof(row.name), "%s", name);
	OK(app_insert(store, &row, &err));
	assert_true(row.id > 0);
	return row.id;
}

static struct generation_row generation_of(rowid app, int64_t number, uint8_t serial)
{
	struct generation_row row = {.app = app, .number = number, .signing_ca = 1, .epoch = 3, .revision = 4,
				     .not_before = NOW, .not_after = NOW + 1000, .issued_at = NOW + number,
				     .previous_at = NOW - 5, .key_type = 2};

	memset(row.serial, serial, sizeof(row.serial));
	row.serial[0] = 0x40;
	memset(row.spki, 0xab, sizeof(row.spki));
	return row;
}

static rowid add_generation(struct store *store, rowid app, int64_t number, uint8_t serial)
{
	struct generation_row row = generation_of(app, number, serial);

	OK(generation_insert(store, &row, 1, span_text("certificate"), span_text("sealed"), &err));
	OK(app_set_generation(store, app, row.id, number, 0, &err));
	return row.id;
}

static int64_t count_projects(struct store *store)
{
	int64_t count = -1;

	OK(project_count(store, &count, &err));
	return count;
}

/* ---- schema ---- */

static void test_migrate(void **state)
{
	struct fixture *f = *state;
	struct store *again = NULL;

	OK(store_current(f->store, &err));
	OK(store_migrate(f->store, &err)); /* nothing left to do */
	OK(store_integrity(f->store, &err));
	add_project(f->store, "p");
	OK(store_open(f->path, STORE_WRITE, &again, &err));
	OK(store_current(again, &err));
	OK(store_migrate(again, &err));
	assert_int_equal(count_projects(again), 1);
	store_close(again);
}

static void test_newer_schema(void **state)
{
	struct fixture *f = *state;

	raw(f, "PRAGMA user_version=1000");
	assert_int_equal(store_current(f->store, &err), -ENOTSUP);
	assert_int_equal(store_migrate(f->store, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "newer certfs"));
	assert_non_null(strstr(err.text, "1000"));
}

static void test_empty_store(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;
	char path[80];

	snprintf(path, sizeof(path), "%s/other.db", f->directory);
	assert_true(store_open(path, STORE_WRITE, &store, &err) < 0); /* is not made by anything but STORE_CREATE */
	assert_null(store);
	assert_int_equal(access(path, F_OK), -1);
	OK(store_open(path, STORE_CREATE, &store, &err));
	assert_int_equal(store_current(store, &err), -ESTALE);
	store_close(store);
	assert_int_equal(unlink(path), 0);
}

static void test_not_a_store(void **state)
{
	struct fixture *f = *state;
	struct store *store = NULL;
	char path[80];
	FILE *stream;
	int r;

	snprintf(path, sizeof(path), "%s/text", f->directory);
	stream = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database. ", stream);
	assert_int_equal(fclose(stream), 0);
	r = store_open(path, STORE_WRITE, &store, &err);
	if (r == 0)
		r = store_current(store, &err);
	assert_int_equal(r, -EIO);
	assert_non_null(strstr(err.text, path));
	store_close(store);
	assert_int_equal(unlink(path), 0);
}

/* A reader's connection changes nothing. */
static void test_reader(void **state)
{
	struct fixture *f = *state;
	struct store *reader = NULL;
	struct project_row row = {.name = "q"}, found;

	add_project(f->store, "p");
	OK(store_open(f->path, STORE_READ, &reader, &err));
	OK(project_by_name(reader, "p", &found, &err));
	assert_int_equal(project_insert(reader, &row, "", &err), -EROFS);
	store_close(reader);
	assert_int_equal(count_projects(f->store), 1);
}

/* ---- projects ---- */

static void test_project(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	_cleanup_buffer_ struct buffer policy = {0};
	const rowid id = add_project(store, "plant-7");
	struct owner owner = {.uid = 4294967294U, .gid = 5, .mode = 0700};
	struct project_row row;

	memset(&row, 0x5a, sizeof(row));
	OK(project_by_name(store, "plant-7", &row, &err));
	assert_int_equal(row.id, id);
	assert_string_equal(row.name, "plant-7");
	assert_int_equal(row.owner.uid, 1000);
	assert_int_equal(row.owner.gid, 1001);
	assert_int_equal(row.owner.mode, 0750);
	assert_int_equal(row.owner.created_at, NOW);
	assert_int_equal(row.owner.changed_at, NOW + 1);
	assert_int_equal(row.apps_changed_at, NOW + 2);
	assert_int_equal(row.apps, 0);
	assert_int_equal(row.epoch, 1);
	assert_int_equal(row.revision, 1);
	assert_int_equal(row.signing_ca, 0);
	OK(project_policy(store, id, &policy, &err));
	assert_true(span_equal(buffer_span(&policy), span_text("[certificate]\n")));

	OK(project_set_owner(store, id, &owner, &err));
	OK(project_set_policy(store, id, span_text("; W\xc3\xa4rme"), &err));
	OK(project_set_signing_ca(store, id, 9, &err));
	OK(project_next_epoch(store, id, true, &err));
	OK(project_add_apps(store, id, 3, NOW + 9, &err));
	OK(project_add_apps(store, id, -1, NOW + 10, &err));
	OK(project_by_id(store, id, &row, &err));
	assert_int_equal(row.owner.uid, 4294967294U);
	assert_int_equal(row.owner.mode, 0700);
	assert_int_equal(row.owner.created_at, NOW);
	assert_int_equal(row.revision, 3);
	assert_int_equal(row.signing_ca, 9);
	assert_int_equal(row.epoch, 2);
	assert_int_equal(row.compromised_epoch, row.epoch);
	assert_int_equal(row.apps, 2);
	assert_int_equal(row.apps_changed_at, NOW + 10);
	OK(project_policy(store, id, &policy, &err));
	assert_true(span_equal(buffer_span(&policy), span_text("; W\xc3\xa4rme")));
}

static void test_no_such_rows(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	_cleanup_buffer_ struct buffer bytes = {0};
	struct project_row project, before;
	struct app_row app;
	struct generation_row generation;
	struct signing_ca_row ca;

	memset(&before, 0x5a, sizeof(before));
	project = before;
	assert_int_equal(project_by_id(store, 1, &project, &err), -ENOENT);
	assert_int_equal(project_by_name(store, "p", &project, &err), -ENOENT);
	assert_memory_equal(&project, &before, sizeof(project));
	assert_int_equal(project_policy(store, 1, &bytes, &err), -ENOENT);
	assert_int_equal(app_by_id(store, 1, &app, &err), -ENOENT);
	assert_int_equal(app_id_of_name(store, 1, "a", &app.id, &err), -ENOENT);
	assert_int_equal(generation_by_id(store, 1, &generation, &err), -ENOENT);
	assert_int_equal(generation_by_number(store, 1, 1, &generation, &err), -ENOENT);
	assert_int_equal(generation_cert(store, 1, &bytes, &err), -ENOENT);
	assert_int_equal(generation_sealed(store, 1, &bytes, &err), -ENOENT);
	assert_int_equal(signing_ca_by_id(store, 1, &ca, &err), -ENOENT);
	assert_int_equal(signing_key_sealed(store, 1, &bytes, &err), -ENOENT);
}

/* Names are unique, and told apart to the letter. */
static void test_names_unique(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	struct project_row project = {.name = "p"}, found;
	const rowid id = add_project(store, "p");
	struct app_row app = {.name = "a", .project = id};

	assert_int_equal(project_insert(store, &project, "", &err), -EEXIST);
	assert_int_equal(project_by_name(store, "P", &found, &err), -ENOENT);
	add_project(store, "P");
	add_app(store, id, "a");
	assert_int_equal(app_insert(store, &app, &err), -EEXIST);
	add_app(store, id, "A");
	add_app(store, id + 1, "a");
	assert_int_equal(count_projects(store), 2);
}

/* The highest id is not given again when its row is gone, not even to the next program that opens the store. */
static void test_ids_never_again(void **state)
{
	struct fixture *f = *state;
	const rowid project = add_project(f->store, "p");
	const rowid app = add_app(f->store, project, "a");
	const rowid generation = add_generation(f->store, app, 1, 1);

	OK(app_delete(f->store, app, &err));
	OK(project_delete(f->store, project, &err));
	raw(f, "DELETE FROM generation");
	store_close(f->store);
	f->store = NULL;
	OK(store_open(f->path, STORE_WRITE, &f->store, &err));
	assert_true(add_project(f->store, "p") > project);
	assert_true(add_app(f->store, project, "a") > app);
	assert_true(add_generation(f->store, app, 1, 2) > generation);
}

struct names {
	int count;
	int stop_at;
	rowid id[8];
	char name[8][NAME_SIZE];
};

static int collect(void *context, rowid id, const char *name)
{
	struct names *names = context;

	names->id[names->count] = id;
	strcpy(names->name[names->count], name);
	return ++names->count == names->stop_at;
}

static void test_listings(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid z = add_project(store, "z"), a = add_project(store, "a"), m = add_project(store, "m");
	struct names names = {0};

	OK(project_each(store, 0, collect, &names, &err));
	assert_int_equal(names.count, 3);
	assert_string_equal(names.name[0], "z");
	assert_string_equal(names.name[2], "m");
	names = (struct names){.stop_at = 1};
	OK(project_each(store, z, collect, &names, &err));
	assert_int_equal(names.count, 1);
	assert_int_equal(names.id[0], a);

	add_app(store, a, "x");
	add_app(store, m, "other");
	add_app(store, a, "b");
	names = (struct names){0};
	OK(app_each(store, a, 0, collect, &names, &err));
	assert_int_equal(names.count, 2);
	assert_string_equal(names.name[0], "x");
	assert_string_equal(names.name[1], "b");
	names = (struct names){0};
	OK(app_each(store, a, 1000, collect, &names, &err));
	assert_int_equal(names.count, 0);
}

/* ---- app instances ---- */

static void test_app(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid id = add_app(store, add_project(store, "p"), "gw-01");
	struct app_row row;

	OK(app_set_generation(store, id, 77, 5, NOW + 60, &err));
	OK(app_set_stale(store, id, 4, &err));
	OK(app_set_revoked(store, id, NOW + 3, "stolen", &err));
	memset(&row, 0x5a, sizeof(row));
	OK(app_by_id(store, id, &row, &err));
	assert_string_equal(row.name, "gw-01");
	assert_int_equal(row.owner.uid, 7);
	assert_int_equal(row.owner.mode, 0700);
	assert_int_equal(row.generation, 77);
	assert_int_equal(row.last_number, 5);
	assert_int_equal(row.stale_number, 4);
	assert_int_equal(row.revoked_at, NOW + 3);
	assert_string_equal(row.revoke_reason, "stolen");
	assert_int_equal(row.due_at, NOW + 60);
	assert_int_equal(row.announced, -1);
	OK(app_set_revoked(store, id, 0, "", &err));
	OK(app_by_id(store, id, &row, &err));
	assert_int_equal(row.revoked_at, 0);
	assert_string_equal(row.revoke_reason, "");
}

static void test_due(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p");
	const rowid late = add_app(store, p, "late"), soon = add_app(store, p, "soon"), never = add_app(store, p, "never");
	rowid due[4];

	OK(app_set_due(store, late, NOW + 2, 1, &err));
	OK(app_set_due(store, soon, NOW + 1, 1, &err));
	OK(app_set_due(store, never, 0, 1, &err));
	assert_int_equal(app_due(store, NOW, due, 4, &err), 0);
	assert_int_equal(app_due(store, NOW + 1, due, 4, &err), 1);
	assert_int_equal(due[0], soon);
	assert_int_equal(app_due(store, NOW + 2, due, 4, &err), 2);
	assert_int_equal(due[0], soon);
	assert_int_equal(due[1], late);
	assert_int_equal(app_due(store, NOW + 2, due, 1, &err), 1);
}

/* What a deleted object's triggers were is not the next one's. */
static void test_delete_drops_triggers(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const struct trigger_row fired = {.counter = 3, .last = NOW, .reason = "why", .state = "done"};
	const rowid p = add_project(store, "p"), a = add_app(store, p, "a");
	struct trigger_row row;

	OK(trigger_put(store, "app", a, "purge", &fired, &err));
	OK(trigger_put(store, "project", p, "update", &fired, &err));
	OK(trigger_put(store, "app", a + 1, "purge", &fired, &err));
	OK(app_delete(store, a, &err));
	OK(project_delete(store, p, &err));
	OK(trigger_get(store, "app", a, "purge", &row, &err));
	assert_int_equal(row.counter, 0);
	OK(trigger_get(store, "project", p, "update", &row, &err));
	assert_int_equal(row.counter, 0);
	OK(trigger_get(store, "app", a + 1, "purge", &row, &err));
	assert_int_equal(row.counter, 3);
}

/* ---- generations ---- */

static void test_generation(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	_cleanup_buffer_ struct buffer bytes = {0};
	const rowid app = add_app(store, add_project(store, "p"), "a");
	struct generation_row row = generation_of(app, 2, 0x77), found;
	unixtime newest = -1;

	OK(generation_newest(store, &newest, &err));
	assert_int_equal(newest, 0);
	OK(generation_insert(store, &row, 6, span_text("the certificate"), span_text("the key"), &err));
	memset(&found, 0x5a, sizeof(found));
	OK(generation_by_number(store, app, 2, &found, &err));
	assert_int_equal(found.id, row.id);
	assert_int_equal(found.signing_ca, 1);
	assert_int_equal(found.epoch, 3);
	assert_int_equal(found.revision, 4);
	assert_int_equal(found.not_before, NOW);
	assert_int_equal(found.not_after, NOW + 1000);
	assert_int_equal(found.issued_at, NOW + 2);
	assert_int_equal(found.previous_at, NOW - 5);
	assert_int_equal(found.key_type, 2);
	assert_int_equal(found.cert_size, strlen("the certificate"));
	assert_int_equal(found.revoked_at, 0);
	assert_memory_equal(found.serial, row.serial, SERIAL_SIZE);
	assert_memory_equal(found.spki, row.spki, FINGERPRINT_SIZE);
	OK(generation_newest(store, &newest, &err));
	assert_int_equal(newest, NOW + 2);

	OK(generation_cert(store, row.id, &bytes, &err));
	assert_true(span_equal(buffer_span(&bytes), span_text("the certificate")));
	OK(generation_sealed(store, row.id, &bytes, &err));
	assert_true(span_equal(buffer_span(&bytes), span_text("the key")));
	OK(generation_drop_key(store, row.id, &err));
	assert_int_equal(generation_sealed(store, row.id, &bytes, &err), -ENOENT);
	OK(generation_cert(store, row.id, &bytes, &err));
}

/* One signing key never gives a serial twice; another key may. A number is an app instance's once. */
static void test_serial_unique(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid app = add_app(store, add_project(store, "p"), "a");
	struct generation_row first = generation_of(app, 1, 1), again = generation_of(app, 2, 1),
			      number = generation_of(app, 1, 2);

	OK(generation_insert(store, &first, 6, span_text("c"), span_text("k"), &err));
	assert_int_equal(generation_insert(store, &again, 6, span_text("c"), span_text("k"), &err), -EEXIST);
	assert_int_equal(again.id, 0);
	assert_int_equal(generation_insert(store, &number, 6, span_text("c"), span_text("k"), &err), -EEXIST);
	OK(generation_insert(store, &again, 7, span_text("c"), span_text("k"), &err));
}

/* The app instance goes: what has not ended is revoked, once, and no key is left. */
static void test_retire(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	_cleanup_buffer_ struct buffer bytes = {0};
	const rowid p = add_project(store, "p"), app = add_app(store, p, "a"), other = add_app(store, p, "b");
	const rowid first = add_generation(store, app, 1, 1), second = add_generation(store, app, 2, 2),
		    bystander = add_generation(store, other, 1, 3);
	struct generation_row row;

	OK(generation_revoke(store, first, NOW + 5, "keyCompromise", &err));
	OK(generation_retire(store, app, NOW + 10, "cessationOfOperation", &err));
	OK(generation_by_id(store, first, &row, &err));
	assert_int_equal(row.revoked_at, NOW + 5);
	OK(generation_by_id(store, second, &row, &err));
	assert_int_equal(row.revoked_at, NOW + 10);
	assert_int_equal(generation_sealed(store, second, &bytes, &err), -ENOENT);
	OK(generation_by_id(store, bystander, &row, &err));
	assert_int_equal(row.revoked_at, 0);
	OK(generation_sealed(store, bystander, &bytes, &err));
	OK(generation_retire(store, other, NOW + 1000, "cessationOfOperation", &err)); /* has ended: nothing to revoke */
	OK(generation_by_id(store, bystander, &row, &err));
	assert_int_equal(row.revoked_at, 0);
}

static void expect_totals(struct store *store, int64_t issued, int64_t renewed, int64_t revoked)
{
	int64_t value;

	OK(total_get(store, "issued", &value, &err));
	assert_int_equal(value, issued);
	OK(total_get(store, "renewed", &value, &err));
	assert_int_equal(value, renewed);
	OK(total_get(store, "revoked", &value, &err));
	assert_int_equal(value, revoked);
}

/* What has ever happened is counted once, and not where it was undone. */
static void test_totals(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p"), app = add_app(store, p, "a"), other = add_app(store, p, "b");
	const rowid first = add_generation(store, app, 1, 1);

	expect_totals(store, 1, 0, 0); /* outside of a transaction: at once */
	OK(store_begin(store, &err));
	add_generation(store, app, 2, 2);
	OK(store_savepoint(store, &err));
	add_generation(store, other, 1, 3);
	OK(generation_revoke(store, first, NOW, "superseded", &err));
	store_undo(store);
	OK(store_commit(store, &err));
	expect_totals(store, 2, 1, 0);
	OK(generation_revoke(store, first, NOW + 5, "superseded", &err));
	OK(generation_revoke(store, first, NOW + 4, "superseded", &err)); /* earlier: no second one */
	expect_totals(store, 2, 1, 1);
	OK(generation_revoke_up_to(store, app, 2, NOW + 3, "cACompromise", &err));
	expect_totals(store, 2, 1, 2);
	OK(generation_retire(store, app, NOW + 1, "cessationOfOperation", &err));
	expect_totals(store, 2, 1, 2);
	OK(store_begin(store, &err));
	add_generation(store, other, 1, 3);
	store_rollback(store);
	expect_totals(store, 2, 1, 2);
}

/* ---- signing CAs ---- */

static void test_signing_key(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	_cleanup_buffer_ struct buffer sealed = {0};
	const uint8_t spki[FINGERPRINT_SIZE] = {9, 9};
	struct signing_key_row row;
	rowid id = 0, again = 0;

	assert_int_equal(signing_key_by_spki(store, spki, &row, &err), -ENOENT);
	OK(signing_key_put(store, spki, span_text("first"), NOW, &id, &err));
	OK(signing_key_compromise(store, id, NOW + 1, "laptop lost", &err));
	OK(signing_key_put(store, spki, span_text("second"), NOW + 2, &again, &err));
	assert_int_equal(again, id);
	OK(signing_key_sealed(store, id, &sealed, &err));
	assert_true(span_equal(buffer_span(&sealed), span_text("second")));
	OK(signing_key_by_spki(store, spki, &row, &err));
	assert_true(row.usable);
	assert_int_equal(row.compromised_at, NOW + 1); /* for ever */
	assert_string_equal(row.compromised_reason, "laptop lost");
}

struct chain_seen {
	int count;
	char first[8];
};

static int see_cert(void *context, struct span der)
{
	struct chain_seen *seen = context;

	if (seen->count++ == 0)
		snprintf(seen->first, sizeof(seen->first), "%.*s", (int)der.size, (const char *)der.data);
	return 0;
}

static void test_signing_ca(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p");
	struct signing_ca_row row = {.project = p, .not_before = NOW, .not_after = NOW + 9, .path_length = 2,
				     .self_signed = true, .crl_sign = true, .chain_revision = 3, .activated_at = NOW + 1,
				     .fingerprint = {1, 2}, .spki = {3, 4}};
	struct signing_ca_row found;
	struct chain_seen seen = {0};

	OK(signing_key_put(store, row.spki, span_text("k"), NOW, &row.key, &err));
	OK(signing_ca_insert(store, &row, &err));
	OK(signing_ca_add_cert(store, row.id, 1, span_text("root"), &err));
	OK(signing_ca_add_cert(store, row.id, 0, span_text("signer"), &err));
	assert_int_equal(signing_ca_add_cert(store, row.id, 0, span_text("twice"), &err), -EEXIST);
	memset(&found, 0x5a, sizeof(found));
	OK(signing_ca_by_spki(store, p, row.spki, &found, &err));
	assert_int_equal(found.id, row.id);
	assert_int_equal(found.key, row.key);
	assert_int_equal(found.path_length, 2);
	assert_true(found.self_signed);
	assert_false(found.has_root);
	assert_true(found.crl_sign);
	assert_memory_equal(found.fingerprint, row.fingerprint, FINGERPRINT_SIZE);
	assert_memory_equal(found.spki, row.spki, FINGERPRINT_SIZE);
	assert_int_equal(found.compromised_at, 0);
	assert_int_equal(signing_ca_by_spki(store, p + 1, row.spki, &found, &err), -ENOENT);
	OK(signing_ca_certs(store, row.id, see_cert, &seen, &err));
	assert_int_equal(seen.count, 2);
	assert_string_equal(seen.first, "signer");
	OK(signing_ca_drop_certs(store, row.id, &err));
	seen = (struct chain_seen){0};
	OK(signing_ca_certs(store, row.id, see_cert, &seen, &err));
	assert_int_equal(seen.count, 0);
}

/* What is being issued under a key when it is marked was planned for a revision that is over then. */
static void test_compromise_revision(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p"), q = add_project(store, "q"), r = add_project(store, "r");
	struct signing_ca_row of_p = {.project = p, .spki = {1}}, of_q = {.project = q, .spki = {1}}, of_r = {.project = r, .spki = {2}};
	struct project_row before[3], after;
	const rowid projects[] = {p, q, r};

	OK(signing_key_put(store, of_p.spki, span_text("k1"), NOW, &of_p.key, &err));
	of_q.key = of_p.key;
	OK(signing_key_put(store, of_r.spki, span_text("k2"), NOW, &of_r.key, &err));
	OK(signing_ca_insert(store, &of_p, &err));
	OK(signing_ca_insert(store, &of_q, &err));
	OK(signing_ca_insert(store, &of_r, &err));
	OK(project_set_signing_ca(store, p, of_p.id, &err));
	OK(project_set_signing_ca(store, q, of_q.id, &err));
	OK(project_set_signing_ca(store, r, of_r.id, &err));
	for (int i = 0; i < 3; i++)
		OK(project_by_id(store, projects[i], &before[i], &err));
	OK(signing_key_compromise(store, of_p.key, NOW, "lost", &err));
	for (int i = 0; i < 3; i++) {
		OK(project_by_id(store, projects[i], &after, &err));
		assert_int_equal(after.revision, before[i].revision + (i < 2));
	}
}

/* A project's end takes the keys that only it used, and never a mark of compromise. */
static void test_project_delete_keys(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p"), q = add_project(store, "q");
	struct signing_ca_row own = {.project = p, .spki = {1}}, shared = {.project = p, .spki = {2}},
			      other = {.project = q, .spki = {2}};
	struct signing_key_row row;

	OK(signing_key_put(store, own.spki, span_text("k1"), NOW, &own.key, &err));
	OK(signing_key_put(store, shared.spki, span_text("k2"), NOW, &shared.key, &err));
	other.key = shared.key;
	OK(signing_ca_insert(store, &own, &err));
	OK(signing_ca_insert(store, &shared, &err));
	OK(signing_ca_insert(store, &other, &err));
	OK(signing_key_compromise(store, own.key, NOW, "lost", &err));
	OK(project_delete(store, p, &err));
	OK(signing_key_by_spki(store, own.spki, &row, &err));
	assert_false(row.usable);
	assert_int_equal(row.compromised_at, NOW);
	OK(signing_key_by_spki(store, shared.spki, &row, &err));
	assert_true(row.usable);
}

/* A request that is given up takes its key along, one that was answered does not. */
static void test_request_key(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const rowid p = add_project(store, "p");
	struct signing_ca_row answer = {.project = p, .spki = {1}};
	struct signing_key_row row;
	uint8_t other[FINGERPRINT_SIZE] = {2};
	rowid key;

	OK(signing_key_put(store, answer.spki, span_text("k1"), NOW, &answer.key, &err));
	OK(signing_key_put(store, other, span_text("k2"), NOW, &key, &err));
	OK(signing_ca_insert(store, &answer, &err));
	OK(project_set_next(store, p, answer.id, answer.key, &err));
	OK(project_set_next(store, p, 0, 0, &err));
	OK(signing_key_by_spki(store, answer.spki, &row, &err));
	assert_true(row.usable);
	OK(project_set_next(store, p, 0, key, &err));
	OK(signing_key_by_spki(store, other, &row, &err));
	assert_true(row.usable);
	OK(project_set_next(store, p, 0, 0, &err));
	OK(signing_key_by_spki(store, other, &row, &err));
	assert_false(row.usable);
}

/* ---- triggers, requests, terms ---- */

static void test_trigger_rows(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	struct trigger_row row, put = {.counter = 1, .last = NOW, .state = "running"};

	memset(&row, 0x5a, sizeof(row));
	OK(trigger_get(store, "app", 1, "renew", &row, &err));
	assert_int_equal(row.counter, 0);
	assert_int_equal(row.last, 0);
	assert_string_equal(row.state, "none");
	assert_string_equal(row.reason, "");
	memset(put.reason, 'r', REASON_SIZE - 1);
	OK(trigger_put(store, "app", 1, "renew", &put, &err));
	put.counter = 2;
	strcpy(put.state, "failed");
	OK(trigger_put(store, "app", 1, "renew", &put, &err));
	OK(trigger_get(store, "app", 1, "renew", &row, &err));
	assert_int_equal(row.counter, 2);
	assert_int_equal(row.last, NOW);
	assert_string_equal(row.state, "failed");
	assert_string_equal(row.reason, put.reason);
	OK(trigger_get(store, "project", 1, "renew", &row, &err));
	assert_int_equal(row.counter, 0);
	OK(trigger_get(store, "app", 1, "purge", &row, &err));
	assert_int_equal(row.counter, 0);
	OK(trigger_get(store, "app", 2, "renew", &row, &err));
	assert_int_equal(row.counter, 0);
}

static void test_requests(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	const uint64_t connection = UINT64_MAX - 5, request = UINT64_MAX / 2;
	int64_t result = -1;

	assert_int_equal(request_find(store, connection, request, &result, &err), 0);
	assert_int_equal(result, -1);
	OK(request_put(store, connection, request, 42, NOW, &err));
	OK(request_put(store, connection, request + 2, 0, NOW + 10, &err));
	OK(request_put(store, 1, request, 43, NOW + 10, &err));
	assert_int_equal(request_put(store, connection, request, 44, NOW, &err), -EEXIST);
	assert_int_equal(request_find(store, connection, request, &result, &err), 1);
	assert_int_equal(result, 42);
	assert_int_equal(request_find(store, connection, request + 2, &result, &err), 1);
	assert_int_equal(result, 0);
	assert_int_equal(request_find(store, connection, request + 1, &result, &err), 0);

	OK(request_prune(store, connection, NOW + 1, &err));
	assert_int_equal(request_find(store, connection, request, &result, &err), 0); /* too old */
	assert_int_equal(request_find(store, 1, request, &result, &err), 0);          /* another connection's */
	assert_int_equal(request_find(store, connection, request + 2, &result, &err), 1);
}

static int see_term(void *context, uint32_t term, struct span wrapped)
{
	uint32_t *sum = context;

	*sum = *sum * 10 + term + (wrapped.size == 3 ? 0 : 100);
	return 0;
}

static void test_terms(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	uint32_t sum = 0;

	OK(store_term_add(store, 2, span_text("two"), &err));
	OK(store_term_add(store, 1, span_text("one"), &err));
	assert_int_equal(store_term_add(store, 1, span_text("uno"), &err), -EEXIST);
	OK(store_term_each(store, see_term, &sum, &err));
	assert_int_equal(sum, 12);
}

/* ---- transactions ---- */

static void test_rollback(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;

	OK(store_begin(store, &err));
	assert_true(store_in_transaction(store));
	add_project(store, "p");
	store_rollback(store);
	assert_false(store_in_transaction(store));
	assert_int_equal(count_projects(store), 0);
	store_rollback(store); /* nothing to roll back: nothing happens */

	OK(store_begin(store, &err));
	add_project(store, "p");
	OK(store_commit(store, &err));
	assert_int_equal(count_projects(store), 1);
}

static void test_savepoint(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	struct project_row row;

	OK(store_begin(store, &err));
	OK(store_savepoint(store, &err));
	add_project(store, "kept");
	OK(store_release(store, &err));
	OK(store_savepoint(store, &err));
	add_project(store, "dropped");
	store_undo(store);
	assert_true(store_in_transaction(store));
	OK(store_savepoint(store, &err));
	add_project(store, "kept, too");
	OK(store_release(store, &err));
	OK(store_commit(store, &err));
	assert_int_equal(count_projects(store), 2);
	assert_int_equal(project_by_name(store, "dropped", &row, &err), -ENOENT);
}

/* A failed statement takes nothing else of its transaction with it. */
static void test_constraint_in_transaction(void **state)
{
	struct store *store = ((struct fixture *)*state)->store;
	struct project_row row = {.name = "p"};

	OK(store_begin(store, &err));
	add_project(store, "p");
	assert_int_equal(project_insert(store, &row, "", &err), -EEXIST);
	assert_true(store_in_transaction(store));
	add_project(store, "q");
	OK(store_commit(store, &err));
	assert_int_equal(count_projects(store), 2);
	OK(store_ready(store, &err));
}

/* A reader's transaction is one moment; a writer beside it is not held up. */
static void test_read_transaction(void **state)
{
	struct fixture *f = *state;
	struct store *reader = NULL;

	OK(store_open(f->path, STORE_READ, &reader, &err));
	OK(store_read_begin(reader, &err));
	assert_int_equal(count_projects(reader), 0);
	add_project(f->store, "p");
	assert_int_equal(count_projects(reader), 0);
	store_read_end(reader);
	assert_int_equal(count_projects(reader), 1);
	store_close(reader);
}

/* ---- what `certfs check` finds ---- */

struct findings {
	int count;
	char what[96];
	int64_t id;
};

static void finding(void *context, const char *what, int64_t id, const char *remedy)
{
	struct findings *findings = context;

	findings->count++;
	snprintf(findings->what, sizeof(findings->what), "%s", what);
	findings->id = id;
	assert_true(*remedy);
}

static void test_consistency(void **state)
{
	static const struct {
		const char *sql, *what;
	} damages[] = {
		{"UPDATE app SET project=99", "without its project"},
		{"UPDATE app SET generation=99", "newest certificate is missing"},
		{"UPDATE app SET last_number=9", "newest certificate is missing"},
		{"UPDATE project SET signing_ca=99", "signing CA is missing"},
		{"UPDATE project SET apps=apps+1", "miscounts its app instances"},
		{"UPDATE project SET issued=issued+1", "miscounts its app instances with a certificate"},
		{"INSERT INTO signing_ca VALUES(9, 1, 99, 0, 0, 0, 0, 0, 0, 0, 0, x'00', 0, '')", "without its key"},
	};
	struct fixture *f = *state;
	const rowid p = add_project(f->store, "p"), app = add_app(f->store, p, "a");
	struct findings findings = {0};
	char undo[256];

	OK(project_add_apps(f->store, p, 1, NOW, &err));
	add_generation(f->store, app, 1, 1);
	OK(project_add_issued(f->store, p, 1, &err));
	raw(f, "INSERT INTO term(id, wrapped) VALUES(1, x'00');"
	       "INSERT INTO signing_key(id, spki, sealed, created_at) VALUES(1, x'01', x'01', 0);"
	       "INSERT INTO signing_ca VALUES(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, x'00', 9223372036854775807, '');"
	       "INSERT INTO signing_ca_cert VALUES(1, 0, x'00'); UPDATE generation SET signing_ca=1");
	OK(store_consistency(f->store, finding, &findings, &err));
	if (findings.count)
		fail_msg("%s", findings.what);
	snprintf(undo, sizeof(undo),
		 "UPDATE app SET project=%lld, generation=1, last_number=1; UPDATE project SET apps=1, issued=1, signing_ca=0;"
		 "DELETE FROM signing_ca WHERE id<>1",
		 (long long)p);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		raw(f, damages[i].sql);
		findings = (struct findings){0};
		OK(store_consistency(f->store, finding, &findings, &err));
		assert_true(findings.count >= 1);
		if (findings.count == 1 && !strstr(findings.what, damages[i].what))
			fail_msg("%s gives '%s'", damages[i].sql, findings.what);
		raw(f, undo);
	}
	findings = (struct findings){0};
	OK(store_consistency(f->store, finding, &findings, &err));
	assert_int_equal(findings.count, 0);
}

static void test_json_quote(void **state)
{
	static const struct {
		const char *text, *quoted;
	} texts[] = {
		{"", "\"\""},
		{"plain", "\"plain\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"line\nand\ttab", "\"line\\nand\\ttab\""},
		{"W\xc3\xa4rme", "\"W\xc3\xa4rme\""},
		{"7", "\"7\""},
		{"null", "\"null\""},
	};
	struct store *store = ((struct fixture *)*state)->store;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		_cleanup_buffer_ struct buffer out = {0};

		OK(store_json_quote(store, span_text(texts[i].text), &out, &err));
		assert_true(span_equal(buffer_span(&out), span_text(texts[i].quoted)));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_migrate),
		TEST(test_newer_schema),
		TEST(test_empty_store),
		TEST(test_not_a_store),
		TEST(test_reader),
		TEST(test_project),
		TEST(test_no_such_rows),
		TEST(test_names_unique),
		TEST(test_ids_never_again),
		TEST(test_listings),
		TEST(test_app),
		TEST(test_due),
		TEST(test_delete_drops_triggers),
		TEST(test_generation),
		TEST(test_totals),
		TEST(test_serial_unique),
		TEST(test_retire),
		TEST(test_signing_key),
		TEST(test_signing_ca),
		TEST(test_compromise_revision),
		TEST(test_project_delete_keys),
		TEST(test_request_key),
		TEST(test_trigger_rows),
		TEST(test_requests),
		TEST(test_terms),
		TEST(test_rollback),
		TEST(test_savepoint),
		TEST(test_constraint_in_transaction),
		TEST(test_read_transaction),
		TEST(test_consistency),
		TEST(test_json_quote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
