#include "signing_ca.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "digest.h"

static void signing_ca_free(struct object *object)
{
	struct signing_ca *ca = (struct signing_ca *)object;

	chain_clear(&ca->chain);
	issuer_free(atomic_load(&ca->issuer));
	free(ca);
}

static int chain_add(void *context, struct span der)
{
	struct chain *chain = context;
	struct buffer *certs = reallocarray(chain->certs, chain->count + 1, sizeof(*certs));

	if (!certs)
		return -ENOMEM;
	chain->certs = certs;
	certs[chain->count] = (struct buffer){0};
	buffer_add_span(&certs[chain->count], der);
	pem_add_certificate(&chain->pem, der);
	return buffer_status(&certs[chain->count++]);
}

/* The chain passed every check when it became active: here it is put together again, not judged again. */
static int chain_load(struct store *store, const struct signing_ca_row *row, struct chain *chain, struct error *err)
{
	int r;

	memcpy(chain->spki, row->spki, sizeof(chain->spki));
	memcpy(chain->fingerprint, row->fingerprint, sizeof(chain->fingerprint));
	chain->not_before = row->not_before;
	chain->not_after = row->not_after;
	chain->path_length = row->path_length;
	chain->self_signed = row->self_signed;
	chain->has_root = row->has_root;
	chain->crl_sign = row->crl_sign;
	r = signing_ca_certs(store, row->id, chain_add, chain, err);
	if (r == -ENOMEM || buffer_status(&chain->pem) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (r == 0 && chain->count == 0)
		return error_set(err, EIO, "the store has no certificate for signing CA %lld: run `certfs check`",
				 (long long)row->id);
	return r;
}

int signing_ca_load(struct store *store, rowid id, struct signing_ca **ret, struct error *err)
{
	struct signing_ca *ca = calloc(1, sizeof(*ca));
	int r;

	if (!ca)
		return error_set(err, ENOMEM, "out of memory");
	object_init(&ca->object, signing_ca_free);
	r = signing_ca_by_id(store, id, &ca->row, err);
	if (r == 0)
		r = chain_load(store, &ca->row, &ca->chain, err);
	if (r < 0) {
		object_unref(&ca->object);
		return r;
	}
	*ret = ca;
	return 0;
}

struct seal_row signing_key_seal_row(const uint8_t spki[FINGERPRINT_SIZE])
{
	return (struct seal_row){.table = "signing_key", .spki = spki};
}

static int issuer_load(const struct signing_ca *ca, struct store *store, struct seal *seal, struct issuer **ret,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer sealed = {0};
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	_cleanup_keypair_ struct keypair *key = NULL;
	const struct seal_row name = signing_key_seal_row(ca->row.spki);
	int r = signing_key_sealed(store, ca->row.key, &sealed, err);

	if (r == 0)
		r = seal_open_row(seal, &name, buffer_span(&sealed), &plain, err);
	if (r == 0)
		r = keypair_from_stored(buffer_span(&plain), &key, err);
	return r == 0 ? issuer_new(&ca->chain, key, ret, err) : r;
}

int signing_ca_issuer(struct signing_ca *ca, struct store *store, struct seal *seal, const struct issuer **ret,
		      struct error *err)
{
	struct issuer *issuer = atomic_load(&ca->issuer);
	struct issuer *none = NULL;
	int r;

	if (!issuer) {
		r = issuer_load(ca, store, seal, &issuer, err);
		if (r < 0)
			return r;
		if (!atomic_compare_exchange_strong(&ca->issuer, &none, issuer)) {
			issuer_free(issuer); /* another thread was first */
			issuer = none;
		}
	}
	*ret = issuer;
	return 0;
}

int signing_ca_usable(const struct signing_ca *ca, unixtime now, struct error *err)
{
	char time[32];

	if (!ca)
		return error_set(err, ENOKEY,
				 "the project has no active signing CA: write signing_ca/cert.pem and signing_ca/key.pem");
	if (ca->row.compromised_at)
		return error_set(err, EKEYREVOKED,
				 "the signing CA is marked compromised (%s): upload another one to signing_ca/, then touch "
				 "force_update",
				 ca->row.compromised_reason);
	if (now >= ca->row.not_after) {
		clock_format(ca->row.not_after, time);
		return error_set(err, EKEYEXPIRED,
				 "The CA certificate has expired. It ended at %s: upload a successor to signing_ca/", time);
	}
	if (now < ca->row.not_before) {
		clock_format(ca->row.not_before, time);
		return error_set(err, EKEYEXPIRED,
				 "the signing CA is not valid before %s: wait, correct the clock, or upload another one",
				 time);
	}
	return 0;
}
