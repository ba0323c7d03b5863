/* The rules of a device CA's life: SPEC 2, 5.3 and 5.9 as one table of worlds, and what each means for `status`, a read and
 * an update. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "device_ca.h"


static const unixtime issued = 1800000000;

/* Device CA of 90 days under a signing CA of ten years, read on day 10; the window opens on day 60. */
struct world {
	struct project project;
	struct app app;
	struct signing_ca active, old;
	struct situation s;
};

static void world_make(struct world *w)
{
	memset(w, 0, sizeof(*w));
	policy_default(&w->project.policy);
	w->project.policy.validity_days = 90;
	strcpy(w->project.row.name, "plant-7");
	w->project.row.epoch = 3;
	w->project.row.signing_ca = 20;
	w->project.signing_ca = &w->active;
	w->active.row = (struct signing_ca_row){.id = 20, .not_before = issued - 100 * DAY, .not_after = issued + 3650 * DAY};
	w->old.row = (struct signing_ca_row){.id = 10, .not_before = issued - 3000 * DAY, .not_after = issued + 600 * DAY};
	strcpy(w->app.row.name, "gw-01");
	w->app.row.generation = 5;
	w->app.row.last_number = 2;
	w->app.generation = (struct generation_row){.id = 5, .number = 2, .signing_ca = 20, .epoch = 3,
						    .not_before = issued, .not_after = issued + 90 * DAY,
						    .issued_at = issued};
	w->s = (struct situation){.project = &w->project, .app = &w->app, .signer = &w->active, .now = issued + 10 * DAY,
				  .clock_floor = issued};
}

/* ---- what may be different ---- */

static void same(struct world *w)
{
	(void)w;
}

static void never_issued(struct world *w)
{
	w->app.generation = (struct generation_row){0};
	w->app.row.generation = w->app.row.last_number = 0;
	w->s.signer = NULL;
}

static void day_59(struct world *w)
{
	w->s.now = issued + 60 * DAY - 1;
}

static void day_60(struct world *w)
{
	w->s.now = issued + 60 * DAY;
}

static void day_89(struct world *w)
{
	w->s.now = issued + 90 * DAY - 1;
}

static void day_90(struct world *w)
{
	w->s.now = issued + 90 * DAY;
}

static void renewal_auto(struct world *w)
{
	w->project.policy.renewal = RENEWAL_AUTO;
}

static void renewal_manual(struct world *w)
{
	w->project.policy.renewal = RENEWAL_MANUAL;
}

static void attach_no(struct world *w)
{
	w->project.policy.attach = false;
}

static void stale_epoch(struct world *w)
{
	w->project.row.epoch = 4;
}

static void stale_purge(struct world *w)
{
	w->app.row.stale_number = 2;
}

static void older_purge(struct world *w)
{
	w->app.row.stale_number = 1;
}

static void revoked(struct world *w)
{
	w->app.row.revoked_at = issued + DAY;
	strcpy(w->app.row.revoke_reason, "stolen from the van");
}

static void generation_revoked(struct world *w)
{
	w->app.generation.revoked_at = issued + DAY;
}

static void no_ca(struct world *w)
{
	w->project.row.signing_ca = 0;
	w->project.signing_ca = NULL;
}

static void ca_compromised(struct world *w)
{
	w->active.row.compromised_at = issued + DAY;
	strcpy(w->active.row.compromised_reason, "laptop lost");
}

static void ca_expired(struct world *w)
{
	w->active.row.not_after = w->s.now;
}

static void ca_not_yet(struct world *w)
{
	w->active.row.not_before = w->s.now + 1;
}

static void ca_replaced(struct world *w)
{
	w->app.generation.signing_ca = 10;
	w->s.signer = &w->old;
}

static void old_compromised(struct world *w)
{
	ca_replaced(w);
	w->old.row.compromised_at = issued + DAY;
}

static void ca_ends_soon(struct world *w)
{
	w->active.row.not_after = issued + 92 * DAY;
}

static void backing_off(struct world *w)
{
	w->s.backing_off = true;
}

static void clock_behind(struct world *w)
{
	w->s.clock_floor = w->s.now + 1;
}

static void clock_at_floor(struct world *w)
{
	w->s.clock_floor = w->s.now;
}

static void before_valid(struct world *w)
{
	w->s.now = w->s.clock_floor = issued - 1;
}

/* ---- the table ---- */

typedef void (*change)(struct world *w);

