#include "activate.h"

#include <string.h>

#include "clock.h"
#include "event.h"
#include "name.h"
#include "successor.h"

void activation_clear(struct activation *activation)
{
	buffer_clear(&activation->sealed);
}

/* ---- before the transaction ---- */

static int key_from_store(struct core *core, const uint8_t spki[FINGERPRINT_SIZE], struct keypair **ret,
			  struct error *err)
{
	_cleanup_buffer_ struct buffer sealed = {0};
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	const struct seal_row name = signing_key_seal_row(spki);
	struct signing_key_row row;
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = signing_key_by_spki(store, spki, &row, err);
	if (r == 0)
		r = signing_key_sealed(store, row.id, &sealed, err);
	if (r == -ENOENT)
		return error_set(err, EKEYREJECTED,
				 "cert.pem: the store no longer has the private key of this certificate: write key.pem, too");
	if (r == 0)
		r = seal_open_row(core->seal, &name, buffer_span(&sealed), &plain, err);
	return r == 0 ? keypair_from_stored(buffer_span(&plain), ret, err) : r;
}

/* The common name and validity that the project's certificates will have: a name constraint shows here. */
static int prove(struct core *core, rowid project_id, const struct chain *chain, const struct keypair *key,
		 struct error *err)
{
	_cleanup_keypair_ struct keypair *subject = NULL;
	struct device_ca_order order = {0};
	struct issuer *issuer = NULL;
	struct project *project;
	unixtime now = clock_now();
	int r = core_project(core, project_id, &project, err);

	if (r < 0)
		return r;
	name_common_name(project->policy.subject, "app", project->row.name, order.common_name);
	order.path_length = project->policy.path_length;
	r = keypair_generate(KEY_EC_P256, &subject, err);
	if (r == 0)
		r = x509_serial(order.serial, err);
	if (r == 0)
		r = issuer_new(chain, key, &issuer, err);
	if (r == 0) {
		issuer_validity(issuer, now, project->policy.validity_days, &order.not_before, &order.not_after);
		r = issuer_prove(issuer, chain, &order, subject, now, err);
	}
	issuer_free(issuer);
	object_unref(&project->object);
	return r;
}

static int seal_key(struct activation *activation, struct core *core, const struct keypair *key, struct error *err)
{
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	const struct seal_row name = signing_key_seal_row(activation->candidate->chain.spki);
	int r = keypair_to_stored(key, &plain, err);

	return r == 0 ? seal_close_row(core->seal, &name, buffer_span(&plain), &activation->sealed, err) : r;
}

int activation_prepare(struct activation *activation, struct core *core, rowid project, enum upload_target target,
		       const struct candidate *candidate, struct error *err)
{
	_cleanup_keypair_ struct keypair *key = NULL;
	int r = 0;

	activation->project = project;
	activation->target = target;
	activation->candidate = candidate;
	activation->needs_sealed = candidate->key != NULL;
	if (candidate->key)
		key = keypair_ref(candidate->key);
	else
		r = key_from_store(core, candidate->chain.spki, &key, err);
	if (r == 0)
		r = prove(core, project, &candidate->chain, key, err);
	return r == 0 && activation->needs_sealed ? seal_key(activation, core, key, err) : r;
}

/* ---- the transaction ---- */

static int not_compromised(struct store *store, const uint8_t spki[FINGERPRINT_SIZE], struct error *err)
{
	struct signing_key_row key;
	int r = signing_key_by_spki(store, spki, &key, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && key.compromised_at)
		return error_set(err, EKEYREJECTED,
				 "this key is marked compromised (%s): no certificate makes it active again; use a new key",
				 key.compromised_reason);
	return r;
}

static int put_key(struct activation *activation, struct store *store, unixtime now, rowid *ret, struct error *err)
{
	const uint8_t *spki = activation->candidate->chain.spki;
	struct signing_key_row key;
	int r;

	if (activation->needs_sealed)
		return signing_key_put(store, spki, buffer_span(&activation->sealed), now, ret, err);
	r = signing_key_by_spki(store, spki, &key, err);
	if (r == 0 && !key.usable)
		r = error_set(err, EKEYREJECTED, "next/cert.pem: the store no longer has its private key: write key.pem, too");
	if (r == 0)
		*ret = key.id;
	return r;
}

