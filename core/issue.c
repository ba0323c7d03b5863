#include "issue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/view.h"
#include "clock.h"
#include "core_internal.h"
#include "issue_make.h"
#include "pool.h"

enum { BUCKETS = 4096, GRUDGES = 256, GRUDGE_SECONDS = 10 };

struct grudge {
	rowid app;
	unixtime until;
};

struct issue {
	struct core *core;
	pthread_mutex_t lock;
	struct issuing *bucket[BUCKETS]; /* protected by lock: what is under way, by app instance */
	struct grudge grudge[GRUDGES];   /* protected by lock */
};

int issue_new(struct core *core, struct issue **ret, struct error *err)
{
	struct issue *issue = calloc(1, sizeof(*issue));

	if (!issue)
		return error_set(err, ENOMEM, "out of memory");
	issue->core = core;
	pthread_mutex_init(&issue->lock, NULL);
	*ret = issue;
	return 0;
}

void issue_free(struct issue *issue)
{
	if (!issue)
		return;
	pthread_mutex_destroy(&issue->lock);
	free(issue);
}

static struct issuing **issue_bucket(struct issue *issue, rowid app)
{
	return &issue->bucket[(size_t)app % BUCKETS];
}

static struct issuing *issue_find(struct issue *issue, rowid app)
{
	struct issuing *issuing = *issue_bucket(issue, app);

	while (issuing && issuing->app != app)
		issuing = issuing->next;
	return issuing;
}

static void order_append(struct issue_order **list, struct issue_order *order)
{
	while (*list)
		list = &(*list)->next;
	order->next = NULL;
	*list = order;
}

/* A read takes the certificate that is being made for another one; a renewal wants one of its own, after that. Either waits for what may
 * be a job's, which others overtake. */
static void issuing_join(struct issuing *issuing, struct issue_order *order)
{
	if (order->cause != ISSUE_FOR_UPDATE)
		issuing_hurry(issuing);
	if (order->cause != ISSUE_FOR_READ) {
		order_append(&issuing->later, order);
		return;
	}
	order->next = issuing->joined; /* order among readers does not matter, and a hundred may come */
	issuing->joined = order;
}

static struct issuing *issuing_new(struct issue *issue, struct issue_order *order)
{
	struct issuing *issuing = calloc(1, sizeof(*issuing));
	struct issuing **bucket = issue_bucket(issue, order->app);

	if (!issuing)
		return NULL;
	order->next = NULL;
	issuing->core = issue->core;
	issuing->app = order->app;
	issuing->started = clock_monotonic_ns();
	issuing->order = order;
	issuing->finished = issue_finished;
	issuing->task.patient = issuing->waiter.patient = order->cause == ISSUE_FOR_UPDATE;
	issuing->next = *bucket;
	*bucket = issuing;
	return issuing;
}

void issue_submit(struct issue *issue, struct issue_order *order)
{
	struct error err = {0};
	struct issuing *issuing;
	struct issuing *started = NULL;

	pthread_mutex_lock(&issue->lock);
	issuing = issue_find(issue, order->app);
	if (issuing)
		issuing_join(issuing, order);
	else
		issuing = started = issuing_new(issue, order);
	pthread_mutex_unlock(&issue->lock);
	if (!issuing)
		order->done(order, error_set(&err, ENOMEM, "out of memory"), &err);
	else if (started)
		issue_make(started);
}

static void issue_bear_grudge(struct issue *issue, rowid app)
{
	struct grudge *grudge = &issue->grudge[(size_t)app % GRUDGES];

	grudge->app = app;
	grudge->until = clock_now() + GRUDGE_SECONDS;
}

bool issue_backing_off(struct issue *issue, rowid app, unixtime now)
{
	const struct grudge *grudge = &issue->grudge[(size_t)app % GRUDGES];
	bool off;

	pthread_mutex_lock(&issue->lock);
	/* A clock that jumped back must not prolong it. */
	off = grudge->app == app && now < grudge->until && now >= grudge->until - GRUDGE_SECONDS;
	pthread_mutex_unlock(&issue->lock);
	return off;
}

/* Nothing more can join from here on. */
static void issue_remove(struct issue *issue, struct issuing *issuing, int r)
{
	struct issuing **link = issue_bucket(issue, issuing->app);

	pthread_mutex_lock(&issue->lock);
	while (*link != issuing)
		link = &(*link)->next;
	*link = issuing->next;
	if (r < 0)
		issue_bear_grudge(issue, issuing->app);
	pthread_mutex_unlock(&issue->lock);
}

void issue_finished(struct issuing *issuing, int r, const struct error *err)
{
	struct issue *issue = issuing->core->issue;
	struct issue_order *next;

	issue_remove(issue, issuing, r);
	if (r == 0)
		histogram_add(&issuing->core->issue_time, issuing->started);
	issuing->order->done(issuing->order, r, err);
	for (struct issue_order *order = issuing->joined; order; order = next) {
		next = order->next;
		order->done(order, r, err);
	}
	for (struct issue_order *order = issuing->later; order; order = next) {
		next = order->next;
		issue_submit(issue, order);
	}
	issuing_free(issuing);
}