/* read: 0 serve, 1 issue, 2 issue with a new key, -errno refuse. update: as device_ca_update. */
static const struct {
	const char *name;
	change changes[4];
	enum state state;
	int read;
	int update;
} rules[] = {
	{"fresh", {same}, STATE_VALID, 0, 0},
	{"a second before the window", {day_59}, STATE_VALID, 0, 0},
	{"the window opens", {day_60}, STATE_EXPIRING, 1, 1},
	{"its last second", {day_89}, STATE_EXPIRING, 1, 1},
	{"its end", {day_90}, STATE_EXPIRED, 1, 1},
	{"auto, in the window", {renewal_auto, day_60}, STATE_EXPIRING, 0, 1},
	{"auto, expired", {renewal_auto, day_90}, STATE_EXPIRED, 1, 1},
	{"manual, in the window", {renewal_manual, day_60}, STATE_EXPIRING, 0, 1},
	{"manual, expired", {renewal_manual, day_90}, STATE_EXPIRED, -EKEYEXPIRED, 1},
	{"manual, expired, stale", {renewal_manual, day_90, stale_epoch}, STATE_EXPIRED, 2, 1},
	{"manual, never issued", {renewal_manual, never_issued}, STATE_NOT_ISSUED, 1, 0},
	{"backing off, in the window", {day_60, backing_off}, STATE_EXPIRING, 0, 1},
	{"backing off, expired", {day_90, backing_off}, STATE_EXPIRED, 1, 1},
	{"the signing CA ends soon, in the window", {day_60, ca_ends_soon}, STATE_EXPIRING, 0, 0},
	{"the signing CA ends soon, expired", {day_90, ca_ends_soon}, STATE_EXPIRED, 1, 1},

	{"never issued", {never_issued}, STATE_NOT_ISSUED, 1, 0},
	{"never issued, no signing CA", {never_issued, no_ca}, STATE_NOT_ISSUED, -ENOKEY, 0},
	{"never issued, signing CA expired", {never_issued, ca_expired}, STATE_NOT_ISSUED, -EKEYEXPIRED, 0},
	{"never issued, signing CA not yet valid", {never_issued, ca_not_yet}, STATE_NOT_ISSUED, -EKEYEXPIRED, 0},
	{"never issued, signing CA compromised", {never_issued, ca_compromised}, STATE_NOT_ISSUED, -EKEYREVOKED, 0},
	{"never issued, attach = no", {never_issued, attach_no}, STATE_NOT_ISSUED, -EPERM, 0},
	{"never issued, revoked", {never_issued, revoked}, STATE_REVOKED, -EKEYREVOKED, 0},
	{"never issued, clock behind", {never_issued, clock_behind}, STATE_NOT_ISSUED, -EAGAIN, 0},
	{"never issued, clock at the floor", {never_issued, clock_at_floor}, STATE_NOT_ISSUED, 1, 0},

	{"stale by epoch", {stale_epoch}, STATE_UPDATE_REQUIRED, 2, 1},
	{"stale by purge", {stale_purge}, STATE_UPDATE_REQUIRED, 2, 1},
	{"an older purge", {older_purge}, STATE_VALID, 0, 0},
	{"stale, auto", {stale_purge, renewal_auto}, STATE_UPDATE_REQUIRED, 2, 1},
	{"stale, manual", {stale_purge, renewal_manual}, STATE_UPDATE_REQUIRED, 2, 1},
	{"stale, backing off", {stale_purge, backing_off}, STATE_UPDATE_REQUIRED, 2, 1},
	{"stale, no gain", {stale_purge, day_60, ca_ends_soon}, STATE_UPDATE_REQUIRED, 2, 1},
	{"stale, no signing CA", {stale_epoch, no_ca}, STATE_UPDATE_REQUIRED, -ENOKEY, -ENOKEY},
	{"stale, signing CA expired", {stale_epoch, ca_expired}, STATE_UPDATE_REQUIRED, -EKEYEXPIRED, -EKEYEXPIRED},
	{"stale, signing CA compromised", {stale_epoch, ca_compromised}, STATE_UPDATE_REQUIRED, -EKEYREVOKED,
	 -EKEYREVOKED},
	{"stale, clock behind", {stale_epoch, clock_behind}, STATE_UPDATE_REQUIRED, -EAGAIN, -EAGAIN},
	{"stale, revoked", {stale_epoch, revoked}, STATE_REVOKED, -EKEYREVOKED, 0},

	{"replaced signing CA", {ca_replaced}, STATE_UPDATE_REQUIRED, 0, 1},
	{"replaced signing CA, in the window", {ca_replaced, day_60}, STATE_UPDATE_REQUIRED, 1, 1},
	{"replaced signing CA, in the window, auto", {ca_replaced, day_60, renewal_auto}, STATE_UPDATE_REQUIRED, 0, 1},
	{"replaced signing CA, clock behind", {ca_replaced, clock_behind}, STATE_UPDATE_REQUIRED, 0, -EAGAIN},

	{"compromised", {ca_compromised}, STATE_COMPROMISED, -EKEYREVOKED, 0},
	{"compromised, manual, expired", {ca_compromised, renewal_manual, day_90}, STATE_COMPROMISED, -EKEYREVOKED, 0},
	{"compromised, revoked", {ca_compromised, revoked}, STATE_COMPROMISED, -EKEYREVOKED, 0},
	{"compromised, replaced", {old_compromised}, STATE_COMPROMISED, -EKEYREVOKED, 0},
	{"compromised, replaced, force_update", {old_compromised, stale_epoch}, STATE_UPDATE_REQUIRED, 2, 1},
	{"compromised, replaced, purged", {old_compromised, stale_purge}, STATE_UPDATE_REQUIRED, 2, 1},

	{"revoked", {revoked}, STATE_REVOKED, -EKEYREVOKED, 0},
	{"revoked, expired", {revoked, day_90}, STATE_EXPIRED, -EKEYREVOKED, 0},
	{"revoked, attach = no", {revoked, attach_no}, STATE_REVOKED, -EPERM, 0},
	{"its certificate was revoked", {generation_revoked, stale_purge}, STATE_UPDATE_REQUIRED, 2, 1},

	{"attach = no", {attach_no}, STATE_VALID, -EPERM, 0},
	{"attach = no, expired", {attach_no, day_90}, STATE_EXPIRED, -EPERM, 0},

	{"signing CA gone, valid", {no_ca}, STATE_UPDATE_REQUIRED, 0, -ENOKEY},
	{"clock behind, valid", {clock_behind}, STATE_VALID, 0, 0},
	{"clock behind, in the window", {day_60, clock_behind}, STATE_EXPIRING, 0, -EAGAIN},
	{"clock behind, expired", {day_90, clock_behind}, STATE_EXPIRED, -EAGAIN, -EAGAIN},
	{"before its notBefore, clock believed", {before_valid}, STATE_VALID, 1, 0},
	{"before its notBefore, clock behind", {before_valid, clock_behind}, STATE_VALID, -EAGAIN, 0},
};