static void fill_row(struct signing_ca_row *row, const struct chain *chain, const struct project_row *project,
		     rowid key, unixtime now)
{
	row->project = project->id;
	row->key = key;
	row->not_before = chain->not_before;
	row->not_after = chain->not_after;
	row->path_length = chain->path_length;
	row->self_signed = chain->self_signed;
	row->has_root = chain->has_root;
	row->crl_sign = chain->crl_sign;
	row->chain_revision = project->revision + 1;
	row->activated_at = now;
	memcpy(row->fingerprint, chain->fingerprint, sizeof(row->fingerprint));
	memcpy(row->warning, chain->warning, sizeof(row->warning));
}

static int first_cert(void *context, struct span der)
{
	struct buffer *first = context;

	if (first->size == 0)
		buffer_add_span(first, der);
	return buffer_status(first);
}

/* The project's earlier signing CA of the same key, subject and key identifier: the chain is swapped in its row, and what hangs on
 * it stays as it is. 1: *ret is set, 0: there is none. */
static int same_issuer(struct store *store, rowid project, const struct chain *chain, struct signing_ca_row *ret,
		       struct error *err)
{
	_cleanup_buffer_ struct buffer signer = {0};
	struct signing_ca_row row;
	int r = signing_ca_by_spki(store, project, chain->spki, &row, err);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = signing_ca_certs(store, row.id, first_cert, &signer, err);
	if (r < 0)
		return r;
	if (!x509_same_issuer(buffer_span(&signer), buffer_span(&chain->certs[0])))
		return 0;
	*ret = row;
	return 1;
}

static int put_certs(const struct chain *chain, struct store *store, rowid id, struct error *err)
{
	int r = signing_ca_drop_certs(store, id, err);

	for (size_t i = 0; r == 0 && i < chain->count; i++)
		r = signing_ca_add_cert(store, id, (int)i, buffer_span(&chain->certs[i]), err);
	return r;
}

/* A staged successor has a row of its own, whatever its key: nothing of the active one changes until update. */
static int put_signing_ca(const struct activation *activation, struct store *store, const struct project_row *project,
			  rowid key, struct job *job, struct error *err)
{
	const struct chain *chain = &activation->candidate->chain;
	struct signing_ca_row row = {0};
	int found = activation->target == UPLOAD_NEXT ? 0 : same_issuer(store, project->id, chain, &row, err);
	int r = found;

	if (r < 0)
		return r;
	fill_row(&row, chain, project, key, clock_now());
	r = found ? signing_ca_update(store, &row, err) : signing_ca_insert(store, &row, err);
	job->touched_signing_ca = row.id;
	job->result = row.id;
	return r == 0 ? put_certs(chain, store, row.id, err) : r;
}

int project_requested(struct store *store, rowid project, const uint8_t spki[FINGERPRINT_SIZE], struct error *err)
{
	struct signing_key_row key;
	struct project_row row;
	int r = project_by_id(store, project, &row, err);

	if (r == 0)
		r = signing_key_by_spki(store, spki, &key, err);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : key.id == row.csr_key;
}

/* The answer to csr.pem is a successor wherever and however often it was written: the request is over when the answer is active. */
static int find_target(struct activation *activation, struct store *store, const struct project_row *project, struct error *err)
{
	int r = project_requested(store, project->id, activation->candidate->chain.spki, err);

	if (r > 0)
		activation->target = UPLOAD_NEXT;
	return r < 0 ? r : 0;
}

/* What certfs has staged or requested to follow the replaced signing CA goes with it: an update would switch back to that, and the new one
 * would have no successor of its own. What the user has staged stays; if it answers the request, that too, for it is an answer however often
 * it is written. */
