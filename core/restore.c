/* `certfs restore`: a store from a backup, into an empty place. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "core_internal.h"
#include "place.h"

/* SQLite's files beside a database; a journal that somebody left would be taken for the new store's. */
static const char *const companions[] = {"", "-wal", "-shm", "-journal"};
enum { COMPANIONS = sizeof(companions) / sizeof(companions[0]), NAME_ROOM = PATH_MAX + 32 };

static int refuse_existing(const struct config *config, struct error *err)
{
	char name[NAME_ROOM];

	for (size_t i = 0; i < COMPANIONS; i++) {
		snprintf(name, sizeof(name), "%s%s", config->store_path, companions[i]);
		if (faccessat(AT_FDCWD, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return error_set(err, EEXIST,
					 "%s exists: a backup is restored into an empty place only; move it away first",
					 name);
	}
	return 0;
}

static void remove_part(const char *part)
{
	char name[NAME_ROOM];

	for (size_t i = 0; i < COMPANIONS; i++) {
		snprintf(name, sizeof(name), "%s%s", part, companions[i]);
		unlink(name);
	}
}

static int copy_from(const char *source, const char *part, struct error *err)
{
	struct store *store = NULL;
	int r = access(source, R_OK) < 0 ? error_system(err, errno, "can't be read")
					 : store_open(source, STORE_READ, &store, err);

	if (r == 0)
		store_stop_by_signal(store);
	if (r == 0)
		r = store_recognise(store, err);
	if (r == 0)
		r = store_copy(store, part, err);
	store_close(store);
	return r;
}

static int check_key(const struct config *config, struct store *store, struct error *err)
{
	struct seal *seal = NULL;
	int terms = 0;
	int r = core_load_terms(config, store, &seal, &terms, err);

	seal_free(seal);
	if (r == 0 && terms == 0)
		return error_set(err, EUCLEAN,
				 "it has no data key: no private key in it can be opened; take another backup");
	return r;
}

static int make_fit(const struct config *config, const char *part, struct error *err)
{
	struct store *store = NULL;
	int r = store_open(part, STORE_WRITE, &store, err);

	if (r == 0)
		store_stop_by_signal(store);
	if (r == 0)
		r = store_integrity(store, err);
	if (r == 0)
		r = store_migrate(store, err);
	if (r == 0)
		r = check_key(config, store, err);
	if (r == 0)
		r = store_raise(store, clock_now(), err);
	store_close(store);
	return r;
}

static int restore_locked(const struct config *config, const char *source, struct error *err)
{
	char part[NAME_ROOM];
	int r = refuse_existing(config, err);

	if (r < 0)
		return r;
	snprintf(part, sizeof(part), "%s.part", config->store_path);
	remove_part(part); /* what a killed restore left: the lock is ours */
	r = copy_from(source, part, err);
	if (r == 0)
		r = make_fit(config, part, err);
	if (r < 0)
		error_prefix(err, "nothing was restored from %s", source);
	if (r == 0)
		r = place_file(part, config->store_path, false, err);
	if (r < 0)
		remove_part(part);
	return r;
}

int core_restore(const struct config *config, const char *source, FILE *report, struct error *err)
{
	_cleanup_close_ int lock = -1;
	int r = core_lock(config, &lock, err);

	if (r == 0)
		r = restore_locked(config, source, err);
	if (r == 0)
		fprintf(report, "restored: %s from %s; next: certfs check, then certfs mount\n", config->store_path,
			source);
	return r;
}
