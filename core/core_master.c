/* The master key in its file, and the seal that it opens. */
#include <stdio.h>
#include <string.h>

#include "core_internal.h"
#include "digest.h"

static const char file_scheme[] = "file:";

int core_master_key_path(const struct config *config, const char **ret, struct error *err)
{
	if (strncmp(config->master_key, file_scheme, strlen(file_scheme)) != 0)
		return error_set(err, ENOTSUP,
				 "keystore.master_key = %s: this build reads the master key from a file only "
				 "(file:/path)",
				 config->master_key);
	*ret = config->master_key + strlen(file_scheme);
	return 0;
}

void core_master_key_next(const char *path, char ret[MASTER_NEXT_SIZE])
{
	snprintf(ret, MASTER_NEXT_SIZE, "%s.next", path);
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

int core_seal_under(const char *path, struct store *store, struct seal **ret, int *ret_terms, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	struct terms terms = {.err = err};
	int r = seal_master_read(path, &key, err);

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

/* The sentence for a key that is there, well-formed, and not this store's. */
static int wrong_key(const char *path, struct store *store, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	uint8_t wanted[FINGERPRINT_SIZE], found[FINGERPRINT_SIZE];
	char wanted_text[2 * FINGERPRINT_SIZE + 1], found_text[2 * FINGERPRINT_SIZE + 1];
	struct error ignored;

	if (seal_master_read(path, &key, &ignored) < 0 || store_term_master(store, wanted, &ignored) != 1)
		return -err->code;
	digest_sha256(buffer_span(&key), found);
	hex_lower((struct span){wanted, sizeof(wanted)}, wanted_text);
	hex_lower((struct span){found, sizeof(found)}, found_text);
	if (memcmp(wanted, found, sizeof(wanted)) == 0)
		return error_set(err, EIO,
				 "the store's data key is damaged: it does not open under the right master key: "
				 "restore a backup");
	return error_set(err, EKEYREJECTED,
			 "wrong master key: the store's has SHA-256 %s, %s has %s: put the right one there, or correct "
			 "keystore.master_key",
			 wanted_text, path, found_text);
}

/* A rekey first writes the next key, then wraps the data keys by it, then renames: either of the two opens the store, and after
 * a rename in between the first name does. */
int core_load_terms(const struct config *config, struct store *store, struct seal **ret, int *ret_terms,
		    struct error *err)
{
	char next[MASTER_NEXT_SIZE];
	struct error ignored;
	const char *path;
	int r = core_master_key_path(config, &path, err);

	if (r < 0)
		return r;
	core_master_key_next(path, next);
	if (core_seal_under(path, store, ret, ret_terms, err) == 0 ||
	    (err->code == EKEYREJECTED && (core_seal_under(next, store, ret, ret_terms, &ignored) == 0 ||
					   core_seal_under(path, store, ret, ret_terms, &ignored) == 0)))
		return 0;
	return err->code == EKEYREJECTED ? wrong_key(path, store, err) : -err->code;
}

int core_load_seal(const struct config *config, struct store *store, struct seal **ret, struct error *err)
{
	int terms;

	return core_load_terms(config, store, ret, &terms, err);
}

int core_unseal(struct core *core, struct error *err)
{
	struct store *store;
	int r = core_reader(core, &store, err);

	return r == 0 ? core_load_seal(&core->config, store, &core->seal, err) : r;
}
