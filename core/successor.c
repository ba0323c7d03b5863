#include "successor.h"

#include <string.h>

#include "activate.h"
#include "certfs/log.h"
#include "clock.h"
#include "event.h"
#include "verb.h"

struct successor {
	struct verb verb;
	rowid project;
	rowid signing_ca; /* whose successor it is */
	struct candidate candidate;
	struct activation activation;
	struct buffer request; /* DER */
	struct buffer sealed;
	uint8_t spki[FINGERPRINT_SIZE];
};

static void successor_clear(struct verb *verb)
{
	struct successor *s = (struct successor *)verb;

	candidate_clear(&s->candidate);
	activation_clear(&s->activation);
	buffer_clear(&s->request);
	buffer_clear(&s->sealed);
}

static void staged(void *context, int r, int64_t result, const struct error *err)
{
	(void)context;
	(void)result;
	if (r < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err->code),
			  "a successor of a signing CA could not be staged, it is tried again: %s", err->text);
}

/* ---- a self-signed successor ---- */

/* Documents of the project, each a fingerprint: of the one that certfs has made, and of the signing CA whose successor the user did not want. */
static const char ours_name[] = "successor", dropped_name[] = "successor_dropped";

static int note_fingerprint(struct store *store, rowid project, const char *name, const uint8_t fingerprint[FINGERPRINT_SIZE],
			    struct error *err)
{
	return document_put(store, "project", project, name, (struct span){fingerprint, FINGERPRINT_SIZE}, err);
}

static int is_noted(struct store *store, rowid project, const char *name, const uint8_t fingerprint[FINGERPRINT_SIZE], bool *ret,
		    struct error *err)
{
	_cleanup_buffer_ struct buffer noted = {0};
	int r = document_get(store, "project", project, name, &noted, err);

	*ret = r == 0 && noted.size == FINGERPRINT_SIZE && memcmp(noted.data, fingerprint, FINGERPRINT_SIZE) == 0;
	return r == -ENOENT ? 0 : r;
}

int successor_is_ours(struct store *store, const struct signing_ca_row *next, bool *ret, struct error *err)
{
	return is_noted(store, next->project, ours_name, next->fingerprint, ret, err);
}

/* Whoever drops what certfs has staged has said no: it does not come back for that signing CA. */
static int note_dropped(struct store *store, const struct project_row *project, struct error *err)
{
	struct signing_ca_row next, active;
	bool ours = false;
	int r = signing_ca_by_id(store, project->next_ca, &next, err);

	if (r == -ENOENT)
		return 0; /* a damaged store: what is dropped is not even there */
	if (r == 0)
		r = successor_is_ours(store, &next, &ours, err);
	if (r < 0 || !ours || !project->signing_ca)
		return r;
	r = signing_ca_by_id(store, project->signing_ca, &active, err);
	return r == 0 ? note_fingerprint(store, project->id, dropped_name, active.fingerprint, err) : r;
}

static bool was_dropped(struct core *core, const struct signing_ca *ca)
{
	struct error ignored;
	struct store *store;
	bool dropped = false;

	return core_reader(core, &store, &ignored) == 0 &&
	       is_noted(store, ca->row.project, dropped_name, ca->row.fingerprint, &dropped, &ignored) == 0 && dropped;
}

static int next_apply(struct job *job, struct store *store, struct error *err)
{
	struct successor *s = (struct successor *)job;
	struct project_row project;
	int r = project_by_id(store, s->project, &project, err);

	if (r < 0 || project.next_ca || project.signing_ca != s->signing_ca)
		return r; /* the user was faster */
	r = note_fingerprint(store, project.id, ours_name, s->candidate.chain.fingerprint, err);
	return r == 0 ? activation_apply(&s->activation, job, store, err) : r;
}

static int make_next(struct successor *s, const struct signing_ca *ca, unixtime now, struct error *err)
{
	struct buffer cert = {0};
	int r = keypair_generate_like(buffer_span(&ca->chain.certs[0]), &s->candidate.key, err);

	if (r == 0)
		r = x509_successor(buffer_span(&ca->chain.certs[0]), s->candidate.key, now, &cert, err);
	if (r == 0)
		r = x509_check_chain(&cert, 1, NULL, now, &s->candidate.chain, err);
	buffer_clear(&cert);
	return r == 0 ? activation_prepare(&s->activation, s->verb.core, s->project, UPLOAD_NEXT, &s->candidate, err) : r;
}

