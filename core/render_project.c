/* status and policy of a project; info, status and certificate of its signing CA. */
#include <stdio.h>
#include <string.h>

#include "counts.h"
#include "crl.h"
#include "idlist.h"
#include "rejected.h"
#include "render_internal.h"
#include "upload.h"

int render_policy(const struct view *view, struct buffer *out, struct error *err)
{
	buffer_add_span(out, buffer_span(&view->project->policy_text));
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* ---- status of the project ---- */

/* States are ordered worst first. */
static enum state worse(enum state a, enum state b)
{
	return a < b ? a : b;
}

/* The signing CA's own state comes first, then the worst of the app instances. */
static enum state project_state(const struct view *view, const struct app_counts *counts)
{
	const enum state own = project_signing_ca_state(view->project, view->now);

	if (own == STATE_EXPIRING)
		return worse(counts_worst(counts), own);
	return own == STATE_VALID ? worse(counts_worst(counts), STATE_NOT_ISSUED) : own;
}

static void project_message(enum state state, const struct app_counts *counts, char *ret, size_t size)
{
	static const char *const messages[STATE_COUNT] = {
		[STATE_COMPROMISED] = "The signing CA of some or all certificates is compromised: upload another one, touch force_update.",
		[STATE_EXPIRED] = "The CA certificate has expired.",
		[STATE_REVOKED] = "There are revoked app instances. Touch their purge to lift that.",
		[STATE_UPDATE_REQUIRED] = "There are certificates to be replaced. Touch update.",
		[STATE_EXPIRING] = "Certificates, or the signing CA, expire soon: see the notices, then touch update.",
		[STATE_VALID] = "Everything is valid. Nothing to do.",
		[STATE_NOT_ISSUED] = "Ready to issue: read the device_ca.pem of an app instance.",
		[STATE_NO_SIGNING_CA] = "The project has no signing CA. Write signing_ca/cert.pem and signing_ca/key.pem.",
	};

	snprintf(ret, size, "%s", messages[state]);
	if (state == STATE_EXPIRED && counts->expired > 0)
		snprintf(ret, size, "The CA certificate has expired. %lld app instance%s an expired certificate.",
			 (long long)counts->expired, counts->expired == 1 ? " has" : "s have");
}

/* The last job left some behind. */
static size_t job_notice(const struct view *view, struct store *store, struct notice *ret)
{
	struct operation_row row;
	struct error ignored;

	if (operation_newest(store, view->project->row.id, &row, &ignored) < 0 || !row.id || !row.finished_at || row.failed == 0)
		return 0;
	*ret = (struct notice){"UPDATE_INCOMPLETE", "WARN", "PROJECT", "UPDATEREQUIRED", ""};
	snprintf(ret->message, sizeof(ret->message),
		 "The last %s did not reach %lld of %lld app instance%s: see events for why, then touch %s again.", row.kind,
		 (long long)row.failed, (long long)row.total, plural(row.total), row.kind);
	return 1;
}

enum { APP_CAUSES = 5, PROJECT_NOTICES = 1 + APP_CAUSES + SIGNING_CA_NOTICES + TROUBLE_NOTICES };

/* Causes that are the app instances' own, each once. Those that end with the signing CA are not in `due`: that is the cause then. */
static size_t app_notices(const struct app_counts *counts, const struct app_due *due, struct notice *ret)
{
	const struct {
		int64_t count;
		const char *cause, *severity, *action, *what;
	} causes[APP_CAUSES] = {
		{counts->compromised, "DEVICE_CA_COMPROMISED", "ERROR", "UPDATEWITHPURGE",
		 "hanging on a compromised signing CA: upload another one, if there is none yet, then touch force_update"},
		{counts->expired, "DEVICE_CA_EXPIRED", "ERROR", "UPDATEREQUIRED", "with an expired certificate: touch update"},
		{counts->revoked, "DEVICE_CA_REVOKED", "ERROR", "UPDATEWITHPURGE", "revoked: touch purge of each to lift that"},
		{counts->update_required, "DEVICE_CA_UPDATE_REQUIRED", "WARN", "UPDATEREQUIRED",
		 "with a certificate to be replaced: touch update"},
		{due->expiring, "DEVICE_CA_EXPIRING", "WARN", "UPDATEREQUIRED", "with a certificate that expires soon: touch update"},
	};
	size_t n = 0;

	for (size_t i = 0; i < APP_CAUSES; i++) {
		if (causes[i].count == 0)
			continue;
		ret[n] = (struct notice){causes[i].cause, causes[i].severity, "EDGE_APP_INSTANCE", causes[i].action, ""};
		snprintf(ret[n++].message, sizeof(ret[0].message), "%lld app instance%s %s.", (long long)causes[i].count,
			 plural(causes[i].count), causes[i].what);
	}
	return n;
}

static size_t project_notices(const struct view *view, struct store *store, const struct app_counts *counts,
			      struct notice ret[PROJECT_NOTICES])
{
	struct app_due due = {0};
	struct error ignored;
	size_t n = signing_ca_notices(view, ret);

	if (counts->expiring > 0 && view->project->signing_ca)
		(void)update_due(view, view->project->signing_ca, &due, &ignored);
	n += app_notices(counts, &due, ret + n);
	n += trouble_notices(view, ret + n);
	return n + job_notice(view, store, ret + n);
}

static int project_status(const struct view *view, struct document *document, struct error *err)
{
	struct notice notices[PROJECT_NOTICES];
	const struct signing_ca *ca = view->project->signing_ca;
	struct app_counts counts;
	enum state state;
	char message[256];
	size_t count;
	int r = app_count_states(document->store, view->project->row.id, view->now,
				 (int64_t)view->project->policy.renew_before_days * DAY, &counts, err);

	if (r < 0)
		return r;
	count = project_notices(view, document->store, &counts, notices);
	state = project_state(view, &counts);
	project_message(state, &counts, message, sizeof(message));
	document_word(document, "state", state_name(state));
	document_word(document, "severity", worst_severity(state, notices, count));
	document_text(document, "message", worst_message(state, message, notices, count));
	if (ca) {
		document_fingerprint(document, "signing_ca", ca->row.fingerprint);
		document_time(document, "valid_till", ca->row.not_after);
		document_number(document, "days_left", days_until(ca->row.not_after, view->now));
	}
	counts_document(document, &counts);
	document_notices(document, notices, count);
	return 0;
}

int render_project_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, project_status, out, err);
}

