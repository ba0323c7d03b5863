/* fs/privilege.h: what a process can't do any more after privilege_drop. Each case in a child, since it is for good. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/confine.h"
#include "fs/privilege.h"

enum { KILLED = 254 };

static struct config config;
static char directory[] = "/tmp/certfs-privilege-XXXXXX";

static void make_file(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(config.store_path, sizeof(config.store_path), "%s/certfs.db", directory);
	snprintf(config.master_key, sizeof(config.master_key), "file:%s/master.key", directory);
	make_file(config.store_path);
	make_file(config.master_key + 5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(config.store_path);
	unlink(config.master_key + 5);
	return rmdir(directory);
}

/* errno of what is tried after the drop as user, KILLED: it was ended for it; 0: it worked, 255: the drop did not. */
static int after_drop(const char *user, bool (*try)(void))
{
	int status;
	pid_t pid;

	snprintf(config.daemon_user, sizeof(config.daemon_user), "%s", user);
	pid = fork();
	if (pid == 0) {
		struct error err = {0};

		if (privilege_give_store(&config, &err) < 0 || privilege_drop(&config, &err) < 0)
			_exit(255);
		_exit(try() ? 0 : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static bool try_program(void)
{
	return execl("/bin/true", "true", (char *)NULL) == 0;
}

static bool try_shadow(void)
{
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0;
}

static bool try_debugger(void)
{
	return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == 0;
}

static bool try_mount(void)
{
	return mount("none", directory, "tmpfs", 0, NULL) == 0;
}

static bool try_root(void)
{
	return setuid(0) == 0;
}

static bool try_store(void)
{
	return open(config.store_path, O_RDWR | O_CLOEXEC) >= 0;
}

static void with_a_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(after_drop("nobody", try_program), KILLED);
	assert_int_equal(after_drop("nobody", try_shadow), EACCES);
	assert_int_equal(after_drop("nobody", try_debugger), KILLED);
	assert_int_equal(after_drop("nobody", try_mount), KILLED);
	assert_int_equal(after_drop("nobody", try_root), confine_strict() ? ENOSYS : EPERM);
	assert_int_equal(after_drop("nobody", try_store), 0);
}

static void without(void **state)
{
	(void)state;
	assert_int_equal(after_drop("", try_program), KILLED);
	assert_int_equal(after_drop("", try_debugger), KILLED);
	assert_int_equal(after_drop("", try_mount), KILLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(without), cmocka_unit_test(with_a_user)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
