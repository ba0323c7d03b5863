#include "issue_make.h"

#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "clock.h"
#include "event.h"
#include "key_trouble.h"
#include "name.h"

enum { ATTEMPTS_MAX = 100 };

/* A new key of an attempt that came to nothing is good for the next one: an RSA key takes seconds. */
static void issuing_reset(struct issuing *issuing)
{
	view_free(issuing->view);
	issuing->view = NULL;
	if (issuing->new_key && issuing->key) {
		keypair_unref(issuing->spare);
		issuing->spare = issuing->key;
	} else {
		keypair_unref(issuing->key);
	}
	issuing->key = NULL;
	buffer_clear(&issuing->cert);
	buffer_clear(&issuing->sealed);
}

void issuing_hurry(struct issuing *issuing)
{
	if (!atomic_load(&issuing->task.patient))
		return;
	pool_hurry(issuing->core->pool, &issuing->task);
	keypool_hurry(issuing->core->keypool, &issuing->waiter);
}

void issuing_free(struct issuing *issuing)
{
	issuing_reset(issuing);
	keypair_unref(issuing->spare);
	free(issuing);
}

/* ---- the writer's stage ---- */

static struct issuing *job_issuing(struct job *job)
{
	return (struct issuing *)((char *)job - offsetof(struct issuing, job));
}

/* What the certificate was made from must still be so. */
static int plan_holds(const struct issuing *issuing, struct store *store, struct app_row *app, struct error *err)
{
	const struct project_row *planned = &issuing->view->project->row;
	struct project_row project;
	int r = app_by_id(store, issuing->app, app, err);

	if (r == 0)
		r = project_by_id(store, app->project, &project, err);
	if (r < 0)
		return r;
	if (app->last_number != issuing->view->app->row.last_number ||
	    app->stale_number != issuing->view->app->row.stale_number ||
	    app->revoked_at != issuing->view->app->row.revoked_at || project.epoch != planned->epoch ||
	    project.revision != planned->revision || project.signing_ca != planned->signing_ca)
		return error_set(err, ESTALE, "the project changed while the certificate was made");
	return 0;
}

static int record_renewal(const struct issuing *issuing, struct store *store,
			  const struct app_row *app, struct error *err)
{
	const struct issue_order *order = issuing->order;
	const struct trigger_firing firing = {
		.time = issuing->row.issued_at, .reason = order->reason, .state = "done"};
	int r = audit_trigger(store, &order->caller, "renew", &issuing->view->project->row, app,
			      err);

	return r == 0 ? trigger_fire(store, "app", order->app, "renew", &firing, NULL, err) : r;
}

/* What force_update replaces is revoked as a purge does it (SPEC 5.7); a renewal revokes nothing. */
static int revoke_replaced(const struct issuing *issuing, struct store *store, struct error *err)
{
	const struct project *project = issuing->view->project;
	const struct generation_row *old = &issuing->view->generation;
	const unixtime now = issuing->row.issued_at;

	if (!old->id || old->epoch >= project->row.epoch)
		return 0;
	if (old->epoch < project->row.compromised_epoch)
		return generation_revoke_up_to(store, old->app, old->number, now, "cACompromise", err);
	return generation_revoke(store, old->id, now + (unixtime)project->policy.revoke_grace_hours * 3600, "superseded",
				 err);
}

static int issue_event(const struct issuing *issuing, struct store *store, struct error *err)
{
	const struct view *view = issuing->view;
	struct event event = event_of("NOTICE", view->generation.id ? "device_ca.renewed" : "device_ca.issued",
				      &view->project->row, &view->app->row);
	char end[32];

	event.generation = issuing->row.number;
	event.time = issuing->row.issued_at;
	clock_format(issuing->row.not_after, end);
	return event_add(store, &event, err, "certificate issued, valid until %s", end);
}

static int issuing_apply(struct job *job, struct store *store, struct error *err)
{
	struct issuing *issuing = job_issuing(job);
	struct app_row app;
	int r = plan_holds(issuing, store, &app, err);

	if (r == 0)
		r = app.generation ? generation_drop_key(store, app.generation, err) :
				     project_add_issued(store, app.project, 1, err);
	if (r == 0)
		r = generation_insert(store, &issuing->row, issuing->view->project->signing_ca->row.key,
				      buffer_span(&issuing->cert), buffer_span(&issuing->sealed), err);
	if (r == -EEXIST)
		return error_set(err, ESTALE, "the serial number is taken"); /* another one, at the next attempt */
	if (r == 0)
		r = app_set_generation(store, issuing->app, issuing->row.id, issuing->row.number,
				       device_ca_renewal_at(&issuing->view->project->policy, &issuing->row), err);
	if (r == 0)
		r = signing_ca_issued(store, issuing->row.signing_ca, issuing->row.not_after, err);
	if (r == 0)
		r = revoke_replaced(issuing, store, err);
	if (r == 0)
		r = issue_event(issuing, store, err);
	if (r == 0 && issuing->order->cause == ISSUE_FOR_RENEW)
		r = record_renewal(issuing, store, &app, err);
	job->touched_app = issuing->app;
	job->announce = issuing->order->cause != ISSUE_FOR_READ; /* a read's own node is the one to come */
	return r;
}

