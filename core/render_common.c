#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "clock_trouble.h"
#include "digest.h"
#include "rejected.h"
#include "render_internal.h"
#include "writer.h"

int render_document(const struct view *view, enum document_form form, document_fn fill, struct buffer *out,
		    struct error *err)
{
	struct document document;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r < 0)
		return r;
	document_begin(&document, form, store, out, err);
	r = fill(view, &document, err);
	return r == 0 ? document_end(&document) : r;
}

int render_nothing(const struct view *view, struct buffer *out, struct error *err)
{
	(void)view;
	(void)out;
	(void)err;
	return 0;
}

void document_fingerprint(struct document *document, const char *key, const uint8_t fingerprint[FINGERPRINT_SIZE])
{
	char text[FINGERPRINT_SIZE * 3];

	colon_hex((struct span){fingerprint, FINGERPRINT_SIZE}, text, sizeof(text));
	document_text(document, key, text);
}

int document_certificate(struct document *document, struct span cert, struct error *err)
{
	struct certificate_info info;
	int r = x509_info(cert, &info, err);

	if (r < 0)
		return r;
	document_text(document, "subject", info.subject);
	document_text(document, "issuer", info.issuer);
	document_text(document, "serial_number", info.serial_number);
	document_time(document, "valid_from", info.valid_from);
	document_time(document, "valid_till", info.valid_till);
	document_word(document, "signature_algorithm", info.signature_algorithm);
	document_word(document, "public_key_algorithm", info.public_key_algorithm);
	document_word(document, "basic_constraints", info.basic_constraints);
	document_word(document, "key_usage", info.key_usage);
	document_text(document, "subject_key_id", info.subject_key_id);
	document_text(document, "authority_key_id", info.authority_key_id);
	document_text(document, "sha256_fingerprint", info.sha256_fingerprint);
	return 0;
}

int64_t days_until(unixtime then, unixtime now)
{
	int64_t seconds = then - now;

	return seconds >= 0 ? seconds / DAY : -((-seconds + DAY - 1) / DAY);
}

const char *state_severity(enum state state)
{
	static const char *const severities[STATE_COUNT] = {
		[STATE_COMPROMISED] = "ERROR",     [STATE_EXPIRED] = "ERROR", [STATE_REVOKED] = "ERROR",
		[STATE_UPDATE_REQUIRED] = "WARN",  [STATE_EXPIRING] = "WARN", [STATE_VALID] = "NOTICE",
		[STATE_NOT_ISSUED] = "NOTICE",     [STATE_NO_SIGNING_CA] = "ERROR",
	};

	return severities[state];
}

/* ---- notices of the signing CA ---- */

