/* user_data: what a gateway is started with, made from a template, the details and the certificate. */
#ifndef CORE_USER_DATA_H
#define CORE_USER_DATA_H

#include "core_internal.h"
#include "details.h"

/* The template of an app instance: its own, the project's, or one that writes the three files as cloud-init does. */
int user_data_template(const struct view *view, struct buffer *ret, struct error *err);

/* The template of the project: its own, or the same built-in one. */
int user_data_project_template(const struct view *view, struct buffer *ret, struct error *err);

/* What was written to an app instance's or a project's "template" or "details": 1, or 0 if nothing
 * was. */
int user_data_written(const struct view *view, enum core_scope scope, const char *name,
		      struct buffer *ret, struct error *err);

/* Its own details over the project's. */
int user_data_details(const struct view *view, struct details **ret, struct error *err);

/* May the app instance have these details (what the hook says)? EINVAL as for what a user writes. */
int user_data_judge_details(const struct view *view, struct span text, struct error *err);

/* [w] May the project have that subject? IoT Edge: the common name of a device CA must not be the gateway's hostname. EINVAL where it is
 * that of the details of an app instance, or, if it is the same for all of them, of the project. */
int user_data_subject(struct store *store, const struct project_row *project, const char *subject, struct error *err);

#endif
