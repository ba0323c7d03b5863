/* `certfs check`: every pair matches, every chain verifies, no serial twice. Reads the store, changes nothing. */
#include <inttypes.h>
#include <string.h>

#include "certfs/core.h"
#include "core_internal.h"
#include "policy.h"

struct check {
	FILE *report;
	struct store *store;
	struct seal *seal;
	struct error *err;
	int64_t certificates, keys, findings;
	struct signing_ca *signer; /* of the last generation: those of one signing CA mostly come together */
};

/* What there is to do, by object. */
static const struct {
	const char *what, *remedy;
} remedies[] = {
	{"generation", "touch the app instance's purge, or restore a backup"},
	{"signing key", "upload the signing CA again, or restore a backup"},
	{"signing CA", "upload it again, or restore a backup"},
	{"project", "write its file policy again, or restore a backup"},
};

static const char *remedy_of(const char *what)
{
	for (size_t i = 0; i < sizeof(remedies) / sizeof(remedies[0]); i++)
		if (strcmp(remedies[i].what, what) == 0)
			return remedies[i].remedy;
	return "restore a backup";
}

static void finding(struct check *check, const char *what, int64_t id, const struct error *err)
{
	check->findings++;
	fprintf(check->report, "%s %" PRId64 ": %s: %s\n", what, id, err->text, remedy_of(what));
}

/* ---- keys ---- */

/* A sealed key must open, and be the key whose name is beside it. */
static int check_sealed(struct check *check, const struct seal_row *name, struct span sealed, struct error *err)
{
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	_cleanup_keypair_ struct keypair *key = NULL;
	uint8_t spki[FINGERPRINT_SIZE];
	int r = seal_open_row(check->seal, name, sealed, &plain, err);

	if (r == 0)
		r = keypair_from_stored(buffer_span(&plain), &key, err);
	if (r < 0)
		return r;
	check->keys++;
	keypair_spki(key, spki);
	if (memcmp(spki, name->spki, sizeof(spki)) != 0)
		return error_set(err, EUCLEAN, "the private key is not the certificate's");
	return 0;
}

static int check_signing_key(void *context, const struct signing_key_row *row)
{
	struct check *check = context;
	_cleanup_buffer_ struct buffer sealed = {0};
	const struct seal_row name = signing_key_seal_row(row->spki);
	struct error err;
	int r;

	if (!row->usable)
		return 0;
	r = signing_key_sealed(check->store, row->id, &sealed, &err);
	if (r == 0)
		r = check_sealed(check, &name, buffer_span(&sealed), &err);
	if (r < 0)
		finding(check, "signing key", row->id, &err);
	return 0;
}

/* ---- certificates ---- */

static int signer_of(struct check *check, rowid id, struct error *err)
{
	if (check->signer && check->signer->row.id == id)
		return 0;
	if (check->signer)
		object_unref(&check->signer->object);
	check->signer = NULL;
	return signing_ca_load(check->store, id, &check->signer, err);
}

static int check_certificate(struct check *check, const struct generation_row *row, struct error *err)
{
	_cleanup_buffer_ struct buffer cert = {0};
	int r = signer_of(check, row->signing_ca, err);

	if (r == 0)
		r = generation_cert(check->store, row->id, &cert, err);
	if (r == 0)
		r = x509_check_issued(buffer_span(&cert), buffer_span(&check->signer->chain.certs[0]), row->serial,
				      row->spki, err);
	check->certificates++;
	return r;
}

static int check_key(struct check *check, const struct generation_row *row, struct error *err)
{
	_cleanup_buffer_ struct buffer sealed = {0};
	const struct seal_row name = {"generation", row->app, row->number, row->spki};
	int r = generation_sealed(check->store, row->id, &sealed, err);

	if (r == -ENOENT)
		return 0; /* not the current one, its key is gone */
	return r == 0 ? check_sealed(check, &name, buffer_span(&sealed), err) : r;
}

static int check_generation(void *context, const struct generation_row *row)
{
	struct check *check = context;
	struct error err;

	if (check_certificate(check, row, &err) < 0 || check_key(check, row, &err) < 0)
		finding(check, "generation", row->id, &err);
	return 0;
}

