/* The rules of a device CA's life (SPEC 2, 5.3, 5.9): which state it is in, and what a read gets. Pure functions of
 * snapshots and a time: no store, no clock of their own.
 */
#ifndef CORE_DEVICE_CA_H
#define CORE_DEVICE_CA_H

#include "project.h"

/* Worst first, as SPEC 5.3 orders them. */
enum state {
	STATE_COMPROMISED,
	STATE_EXPIRED,
	STATE_REVOKED,
	STATE_UPDATE_REQUIRED,
	STATE_EXPIRING,
	STATE_VALID,
	STATE_NOT_ISSUED,
	STATE_NO_SIGNING_CA, /* of a project only */
	STATE_COUNT
};

const char *state_name(enum state state);

/* Everything that a rule looks at. */
struct situation {
	const struct project *project;
	const struct app *app;
	const struct signing_ca *signer; /* of the newest generation; NULL: never issued */
	unixtime now;
	unixtime clock_floor; /* nothing is issued before this time (SPEC 8) */
	bool backing_off;     /* the last renewal failed a moment ago, or the mount is read-only: serve what is still good */
};

enum verdict {
	VERDICT_SERVE, /* the newest generation */
	VERDICT_ISSUE, /* another one, number next_number */
	VERDICT_REFUSE
};

struct decision {
	enum verdict verdict;
	struct error refusal; /* REFUSE */
};

/* What opening device_ca.pem for reading does. */
void device_ca_decide(const struct situation *s, struct decision *ret);

/* 0 if a certificate could be issued now; else EPERM (attach = no), ENOKEY, EKEYEXPIRED, EKEYREVOKED, EAGAIN. */
int device_ca_issuable(const struct situation *s, struct error *err);

/* The newest generation may be handed out: valid now, not stale, not revoked, its signing CA not compromised. */
bool device_ca_servable(const struct situation *s);

/* What an update does (SPEC 5.4): 1: another one is due, 0: nothing to do (never issued, revoked, or still good), else why it
 * can't be had. */
int device_ca_update(const struct situation *s, struct error *err);

enum state device_ca_state(const struct situation *s);

/* 0; EAGAIN and the sentence: the clock stands before floor (core_clock_floor) and is not to be believed. */
int device_ca_clock(unixtime now, unixtime floor, struct error *err);

/* The newest generation is superseded by a trigger (purge, force_update): it is never handed out again. */
bool device_ca_stale(const struct situation *s);

/* When the renewal window of a generation opens: the smaller of renew_before_days and a third of its life before its end. */
unixtime device_ca_renewal_at(const struct policy *policy, const struct generation_row *generation);

/* False where a renewal would gain less than a tenth of a certificate's life: the signing CA's end is the cause then. */
bool device_ca_gains(const struct situation *s);

/* The same of all of a project's: those gain that end by then. */
unixtime device_ca_gains_until(const struct policy *policy, const struct signing_ca *ca, unixtime now);

/* The next certificate is made for the key of the newest generation: certificate and key read apart still match. */
bool device_ca_keeps_key(const struct situation *s);

/* When the end of a project's active signing CA, which there is, begins to be told of: warn_days
 * ahead. */
unixtime project_warning_at(const struct project *project);

/* The state of its active signing CA: NO_SIGNING_CA, COMPROMISED, EXPIRED, EXPIRING or VALID. */
enum state project_signing_ca_state(const struct project *project, unixtime now);

#endif