static void world_change(struct world *w, const change *changes)
{
	world_make(w);
	for (int i = 0; i < 4 && changes[i]; i++)
		changes[i](w);
}

static int read_as_number(const struct situation *s, const struct decision *decision)
{
	switch (decision->verdict) {
	case VERDICT_SERVE:
		return 0;
	case VERDICT_ISSUE:
		return s->app->generation.id && !device_ca_keeps_key(s) ? 2 : 1;
	default:
		return -decision->refusal.code;
	}
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct decision decision;
		struct error err = {0};
		struct world w;
		int read, update;
		enum state shown;

		world_change(&w, rules[i].changes);
		memset(&decision, 0x5a, sizeof(decision));
		device_ca_decide(&w.s, &decision);
		read = read_as_number(&w.s, &decision);
		update = device_ca_update(&w.s, &err);
		shown = device_ca_state(&w.s);
		if (read != rules[i].read || update != rules[i].update || shown != rules[i].state)
			fail_msg("%s: %s, read %d, update %d instead of %s, %d, %d", rules[i].name, state_name(shown), read,
				 update, state_name(rules[i].state), rules[i].read, rules[i].update);
		if (decision.verdict == VERDICT_REFUSE)
			assert_true(strlen(decision.refusal.text) > 20);
		else
			assert_int_equal(decision.verdict == VERDICT_SERVE, device_ca_servable(&w.s) && read == 0);
	}
}

