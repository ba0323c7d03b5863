/* The making of one certificate: what the pipeline does between an order and its answer. Shared by issue.c and issue_make.c only. */
#ifndef CORE_ISSUE_MAKE_H
#define CORE_ISSUE_MAKE_H

#include "certfs/view.h"
#include "core_internal.h"
#include "issue.h"
#include "keypool.h"
#include "pool.h"
#include "writer.h"

/* One app instance's certificate under way. Belongs to one stage of the pipeline at a time; `joined` and `later` are
 * protected by the lock of struct issue. */
struct issuing {
	struct issuing *next;
	struct core *core;
	rowid app;
	struct issue_order *order;  /* the one that started it */
	struct issue_order *joined; /* readers that take the same certificate */
	struct issue_order *later;  /* renewals, to start when this one has ended */
	void (*finished)(struct issuing *issuing, int r, const struct error *err);

	struct task task;
	struct keypool_waiter waiter;
	struct job job;
	int attempts;
	rowid keyless;              /* the generation whose key was gone at the last look */
	int64_t started;            /* clock_monotonic_ns() */
	struct view *view;          /* what was decided on */
	struct keypair *key;
	bool new_key;               /* not that of the generation before */
	struct keypair *spare;      /* a new key of an attempt before this one, or NULL */
	struct buffer cert;
	struct buffer sealed;
	struct generation_row row;  /* to be inserted */
};

/* Starts, or starts again. Ends in issuing->finished(). */
void issue_make(struct issuing *issuing);

/* A job's, for which somebody waits from now on. Any thread, while it can be joined. */
void issuing_hurry(struct issuing *issuing);

void issuing_free(struct issuing *issuing);

/* issue.c: answers everybody and frees. */
void issue_finished(struct issuing *issuing, int r, const struct error *err);

#endif
