/* -o options, and the refusal of a store below the mount point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fs/mount_options.h"
#include "fs/mountpoint.h"

static void test_fstab_line(void **state)
{
	struct mount_options options = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(mount_options_add(&options, "defaults,nofail,_netdev,x-systemd.automount,,ro,fsname=/etc/a.conf", &err), 0);
	assert_true(options.read_only);
	assert_string_equal(options.source, "/etc/a.conf");
	assert_string_equal(options.fuse, "");
}

static void test_later_wins(void **state)
{
	struct mount_options options = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(mount_options_add(&options, "ro", &err), 0);
	assert_int_equal(mount_options_add(&options, "allow_other,rw,context=a", &err), 0);
	assert_false(options.read_only);
	assert_string_equal(options.fuse, "allow_other,context=a");
}

static void test_unknown(void **state)
{
	static const char *const lists[] = {"frobnicate", "ro,roo", "uid=0", "remount,ro", "x", "defaultsx"};
	struct mount_options options = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct error err = {0};

		assert_int_equal(mount_options_add(&options, lists[i], &err), -EINVAL);
		assert_int_equal(err.code, EINVAL);
	}
}

static void test_too_long(void **state)
{
	struct mount_options options = {0};
	struct error err = {0};
	char list[sizeof(options.fuse) + 16];

	(void)state;
	memset(list, 'c', sizeof(list) - 1);
	memcpy(list, "context=", 8);
	list[sizeof(list) - 1] = '\0';
	assert_int_equal(mount_options_add(&options, list, &err), -EINVAL);
	assert_string_equal(options.fuse, "");
}

static int check(const char *mountpoint, const char *store, const char *key)
{
	struct config config = {0};
	struct error err = {0};

	snprintf(config.store_path, sizeof(config.store_path), "%s", store);
	snprintf(config.master_key, sizeof(config.master_key), "%s", key);
	return mountpoint_check_store(mountpoint, &config, &err);
}

static void test_store_below(void **state)
{
	(void)state;
	assert_int_equal(check("/nowhere/m", "/nowhere/m/s.db", "file:/nowhere/k"), -EDEADLK);
	assert_int_equal(check("/nowhere/m", "/nowhere/s.db", "file:/nowhere/m/k"), -EDEADLK);
	assert_int_equal(check("/", "/nowhere/s.db", "file:/nowhere/k"), -EDEADLK);
	assert_int_equal(check("/nowhere/m", "/nowhere/mm/s.db", "file:/nowhere/k"), 0);
	assert_int_equal(check("/nowhere/m", "/nowhere/s.db", "credential:k"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fstab_line), cmocka_unit_test(test_later_wins), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_too_long),   cmocka_unit_test(test_store_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