static int drop_outdated(struct store *store, const struct project_row *project, struct error *err)
{
	struct signing_ca_row next = {0};
	bool ours = false;
	int r = project->next_ca ? signing_ca_by_id(store, project->next_ca, &next, err) : 0;

	if (r == 0 && project->next_ca)
		r = successor_is_ours(store, &next, &ours, err);
	if (r < 0 || (!ours && (!project->csr_key || next.key == project->csr_key)))
		return r;
	return project_set_next(store, project->id, ours ? 0 : project->next_ca, 0, err);
}

/* What replaces the active one drops what was staged to do so. */
static int place(const struct activation *activation, struct store *store, const struct project_row *project,
		 rowid signing_ca, struct error *err)
{
	int r;

	if (activation->target == UPLOAD_NEXT)
		return project_set_next(store, project->id, signing_ca, project->csr_key, err);
	r = project_set_signing_ca(store, project->id, signing_ca, err);
	if (r == 0)
		r = object_written(store, "project", project->id, clock_now(), err);
	if (r == 0 && project->next_ca == signing_ca)
		r = project_set_next(store, project->id, 0, 0, err);
	else if (r == 0 && project->signing_ca && project->signing_ca != signing_ca)
		r = drop_outdated(store, project, err);
	return r == 0 ? operation_release(store, project->id, err) : r;
}

static int add_cert(void *context, struct span der)
{
	struct buffer *all = context;

	buffer_add_span(all, der);
	return buffer_status(all);
}

/* A playbook that is run again writes to next/ what has become active meanwhile. */
static int is_active_already(const struct activation *activation, struct store *store, const struct project_row *project, bool *ret,
			     struct error *err)
{
	_cleanup_buffer_ struct buffer active = {0}, written = {0};
	const struct chain *chain = &activation->candidate->chain;
	int r;

	*ret = false;
	if (activation->target != UPLOAD_NEXT || !project->signing_ca)
		return 0;
	r = signing_ca_certs(store, project->signing_ca, add_cert, &active, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < chain->count; i++)
		if (add_cert(&written, buffer_span(&chain->certs[i])) < 0)
			return error_set(err, ENOMEM, "out of memory");
	*ret = active.size == written.size && memcmp(active.data, written.data, written.size) == 0;
	return 0;
}

/* There is nothing to switch to any more: what next/ held was overwritten. */
static int stage_nothing(struct store *store, const struct project_row *project, struct error *err)
{
	const struct event event = event_of("NOTICE", "signing_ca.staged", project, NULL);
	int r = project_set_next(store, project->id, 0, project->csr_key, err);

	return r == 0 ? event_add(store, &event, err, "what was written to next/ is the active signing CA: nothing is staged") : r;
}

static int activation_event(const struct activation *activation, struct store *store, const struct project_row *project,
			    struct error *err)
{
	const struct chain *chain = &activation->candidate->chain;
	const bool next = activation->target == UPLOAD_NEXT;
	const struct event event = event_of(*chain->warning ? "WARN" : "NOTICE",
					    next ? "signing_ca.staged" : "signing_ca.activated", project, NULL);
	char end[32];

	clock_format(chain->not_after, end);
	return event_add(store, &event, err, "%s, its chain ends at %s%s%s",
			 next ? "successor staged: touch update to switch to it" : "signing CA active", end,
			 *chain->warning ? "; " : "", chain->warning);
}

int activation_apply(struct activation *activation, struct job *job, struct store *store, struct error *err)
{
	const struct chain *chain = &activation->candidate->chain;
	struct project_row project;
	bool active = false;
	rowid key;
	int r = project_by_id(store, activation->project, &project, err);

	job->touched_project = activation->project;
	if (r == 0)
		r = not_compromised(store, chain->spki, err);
	if (r == 0)
		r = is_active_already(activation, store, &project, &active, err);
	if (r == 0 && active)
		return stage_nothing(store, &project, err);
	if (r == 0)
		r = put_key(activation, store, clock_now(), &key, err);
	if (r == 0)
		r = find_target(activation, store, &project, err);
	if (r == 0)
		r = put_signing_ca(activation, store, &project, key, job, err);
	if (r == 0)
		r = place(activation, store, &project, job->result, err);
	return r == 0 ? activation_event(activation, store, &project, err) : r;
}
