#include "rekey.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "digest.h"
#include "master_key.h"
#include "place.h"

struct rekey {
	struct store *store;
	const char *path;
	char next[MASTER_NEXT_SIZE];
	struct seal *from, *to;
	uint8_t fingerprint[FINGERPRINT_SIZE]; /* of the next key */
	struct error *err;
	struct {
		uint32_t term;
		struct buffer wrapped;
	} terms[16];
	int count;
};

/* ---- what a killed one left ---- */

/* What seal_master_create was writing: it may be another name of a whole key. */
static void begun_name(const char *next, char ret[MASTER_NEXT_SIZE + 8])
{
	snprintf(ret, MASTER_NEXT_SIZE + 8, "%s.new", next);
}

static bool is_left(const char *next)
{
	char begun[MASTER_NEXT_SIZE + 8];

	begun_name(next, begun);
	return access(next, F_OK) == 0 || access(begun, F_OK) == 0;
}

static int settle_locked(const char *path, const char *next, struct store *store, struct error *err)
{
	struct seal *seal = NULL;
	struct error ignored;
	int terms;
	char begun[MASTER_NEXT_SIZE + 8];
	int r = 0;

	begun_name(next, begun);
	if (unlink(begun) < 0 && errno != ENOENT)
		return error_system(err, errno, "can't remove %s", begun);
	if (access(next, F_OK) < 0)
		return 0;
	if (core_seal_under(path, store, &seal, &terms, err) == 0)
		r = unlink(next) < 0 ? error_system(err, errno, "can't remove %s", next)
				     : place_sync_directory(path, err);
	else if (core_seal_under(next, store, &seal, &terms, &ignored) == 0)
		r = place_file(next, path, true, err);
	else
		r = -err->code;
	seal_free(seal);
	return r;
}

int rekey_settle(const struct config *config, struct store *store, struct error *err)
{
	_cleanup_close_ int directory = -1;
	char next[MASTER_NEXT_SIZE];
	const char *path = master_key_file(config->master_key);

	if (!path)
		return 0;
	core_master_key_next(path, next);
	if (!is_left(next))
		return 0;
	directory = place_open_directory(path, err);
	if (directory < 0)
		return directory;
	if (flock(directory, LOCK_EX) < 0)
		return error_system(err, errno, "can't lock the directory of %s", path);
	return settle_locked(path, next, store, err);
}

/* ---- the steps ---- */

/* Whoever may read the old one, the unprivileged worker, may read the new one. By the descriptor: where the directory is the worker's, a name in
 * it may have become another file's, and that is not to be given away by root. */
