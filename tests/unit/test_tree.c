/* The table of the tree: it is SPEC section 1, name by name; each row is reached, and each can do what its flags say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/tree.h"

/* ---- SPEC section 1 ---- */

static const struct {
	const char *path; /* P: a project, A: an app instance, N: a generation */
	mode_t mode;
} paths[] = {
	{"README", 0444},
	{"status", 0444},
	{"status.json", 0444},
	{"events", 0440},
	{"audit", 0400},
	{"projects", 0755},
	{"projects/P/policy", 0644},
	{"projects/P/status", 0444},
	{"projects/P/status.json", 0444},
	{"projects/P/events", 0440},
	{"projects/P/update", 0644},
	{"projects/P/force_update", 0644},
	{"projects/P/progress", 0644},
	{"projects/P/app_policy", 0755},
	{"projects/P/app_policy/user_data.in", 0600},
	{"projects/P/app_policy/details", 0644},
	{"projects/P/signing_ca", 0755},
	{"projects/P/signing_ca/cert.pem", 0644},
	{"projects/P/signing_ca/key.pem", 0200},
	{"projects/P/signing_ca/password", 0200},
	{"projects/P/signing_ca/info", 0444},
	{"projects/P/signing_ca/info.json", 0444},
	{"projects/P/signing_ca/status", 0444},
	{"projects/P/signing_ca/status.json", 0444},
	{"projects/P/signing_ca/crl.pem", 0444},
	{"projects/P/signing_ca/csr.pem", 0444},
	{"projects/P/signing_ca/next", 0755},
	{"projects/P/signing_ca/next/cert.pem", 0644},
	{"projects/P/signing_ca/next/key.pem", 0200},
	{"projects/P/signing_ca/next/password", 0200},
	{"projects/P/signing_ca/next/info", 0444},
	{"projects/P/signing_ca/next/status", 0444},
	{"projects/P/signing_ca/affected", 0444},
	{"projects/P/signing_ca/compromised", 0644},
	{"projects/P/apps", 0755},
	{"projects/P/apps/A/device_ca.pem", 0444},
	{"projects/P/apps/A/device_ca.key", 0400},
	{"projects/P/apps/A/bundle.pem", 0400},
	{"projects/P/apps/A/trust_bundle.pem", 0444},
	{"projects/P/apps/A/config.toml", 0444},
	{"projects/P/apps/A/config.yaml", 0444},
	{"projects/P/apps/A/user_data.in", 0600},
	{"projects/P/apps/A/user_data", 0400},
	{"projects/P/apps/A/details", 0644},
	{"projects/P/apps/A/status", 0444},
	{"projects/P/apps/A/status.json", 0444},
	{"projects/P/apps/A/info", 0444},
	{"projects/P/apps/A/info.json", 0444},
	{"projects/P/apps/A/events", 0440},
	{"projects/P/apps/A/renew", 0644},
	{"projects/P/apps/A/purge", 0644},
	{"projects/P/apps/A/revoke", 0644},
	{"projects/P/apps/A/readers", 0444},
	{"projects/P/apps/A/generations", 0755},
	{"projects/P/apps/A/generations/N/device_ca.pem", 0444},
	{"projects/P/apps/A/generations/N/device_ca.key", 0400},
	{"projects/P/apps/A/generations/N/info", 0444},
};

static const struct tree_row *step(const struct tree_row *from, const char *name)
{
	const struct tree_row *child = NULL;

	if (!tree_is_directory(from))
		return NULL;
	if (from->listing && (!strcmp(name, "P") || !strcmp(name, "A") || !strcmp(name, "N")))
		child = tree_row((int)from->listing->child);
	return child ? child : tree_find((int)from->kind, name);
}

static const struct tree_row *walk(const char *path)
{
	const struct tree_row *row = tree_row(KIND_ROOT);
	char copy[128], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *name = strtok_r(copy, "/", &rest); name && row; name = strtok_r(NULL, "/", &rest))
		row = step(row, name);
	return row;
}

