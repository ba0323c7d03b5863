/* Before a mount: the store's lock, a new store with its master key, the proof that key and store belong together. */
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "core_internal.h"

/* ---- the lock ---- */

/* mkdir -p, 0700. */
static int make_directory(const char *path, struct error *err)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return error_set(err, errno, "can't make the directory %s: %s", part, strerror(errno));
		*slash = '/';
	}
	if (mkdir(part, 0700) < 0 && errno != EEXIST)
		return error_set(err, errno, "can't make the directory %s: %s", part, strerror(errno));
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
			 "the store %s is in use by process %s: a store serves one mount at a time; unmount that one first",
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
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, errno, "can't open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? lock_taken(fd, config->store_path, err) :
					      error_set(err, errno, "can't lock %s: %s", path, strerror(errno));
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
		return error_set(err, errno, "can't write %s: %s", path, strerror(errno));
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* ---- the master key ---- */

static const char file_scheme[] = "file:";

static int master_key_path(const struct config *config, const char **ret, struct error *err)
{
	if (strncmp(config->master_key, file_scheme, strlen(file_scheme)) != 0)
		return error_set(err, ENOTSUP,
				 "keystore.master_key = %s: this build reads the master key from a file only "
				 "(file:/path)",
				 config->master_key);
	*ret = config->master_key + strlen(file_scheme);
	return 0;
}

struct terms {
	struct seal *seal;
	struct error *err;
	int count;
};

static int add_term(void *context, uint32_t term, struct span wrapped)
{
	struct terms *terms = context;

	terms->count++;
	return seal_term_add(terms->seal, term, wrapped, terms->err);
}

/* Opens the seal with every term of the store; *ret_terms says how many there are. */
static int seal_load(const struct config *config, struct store *store, struct seal **ret, int *ret_terms,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	struct terms terms = {.err = err};
	const char *path = NULL;
	int r = master_key_path(config, &path, err);

	if (r == 0)
		r = seal_master_read(path, &key, err);
	if (r == 0)
		r = seal_new(buffer_span(&key), &terms.seal, err);
	if (r == 0)
		r = store_term_each(store, add_term, &terms, err);
	if (r < 0) {
		seal_free(terms.seal);
		return r;
	}
	*ret_terms = terms.count;
	*ret = terms.seal;
	return 0;
}

int core_load_seal(const struct config *config, struct store *store, struct seal **ret, struct error *err)
{
	int terms;

	return seal_load(config, store, ret, &terms, err);
}

int core_unseal(struct core *core, struct error *err)
{
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? core_load_seal(&core->config, store, &core->seal, err) : r;
}

/* ---- a new store ---- */

/* The key exists before the store does, so a crash in between leaves a key without a store, never the reverse. */
static int make_master_key(const struct config *config, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	const char *path = NULL;
	int r = master_key_path(config, &path, err);

	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		return 0;
	return seal_master_create(path, &key, err);
}

static int first_term(const struct config *config, struct store *store, struct error *err)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	struct seal *seal = NULL;
	int terms = 0;
	int r = seal_load(config, store, &seal, &terms, err);

	if (r < 0 || terms > 0) {
		seal_free(seal);
		return r;
	}
	r = seal_term_create(seal, 1, &wrapped, err);
	if (r == 0)
		r = store_begin(store, err);
	if (r == 0)
		r = store_term_add(store, 1, buffer_span(&wrapped), err);
	if (r == 0)
		r = store_commit(store, err);
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

int core_prepare(const struct config *config, bool read_only, struct error *err)
{
	struct store *store = NULL;
	int r = open_for_preparation(config, read_only, &store, err);

	if (r == 0)
		r = store_migrate(store, err);
	if (r == 0)
		r = first_term(config, store, err);
	store_close(store);
	return r;
}