static int same_owner(const char *path, const char *next, struct error *err)
{
	_cleanup_close_ int fd = open(next, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat old, own;

	if (fd >= 0 && fstat(fd, &own) == 0 && (!S_ISREG(own.st_mode) || own.st_uid != geteuid() || own.st_nlink != 1))
		return error_set(err, EEXIST, "%s is not the file that was just made: look who else writes to its directory", next);
	if (fd < 0 || stat(path, &old) < 0 || fchown(fd, old.st_uid, old.st_gid) < 0 || fchmod(fd, old.st_mode & 0700) < 0 || fsync(fd) < 0)
		return error_system(err, errno, "can't give %s the owner of %s", next, path);
	return 0;
}

static int make_next(struct rekey *rekey, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	int r = seal_master_create(rekey->next, &key, err);

	if (r == 0)
		r = same_owner(rekey->path, rekey->next, err);
	if (r == 0)
		r = seal_new(buffer_span(&key), &rekey->to, err);
	if (r == 0)
		seal_master_fingerprint(rekey->to, rekey->fingerprint);
	return r;
}

static int rewrap(void *context, uint32_t term, struct span wrapped)
{
	struct rekey *rekey = context;

	if (rekey->count == (int)(sizeof(rekey->terms) / sizeof(rekey->terms[0])))
		return error_set(rekey->err, ENOSPC, "the store has more data keys than any certfs makes: run `certfs check`, restore a backup");
	rekey->terms[rekey->count].term = term;
	return seal_term_rewrap(rekey->from, rekey->to, term, wrapped, &rekey->terms[rekey->count++].wrapped,
				rekey->err);
}

static int store_terms(struct rekey *rekey, struct error *err)
{
	int r = store_begin(rekey->store, err);

	if (r < 0)
		return r;
	rekey->err = err;
	r = store_term_each(rekey->store, rewrap, rekey, err);
	for (int i = 0; r == 0 && i < rekey->count; i++)
		r = store_term_rewrap(rekey->store, rekey->terms[i].term, buffer_span(&rekey->terms[i].wrapped),
				      rekey->fingerprint, err);
	if (r == 0)
		return store_commit(rekey->store, err);
	store_rollback(rekey->store);
	return r;
}

/* A commit that failed may be durable all the same: then the next key is the one. */
static int change_key(const struct config *config, struct rekey *rekey, struct error *err)
{
	struct error ignored;
	int r = core_load_seal(config, rekey->store, &rekey->from, err);

	if (r == 0)
		r = make_next(rekey, err);
	if (r == 0)
		r = store_terms(rekey, err);
	if (r == 0)
		return place_file(rekey->next, rekey->path, true, err);
	if (store_ready(rekey->store, &ignored) == 0)
		(void)settle_locked(rekey->path, rekey->next, rekey->store, &ignored);
	return r;
}

static void print_keys(const struct rekey *rekey, FILE *report)
{
	char old_key[2 * FINGERPRINT_SIZE + 1], new_key[2 * FINGERPRINT_SIZE + 1];
	uint8_t fingerprint[FINGERPRINT_SIZE];

	seal_master_fingerprint(rekey->from, fingerprint);
	hex_lower((struct span){fingerprint, sizeof(fingerprint)}, old_key);
	hex_lower((struct span){rekey->fingerprint, sizeof(rekey->fingerprint)}, new_key);
	fprintf(report,
		"new master key in %s: SHA-256 %s; copy it to a safe place\n"
		"the old one, SHA-256 %s, still opens older backups: make a new backup now, then destroy all copies of "
		"it\n",
		rekey->path, new_key, old_key);
}

static void rekey_clear(struct rekey *rekey)
{
	for (int i = 0; i < rekey->count; i++)
		buffer_clear(&rekey->terms[i].wrapped);
	seal_free(rekey->from);
	seal_free(rekey->to);
	store_close(rekey->store);
}

static int lock_alone(const char *path, int *ret, struct error *err)
{
	int fd = place_open_directory(path, err);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return error_set(
			err, EBUSY,
			"another process is changing the master key %s, or has locked its directory: wait for it",
			path);
	}
	*ret = fd;
	return 0;
}

static int rekey_locked(const struct config *config, struct rekey *rekey, struct error *err)
{
	int r = store_open(config->store_path, STORE_WRITE, &rekey->store, err);

	core_master_key_next(rekey->path, rekey->next);
	if (r == 0)
		r = store_current(rekey->store, err);
	if (r == 0)
		r = settle_locked(rekey->path, rekey->next, rekey->store, err);
	return r == 0 ? change_key(config, rekey, err) : r;
}

static int key_in_file(const struct config *config, const char **ret, struct error *err)
{
	*ret = master_key_file(config->master_key);
	if (!*ret)
		return error_set(err, ENOTSUP, "keystore.master_key is in no file: certfs changes a master key in a file only "
					       "(file:/path)");
	if (access(config->store_path, F_OK) < 0)
		return error_set(err, errno, "the store %s: %s: there is nothing to change the key of",
				 config->store_path, strerror(errno));
	return 0;
}

int core_rekey(const struct config *config, FILE *report, struct error *err)
{
	_cleanup_close_ int lock = -1;
	struct rekey rekey = {0};
	int r = key_in_file(config, &rekey.path, err);

	if (r == 0)
		r = lock_alone(rekey.path, &lock, err);
	if (r == 0)
		r = rekey_locked(config, &rekey, err);
	if (r == 0)
		print_keys(&rekey, report);
	rekey_clear(&rekey);
	return r;
}