int render_project_status_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, project_status, out, err);
}

/* ---- the signing CA ---- */

int render_signing_ca_cert(const struct view *view, struct buffer *out, struct error *err)
{
	/* None, nothing to read, and no error: Ansible's copy reads a target before it writes. */
	if (view->project->signing_ca)
		buffer_add_span(out, buffer_span(&view->project->signing_ca->chain.pem));
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int render_next_cert(const struct view *view, struct buffer *out, struct error *err)
{
	struct signing_ca *next;
	int r = view->project->row.next_ca ? core_signing_ca(view->core, view->project->row.next_ca, &next, err) : 1;

	if (r != 0)
		return r < 0 ? r : 0; /* nothing staged, nothing to read */
	buffer_add_span(out, buffer_span(&next->chain.pem));
	object_unref(&next->object);
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* 0: a request waits for its answer, 1: there is none, or the answer is staged. */
static int request_waits(const struct view *view, struct store **ret, struct error *err)
{
	const struct project_row *project = &view->project->row;
	struct signing_ca_row next;
	int r = project->csr_key ? core_reader(view->core, ret, err) : 1;

	if (r != 0 || !project->next_ca)
		return r;
	r = signing_ca_by_id(*ret, project->next_ca, &next, err);
	return r < 0 ? r : next.key == project->csr_key;
}

int render_csr(const struct view *view, struct buffer *out, struct error *err)
{
	_cleanup_buffer_ struct buffer request = {0};
	struct store *store;
	int r = request_waits(view, &store, err);

	if (r == 0)
		r = document_get(store, "project", view->project->row.id, "csr", &request, err);
	if (r != 0)
		return r < 0 ? r : 0;
	pem_add_request(out, buffer_span(&request));
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

static int signing_ca_info(const struct view *view, struct document *document, struct error *err)
{
	const struct signing_ca *ca = view->project->signing_ca;

	if (ca)
		return document_certificate(document, buffer_span(&ca->chain.certs[0]), err);
	document_word(document, "state", "NONE");
	document_text(document, "message",
		      "The project has no signing CA. Write signing_ca/cert.pem and signing_ca/key.pem.");
	return 0;
}

int render_signing_ca_info(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, signing_ca_info, out, err);
}

int render_signing_ca_info_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, signing_ca_info, out, err);
}

/* ---- crl.pem ---- */

static int add_crl_of(const struct view *view, rowid id, struct buffer *out, struct error *err)
{
	struct signing_ca *ca;
	int r = core_signing_ca(view->core, id, &ca, err);

	if (r < 0)
		return r;
	if (ca->row.crl_sign)
		r = crl_add(view->core, ca, view->now, out, err);
	object_unref(&ca->object);
	return r;
}