static void notice_signing_ca_missing(struct notice *notice)
{
	*notice = (struct notice){"SIGNING_CA_MISSING", "ERROR", "PROJECT", "UPDATEREQUIRED", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The project has no signing CA. Write signing_ca/cert.pem and signing_ca/key.pem.");
}

static void notice_compromised(const struct signing_ca *ca, struct notice *notice)
{
	*notice = (struct notice){"SIGNING_CA_COMPROMISED", "ERROR", "PROJECT", "UPDATEWITHPURGE", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The signing CA is marked compromised (%s). Upload another one to signing_ca/, then touch force_update.",
		 ca->row.compromised_reason);
}

static void notice_ended(const struct signing_ca *ca, struct notice *notice)
{
	char end[32];

	clock_format(ca->row.not_after, end);
	*notice = (struct notice){"INTER_CA_EXPIRED", "ERROR", "PROJECT", "UPDATEREQUIRED", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The CA certificate has expired. It ended at %s: upload another one to signing_ca/.", end);
}

static void notice_ending(const struct signing_ca *ca, unixtime now, struct notice *notice)
{
	*notice = (struct notice){"INTER_CA_EXPIRING", "WARN", "PROJECT", "UPDATEREQUIRED", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The signing CA ends in %lld days. Upload a successor to signing_ca/; certificates under it end with it.",
		 (long long)days_until(ca->row.not_after, now));
}

static void notice_no_root(struct notice *notice)
{
	*notice = (struct notice){"ROOT_MISSING", "NOTICE", "PROJECT", "NONE", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The uploaded chain has no self-signed top. Downstream devices that trust only the root need it: write "
		 "signing_ca/cert.pem again with the root.");
}

static void notice_successor(const struct project_row *project, struct notice *notice)
{
	*notice = (struct notice){project->next_ca ? "SUCCESSOR_STAGED" : "SUCCESSOR_REQUESTED", "WARN", "PROJECT",
				  "UPDATEREQUIRED", ""};
	snprintf(notice->message, sizeof(notice->message), "%s",
		 project->next_ca ? "A successor of the signing CA is staged in signing_ca/next/. Touch update to switch to it." :
				    "signing_ca/csr.pem waits to be signed by your CA. Write the certificate to "
				    "signing_ca/cert.pem, then touch update.");
}

static void notice_warning(const struct signing_ca *ca, struct notice *notice)
{
	*notice = (struct notice){"CHAIN_NOT_STRICT", "WARN", "PROJECT", "NONE", ""};
	snprintf(notice->message, sizeof(notice->message), "Strict verifiers refuse this chain: %s", ca->row.warning);
}

static void notice_no_crl(struct notice *notice)
{
	*notice = (struct notice){"CRL_NOT_SIGNED", "NOTICE", "PROJECT", "NONE", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The signing CA may not sign CRLs (its keyUsage lacks cRLSign): revocations are not published.");
}

bool signing_key_unavailable(struct core *core, const struct project *project, char *ret, size_t size)
{
	struct issuer *issuer = project->signing_ca ? atomic_load(&project->signing_ca->issuer) : NULL;

	return issuer && issuer_in_token(issuer) && rejected_get(core->rejected, project->row.id, REJECTED_BY_TOKEN, ret, size);
}

static void notice_unavailable(const char *text, struct notice *notice)
{
	*notice = (struct notice){"SIGNING_KEY_UNAVAILABLE", "ERROR", "PROJECT", "NONE", ""};
	snprintf(notice->message, sizeof(notice->message), "Nothing can be issued: %s", text);
}

size_t signing_ca_notices(const struct view *view, struct notice *ret)
{
	const struct signing_ca *ca = view->project->signing_ca;
	char text[512];
	size_t n = 0;

	if (!ca) {
		notice_signing_ca_missing(&ret[n++]);
		return n;
	}
	if (ca->row.compromised_at)
		notice_compromised(ca, &ret[n++]);
	if (view->now >= ca->row.not_after)
		notice_ended(ca, &ret[n++]);
	else if (view->now >= project_warning_at(view->project))
		notice_ending(ca, view->now, &ret[n++]);
	if (signing_key_unavailable(view->core, view->project, text, sizeof(text)))
		notice_unavailable(text, &ret[n++]);
	if (!ca->chain.has_root)
		notice_no_root(&ret[n++]);
	if (*ca->row.warning)
		notice_warning(ca, &ret[n++]);
	if (!ca->row.crl_sign)
		notice_no_crl(&ret[n++]);
	if (view->project->row.next_ca || view->project->row.csr_key)
		notice_successor(&view->project->row, &ret[n++]);
	return n;
}

/* ---- notices of trouble ---- */

static const struct {
	enum rejected_file file;
	bool of_app;
	const char *cause, *what;
} refusals[] = {
	{REJECTED_POLICY, false, "POLICY_REJECTED", "The last write of policy was refused"},
	{REJECTED_POLICY_TEMPLATE, false, "USER_DATA_REJECTED", "The last write of app_policy/user_data.in was refused"},
	{REJECTED_POLICY_DETAILS, false, "USER_DATA_REJECTED", "The last write of app_policy/details was refused"},
	{REJECTED_TEMPLATE, true, "USER_DATA_REJECTED", "The last write of user_data.in was refused"},
	{REJECTED_DETAILS, true, "USER_DATA_REJECTED", "The last write of details was refused"},
	{REJECTED_USER_DATA, true, "USER_DATA_REJECTED", "user_data can't be read"},
};

size_t host_notices(const struct view *view, const char *scope, struct notice *ret)
{
	struct error why;
	size_t n = 0;

	if (writer_fails(view->core->writer, &why)) {
		ret[n] = (struct notice){"STORE_FAILED", "ERROR", scope, "NONE", ""};
		snprintf(ret[n++].message, sizeof(ret[0].message),
			 "The store can't be used, and nothing is issued or changed until it can: %s", why.text);
	}
	if (clock_trouble(view->core, view->now, &why)) {
		ret[n] = (struct notice){"CLOCK_NOT_BELIEVED", "ERROR", scope, "NONE", ""};
		snprintf(ret[n].message, sizeof(ret[0].message), "%s", why.text);
		ret[n].message[0] = (char)toupper(ret[n].message[0]);
		n++;
	}
	return n;
}

size_t trouble_notices(const struct view *view, struct notice *ret)
{
	const rowid object = view->app ? view->app->row.id : view->project->row.id;
	const char *scope = view->app ? "EDGE_APP_INSTANCE" : "PROJECT";
	size_t n = host_notices(view, scope, ret);
	char text[512];

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].of_app != (view->app != NULL) ||
		    !rejected_get(view->core->rejected, object, refusals[i].file, text, sizeof(text)))
			continue;
		ret[n] = (struct notice){refusals[i].cause, "WARN", scope, "NONE", ""};
		snprintf(ret[n++].message, sizeof(ret[0].message), "%s: %.512s", refusals[i].what, text);
	}
	return n;
}

/* ---- the worst of all ---- */

static int rank(const char *severity)
{
	return strcmp(severity, "ERROR") == 0 ? 2 : strcmp(severity, "WARN") == 0 ? 1 : 0;
}

/* NULL: none is more urgent than the state. */
static const struct notice *worst_notice(enum state state, const struct notice *notices, size_t count)
{
	const struct notice *worst = NULL;

	for (size_t i = 0; i < count; i++)
		if (rank(notices[i].severity) > rank(worst ? worst->severity : state_severity(state)))
			worst = &notices[i];
	return worst;
}

const char *worst_severity(enum state state, const struct notice *notices, size_t count)
{
	const struct notice *worst = worst_notice(state, notices, count);

	return worst ? worst->severity : state_severity(state);
}

const char *worst_message(enum state state, const char *message, const struct notice *notices, size_t count)
{
	const struct notice *worst = worst_notice(state, notices, count);

	return worst && strcmp(state_severity(state), "NOTICE") == 0 ? worst->message : message;
}
