/* The worker's system calls (confine.h). */
#include <errno.h>
#include <linux/elf-em.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "fs/confine.h"

/* As seccomp_data.arch says it: the ELF machine, and that it is 64 bits wide and little-endian. */
#if defined(__x86_64__)
#define OWN_ARCHITECTURE (0xc0000000U | EM_X86_64)
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE (0xc0000000U | EM_AARCH64)
#endif

#ifdef OWN_ARCHITECTURE

/* ---- the calls ---- */

/* Those that serving makes, the most frequent first: kernels before 5.11 look from the front. clone3 hides its flags: glibc takes clone. */
static const int served[] = {
	SYS_read, SYS_writev, SYS_futex, SYS_pread64, SYS_pwrite64, SYS_fcntl, SYS_clock_gettime, SYS_fdatasync, SYS_fsync,
	SYS_write, SYS_readv, SYS_preadv, SYS_pwritev, SYS_lseek, SYS_splice, SYS_tee, SYS_vmsplice, SYS_pipe2,
	SYS_openat, SYS_close, SYS_close_range, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_faccessat,
	SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_mkdirat,
	SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_fchmod, SYS_fchown, SYS_fchmodat, SYS_fchownat, SYS_utimensat, SYS_flock,
	SYS_umask, SYS_ioctl, SYS_dup, SYS_dup3, SYS_ppoll, SYS_pselect6, SYS_eventfd2,
	SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_msync, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_brk,
	SYS_membarrier, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_set_tid_address, SYS_exit, SYS_exit_group,
	SYS_restart_syscall, SYS_setitimer, SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_getres, SYS_gettimeofday, SYS_getrandom,
	SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid,
	SYS_getgroups, SYS_uname, SYS_sysinfo, SYS_getrusage, SYS_prlimit64, SYS_getcpu, SYS_prctl, SYS_sched_yield,
	SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_kill, SYS_tgkill, SYS_sigaltstack, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_rt_sigpending,
	SYS_socketpair, SYS_connect, SYS_sendto, SYS_sendmsg, SYS_recvfrom, SYS_recvmsg, SYS_shutdown, SYS_getsockopt,
	SYS_setsockopt, SYS_getsockname, SYS_getpeername,
#ifdef SYS_open /* the architecture is older than their successors */
	SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_unlink, SYS_rename, SYS_mkdir, SYS_rmdir, SYS_chmod, SYS_chown,
	SYS_poll, SYS_select, SYS_pipe, SYS_dup2, SYS_time, SYS_getrlimit, SYS_arch_prctl,
#endif
};

/* Modules of tokens may ask daemons and devices, also over the network, by processes of their own. */
static const int for_tokens[] = {
	SYS_clone, SYS_clone3, SYS_socket, SYS_bind, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_timerfd_create,
	SYS_timerfd_settime, SYS_inotify_init1, SYS_inotify_add_watch, SYS_inotify_rm_watch, SYS_wait4, SYS_waitid, SYS_sendmmsg,
	SYS_recvmmsg, SYS_shmget, SYS_shmat, SYS_shmdt, SYS_shmctl, SYS_semget, SYS_semop, SYS_semtimedop, SYS_semctl, SYS_chdir,
	SYS_getpgid, SYS_getsid, SYS_capget, SYS_memfd_create, SYS_openat2, SYS_linkat, SYS_symlinkat,
#ifdef SYS_open
	SYS_epoll_create, SYS_epoll_wait, SYS_eventfd, SYS_inotify_init, SYS_link, SYS_symlink, SYS_getpgrp,
#endif
};

/* Nobody makes these by mistake. */
static const int deadly[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd, SYS_mount, SYS_umount2,
	SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount,
	SYS_fspick, SYS_mount_setattr, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_bpf,
	SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_open_by_handle_at, SYS_swapon, SYS_swapoff, SYS_acct,
	SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
};

/* ---- the program ---- */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	HEAD = 8,
	PROGRAM_MAX = HEAD + 2 * (COUNT(served) + COUNT(for_tokens) + COUNT(deadly)) + 16,
	X32_BIT = 0x40000000,
};

/* The number that a tracer leaves where it has answered in the kernel's place (strace's inject=): no call is made. */
#define SKIPPED 0xffffffffU

struct program {
	struct sock_filter step[PROGRAM_MAX];
	unsigned short steps;
};

static void add(struct program *program, struct sock_filter step)
{
	program->step[program->steps++] = step;
}

static void add_head(struct program *program)
{
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)); /* the same numbers mean other calls */
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SKIPPED, 0, 1));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
}

static void add_calls(struct program *program, const int *calls, size_t count, unsigned int verdict)
{
	for (size_t i = 0; i < count; i++) {
		add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)calls[i], 0, 1));
		add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, verdict));
	}
}

/* Allowed where all bits of `mask` in the first argument's lower half are as in `value`; else EPERM. The number is lost by it: nothing but a
 * verdict may follow on this path. */
static void add_by_argument(struct program *program, int call, unsigned int mask, unsigned int value)
{
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 5));
	add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])));
	add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM));
}

bool confine_calls(bool token)
{
	struct program program = {0};
	const struct sock_fprog *filter;

	add_head(&program);
	add_calls(&program, served, COUNT(served), SECCOMP_RET_ALLOW);
	if (token)
		add_calls(&program, for_tokens, COUNT(for_tokens), SECCOMP_RET_ALLOW);
	add_by_argument(&program, SYS_clone, CLONE_THREAD, CLONE_THREAD);
	add_by_argument(&program, SYS_socket, UINT32_MAX, AF_UNIX);
	add_calls(&program, deadly, COUNT(deadly), SECCOMP_RET_KILL_PROCESS);
	add(&program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, confine_strict() ? SECCOMP_RET_ERRNO | ENOSYS : SECCOMP_RET_ALLOW));
	filter = &(const struct sock_fprog){program.steps, program.step};
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter) == 0;
}

#else
bool confine_calls(bool token)
{
	(void)token;
	errno = ENOTSUP;
	return false;
}
#endif
