/* Who did what: the record of key reads and of triggers. */
#ifndef CORE_AUDIT_H
#define CORE_AUDIT_H

#include "certfs/rows.h"
#include "store.h"

/* A record of now. project, app: names, app NULL where it is not of one; file: below them. Never fails: what does not fit is cut. */
struct audit_row audit_record(const struct caller *caller, const char *action, const char *object);

/* [w] Notes that a trigger fired. app: NULL for one of a project. */
int audit_trigger(struct store *store, const struct caller *caller, const char *name, const struct project_row *project,
		  const struct app_row *app, struct error *err);

#endif
