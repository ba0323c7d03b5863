/* user_data, user_data.in, details. */
#include "rejected.h"
#include "render_internal.h"
#include "template.h"
#include "user_data.h"

int render_template(const struct view *view, struct buffer *out, struct error *err)
{
	return user_data_template(view, out, err);
}

int render_project_template(const struct view *view, struct buffer *out, struct error *err)
{
	return user_data_project_template(view, out, err);
}

int render_details(const struct view *view, struct buffer *out, struct error *err)
{
	const int r = user_data_written(view, CORE_APP, "details", out, err);

	return r < 0 ? r : 0;
}

int render_project_details(const struct view *view, struct buffer *out, struct error *err)
{
	const int r = user_data_written(view, CORE_PROJECT, "details", out, err);

	return r < 0 ? r : 0;
}

/* ---- user_data ---- */

/* Certificate and key, as the template wants them. Nothing of them is needed under attach = no. */
struct parts {
	struct buffer cert;
	struct buffer key; /* secret */
};

static void parts_clear(struct parts *parts)
{
	buffer_clear(&parts->cert);
	buffer_clear(&parts->key);
}

static int parts_real(const struct view *view, struct parts *parts, struct error *err)
{
	int r = render_device_ca_key(view, &parts->key, err);

	return r == 0 ? render_device_ca_cert(view, &parts->cert, err) : r;
}

static int add_zeros(struct buffer *out, size_t der_size)
{
	_cleanup_buffer_ struct buffer zeros = {0};

	if (buffer_resize(&zeros, der_size) < 0)
		return -ENOMEM;
	pem_add_certificate(out, buffer_span(&zeros));
	return buffer_status(out);
}

/* Both labels have the same length, so a PEM of a certificate can stand for that of a key. */
static size_t der_size_of_pem(size_t pem_size)
{
	size_t der = pem_size / 2;

	while (pem_certificate_size(der) < pem_size)
		der++;
	return der;
}

/* Placeholders with the lengths and the lines of what is, or is to come: nothing is unsealed for a stat. */
static int parts_placeholders(const struct view *view, struct parts *parts, struct error *err)
{
	const struct signing_ca *ca = certificate_is_served(view) ? view->signer : view->project->signing_ca;
	size_t der = (size_t)view->generation.cert_size;
	size_t key;
	int r = certificate_is_served(view) ? 0 : certificate_plan_size(view, &der, err);

	if (r == 0)
		r = size_device_ca_key(view, &key, err);
	if (r < 0)
		return r;
	if (add_zeros(&parts->cert, der) < 0 || add_zeros(&parts->key, der_size_of_pem(key)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	buffer_add_span(&parts->cert, buffer_span(&ca->chain.pem));
	return buffer_status(&parts->cert) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* Runs the template over what there is: *ret_size, or out, as wanted. */
static int fill(const struct view *view, const struct parts *parts, struct buffer *out, size_t *ret_size,
		struct error *err)
{
	_cleanup_buffer_ struct buffer template = {0};
	_cleanup_details_ struct details *details = NULL;
	struct template_values values = {
		.policy = &view->project->policy,
		.cert = buffer_span(&parts->cert),
		.key = buffer_span(&parts->key),
	};
	int r = user_data_template(view, &template, err);

	if (r == 0)
		r = user_data_details(view, &details, err);
	if (r < 0)
		return r;
	values.details = details;
	return out ? template_render(buffer_span(&template), &values, out, err) :
		     template_size(buffer_span(&template), &values, ret_size, err);
}

/* The template, or the details, give nothing that can be handed out. */
static bool unusable(int r)
{
	return r == -EINVAL || r == -EFBIG;
}

int render_user_data(const struct view *view, struct buffer *out, struct error *err)
{
	__attribute__((cleanup(parts_clear))) struct parts parts = {.key = BUFFER_SECRET};
	int r = view->project->policy.attach ? parts_real(view, &parts, err) : 0;

	if (r < 0)
		return r;
	r = fill(view, &parts, out, NULL, err);
	if (r == 0 || unusable(r)) /* for the status; whoever reads it only sees an errno */
		rejected_set(view->core->rejected, view->app->row.id, REJECTED_USER_DATA, r < 0 ? err->text : NULL);
	return r;
}

int size_user_data(const struct view *view, size_t *ret, struct error *err)
{
	__attribute__((cleanup(parts_clear))) struct parts parts = {0};
	struct error refusal;
	int r = 0;

	if (view->project->policy.attach && view_reading(view, &refusal) == VIEW_REFUSES) {
		*ret = SIZE_UNKNOWN;
		return 0;
	}
	if (view->project->policy.attach)
		r = parts_placeholders(view, &parts, err);
	if (r == 0)
		r = fill(view, &parts, NULL, ret, err);
	if (unusable(r)) { /* what a read will say; a stat doesn't fail */
		*ret = SIZE_UNKNOWN;
		return 0;
	}
	return r;
}
