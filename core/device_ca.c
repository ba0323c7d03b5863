#include "device_ca.h"

#include "clock.h"

static const char *const state_names[STATE_COUNT] = {
	[STATE_COMPROMISED] = "COMPROMISED",
	[STATE_EXPIRED] = "EXPIRED",
	[STATE_REVOKED] = "REVOKED",
	[STATE_UPDATE_REQUIRED] = "UPDATE_REQUIRED",
	[STATE_EXPIRING] = "EXPIRING",
	[STATE_VALID] = "VALID",
	[STATE_NOT_ISSUED] = "NOT_ISSUED",
	[STATE_NO_SIGNING_CA] = "NO_SIGNING_CA",
};

const char *state_name(enum state state)
{
	return state_names[state];
}

static unixtime earlier(unixtime a, unixtime b)
{
	return a < b ? a : b;
}

unixtime device_ca_renewal_at(const struct policy *policy, const struct generation_row *generation)
{
	unixtime life = generation->not_after - generation->not_before;

	return generation->not_after - earlier((unixtime)policy->renew_before_days * DAY, life / 3);
}

unixtime device_ca_gains_until(const struct policy *policy, const struct signing_ca *ca, unixtime now)
{
	unixtime life = (unixtime)policy->validity_days * DAY;

	return earlier(now + life, ca->row.not_after) - life / 10;
}

bool device_ca_gains(const struct situation *s)
{
	const struct signing_ca *ca = s->project->signing_ca;

	return ca && s->app->generation.not_after <= device_ca_gains_until(&s->project->policy, ca, s->now);
}

bool device_ca_stale(const struct situation *s)
{
	return s->app->generation.epoch < s->project->row.epoch ||
	       s->app->generation.number <= s->app->row.stale_number;
}

static bool under_compromised(const struct situation *s)
{
	return s->signer && s->signer->row.compromised_at != 0;
}

bool device_ca_keeps_key(const struct situation *s)
{
	const struct generation_row *g = &s->app->generation;
	const struct policy *policy = &s->project->policy;

	return g->id && !device_ca_stale(s) && !policy->rotate_key && g->key_type == (int)policy->key_type &&
	       !under_compromised(s);
}

static bool in_window(const struct situation *s)
{
	return s->now >= device_ca_renewal_at(&s->project->policy, &s->app->generation);
}

static bool expired(const struct situation *s)
{
	return s->now >= s->app->generation.not_after;
}

enum state device_ca_state(const struct situation *s)
{
	const struct generation_row *g = &s->app->generation;

	if (g->id == 0)
		return s->app->row.revoked_at ? STATE_REVOKED : STATE_NOT_ISSUED;
	if (under_compromised(s) && !device_ca_stale(s))
		return STATE_COMPROMISED;
	if (expired(s))
		return STATE_EXPIRED;
	if (s->app->row.revoked_at)
		return STATE_REVOKED;
	if (g->signing_ca != s->project->row.signing_ca || device_ca_stale(s))
		return STATE_UPDATE_REQUIRED;
	return in_window(s) ? STATE_EXPIRING : STATE_VALID;
}

int device_ca_clock(unixtime now, unixtime floor, struct error *err)
{
	char text[32];

	if (now >= floor)
		return 0;
	clock_format(floor, text);
	return error_set(err, EAGAIN, "the clock is not to be believed: it stands before %s; set it, nothing is issued until then",
			 text);
}

int device_ca_issuable(const struct situation *s, struct error *err)
{
	int r;

	if (!s->project->policy.attach)
		return error_set(err, EPERM,
				 "the policy of project %s says attach = no: no certificates; set attach = yes in its policy",
				 s->project->row.name);
	r = signing_ca_usable(s->project->signing_ca, s->now, err);
	if (r == 0 || r == -EKEYEXPIRED) { /* a clock that is wrong can't say what has expired, either */
		struct error clock;

		if (device_ca_clock(s->now, s->clock_floor, &clock) < 0) {
			*err = clock;
			return -EAGAIN;
		}
	}
	return r < 0 ? error_prefix(err, "project %s", s->project->row.name) : 0;
}

/* The newest generation may not be handed out: is another one due, or why not? */
static void decide_replacement(const struct situation *s, struct decision *ret)
{
	const struct generation_row *g = &s->app->generation;

	if (g->id && under_compromised(s) && !device_ca_stale(s))
		error_set(&ret->refusal, EKEYREVOKED,
			  "the certificate of %s hangs on a compromised signing CA: upload another one, then touch force_update",
			  s->app->row.name);
	else if (g->id && !device_ca_stale(s) && s->project->policy.renewal == RENEWAL_MANUAL && expired(s))
		error_set(&ret->refusal, EKEYEXPIRED,
			  "the certificate of %s has expired and the policy says renewal = manual: touch renew",
			  s->app->row.name);
	else if (device_ca_issuable(s, &ret->refusal) == 0)
		ret->verdict = VERDICT_ISSUE;
}

bool device_ca_servable(const struct situation *s)
{
	const struct generation_row *g = &s->app->generation;

	return g->id && !g->revoked_at && !device_ca_stale(s) && !under_compromised(s) && !expired(s) &&
	       s->now >= g->not_before;
}

/* What hangs on a compromised signing CA waits for force_update; what ends with its signing CA gains nothing. */
int device_ca_update(const struct situation *s, struct error *err)
{
	const enum state state = device_ca_state(s);
	int r;

	if (state != STATE_EXPIRED && state != STATE_UPDATE_REQUIRED && !(state == STATE_EXPIRING && device_ca_gains(s)))
		return 0;
	if (s->app->row.revoked_at || !s->project->policy.attach)
		return 0;
	r = device_ca_issuable(s, err);
	return r == 0 ? 1 : r;
}

static bool renews_on_read(const struct situation *s)
{
	struct error ignored;

	return s->project->policy.renewal == RENEWAL_ON_READ && in_window(s) && !s->backing_off && device_ca_gains(s) &&
	       device_ca_issuable(s, &ignored) == 0;
}

void device_ca_decide(const struct situation *s, struct decision *ret)
{
	*ret = (struct decision){.verdict = VERDICT_REFUSE};
	if (!s->project->policy.attach)
		(void)device_ca_issuable(s, &ret->refusal);
	else if (s->app->row.revoked_at)
		error_set(&ret->refusal, EKEYREVOKED, "app instance %s was revoked (%s): touch its purge to lift that",
			  s->app->row.name, s->app->row.revoke_reason);
	else if (!device_ca_servable(s))
		decide_replacement(s, ret);
	else
		ret->verdict = renews_on_read(s) ? VERDICT_ISSUE : VERDICT_SERVE;
}

unixtime project_warning_at(const struct project *project)
{
	return project->signing_ca->row.not_after - (unixtime)project->policy.warn_days * DAY;
}

enum state project_signing_ca_state(const struct project *project, unixtime now)
{
	const struct signing_ca *ca = project->signing_ca;

	if (!ca)
		return STATE_NO_SIGNING_CA;
	if (ca->row.compromised_at)
		return STATE_COMPROMISED;
	if (now >= ca->row.not_after)
		return STATE_EXPIRED;
	return now >= project_warning_at(project) ? STATE_EXPIRING : STATE_VALID;
}
