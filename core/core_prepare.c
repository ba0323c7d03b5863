/* Before a mount: the store's lock, a new store with its master key, the proof that key and store belong together. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "core_internal.h"
#include "master_key.h"
#include "rekey.h"

/* ---- the lock ---- */

/* mkdir -p, 0700. */
static int make_directory(const char *path, struct error *err)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_system(err, errno, "can't make the directory %s", part);
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return error_system(err, errno, "can't make the directory %s", part);
	return 0;
}

static int make_store_directory(const char *store_path, struct error *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", store_path);
	return make_directory(dirname(path), err);
}

static int lock_taken(int fd, const char *store_path, struct error *err)
{
	char pid[32] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? n : 0] = '\0';
	pid[strcspn(pid, "\n")] = '\0';
	return error_set(err, EBUSY,
			 "the store %s is in use by process %s: a store serves one mount at a time: unmount that one first (`certfs status` finds it)",
			 store_path, *pid ? pid : "(unknown)");
}

int core_lock(const struct config *config, int *ret_fd, struct error *err)
{
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX + 8];
	int r = make_store_directory(config->store_path, err);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "%s.lock", config->store_path);
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600); /* root empties it, in a directory that may be the worker's */
	if (fd < 0)
		return error_system(err, errno, "can't open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? lock_taken(fd, config->store_path, err) :
					      error_system(err, errno, "can't lock %s", path);
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return error_system(err, errno, "can't write %s", path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- a new store ---- */

/* The key exists before the store does, so a crash in between leaves a key without a store, never the reverse. What is not in a
 * file is not made here, but must be there. */
static int make_master_key(const struct config *config, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	const char *path = master_key_file(config->master_key);

	if (!path)
		return master_key_read(config->master_key, &key, err);
	if (access(path, F_OK) == 0)
		return 0;
	return seal_master_create(path, &key, err);
}

static int add_first_term(struct seal *seal, struct store *store, struct error *err)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	uint8_t master[FINGERPRINT_SIZE];
	int r = seal_term_create(seal, 1, &wrapped, err);

	seal_master_fingerprint(seal, master);
	if (r == 0)
		r = store_begin(store, err);
	if (r == 0)
		r = store_term_add(store, 1, buffer_span(&wrapped), err);
	if (r == 0)
		r = store_term_rewrap(store, 1, buffer_span(&wrapped), master, err);
	if (r == 0)
		r = store_commit(store, err);
	return r;
}

/* A store of an older certfs does not say yet which master key it has. */
static int note_master(const struct seal *seal, struct store *store, struct error *err)
{
	uint8_t master[FINGERPRINT_SIZE];
	int r = store_term_master(store, master, err);

	if (r != 0)
		return r < 0 ? r : 0;
	seal_master_fingerprint(seal, master);
	return store_term_note(store, master, err);
}

static int first_term(const struct config *config, bool read_only, struct store *store, struct error *err)
{
	struct seal *seal = NULL;
	int terms = 0;
	int r = core_load_terms(config, store, &seal, &terms, err);

	if (r == 0 && terms == 0)
		r = add_first_term(seal, store, err);
	else if (r == 0 && !read_only)
		r = note_master(seal, store, err);
	seal_free(seal);
	return r;
}

static int open_for_preparation(const struct config *config, bool read_only, struct store **ret, struct error *err)
{
	bool exists = access(config->store_path, F_OK) == 0;
	int r;

	if (!exists && read_only)
		return error_set(err, ENOENT, "there is no store %s: mount once without -o ro to make it",
				 config->store_path);
	if (!exists) {
		r = make_store_directory(config->store_path, err);
		if (r == 0)
			r = make_master_key(config, err);
		if (r < 0)
			return r;
	}
	return store_open(config->store_path, exists ? STORE_WRITE : STORE_CREATE, ret, err);
}

static int prepare(const struct config *config, bool read_only, struct error *err)
{
	struct store *store = NULL;
	int r = open_for_preparation(config, read_only, &store, err);

	if (r == 0)
		r = store_migrate(store, err);
	if (r == 0)
		r = first_term(config, read_only, store, err);
	if (r == 0 && !read_only)
		r = rekey_settle(config, store, err);
	store_close(store);
	return r;
}

/* ---- in a process of its own ---- */

static _Noreturn void prepare_child(const struct config *config, bool read_only, int report)
{
	struct error err = {0};

	if (core_memory_init(&err) == 0)
		(void)prepare(config, read_only, &err);
	_exit(write(report, &err, sizeof(err)) == (ssize_t)sizeof(err) ? 0 : 1);
}

static int child_result(int report, pid_t child, struct error *err)
{
	struct error said;
	ssize_t n;

	while ((n = read(report, &said, sizeof(said))) < 0 && errno == EINTR)
		;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(said))
		return error_set(err, EIO, "the process that opens the token died: check the token's PKCS#11 module");
	if (said.code)
		*err = said;
	return -said.code;
}

/* A PKCS#11 module does not outlive a fork: the supervisor, which forks, never loads one. */
static int prepare_apart(const struct config *config, bool read_only, struct error *err)
{
	_cleanup_close_ int from = -1;
	int report[2];
	pid_t child;

	if (pipe2(report, O_CLOEXEC) < 0)
		return error_system(err, errno, "can't make a pipe to the process that opens the token");
	from = report[0];
	child = fork();
	if (child == 0)
		prepare_child(config, read_only, report[1]);
	close(report[1]);
	return child < 0 ? error_system(err, errno, "can't start the process that opens the token") : child_result(from, child, err);
}

int core_prepare(const struct config *config, bool read_only, struct error *err)
{
	return (strncmp(config->master_key, "pkcs11:", 7) == 0 ? prepare_apart : prepare)(config, read_only, err);
}

/* ---- taking over ---- */

int core_probe(const struct config *config, int lock_fd, struct error *err)
{
	struct store *store = NULL;
	struct stat held, configured;
	char path[PATH_MAX + 8];
	int r;

	snprintf(path, sizeof(path), "%s.lock", config->store_path);
	if (fstat(lock_fd, &held) < 0 || stat(path, &configured) < 0 || held.st_dev != configured.st_dev || held.st_ino != configured.st_ino)
		return error_set(err, EBUSY, "store.path can't change while mounted: unmount, and mount again");
	r = store_open(config->store_path, STORE_READ, &store, err);
	if (r == 0)
		r = store_current(store, err);
	store_close(store);
	return r == -ESTALE ? 0 : r;
}
