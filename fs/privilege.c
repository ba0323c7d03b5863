/* What the worker is allowed to do (privilege.h). */
#include "fs/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "certfs/log.h"
#include "fs/confine.h"

static struct {
	int landlock; /* version; 0: none */
	bool calls, token;
} taken; /* what this process has, for privilege_tell */

/* ---- the user ---- */

static int find_user(const char *name, const struct passwd **ret, struct error *err)
{
	*ret = getpwnam(name);
	return *ret ? 0 : error_set(err, ENOENT, "daemon.user = %s: there is no such user: make it (useradd --system), or leave daemon.user empty",
				    name);
}

static const char *master_key_file(const struct config *config)
{
	static const char scheme[] = "file:";

	return strncmp(config->master_key, scheme, strlen(scheme)) == 0 ? config->master_key + strlen(scheme) : NULL;
}

static void store_directory(const struct config *config, char ret[PATH_MAX])
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", config->store_path);
	snprintf(ret, PATH_MAX, "%s", dirname(copy));
}

/* ---- the store becomes the user's ---- */

/* By the descriptor: once the directory is the user's, a name in it may be something else at any time. */
static int give(const char *path, mode_t type, const struct passwd *user, struct error *err)
{
	const int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : error_set(err, errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & S_IFMT) == type && (st.st_mode & 077) == 0 &&
	    (type == S_IFDIR || st.st_nlink == 1) && fchownat(fd, "", user->pw_uid, user->pw_gid, AT_EMPTY_PATH) < 0)
		r = error_set(err, errno, "can't give %s to %s (daemon.user): %s", path, user->pw_name, strerror(errno));
	close(fd);
	return r;
}

int privilege_give_store(const struct config *config, struct error *err)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	const struct passwd *user;
	char path[PATH_MAX + 8];
	int r;

	if (!config->daemon_user[0] || geteuid() != 0)
		return 0;
	r = find_user(config->daemon_user, &user, err);
	for (size_t i = 0; r == 0 && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", config->store_path, suffixes[i]);
		r = give(path, S_IFREG, user, err);
	}
	if (r == 0 && master_key_file(config))
		r = give(master_key_file(config), S_IFREG, user, err);
	store_directory(config, path);
	return r == 0 ? give(path, S_IFDIR, user, err) : r;
}

static int check_access(const char *path, int how, const char *user, struct error *err)
{
	if (faccessat(AT_FDCWD, path, how, AT_EACCESS) == 0)
		return 0;
	return error_set(err, errno, "%s (daemon.user) can't %s %s: %s; give it to that user (chown %s %s), and let it into the directories above",
			 user, how & W_OK ? "write" : "read", path, strerror(errno), user, path);
}

static int check_store(const struct config *config, struct error *err)
{
	char directory[PATH_MAX];
	int r;

	store_directory(config, directory);
	r = check_access(directory, R_OK | W_OK | X_OK, config->daemon_user, err);
	if (r == 0)
		r = check_access(config->store_path, R_OK | W_OK, config->daemon_user, err);
	return r == 0 && master_key_file(config) ? check_access(master_key_file(config), R_OK, config->daemon_user, err) : r;
}

/* ---- becoming it ---- */

static void drop_bounding_set(uint64_t kept)
{
	for (unsigned long cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!(kept >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* needs CAP_SETPCAP; what is not had can't be dropped */
}

static bool holds_only(const struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3], uint64_t kept)
{
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if (sets[i].inheritable || (sets[i].permitted & ~(uint32_t)(kept >> (32 * i))))
			return false;
	return true;
}

static int keep_capabilities(uint64_t kept, struct error *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
	int r;

	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	r = (int)syscall(SYS_capget, &header, sets);
	if (r == 0 && holds_only(sets, kept))
		return 0; /* under a filter of system calls that has no capset */
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		sets[i].permitted &= (uint32_t)(kept >> (32 * i));
		sets[i].effective = sets[i].permitted;
		sets[i].inheritable = 0;
	}
	if (r == 0)
		r = (int)syscall(SYS_capset, &header, sets);
	return r == 0 ? 0 : error_set(err, errno, "can't give up capabilities: %s", strerror(errno));
}

static bool switch_to(const struct passwd *user)
{
	if (geteuid() == user->pw_uid && getuid() == user->pw_uid)
		return true; /* certfs was started as this user */
	return setgroups(1, &user->pw_gid) == 0 && setresgid(user->pw_gid, user->pw_gid, user->pw_gid) == 0 &&
	       setresuid(user->pw_uid, user->pw_uid, user->pw_uid) == 0;
}

static int become(const struct config *config, struct error *err)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	const struct passwd *user;
	int r = find_user(config->daemon_user, &user, err);

	if (r < 0)
		return r;
	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* the keys' memory is locked without CAP_IPC_LOCK */
	drop_bounding_set(0);
	if (!switch_to(user))
		return error_set(err, errno, "can't become %s (daemon.user): %s: start certfs as root or as that user", config->daemon_user,
				 strerror(errno));
	r = keep_capabilities(0, err);
	return r == 0 ? check_store(config, err) : r;
}

#define BIT(cap) (UINT64_C(1) << (cap))

/* Without daemon.user root stays root, but for what serving does not need: the store and the files of tokens may be anybody's, and memory is
 * locked. */
static int shed(struct error *err)
{
	const uint64_t kept = BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_FOWNER) | BIT(CAP_CHOWN) | BIT(CAP_IPC_LOCK);

	if (geteuid() != 0)
		return 0;
	drop_bounding_set(kept);
	return keep_capabilities(kept, err);
}

/* ---- the supervisor ---- */

int privilege_reduce(const struct config *config, struct error *err)
{
	/* a worker, and hooks, of another user, with locked memory; its end; unmounting; the configuration's file at SIGHUP; the
	 * user's store, which a program that takes over opens and may have to change, and memory that it locks (shared.h) */
	const uint64_t kept = BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP) | BIT(CAP_SYS_RESOURCE) | BIT(CAP_KILL) |
			      BIT(CAP_SYS_ADMIN) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_CHOWN) | BIT(CAP_FOWNER) |
			      BIT(CAP_IPC_LOCK);

	if (!config->daemon_user[0] || geteuid() != 0)
		return 0;
	drop_bounding_set(kept);
	return keep_capabilities(kept, err);
}

/* ---- all of it ---- */

static int harden(const struct config *config, struct error *err)
{
	const struct rlimit none = {0, 0};
	const bool token = confine_token(config);
	int r;

	setrlimit(RLIMIT_CORE, &none);
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, errno, "can't give up privileges: %s", strerror(errno));
	r = confine_files(config, token, &taken.landlock, err);
	taken.token = token;
	taken.calls = r == 0 && confine_calls(token);
	return r;
}

void privilege_tell(const struct config *config)
{
	log_write(LOG_INFO, "the worker is %s; Landlock: %s; system calls: %s; tokens: %s", config->daemon_user[0] ? config->daemon_user : "what certfs is",
		  taken.landlock ? "on" : "no", taken.calls ? "filtered" : "not filtered",
		  taken.token ? "their modules may read files and use the network" : "none");
}

int privilege_drop(const struct config *config, struct error *err)
{
	const pid_t parent = getppid();
	int r = config->daemon_user[0] ? become(config, err) : shed(err);

	if (r < 0)
		return r;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user takes it away */
	if (getppid() != parent)
		_exit(1);
	return harden(config, err);
}
