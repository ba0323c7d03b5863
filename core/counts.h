/* App instances by state, as status shows them. */
#ifndef CORE_COUNTS_H
#define CORE_COUNTS_H

#include "device_ca.h"
#include "document.h"
#include "store.h"

/* The worst state that occurs; without any certificate NOT_ISSUED. */
enum state counts_worst(const struct app_counts *counts);

/* How many are in that state; STATE_NO_SIGNING_CA is none of theirs: 0. */
int64_t counts_in(const struct app_counts *counts, enum state state);

void counts_add(struct app_counts *sum, const struct app_counts *counts);

/* apps, and apps_STATE for each state that occurs. */
void counts_document(struct document *document, const struct app_counts *counts);

#endif
