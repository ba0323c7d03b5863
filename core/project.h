/* A project and an app instance as immutable snapshots of what the store holds. */
#ifndef CORE_PROJECT_H
#define CORE_PROJECT_H

#include "cache.h"
#include "certfs/rows.h"
#include "policy.h"
#include "signing_ca.h"

struct project {
	struct object object;
	struct project_row row;
	struct policy policy;
	struct buffer policy_text;
	struct signing_ca *signing_ca; /* the active one, NULL: none */
	/* DER size of a device CA to come, by the form of its notAfter (GeneralizedTime from 2050 on) and the length of its common
	 * name; 0: not computed yet. Depends on nothing else that changes without a new revision. */
	_Atomic uint32_t planned[2][NAME_SIZE];
};

/* signing_ca: a reference for the snapshot to keep (NULL where row->signing_ca is 0). */
int project_load(struct store *store, const struct project_row *row, struct signing_ca *signing_ca,
		 struct project **ret, struct error *err);

struct app {
	struct object object;
	struct app_row row;
	struct generation_row generation; /* the newest; id 0: never issued */
};

int app_load(struct store *store, rowid id, struct app **ret, struct error *err);

#endif
