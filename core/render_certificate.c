/* device_ca.pem, device_ca.key, bundle.pem, trust_bundle.pem. */
#include <string.h>

#include "certfs/render.h"
#include "idlist.h"
#include "name.h"
#include "render_internal.h"

enum { TRUST_DAYS_AFTER_END = 30 };

/* GeneralizedTime from 2050 on (RFC 5280, 4.1.2.5): two bytes more. */
static const unixtime year_2050 = 2524608000;

/* ---- sizes ---- */

static int plan_order(const struct view *view, const struct issuer *issuer, struct device_ca_order *order)
{
	const struct policy *policy = &view->project->policy;

	name_common_name(policy->subject, view->app->row.name, view->project->row.name, order->common_name);
	order->path_length = policy->path_length;
	issuer_validity(issuer, view->now, policy->validity_days, &order->not_before, &order->not_after);
	return order->not_after >= year_2050;
}

/* The DER size of the certificate to come. */
int certificate_plan_size(const struct view *view, size_t *ret, struct error *err)
{
	struct device_ca_order order = {0};
	_Atomic uint32_t *planned;
	const struct issuer *issuer;
	struct store *store;
	int form, r;

	r = core_reader(view->core, &store, err);
	if (r == 0)
		r = signing_ca_issuer(view->project->signing_ca, store, view->core->seal, &issuer, err);
	if (r < 0)
		return r;
	form = plan_order(view, issuer, &order);
	planned = &view->project->planned[form][strlen(order.common_name)];
	*ret = atomic_load(planned);
	if (*ret)
		return 0;
	r = issuer_plan(issuer, &order, view->project->policy.key_type, ret, err);
	if (r == 0)
		atomic_store(planned, (uint32_t)*ret);
	return r;
}

bool certificate_is_served(const struct view *view)
{
	return view->one_generation || view->decision.verdict == VERDICT_SERVE;
}

int size_device_ca_cert(const struct view *view, size_t *ret, struct error *err)
{
	const struct signing_ca *ca = certificate_is_served(view) ? view->signer : view->project->signing_ca;
	size_t der = (size_t)view->generation.cert_size;
	int r = 0;

	if (!ca || (!certificate_is_served(view) && view->decision.verdict == VERDICT_REFUSE)) {
		*ret = SIZE_UNKNOWN;
		return 0;
	}
	if (!certificate_is_served(view))
		r = certificate_plan_size(view, &der, err);
	if (r == 0)
		*ret = pem_certificate_size(der) + ca->chain.pem.size;
	return r;
}

int size_device_ca_key(const struct view *view, size_t *ret, struct error *err)
{
	(void)err;
	if (!certificate_is_served(view) && view->decision.verdict == VERDICT_REFUSE)
		*ret = SIZE_UNKNOWN;
	else
		*ret = keypair_pem_size(certificate_is_served(view) ? (enum key_type)view->generation.key_type :
						       view->project->policy.key_type);
	return 0;
}

int size_bundle(const struct view *view, size_t *ret, struct error *err)
{
	size_t key;
	int r = size_device_ca_cert(view, ret, err);

	if (r < 0 || (!certificate_is_served(view) && view->decision.verdict == VERDICT_REFUSE))
		return r;
	r = size_device_ca_key(view, &key, err);
	if (r == 0)
		*ret += key;
	return r;
}

/* ---- contents ---- */

static int out_status(const struct buffer *out, struct error *err)
{
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

static int must_be_served(const struct view *view, struct error *err)
{
	if (certificate_is_served(view))
		return 0;
	if (view->decision.verdict == VERDICT_REFUSE) {
		*err = view->decision.refusal;
		return -err->code;
	}
	return error_set(err, ESTALE, "the certificate has not been issued yet");
}

int render_device_ca_cert(const struct view *view, struct buffer *out, struct error *err)
{
	_cleanup_buffer_ struct buffer cert = {0};
	struct store *store;
	int r = must_be_served(view, err);

	if (r == 0)
		r = core_reader(view->core, &store, err);
	if (r == 0)
		r = generation_cert(store, view->generation.id, &cert, err);
	if (r < 0)
		return r;
	pem_add_certificate(out, buffer_span(&cert));
	buffer_add_span(out, buffer_span(&view->signer->chain.pem));
	return out_status(out, err);
}

int render_device_ca_key(const struct view *view, struct buffer *out, struct error *err)
{
	_cleanup_buffer_ struct buffer sealed = {0};
	_cleanup_buffer_ struct buffer plain = BUFFER_SECRET;
	const struct generation_row *g = &view->generation;
	const struct seal_row name = {"generation", g->app, g->number, g->spki};
	struct store *store;
	int r = must_be_served(view, err);

	if (r == 0)
		r = core_reader(view->core, &store, err);
	if (r == 0)
		r = view->one_generation ? generation_sealed(store, g->id, &sealed, err) : core_sealed_key(view->core, g, &sealed, err);
	if (r == 0)
		r = seal_open_row(view->core->seal, &name, buffer_span(&sealed), &plain, err);
	if (r < 0)
		return r;
	pem_add_pkcs8(out, buffer_span(&plain));
	return out_status(out, err);
}

int render_bundle(const struct view *view, struct buffer *out, struct error *err)
{
	int r = render_device_ca_key(view, out, err);

	return r == 0 ? render_device_ca_cert(view, out, err) : r;
}

/* ---- trust_bundle.pem ---- */

/* The top of a chain, unless it is there already: two signing CAs often have one root. */
static void trust_add_top(struct buffer *out, const struct signing_ca *ca)
{
	_cleanup_buffer_ struct buffer pem = {0};

	pem_add_certificate(&pem, buffer_span(&ca->chain.certs[ca->chain.count - 1]));
	out->failed = out->failed || buffer_status(&pem) < 0;
	if (pem.data && out->data && memmem(out->data, out->size, pem.data, pem.size))
		return;
	buffer_add_span(out, buffer_span(&pem));
}

static int trust_add(const struct view *view, rowid id, struct buffer *out, struct error *err)
{
	struct signing_ca *ca;
	int r = core_signing_ca(view->core, id, &ca, err);

	if (r < 0)
		return r;
	if (!ca->row.compromised_at)
		trust_add_top(out, ca);
	object_unref(&ca->object);
	return 0;
}

/* Signing CAs that were replaced stay trusted until 30 days after the last certificate under them ended. */
int render_trust_bundle(const struct view *view, struct buffer *out, struct error *err)
{
	_cleanup_idlist_ struct idlist replaced = {0};
	const struct signing_ca *active = view->project->signing_ca;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = signing_ca_each_replaced(store, &view->project->row,
					     view->now - TRUST_DAYS_AFTER_END * DAY, idlist_collect,
					     &replaced, err);
	if (r == 0 && active && !active->row.compromised_at)
		trust_add_top(out, active);
	if (r == 0 && view->project->row.next_ca)
		r = trust_add(view, view->project->row.next_ca, out, err);
	for (size_t i = 0; r == 0 && i < replaced.count; i++)
		r = trust_add(view, replaced.id[i], out, err);
	if (r == 0 && out->size == 0)
		return signing_ca_usable(active, view->now, err); /* none, or compromised */
	return r == 0 ? out_status(out, err) : r;
}