/* ---- a request ---- */

static int request_event(struct store *store, const struct project_row *project, struct error *err)
{
	const struct event event = event_of("WARN", "signing_ca.requested", project, NULL);

	return event_add(store, &event, err,
			 "csr.pem asks for a successor: have it signed and write the certificate with its chain to cert.pem");
}

static int request_apply(struct job *job, struct store *store, struct error *err)
{
	struct successor *s = (struct successor *)job;
	struct project_row project;
	rowid key;
	int r = project_by_id(store, s->project, &project, err);

	if (r < 0 || project.csr_key || project.next_ca || project.signing_ca != s->signing_ca)
		return r;
	r = signing_key_put(store, s->spki, buffer_span(&s->sealed), clock_now(), &key, err);
	if (r == 0)
		r = document_put(store, "project", project.id, "csr", buffer_span(&s->request), err);
	if (r == 0)
		r = project_set_next(store, project.id, 0, key, err);
	job->touched_project = project.id;
	return r == 0 ? request_event(store, &project, err) : r;
}

static int make_request(struct successor *s, const struct signing_ca *ca, struct error *err)
{
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	_cleanup_keypair_ struct keypair *key = NULL;
	const struct seal_row name = signing_key_seal_row(s->spki);
	int r = keypair_generate_like(buffer_span(&ca->chain.certs[0]), &key, err);

	if (r < 0)
		return r;
	keypair_spki(key, s->spki);
	r = keypair_to_pkcs8(key, &plain, err);
	if (r == 0)
		r = seal_close_row(s->verb.core->seal, &name, buffer_span(&plain), &s->sealed, err);
	return r == 0 ? x509_request(buffer_span(&ca->chain.certs[0]), key, &s->request, err) : r;
}

/* ---- both ---- */

/* certfs makes no keys in tokens, and a successor's key that is in none would be a step back: the notice must do. */
static bool key_in_token(struct core *core, struct signing_ca *ca)
{
	const struct issuer *issuer;
	struct store *store;
	struct error ignored;

	return core_reader(core, &store, &ignored) == 0 && signing_ca_issuer(ca, store, core->seal, &issuer, &ignored) == 0 &&
	       issuer_in_token(issuer);
}

void successor_stage(struct core *core, const struct view *view)
{
	const struct project_row *project = &view->project->row;
	const struct signing_ca *ca = view->project->signing_ca;
	struct successor *s;
	struct error err = {0};
	int r;

	if (!ca || project->next_ca || project->csr_key || key_in_token(core, view->project->signing_ca) ||
	    was_dropped(core, ca))
		return;
	s = verb_new(sizeof(*s), core, NULL, staged, NULL);
	if (!s)
		return;
	s->project = project->id;
	s->signing_ca = ca->row.id;
	s->verb.clear = successor_clear;
	r = ca->row.self_signed ? make_next(s, ca, view->now, &err) : make_request(s, ca, &err);
	if (r < 0)
		verb_answer(&s->verb, r, &err);
	else
		verb_submit(&s->verb, ca->row.self_signed ? next_apply : request_apply);
}

/* ---- rm next/cert.pem ---- */

static int drop_apply(struct job *job, struct store *store, struct error *err)
{
	const struct successor *s = (struct successor *)job;
	struct project_row project;
	int r = project_by_id(store, s->project, &project, err);

	job->touched_project = s->project;
	if (r < 0 || !project.next_ca)
		return r;
	r = note_dropped(store, &project, err);
	return r == 0 ? project_set_next(store, project.id, 0, project.csr_key, err) : r;
}

void core_next_drop(struct core *core, const struct caller *caller, rowid project, core_done done, void *context)
{
	struct successor *s = verb_new(sizeof(*s), core, caller, done, context);

	if (!s)
		return;
	s->project = project;
	s->verb.clear = successor_clear;
	verb_submit(&s->verb, drop_apply);
}
