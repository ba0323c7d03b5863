/* `certfs backup`: a consistent copy of a store that may be in use, without its master key. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "core_internal.h"
#include "digest.h"
#include "master_key.h"
#include "place.h"

/* Beside dest, so that the rename stays within one filesystem. A leading "./": SQLite may take "file:…" for a URI. */
static int part_name(const char *dest, char ret[PATH_MAX + 32], struct error *err)
{
	if (strlen(dest) >= PATH_MAX)
		return error_set(err, ENAMETOOLONG, "the name of the backup is too long");
	snprintf(ret, PATH_MAX + 32, "%s%s.part-%d", *dest == '/' ? "" : "./", dest, (int)getpid());
	return 0;
}

static int refuse_existing(const char *dest, struct error *err)
{
	if (faccessat(AT_FDCWD, dest, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, EEXIST, "%s exists: a backup overwrites nothing, give it another name", dest);
	return 0;
}

/* SQLite fills an empty file: made here, it is nobody else's from its first byte. */
static int make_empty(const char *part, struct error *err)
{
	_cleanup_close_ int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return error_system(err, errno, "can't write the backup %s", part);
	return 0;
}

static int copy_to(struct store *store, const char *dest, struct error *err)
{
	char part[PATH_MAX + 32], journal[PATH_MAX + 48];
	int r = part_name(dest, part, err);

	if (r == 0)
		r = make_empty(part, err);
	if (r < 0)
		return r;
	snprintf(journal, sizeof(journal), "%s-journal", part);
	r = store_copy(store, part, err);
	if (r < 0)
		error_prefix(err, "no backup was made at %s", dest);
	if (r == 0)
		r = place_file(part, dest, false, err);
	if (r < 0)
		unlink(part);
	unlink(journal);
	return r;
}

/* Which master key the backup needs: the store says it; one that was never mounted by this version does not. */
static int print_key(const struct config *config, struct store *store, const char *dest, FILE *report,
		     struct error *err)
{
	char text[2 * FINGERPRINT_SIZE + 1] = "";
	uint8_t master[FINGERPRINT_SIZE];
	char source[256];
	int r = store_term_master(store, master, err);

	if (r < 0)
		return r;
	if (r == 1)
		hex_lower((struct span){master, sizeof(master)}, text);
	master_key_text(config->master_key, source, sizeof(source));
	fprintf(report,
		"backup: %s\n"
		"master key, not in it: SHA-256 %s (%s); keep a copy of that apart: without it the backup is "
		"worthless\n",
		dest, r == 1 ? text : "unknown", source);
	return 0;
}

/* What is printed is read from the copy, so it is of the same moment. */
static int describe(const struct config *config, const char *dest, FILE *report, struct error *err)
{
	struct store *copy = NULL;
	int r = store_open(dest, STORE_READ, &copy, err);

	if (r == 0)
		r = print_key(config, copy, dest, report, err);
	store_close(copy);
	return r;
}

int core_backup(const struct config *config, const char *dest, FILE *report, struct error *err)
{
	struct store *store = NULL;
	int r = refuse_existing(dest, err);

	if (r == 0 && access(config->store_path, F_OK) < 0)
		r = error_set(err, errno, "the store %s: %s: look at store.path", config->store_path, strerror(errno));
	if (r == 0)
		r = store_open(config->store_path, STORE_READ, &store, err);
	if (r == 0)
		r = store_current(store, err);
	if (r == 0) {
		store_stop_by_signal(store);
		r = copy_to(store, dest, err);
	}
	store_close(store);
	return r == 0 ? describe(config, dest, report, err) : r;
}
