/* fs/confine.h: files and system calls with and without a token. Each case in a child, since it is for good. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/confine.h"

enum { KILLED = 254, BROKEN = 255 };

static struct config config;
static char top[] = "/tmp/certfs-confine-XXXXXX";
static char outside[64], token_file[64], key_directory[64];
static int landlock;
static pid_t outsider;

static void make_file(const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "text", 4), 4);
	close(fd);
}

static void make_tree(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/store", top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/tokens", top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(config.token_paths, sizeof(config.token_paths), "/nowhere %s", path);
	snprintf(key_directory, sizeof(key_directory), "%s/keys", top);
	assert_int_equal(mkdir(key_directory, 0700), 0);
	snprintf(config.store_path, sizeof(config.store_path), "%s/link.db", top);
	snprintf(path, sizeof(path), "%s/store/certfs.db", top);
	make_file(path);
	assert_int_equal(symlink(path, config.store_path), 0);
	snprintf(config.master_key, sizeof(config.master_key), "file:%s/master.key", key_directory);
	make_file(config.master_key + 5);
	snprintf(token_file, sizeof(token_file), "%s/tokens/object", top);
	make_file(token_file);
	snprintf(outside, sizeof(outside), "%s/outside", top);
	make_file(outside);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	make_tree();
	outsider = fork();
	if (outsider == 0) {
		pause();
		_exit(0);
	}
	landlock = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	return outsider < 0;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	kill(outsider, SIGKILL);
	waitpid(outsider, NULL, 0);
	snprintf(command, sizeof(command), "rm -r %s", top);
	return system(command);
}

/* errno of what is tried, KILLED: it was ended for it; 0: it worked. */
static int after(bool token, bool (*try)(void))
{
	int status, version;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err = {0};

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || confine_files(&config, token, &version, &err) < 0 ||
		    !confine_calls(token))
			_exit(BROKEN);
		_exit(try() ? 0 : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		return KILLED;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- files ---- */

static bool opens(const char *path, int flags)
{
	const int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* As a database and its log come and go. */
static bool try_store(void)
{
	char path[64], other[64];

	snprintf(path, sizeof(path), "%s/store/certfs.db-wal", top);
	snprintf(other, sizeof(other), "%s/store/certfs.db-other", top);
	return opens(config.store_path, O_RDWR) && opens(path, O_RDWR | O_CREAT | O_EXCL) && truncate(path, 0) == 0 &&
	       rename(path, other) == 0 && unlink(other) == 0;
}

static bool try_master_key(void)
{
	return opens(config.master_key + 5, O_RDONLY);
}

static bool try_write_master_key(void)
{
	return opens(config.master_key + 5, O_WRONLY);
}

static bool try_null(void)
{
	return opens("/dev/null", O_RDWR);
}

static bool try_comm(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)outsider);
	return opens(path, O_RDONLY);
}

static bool try_library(void)
{
	return opens("/usr/lib/os-release", O_RDONLY);
}

static bool try_read_outside(void)
{
	return opens(outside, O_RDONLY);
}

static bool try_write_outside(void)
{
	return opens(outside, O_WRONLY);
}

static bool try_truncate_outside(void)
{
	return truncate(outside, 0) == 0;
}

static bool try_make_outside(void)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/new", top);
	return opens(path, O_WRONLY | O_CREAT);
}

static bool try_remove_outside(void)
{
	return unlink(outside) == 0;
}

static bool try_passwd(void)
{
	return opens("/etc/passwd", O_RDONLY);
}

static bool try_token_file(void)
{
	return opens(token_file, O_RDWR);
}

static void files(void **state)
{
	(void)state;
	if (landlock < 3 || !confine_strict())
		skip();
	for (int token = 0; token <= 1; token++) {
		assert_int_equal(after(token, try_store), 0);
		assert_int_equal(after(token, try_master_key), 0);
		assert_int_equal(after(token, try_write_master_key), EACCES);
		assert_int_equal(after(token, try_null), 0);
		assert_int_equal(after(token, try_comm), 0);
		assert_int_equal(after(token, try_library), 0);
		assert_int_equal(after(token, try_write_outside), EACCES);
		assert_int_equal(after(token, try_truncate_outside), EACCES);
		assert_int_equal(after(token, try_make_outside), EACCES);
		assert_int_equal(after(token, try_remove_outside), EACCES);
	}
	assert_int_equal(after(false, try_read_outside), EACCES);
	assert_int_equal(after(false, try_passwd), EACCES);
	assert_int_equal(after(false, try_token_file), EACCES);
	assert_int_equal(after(true, try_read_outside), 0);
	assert_int_equal(after(true, try_token_file), 0);
}

/* ---- system calls ---- */

static bool try_program(void)
{
	return execl("/bin/true", "true", (char *)NULL) == 0;
}

static bool try_debugger(void)
{
	return ptrace(PTRACE_ATTACH, outsider, NULL, NULL) == 0;
}

static bool try_memory(void)
{
	char byte;
	const struct iovec here = {&byte, 1}, there = {make_file, 1};

	return process_vm_readv(outsider, &here, 1, &there, 1, 0) >= 0;
}

static bool try_mount(void)
{
	return mount("none", top, "tmpfs", 0, NULL) == 0;
}

static bool try_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

static bool try_module(void)
{
	return syscall(SYS_finit_module, -1, "", 0) == 0;
}

static bool try_kexec(void)
{
	return syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0;
}

static bool try_bpf(void)
{
	return syscall(SYS_bpf, 0, NULL, 0) == 0;
}

static bool try_internet(void)
{
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool try_packets(void)
{
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool try_local(void)
{
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && close(fd) == 0;
}

static bool try_process(void)
{
	const pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0;
}

static void *thread(void *argument)
{
	return argument;
}

static bool try_thread(void)
{
	pthread_t made;
	void *result = NULL;

	errno = pthread_create(&made, NULL, thread, top);
	return errno == 0 && pthread_join(made, &result) == 0 && result == top;
}

static bool try_signal(void)
{
	return kill(outsider, 0) == 0;
}

static bool try_own_signal(void)
{
	return kill(getpid(), 0) == 0;
}

static bool try_unknown(void)
{
	return syscall(SYS_getpriority, 0, 0) >= 0;
}

static void calls(void **state)
{
	static bool (*const deadly[])(void) = {try_program, try_debugger, try_memory, try_mount, try_namespace, try_module, try_kexec, try_bpf};

	(void)state;
	for (int token = 0; token <= 1; token++) {
		for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
			assert_int_equal(after(token, deadly[i]), KILLED);
		assert_int_equal(after(token, try_local), 0);
		assert_int_equal(after(token, try_thread), 0);
		assert_int_equal(after(token, try_own_signal), 0);
		if (confine_strict())
			assert_int_equal(after(token, try_unknown), ENOSYS);
		if (confine_strict() && landlock >= 6)
			assert_int_equal(after(token, try_signal), EPERM);
	}
	assert_int_equal(after(false, try_internet), EPERM);
	assert_int_equal(after(false, try_packets), EPERM);
	assert_int_equal(after(true, try_internet), 0);
	if (confine_strict())
		assert_int_equal(after(false, try_process), EPERM);
	assert_int_equal(after(true, try_process), 0);
}

/* ---- what a token is ---- */

static void tokens(void **state)
{
	struct config other = config;

	(void)state;
	assert_true(confine_token(&config));
	other.token_paths[0] = '\0';
	snprintf(other.master_key, sizeof(other.master_key), "pkcs11:token=t");
	assert_true(confine_token(&other));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(files), cmocka_unit_test(calls), cmocka_unit_test(tokens)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
