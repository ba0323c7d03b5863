/* The master key, and the seal that it opens. */
#include <stdio.h>
#include <string.h>

#include "core_internal.h"
#include "digest.h"
#include "master_key.h"

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

static int seal_with(struct span key, struct store *store, struct seal **ret, int *ret_terms, struct error *err)
{
	struct terms terms = {.err = err};
	int r = seal_new(key, &terms.seal, err);

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

int core_seal_under(const char *path, struct store *store, struct seal **ret, int *ret_terms, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	int r = seal_master_read(path, &key, err);

	return r == 0 ? seal_with(buffer_span(&key), store, ret, ret_terms, err) : r;
}

/* The sentence for a key that is there, well-formed, and not this store's. */
static int wrong_key(const char *source, struct span key, struct store *store, struct error *err)
{
	uint8_t wanted[FINGERPRINT_SIZE], found[FINGERPRINT_SIZE];
	char wanted_text[2 * FINGERPRINT_SIZE + 1], found_text[2 * FINGERPRINT_SIZE + 1], where[256];
	struct error ignored;

	if (store_term_master(store, wanted, &ignored) != 1)
		return -err->code;
	master_key_text(source, where, sizeof(where));
	digest_sha256(key, found);
	hex_lower((struct span){wanted, sizeof(wanted)}, wanted_text);
	hex_lower((struct span){found, sizeof(found)}, found_text);
	if (memcmp(wanted, found, sizeof(wanted)) == 0)
		return error_set(err, EIO,
				 "the store's data key is damaged: it does not open under the right master key: "
				 "restore a backup");
	return error_set(err, EKEYREJECTED,
			 "wrong master key: the store's has SHA-256 %s, %s has %s: put the right one there, or correct "
			 "keystore.master_key",
			 wanted_text, where, found_text);
}

/* A rekey first writes the next key, then wraps the data keys by it, then renames: either of the two opens the store, and after
 * a rename in between the first name does. */
static int load_rekeyed(const char *path, struct store *store, struct seal **ret, int *ret_terms)
{
	char next[MASTER_NEXT_SIZE];
	struct error ignored;

	core_master_key_next(path, next);
	if (core_seal_under(next, store, ret, ret_terms, &ignored) == 0)
		return 0;
	return core_seal_under(path, store, ret, ret_terms, &ignored);
}

int core_load_terms(const struct config *config, struct store *store, struct seal **ret, int *ret_terms,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	const char *path = master_key_file(config->master_key);
	int r = master_key_read(config->master_key, &key, err);

	if (r == 0)
		r = seal_with(buffer_span(&key), store, ret, ret_terms, err);
	if (r != -EKEYREJECTED)
		return r;
	if (path && load_rekeyed(path, store, ret, ret_terms) == 0)
		return 0;
	return key.size ? wrong_key(config->master_key, buffer_span(&key), store, err) : r;
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