static void test_spec(void **state)
{
	int missing = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct tree_row *row = walk(paths[i].path);

		if (!row) {
			print_error("the tree lacks %s\n", paths[i].path);
			missing++;
		} else if (row->mode != paths[i].mode) {
			print_error("%s has mode %o, not %o\n", paths[i].path, row->mode, paths[i].mode);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

/* ---- the table itself ---- */

/* Calls check for each row that can be reached from the root, once for each way to it. */
static void each_row(const struct tree_row *row, int depth, void (*check)(const struct tree_row *row, void *context),
		     void *context)
{
	const struct tree_row *child = NULL;

	assert_true(depth < 10);
	check(row, context);
	if (!tree_is_directory(row))
		return;
	if (row->listing) {
		assert_non_null(tree_row((int)row->listing->child));
		each_row(tree_row((int)row->listing->child), depth + 1, check, context);
	}
	while ((child = tree_next((int)row->kind, child)))
		each_row(child, depth + 1, check, context);
}

static void count_kind(const struct tree_row *row, void *context)
{
	int *seen = context;

	assert_in_range(row->kind, 0, KIND_COUNT - 1);
	seen[row->kind]++;
	/* tree_row gives the first of a kind: another row of the same kind would not be this one */
	assert_ptr_equal(tree_row((int)row->kind), row);
}

/* Every row is reached from the root in exactly one way, and no two have the same kind. */
static void test_kinds(void **state)
{
	int seen[KIND_COUNT] = {0};

	(void)state;
	each_row(tree_row(KIND_ROOT), 0, count_kind, seen);
	for (int kind = 0; kind < KIND_COUNT; kind++)
		if (seen[kind] != (tree_row(kind) ? 1 : 0))
			fail_msg("kind %d is reached %d times", kind, seen[kind]);
	assert_null(tree_row(KIND_TEMPORARY));
	assert_null(tree_row(KIND_COUNT));
	assert_null(tree_row(-1));
}

/* Parts of node ids that a kernel may still hold: they never change. */
static void test_kind_numbers(void **state)
{
	static const struct {
		const char *path;
		int kind;
	} numbers[] = {
		{"", 0}, {"README", 1}, {"projects", 4}, {"projects/P", 5}, {"projects/P/policy", 6},
		{"projects/P/signing_ca/cert.pem", 10}, {"projects/P/apps", 17}, {"projects/P/apps/A", 18},
		{"projects/P/apps/A/device_ca.pem", 19}, {"projects/P/apps/A/device_ca.key", 20},
		{"projects/P/apps/A/bundle.pem", 21}, {"projects/P/apps/A/renew", 29},
		{"projects/P/apps/A/generations/N", 32}, {"projects/P/apps/A/generations/N/info", 35},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_non_null(walk(numbers[i].path));
		assert_int_equal(walk(numbers[i].path)->kind, numbers[i].kind);
	}
}

static void check_names(const struct tree_row *row, void *context)
{
	const struct tree_row *child = NULL;

	(void)context;
	while (tree_is_directory(row) && (child = tree_next((int)row->kind, child))) {
		const struct tree_row *other = child;

		assert_int_equal(child->parent, row->kind);
		assert_ptr_equal(tree_find((int)row->kind, child->name), child);
		while ((other = tree_next((int)row->kind, other)))
			assert_string_not_equal(other->name, child->name);
		/* names of the table: never what a user's temporary file may be called */
		assert_true(child->name[0] != '\0' && child->name[0] != '.');
		assert_null(strchr(child->name, '/'));
		assert_true(strlen(child->name) < NAME_SIZE);
	}
	assert_null(tree_find((int)row->kind, "no such name"));
	assert_null(tree_find((int)row->kind, ""));
}

static void test_names(void **state)
{
	(void)state;
	each_row(tree_row(KIND_ROOT), 0, check_names, NULL);
}

/* What a row says of itself goes together. */
static void check_row(const struct tree_row *row, void *context)
{
	const bool directory = tree_is_directory(row);
	const struct tree_row *parent = tree_row((int)row->parent);

	(void)context;
	assert_int_equal(!directory, row->render || row->log);
	assert_false(row->render && row->log);
	if (directory) {
		assert_null(row->write);
		assert_null(row->size);
		assert_int_equal(row->flags & ~(unsigned)(TREE_DIRECTORY | TREE_OWNED), 0);
		assert_int_equal(!row->own, !(row->flags & TREE_OWNED));
		assert_int_equal(row->mode, 0755);
	} else {
		assert_null(row->listing);
		assert_null(row->own);
		assert_int_equal(!row->write, !(row->mode & 0200));
	}
	if (row->log || row->flags & TREE_ISSUES)
		assert_non_null(row->size);
	if (row->flags & TREE_TRIGGER) {
		assert_non_null(row->write);
		assert_int_equal(row->mode, 0644);
	}
	if (row->flags & TREE_TEXT_ONLY)
		assert_true(row->flags & TREE_TRIGGER);
	if (row->flags & TREE_SECRET)
		assert_int_equal(row->mode & 077, 0);
	if (row->flags & TREE_WRITE_ONLY)
		assert_int_equal(row->mode, 0200);
	if (row->kind != KIND_ROOT) {
		assert_non_null(parent);
		assert_true(tree_is_directory(parent));
		/* a file shows its directory's object; only a listing's child names another one */
		assert_true(row->scope == parent->scope || !row->name);
	}
}

static void test_rows(void **state)
{
	(void)state;
	each_row(tree_row(KIND_ROOT), 0, check_row, NULL);
}

/* Where certificates are issued: the four files of SPEC 2.1, no other. */
static void count_issuing(const struct tree_row *row, void *context)
{
	static const char *const names[] = {"device_ca.pem", "device_ca.key", "bundle.pem", "user_data"};

	if (!(row->flags & TREE_ISSUES))
		return;
	assert_int_equal(row->parent, KIND_APP);
	for (size_t i = 0; i < 4; i++)
		if (strcmp(row->name, names[i]) == 0)
			(*(int *)context)++;
}

static void test_issuing(void **state)
{
	int count = 0;

	(void)state;
	each_row(tree_row(KIND_ROOT), 0, count_issuing, &count);
	assert_int_equal(count, 4);
}

static void test_takes_uploads(void **state)
{
	static const struct {
		const char *path;
		bool takes;
	} directories[] = {
		{"", false},
		{"projects", false},
		{"projects/P", true},
		{"projects/P/app_policy", true},
		{"projects/P/signing_ca", true},
		{"projects/P/signing_ca/next", true},
		{"projects/P/apps", false},
		{"projects/P/apps/A", true},
		{"projects/P/apps/A/generations", false},
		{"projects/P/apps/A/generations/N", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
		assert_int_equal(tree_takes_uploads((int)walk(directories[i].path)->kind), directories[i].takes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spec),  cmocka_unit_test(test_kinds),   cmocka_unit_test(test_kind_numbers),
		cmocka_unit_test(test_names), cmocka_unit_test(test_rows),    cmocka_unit_test(test_issuing),
		cmocka_unit_test(test_takes_uploads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
