/* What the renderers of status and info share. */
#ifndef CORE_RENDER_INTERNAL_H
#define CORE_RENDER_INTERNAL_H

#include "certfs/render.h"
#include "core_internal.h"
#include "document.h"

/* What stat shows of a file that can't be read now: anything but 0 (GNU tar would not even try to
 * open it). */
enum { SIZE_UNKNOWN = 1 };

/* Both forms of a file are one function. */
typedef int (*document_fn)(const struct view *view, struct document *document, struct error *err);
int render_document(const struct view *view, enum document_form form, document_fn fill, struct buffer *out,
		    struct error *err);

/* The fields of `info` for a DER certificate. */
int document_certificate(struct document *document, struct span cert, struct error *err);

void document_fingerprint(struct document *document, const char *key, const uint8_t fingerprint[FINGERPRINT_SIZE]);

/* Whole days until then, rounded down; negative once it has passed. */
int64_t days_until(unixtime then, unixtime now);

/* How urgent a state is: NOTICE, WARN or ERROR. */
const char *state_severity(enum state state);

/* The notices that a signing CA gives to its project and to every app instance below it: at most SIGNING_CA_NOTICES. */
enum { SIGNING_CA_NOTICES = 8 };
size_t signing_ca_notices(const struct view *view, struct notice *ret);

/* True, and the token's complaint: the signing CA's key is in a token that does not sign now. */
bool signing_key_unavailable(struct core *core, const struct project *project, char *ret, size_t size);

/* What an update would re-issue once ca is the active one. */
int update_due(const struct view *view, const struct signing_ca *ca, struct app_due *ret, struct error *err);

/* Those of what stops everything on this host, a store that fails or a clock that is wrong: at most HOST_NOTICES. */
enum { HOST_NOTICES = 2 };
size_t host_notices(const struct view *view, const char *scope, struct notice *ret);

/* Those of what fails on this host, and of what was refused at the project (at the app instance, if the view is of one): at most TROUBLE_NOTICES. */
enum { TROUBLE_NOTICES = 5 };
size_t trouble_notices(const struct view *view, struct notice *ret);

/* What an object's own line says is as urgent as its worst notice; a state that wants nothing gives way to a notice that does. */
const char *worst_severity(enum state state, const struct notice *notices, size_t count);
const char *worst_message(enum state state, const char *message, const struct notice *notices, size_t count);

/* The certificate files' sizes and contents are made from the generation that is served, or planned for the one to come. */
bool certificate_is_served(const struct view *view);
int certificate_plan_size(const struct view *view, size_t *ret, struct error *err);

#endif