/* The active key's first, then those that still have unexpired certificates. */
int render_crl(const struct view *view, struct buffer *out, struct error *err)
{
	_cleanup_idlist_ struct idlist replaced = {0};
	const struct project_row *project = &view->project->row;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = signing_ca_each_replaced(store, project, view->now, idlist_collect, &replaced,
					     err);
	if (r == 0 && project->signing_ca)
		r = add_crl_of(view, project->signing_ca, out, err);
	for (size_t i = 0; r == 0 && i < replaced.count; i++)
		r = add_crl_of(view, replaced.id[i], out, err);
	if (r == 0 && out->size == 0)
		return error_set(err, project->signing_ca ? ENODATA : ENOKEY,
				 "the project has no signing CA that may sign CRLs (keyUsage cRLSign)");
	return r;
}

static int next_info(const struct view *view, struct document *document, struct error *err)
{
	struct signing_ca *next;
	int r;

	if (!view->project->row.next_ca) {
		document_word(document, "state", "NONE");
		return 0;
	}
	r = core_signing_ca(view->core, view->project->row.next_ca, &next, err);
	if (r < 0)
		return r;
	r = document_certificate(document, buffer_span(&next->chain.certs[0]), err);
	object_unref(&next->object);
	return r;
}

int render_next_info(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, next_info, out, err);
}

static const char *signing_ca_state(const struct view *view)
{
	const enum state state = project_signing_ca_state(view->project, view->now);

	if (state == STATE_NO_SIGNING_CA)
		return "NONE";
	return state == STATE_VALID ? "ACTIVE" : state_name(state);
}

static void document_parts(struct document *document, const char *key, const bool parts[UPLOAD_PART_COUNT])
{
	static const char *const names[UPLOAD_PART_COUNT] = {"cert.pem", "key.pem", "password"};
	const char *words[UPLOAD_PART_COUNT];
	size_t count = 0;

	for (int i = 0; i < UPLOAD_PART_COUNT; i++)
		if (parts[i])
			words[count++] = names[i];
	document_words(document, key, words, count);
}

static void document_uploads(const struct view *view, struct document *document, enum upload_target target,
			     bool has_one)
{
	const rowid project = view->project->row.id;
	bool staged[UPLOAD_PART_COUNT], missing[UPLOAD_PART_COUNT];
	char rejected[512];

	upload_waiting(view->core->upload, project, target, staged, missing);
	(void)rejected_get(view->core->rejected, project, upload_rejected_file(target), rejected,
			   sizeof(rejected));
	if (has_one && !staged[UPLOAD_CERT] && !staged[UPLOAD_KEY])
		memset(missing, 0, sizeof(missing)); /* nothing is under way */
	document_parts(document, "staged", staged);
	document_parts(document, "missing", missing);
	document_text(document, "rejected", rejected);
}

static int signing_ca_status(const struct view *view, struct document *document, struct error *err)
{
	const struct signing_ca *ca = view->project->signing_ca;
	struct notice notices[SIGNING_CA_NOTICES];

	(void)err;
	document_word(document, "state", signing_ca_state(view));
	document_uploads(view, document, UPLOAD_ACTIVE, ca != NULL);
	if (ca) {
		document_fingerprint(document, "signing_ca", ca->row.fingerprint);
		document_time(document, "valid_till", ca->row.not_after);
	}
	document_notices(document, notices, signing_ca_notices(view, notices));
	return 0;
}

static int next_status(const struct view *view, struct document *document, struct error *err)
{
	const bool has_one = view->project->row.next_ca != 0;

	(void)err;
	document_word(document, "state", has_one ? "STAGED" : view->project->row.csr_key ? "REQUESTED" : "NONE");
	document_uploads(view, document, UPLOAD_NEXT, has_one);
	return 0;
}

int render_next_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, next_status, out, err);
}

int render_signing_ca_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, signing_ca_status, out, err);
}

int render_signing_ca_status_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, signing_ca_status, out, err);
}

/* ---- affected ---- */

static int add_name(void *context, rowid id, const char *name)
{
	(void)id;
	buffer_printf(context, "%s\n", name);
	return 0;
}

/* App instances whose certificate hangs on an outgoing or compromised signing CA, a name a line. The active one is outgoing when its end
 * is near, or a successor is staged. */
int render_affected(const struct view *view, struct buffer *out, struct error *err)
{
	const struct signing_ca *ca = view->project->signing_ca;
	const bool outgoing = ca && (view->project->row.next_ca || strcmp(signing_ca_state(view), "ACTIVE") != 0);
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = app_each_affected(store, &view->project->row, outgoing, add_name, out, err);
	return r == 0 && buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : r;
}
