/* The issue pipeline: orders for the same app instance join, the pool makes keys and signs, the writer commits all that is ready
 * in one transaction, and only then the orders are answered.
 *
 *   order -> [join] -> pool: decide, key -> (keypool) -> pool: sign, seal -> writer: check again, insert -> answer
 *
 * What was decided is checked again inside the transaction; if the project, its signing CA, or the app instance moved meanwhile, the
 * work starts again. So an answer is true at the moment of its commit.
 */
#ifndef CORE_ISSUE_H
#define CORE_ISSUE_H

#include "certfs/error.h"
#include "certfs/types.h"

struct core;
struct issue;

enum issue_cause {
	ISSUE_FOR_READ,  /* only if a read would issue; joins what is under way */
	ISSUE_FOR_UPDATE, /* if a read would, or what it serves is EXPIRING or UPDATE_REQUIRED; joins nothing */
	ISSUE_FOR_RENEW, /* always another certificate, and the trigger `renew` counts one more */
};

struct issue_order {
	struct issue_order *next; /* the pipeline's */
	enum issue_cause cause;
	rowid app;
	struct caller caller;     /* RENEW: remembered with the effect */
	char reason[REASON_SIZE]; /* RENEW */
	/* Once, on a thread of core's; owns the order. r: 0, or a negative errno and *err. Must not block. */
	void (*done)(struct issue_order *order, int r, const struct error *err);
};

int issue_new(struct core *core, struct issue **ret, struct error *err);
void issue_free(struct issue *issue); /* nothing may be under way */

/* Hands the order over; done() will run. Any thread. */
void issue_submit(struct issue *issue, struct issue_order *order);

/* A renewal of that app instance failed within the last seconds: what is still good is served meanwhile. */
bool issue_backing_off(struct issue *issue, rowid app, unixtime now);

#endif