/* ---- projects and signing CAs ---- */

static int check_policy(struct check *check, rowid id, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	struct policy policy;
	int r = project_policy(check->store, id, &text, err);

	if (r == 0 && policy_parse(buffer_span(&text), &policy, err) < 0)
		return error_prefix(err, "its policy can't be read, so it can't be served");
	return r;
}

static int check_project(void *context, rowid id, const char *name)
{
	struct check *check = context;
	struct error err;

	if (check_policy(check, id, &err) < 0) {
		error_prefix(&err, "%s", name);
		finding(check, "project", id, &err);
	}
	return 0;
}

/* At a moment within its life: that it has ended is no damage. */
static int judge_chain(const struct signing_ca *ca, struct error *err)
{
	_cleanup_chain_ struct chain judged = {0};
	const unixtime within = ca->row.not_before + (ca->row.not_after - ca->row.not_before) / 2;
	int r = x509_check_chain(ca->chain.certs, ca->chain.count, ca->row.spki, within, &judged, err);

	if (r < 0)
		return error_prefix(err, "its chain is broken");
	if (memcmp(judged.fingerprint, ca->row.fingerprint, FINGERPRINT_SIZE) != 0 || judged.count != ca->chain.count ||
	    judged.not_after != ca->row.not_after || judged.not_before != ca->row.not_before)
		return error_set(err, EUCLEAN, "it is another certificate than the store says");
	return 0;
}

static int check_signing_ca(void *context, rowid id)
{
	struct check *check = context;
	struct signing_ca *ca;
	struct error err;
	int r = signing_ca_load(check->store, id, &ca, &err);

	if (r == 0) {
		r = judge_chain(ca, &err);
		object_unref(&ca->object);
	}
	if (r < 0)
		finding(check, "signing CA", id, &err);
	return 0;
}

/* ---- the whole ---- */

static void report_consistency(void *context, const char *what, int64_t id, const char *remedy)
{
	struct check *check = context;

	check->findings++;
	fprintf(check->report, "%s: row %" PRId64 ": %s\n", what, id, remedy);
}

static int check_all(struct check *check, struct error *err)
{
	struct error damage;
	int r = store_integrity(check->store, &damage);

	if (r == -EUCLEAN)
		finding(check, "store", 0, &damage);
	else if (r < 0) {
		*err = damage;
		return r;
	}
	r = store_consistency(check->store, report_consistency, check, err);
	if (r == 0)
		r = project_each(check->store, 0, check_project, check, err);
	if (r == 0)
		r = signing_ca_each(check->store, check_signing_ca, check, err);
	if (r == 0)
		r = signing_key_each(check->store, check_signing_key, check, err);
	if (r == 0)
		r = generation_every(check->store, check_generation, check, err);
	return r;
}

static int check_store(struct check *check, struct error *err)
{
	int r = store_read_begin(check->store, err); /* one moment of a store that may be in use */

	if (r < 0)
		return r;
	r = check_all(check, err);
	store_read_end(check->store);
	if (r < 0 && check->findings)
		finding(check, "store, from here on unreadable", 0, err);
	else if (r < 0)
		return r;
	fprintf(check->report, "%" PRId64 " certificate%s, %" PRId64 " private key%s, %" PRId64 " finding%s\n",
		check->certificates, plural(check->certificates), check->keys, plural(check->keys), check->findings,
		plural(check->findings));
	return check->findings ? error_set(err, EUCLEAN, "the store has %" PRId64 " finding%s: restore a backup",
					   check->findings, plural(check->findings)) :
				 0;
}

int core_check(const struct config *config, FILE *report, struct error *err)
{
	struct check check = {.report = report, .err = err};
	int r = store_open(config->store_path, STORE_READ, &check.store, err);

	if (r == 0)
		r = store_current(check.store, err);
	if (r == 0)
		r = core_load_seal(config, check.store, &check.seal, err);
	if (r == 0)
		r = check_store(&check, err);
	if (check.signer)
		object_unref(&check.signer->object);
	seal_free(check.seal);
	store_close(check.store);
	return r;
}