static void issuing_committed(struct job *job, int r, const struct error *err)
{
	struct issuing *issuing = job_issuing(job);

	if (r == -ESTALE && ++issuing->attempts < ATTEMPTS_MAX) {
		issue_make(issuing);
		return;
	}
	if (r == 0 && !job->replayed && issuing->row.issued_at > atomic_load(&issuing->core->newest))
		atomic_store(&issuing->core->newest, issuing->row.issued_at);
	issuing->finished(issuing, r, err);
}

/* ---- the pool's second stage: sign and seal ---- */

static void fill_order(const struct issuing *issuing, const struct issuer *issuer, struct device_ca_order *order)
{
	const struct project *project = issuing->view->project;

	name_common_name(project->policy.subject, issuing->view->app->row.name, project->row.name,
			 order->common_name);
	order->path_length = project->policy.path_length;
	order->pem_size_only = true; /* what stat has promised is the size of the PEM */
	issuer_validity(issuer, clock_now(), project->policy.validity_days, &order->not_before, &order->not_after);
}

static void fill_row(struct issuing *issuing, const struct device_ca_order *order)
{
	const struct view *view = issuing->view;
	const struct generation_row *last = &view->generation;

	issuing->row = (struct generation_row){
		.app = issuing->app,
		.number = view->app->row.next_number,
		.signing_ca = view->project->row.signing_ca,
		.epoch = view->project->row.epoch,
		.revision = view->project->row.revision,
		.not_before = order->not_before,
		.not_after = order->not_after,
		.issued_at = clock_now(),
		.previous_at = last->id ? last->issued_at : view->app->row.owner.created_at,
		.key_type = (int)view->project->policy.key_type,
	};
	memcpy(issuing->row.serial, order->serial, SERIAL_SIZE);
	keypair_spki(issuing->key, issuing->row.spki);
}

static int issuing_seal(struct issuing *issuing, struct error *err)
{
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	const struct seal_row name = {"generation", issuing->app, issuing->row.number, issuing->row.spki};
	int r = keypair_to_pkcs8(issuing->key, &plain, err);

	return r == 0 ? seal_close_row(issuing->core->seal, &name, buffer_span(&plain), &issuing->sealed, err) : r;
}

static int issuing_sign(struct issuing *issuing, struct error *err)
{
	struct device_ca_order order = {0};
	const struct issuer *issuer;
	struct store *store;
	int r = core_reader(issuing->core, &store, err);

	if (r == 0)
		r = signing_ca_issuer(issuing->view->project->signing_ca, store, issuing->core->seal, &issuer, err);
	if (r == 0)
		r = x509_serial(order.serial, err);
	if (r < 0)
		return r;
	fill_order(issuing, issuer, &order);
	fill_row(issuing, &order);
	r = issuer_sign(issuer, &order, issuing->key, &issuing->cert, err);
	key_trouble_note(issuing->core, issuing->view->project->row.id, issuer, r, err);
	return r == 0 ? issuing_seal(issuing, err) : r;
}

static void issuing_commit(struct issuing *issuing)
{
	issuing->job = (struct job){.apply = issuing_apply, .done = issuing_committed, .repeatable = true, .patient = issuing->task.patient};
	if (issuing->order->cause == ISSUE_FOR_RENEW)
		issuing->job.caller = issuing->order->caller;
	writer_submit(issuing->core->writer, &issuing->job);
}

static void issuing_finish_up(struct issuing *issuing)
{
	struct error err = {0};
	int r = issuing_sign(issuing, &err);

	if (r < 0)
		issuing->finished(issuing, r, &err);
	else
		issuing_commit(issuing);
}

static void sign_task(struct task *task)
{
	struct issuing *issuing = (struct issuing *)((char *)task - offsetof(struct issuing, task));
	struct writer *writer = issuing->core->writer;

	issuing_finish_up(issuing);
	writer_expect(writer, -1);
}