/* What is refused says whose it is and what to do. */
static void test_sentences(void **state)
{
	static const struct {
		change changes[4];
		const char *object, *remedy;
	} sentences[] = {
		{{revoked}, "gw-01", "(stolen from the van): touch its purge"},
		{{ca_compromised}, "gw-01", "force_update"},
		{{renewal_manual, day_90}, "gw-01", "touch renew"},
		{{attach_no}, "plant-7", "set attach = yes"},
		{{never_issued, no_ca}, "plant-7", "write signing_ca/cert.pem"},
		{{never_issued, ca_expired}, "plant-7", "The CA certificate has expired."},
		{{never_issued, ca_compromised}, "plant-7", "(laptop lost)"},
		{{never_issued, clock_behind}, "2027-01-25T08:00:01Z", "set it"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++) {
		struct decision decision;
		struct world w;

		world_change(&w, sentences[i].changes);
		device_ca_decide(&w.s, &decision);
		if (!strstr(decision.refusal.text, sentences[i].object) ||
		    !strstr(decision.refusal.text, sentences[i].remedy))
			fail_msg("'%s' lacks '%s' or '%s'", decision.refusal.text, sentences[i].object,
				 sentences[i].remedy);
	}
}

static void test_issuable(void **state)
{
	static const struct {
		change changes[4];
		int result;
	} cases[] = {
		{{same}, 0},
		{{revoked}, 0}, /* a purge lifts it */
		{{attach_no, no_ca}, -EPERM},
		{{no_ca}, -ENOKEY},
		{{ca_expired}, -EKEYEXPIRED},
		{{ca_not_yet}, -EKEYEXPIRED},
		{{ca_compromised, ca_expired}, -EKEYREVOKED},
		{{clock_behind}, -EAGAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct world w;

		world_change(&w, cases[i].changes);
		assert_int_equal(device_ca_issuable(&w.s, &err), cases[i].result);
		assert_int_equal(err.code, -cases[i].result);
	}
}

/* The window: the smaller of renew_before_days and a third of the life. */
static void test_window(void **state)
{
	static const struct {
		int renew_before_days;
		int life_days;
		int opens; /* days before the end */
	} windows[] = {
		{30, 365, 30}, {30, 90, 30}, {30, 89, 0}, {30, 60, 20}, {30, 3, 1}, {0, 365, 0}, {364, 365, 0}, {1, 365, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct policy policy = {.renew_before_days = windows[i].renew_before_days};
		const unixtime life = (unixtime)windows[i].life_days * DAY;
		struct generation_row g = {.not_before = issued, .not_after = issued + life};
		unixtime before = g.not_after - device_ca_renewal_at(&policy, &g);

		if (windows[i].opens || !windows[i].renew_before_days)
			assert_int_equal(before, windows[i].opens * DAY);
		else
			assert_int_equal(before, life / 3);
	}
}

/* A renewal on day 80 gains 80 days; it must gain nine, a tenth of 90. */
static void test_gains(void **state)
{
	struct world w;

	(void)state;
	world_make(&w);
	w.s.now = issued + 80 * DAY;
	assert_true(device_ca_gains(&w.s));
	w.active.row.not_after = issued + 99 * DAY;
	assert_true(device_ca_gains(&w.s));
	w.active.row.not_after--;
	assert_false(device_ca_gains(&w.s));
	w.active.row.not_after = w.app.generation.not_after;
	assert_false(device_ca_gains(&w.s));
	no_ca(&w);
	assert_false(device_ca_gains(&w.s));

	/* too early to gain */
	world_make(&w);
	w.s.now = issued + 9 * DAY - 1;
	assert_false(device_ca_gains(&w.s));
	w.s.now++;
	assert_true(device_ca_gains(&w.s));
}

/* A signing CA whose end is near does not make each read a renewal, at any moment of the last certificate's life. */
static void test_no_storm(void **state)
{
	struct world w;
	int issues = 0;

	(void)state;
	world_make(&w);
	w.active.row.not_after = issued + 95 * DAY;
	for (w.s.now = issued; w.s.now < issued + 95 * DAY; w.s.now += 3600) {
		struct decision decision;

		device_ca_decide(&w.s, &decision);
		assert_int_not_equal(decision.verdict, VERDICT_REFUSE);
		if (decision.verdict != VERDICT_ISSUE)
			continue;
		issues++;
		w.app.generation.number++;
		w.app.generation.not_before = w.s.now;
		w.app.generation.not_after = w.s.now + 90 * DAY < w.active.row.not_after ? w.s.now + 90 * DAY :
											   w.active.row.not_after;
	}
	assert_int_equal(issues, 1);
}

static void test_state_names(void **state)
{
	static const char *const names[] = {"COMPROMISED", "EXPIRED",  "REVOKED",    "UPDATE_REQUIRED",
					    "EXPIRING",    "VALID",    "NOT_ISSUED", "NO_SIGNING_CA"};

	(void)state;
	assert_int_equal(STATE_COUNT, 8);
	for (int i = 0; i < STATE_COUNT; i++)
		assert_string_equal(state_name((enum state)i), names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),     cmocka_unit_test(test_sentences), cmocka_unit_test(test_issuable),
		cmocka_unit_test(test_window),    cmocka_unit_test(test_gains),     cmocka_unit_test(test_no_storm),
		cmocka_unit_test(test_state_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
