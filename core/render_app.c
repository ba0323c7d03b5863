/* status, info and triggers of an app instance. */
#include <stdio.h>

#include "hook.h"
#include "render_internal.h"

enum { MESSAGE_SIZE = 640 };

/* ---- state and notices ---- */

/* A certificate that ends with its signing CA can't be renewed to any use: then only the signing CA's notice stands. */
static bool ends_with_signing_ca(const struct view *view, enum state state)
{
	const struct situation situation = view_situation(view);

	return state == STATE_EXPIRING && view->project->signing_ca && !device_ca_gains(&situation);
}

/* What is, and what to do, for each state. */
static void app_message(const struct view *view, enum state state, char ret[MESSAGE_SIZE])
{
	static const char *const messages[STATE_COUNT] = {
		[STATE_COMPROMISED] = "The certificate hangs on a compromised signing CA. Upload another signing CA, then "
				      "touch the project's force_update.",
		[STATE_EXPIRED] = "The device CA certificate has expired. Touch renew, then deliver the new one to the gateway.",
		[STATE_REVOKED] = "The app instance was revoked. Touch purge to give it a new key and certificate.",
		[STATE_UPDATE_REQUIRED] = "The certificate was issued under an earlier signing CA or was purged. Touch renew "
					  "and deliver the new one.",
		[STATE_EXPIRING] = "The device CA certificate expires soon. Touch renew, or read it, and deliver the new one.",
		[STATE_VALID] = "The certificate is valid. Nothing to do.",
		[STATE_NOT_ISSUED] = "No certificate yet. Read device_ca.pem and it is issued.",
	};
	struct error refusal;

	snprintf(ret, MESSAGE_SIZE, "%s", messages[state]);
	if (ends_with_signing_ca(view, state))
		snprintf(ret, MESSAGE_SIZE, "The certificate ends soon, with its signing CA. Another one would end with it, too: replace "
					    "the signing CA (see the project's status).");
	if (view_reading(view, &refusal) == VIEW_REFUSES)
		snprintf(ret, MESSAGE_SIZE, "A read is refused: %s", refusal.text);
}

/* The causes that are the app instance's own. The signing CA's come from signing_ca_notices. */
static const struct {
	enum state state;
	const char *cause, *action;
} app_causes[] = {
	{STATE_EXPIRED, "DEVICE_CA_EXPIRED", "UPDATEREQUIRED"},
	{STATE_EXPIRING, "DEVICE_CA_EXPIRING", "UPDATEREQUIRED"},
	{STATE_REVOKED, "DEVICE_CA_REVOKED", "UPDATEWITHPURGE"},
	{STATE_UPDATE_REQUIRED, "DEVICE_CA_UPDATE_REQUIRED", "UPDATEREQUIRED"},
	{STATE_COMPROMISED, "DEVICE_CA_COMPROMISED", "UPDATEWITHPURGE"},
};

/* Where a hook delivers, what it has not delivered yet is worth a word. */
static bool not_delivered(const struct view *view)
{
	return hook_configured(&view->core->config, HOOK_PUSH) && view->generation.id && !view->app->row.revoked_at &&
	       view->app->row.delivered < view->generation.number;
}

static void notice_not_delivered(const struct view *view, struct notice *notice)
{
	*notice = (struct notice){"DEVICE_CA_NOT_DELIVERED", "WARN", "EDGE_APP_INSTANCE", "UPDATEREQUIRED", ""};
	snprintf(notice->message, sizeof(notice->message),
		 "The gateway has not got generation %lld yet (the last that was delivered: %lld). See events for the hook push, or "
		 "touch the project's update.",
		 (long long)view->generation.number, (long long)view->app->row.delivered);
}

enum { APP_NOTICES = 3 + TROUBLE_NOTICES + SIGNING_CA_NOTICES };

static size_t app_notices(const struct view *view, enum state state, const char *message, struct notice *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < sizeof(app_causes) / sizeof(app_causes[0]); i++) {
		const bool revoked = app_causes[i].state == STATE_REVOKED && view->app->row.revoked_at; /* a worse state hides it */

		if (!revoked && (app_causes[i].state != state || ends_with_signing_ca(view, state)))
			continue;
		ret[n] = (struct notice){app_causes[i].cause, state_severity(app_causes[i].state), "EDGE_APP_INSTANCE",
					 app_causes[i].action, ""};
		snprintf(ret[n++].message, sizeof(ret[0].message), "%s", message);
	}
	if (not_delivered(view))
		notice_not_delivered(view, &ret[n++]);
	n += trouble_notices(view, ret + n);
	return n + signing_ca_notices(view, ret + n);
}

/* ---- status ---- */

static int app_status(const struct view *view, struct document *document, struct error *err)
{
	struct notice notices[APP_NOTICES];
	const struct generation_row *g = &view->generation;
	const struct situation situation = view_situation(view);
	const enum state state = device_ca_state(&situation);
	struct trigger_row purge;
	char message[MESSAGE_SIZE];
	size_t count;
	int r = trigger_get(document->store, "app", view->app->row.id, "purge", &purge, err);

	if (r < 0)
		return r;
	app_message(view, state, message);
	count = app_notices(view, state, message, notices);
	document_word(document, "state", state_name(state));
	document_word(document, "severity", worst_severity(state, notices, count));
	document_text(document, "message", worst_message(state, message, notices, count));
	document_number(document, "generation", g->number);
	document_time(document, "valid_till", g->not_after);
	if (g->id) {
		document_number(document, "days_left", days_until(g->not_after, view->now));
		document_fingerprint(document, "signing_ca", view->signer->row.fingerprint);
	}
	document_number(document, "purge_counter", purge.counter);
	if (view->app->row.delivered) {
		document_number(document, "delivered_generation", view->app->row.delivered);
		document_time(document, "delivered_at", view->app->row.delivered_at);
	}
	document_notices(document, notices, count);
	return 0;
}

int render_app_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, app_status, out, err);
}

int render_app_status_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, app_status, out, err);
}

/* ---- info ---- */

static int app_info(const struct view *view, struct document *document, struct error *err)
{
	_cleanup_buffer_ struct buffer cert = {0};
	int r;

	if (!view->generation.id) {
		document_word(document, "state", state_name(STATE_NOT_ISSUED));
		document_text(document, "message", "No certificate yet. Read device_ca.pem and it is issued.");
		return 0;
	}
	r = generation_cert(document->store, view->generation.id, &cert, err);
	if (r == 0)
		r = document_certificate(document, buffer_span(&cert), err);
	document_number(document, "generation", view->generation.number);
	return r;
}

int render_app_info(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, app_info, out, err);
}

int render_app_info_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, app_info, out, err);
}