/* ---- the pool's first stage: decide, find a key ---- */

/* One that had to be waited for. */
static void key_ready(struct keypool_waiter *waiter, struct keypair *key, const struct error *err)
{
	struct issuing *issuing = (struct issuing *)((char *)waiter - offsetof(struct issuing, waiter));

	if (!key) {
		issuing->finished(issuing, -err->code, err);
		return;
	}
	issuing->key = key;
	issuing->task.run = sign_task;
	writer_expect(issuing->core->writer, 1);
	pool_submit(issuing->core->pool, &issuing->task);
}

static bool keeps_key(const struct view *view)
{
	const struct situation situation = view_situation(view);

	return device_ca_keeps_key(&situation);
}

static int key_of_generation(struct core *core, const struct generation_row *generation, struct keypair **ret,
			     struct error *err)
{
	_cleanup_buffer_ struct buffer sealed = {0};
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	const struct seal_row name = {"generation", generation->app, generation->number, generation->spki};
	int r = core_sealed_key(core, generation, &sealed, err);

	if (r == 0)
		r = seal_open_row(core->seal, &name, buffer_span(&sealed), &plain, err);
	return r == 0 ? keypair_from_pkcs8(buffer_span(&plain), ret, err) : r;
}

/* 1: there is one, 0: it comes later, to key_ready. */
static int issuing_find_key(struct issuing *issuing, struct error *err)
{
	const enum key_type type = issuing->view->project->policy.key_type;
	int r;

	issuing->waiter.ready = key_ready;
	issuing->new_key = !keeps_key(issuing->view) || issuing->view->generation.id == issuing->keyless;
	if (issuing->new_key && issuing->spare && keypair_type(issuing->spare) == (int)type) {
		issuing->key = issuing->spare;
		issuing->spare = NULL;
		return 1;
	}
	if (issuing->new_key)
		return keypool_take(issuing->core->keypool, type, &issuing->waiter, &issuing->key, err);
	r = key_of_generation(issuing->core, &issuing->view->generation, &issuing->key, err);
	return r == 0 ? 1 : r;
}

static int decide_read(const struct view *view, struct error *err)
{
	if (view->decision.verdict != VERDICT_REFUSE)
		return view->decision.verdict == VERDICT_ISSUE;
	*err = view->decision.refusal;
	return -err->code;
}

static int decide_renewal(const struct view *view, const struct situation *situation, struct error *err)
{
	int r;

	if (view->app->row.revoked_at)
		return error_set(err, EKEYREVOKED, "app instance %s was revoked: touch its purge to lift that",
				 view->app->row.name);
	r = device_ca_issuable(situation, err);
	return r == 0 ? 1 : r;
}

/* 1: a certificate is to be made, 0: the newest one serves, else why not. */
static int issuing_decide(struct issuing *issuing, struct error *err)
{
	struct situation situation;
	int r = view_app(issuing->core, issuing->app, &issuing->view, err);

	if (r < 0)
		return r;
	situation = view_situation(issuing->view);
	switch (issuing->order->cause) {
	case ISSUE_FOR_READ:
		return decide_read(issuing->view, err);
	case ISSUE_FOR_UPDATE:
		return device_ca_update(&situation, err);
	default:
		return decide_renewal(issuing->view, &situation, err);
	}
}

/* A key that is at hand is used at once: who waits for this certificate waits for no other one's turn. */
static void issuing_go_on(struct issuing *issuing)
{
	struct error err = {0};
	int r = issuing_find_key(issuing, &err);

	if (r > 0) {
		issuing_finish_up(issuing);
	} else if (r == -ESTALE && ++issuing->attempts < ATTEMPTS_MAX) {
		/* another generation came meanwhile and took it: look again, once at each */
		issuing->keyless = issuing->view->generation.id;
		issue_make(issuing);
	} else if (r < 0) {
		issuing->finished(issuing, r, &err);
	}
}

static void decide_task(struct task *task)
{
	struct issuing *issuing = (struct issuing *)((char *)task - offsetof(struct issuing, task));
	struct writer *writer = issuing->core->writer;
	struct error err = {0};
	int r = issuing_decide(issuing, &err);

	if (r > 0)
		issuing_go_on(issuing);
	else
		issuing->finished(issuing, r, &err);
	writer_expect(writer, -1);
}

void issue_make(struct issuing *issuing)
{
	issuing_reset(issuing);
	issuing->task.run = decide_task;
	writer_expect(issuing->core->writer, 1);
	pool_submit(issuing->core->pool, &issuing->task);
}
