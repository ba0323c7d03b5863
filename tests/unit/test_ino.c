/* Node ids: what goes in comes out, no two things share one, and a version finds its generation again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fs/ino.h"
#include "fs/tree.h"

static const rowid rows[] = {0, 1, 2, 63, 64, 255, 65536, 1000000, ((rowid)1 << 30), ((rowid)1 << 31) - 1};
static const uint32_t versions[] = {0, 1, 2, 255, 256, 65535, (1U << 18), (1U << 26) - 1};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), VERSIONS = sizeof(versions) / sizeof(versions[0]) };

static void test_round_trip(void **state)
{
	(void)state;
	for (int kind = 1; kind < KIND_COUNT; kind++)
		for (size_t i = 0; i < ROWS; i++)
			for (size_t j = 0; j < VERSIONS; j++) {
				const struct ino in = {kind, rows[i], versions[j]};
				const fuse_ino_t id = ino_encode(in);
				const struct ino out = ino_decode(id);

				assert_int_not_equal(id, 0);
				assert_int_not_equal(id, FUSE_ROOT_ID);
				assert_int_equal(out.kind, in.kind);
				assert_int_equal(out.row, in.row);
				assert_int_equal(out.version, in.version);
			}
}

static void test_root(void **state)
{
	const struct ino root = ino_decode(FUSE_ROOT_ID);

	(void)state;
	assert_int_equal(ino_encode((struct ino){.kind = KIND_ROOT}), FUSE_ROOT_ID);
	assert_int_equal(root.kind, KIND_ROOT);
	assert_int_equal(root.row, 0);
	assert_int_equal(root.version, 0);
}

static void test_row_out_of_range(void **state)
{
	(void)state;
	assert_int_equal(ino_encode((struct ino){KIND_APP, (rowid)1 << 31, 0}), 0);
	assert_int_equal(ino_encode((struct ino){KIND_APP, INT64_MAX, 0}), 0);
	assert_int_equal(ino_encode((struct ino){KIND_APP, -1, 0}), 0);
}

/* What the kernel was given once must mean the same for ever: FUSE ids outlive a program. */
static void test_form(void **state)
{
	(void)state;
	assert_int_equal(ino_encode((struct ino){KIND_PROJECTS, 0, 0}), (uint64_t)KIND_PROJECTS << 57);
	assert_int_equal(ino_encode((struct ino){KIND_APP, 5, 3}), (uint64_t)KIND_APP << 57 | 5ULL << 26 | 3);
	assert_int_equal(ino_version(2, 7), 2 << 8 | 7);
}

/* The version changes with the number and with the revision, and never spills into the row. */
static void test_version(void **state)
{
	(void)state;
	for (int64_t number = 0; number < 2000; number++)
		for (int64_t revision = 1; revision < 300; revision += 23) {
			const uint32_t version = ino_version(number, revision);

			assert_true(version < 1U << 26);
			assert_int_not_equal(version, ino_version(number + 1, revision));
			assert_int_not_equal(version, ino_version(number, revision + 1));
			assert_int_not_equal(version, ino_version(number + 1, revision - 1));
		}
	assert_true(ino_version(INT64_MAX, INT64_MAX) < 1U << 26);
	assert_int_equal(ino_version(1 << 18, 1), ino_version(0, 1));
	assert_int_equal(ino_version(1, 256), ino_version(1, 0));
}

/* The number comes back for each of the last 2^18 generations, also where restored counters go on above Unix time. */
static void test_number(void **state)
{
	static const int64_t newests[] = {1, 2, 255, 262143, 262144, 262145, 1800000000, 1800000000 + (1LL << 33)};
	static const int64_t backs[] = {0, 1, 2, 255, 256, 262142, 262143};

	(void)state;
	for (size_t i = 0; i < sizeof(newests) / sizeof(newests[0]); i++)
		for (size_t j = 0; j < sizeof(backs) / sizeof(backs[0]); j++) {
			const int64_t number = newests[i] - backs[j];

			if (number >= 0)
				assert_int_equal(ino_number(ino_version(number, 77), newests[i]), number);
		}
	/* one generation too far back: another number, never one that is still to come */
	assert_int_equal(ino_number(ino_version(1000000 - 262144, 1), 1000000), 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_root),    cmocka_unit_test(test_row_out_of_range),
		cmocka_unit_test(test_form),       cmocka_unit_test(test_version), cmocka_unit_test(test_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
