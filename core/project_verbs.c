/* Changes of projects. */
#include <string.h>

#include "clock.h"
#include "event.h"
#include "manage.h"
#include "name.h"
#include "user_data.h"
#include "verb.h"

void owner_apply(struct owner *owner, const struct owner_change *change)
{
	if (change->set_uid)
		owner->uid = change->uid;
	if (change->set_gid)
		owner->gid = change->gid;
	if (change->set_mode)
		owner->mode = change->mode & 07777;
}

struct owner owner_new(const struct caller *caller, mode_t mode)
{
	unixtime now = clock_now();

	return (struct owner){
		.uid = caller->uid,
		.gid = caller->gid,
		.mode = mode & 07777,
		.created_at = now,
		.changed_at = now,
	};
}

static int project_event(struct store *store, const struct project_row *row, const char *type, const char *what,
			 struct error *err)
{
	const struct event event = event_of("NOTICE", type, row, NULL);

	return event_add(store, &event, err, "%s", what);
}

struct project_verb {
	struct verb verb;
	struct project_row row;
	struct owner_change change;
	struct buffer policy;
	char subject[POLICY_TEXT]; /* what policy says of it */
};

/* ---- mkdir ---- */

static int project_create_apply(struct job *job, struct store *store, struct error *err)
{
	struct project_verb *v = (struct project_verb *)job;
	int64_t count;
	int r = project_count(store, &count, err);

	if (r < 0)
		return r;
	if (count >= v->verb.core->config.limit_projects)
		return error_set(err, ENOSPC, "there can be no project more than %lld: raise limits.projects",
				 (long long)count);
	r = project_insert(store, &v->row, policy_default_text(), err);
	if (r == -EEXIST)
		return error_set(err, EEXIST, "there is a project %s already: choose another name", v->row.name);
	job->result = v->row.id;
	return r < 0 ? r : project_event(store, &v->row, "project.created", "project made", err);
}

void core_project_create(struct core *core, const struct caller *caller, const char *name, mode_t mode,
			 core_done done, void *context)
{
	struct project_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	struct error err = {0};
	int r;

	if (!v)
		return;
	r = name_check(name, &err);
	if (r < 0) {
		verb_answer(&v->verb, r, &err);
		return;
	}
	strcpy(v->row.name, name);
	v->row.owner = owner_new(caller, mode);
	v->row.apps_changed_at = v->row.owner.created_at;
	verb_submit(&v->verb, project_create_apply);
}

/* ---- rmdir ---- */

static int project_remove_apply(struct job *job, struct store *store, struct error *err)
{
	struct project_verb *v = (struct project_verb *)job;
	struct project_row row;
	int r = project_by_id(store, v->row.id, &row, err);

	if (r < 0)
		return r;
	if (row.apps > 0)
		return error_set(err, ENOTEMPTY, "project %s has %lld app instance%s: rmdir what is in apps/ first",
				 row.name, (long long)row.apps, plural(row.apps));
	job->touched_project = row.id;
	r = project_event(store, &row, "project.removed", "project removed", err);
	if (r == 0)
		r = operation_cancel(store, row.id, clock_now(), err);
	return r == 0 ? project_delete(store, row.id, err) : r;
}

void core_project_remove(struct core *core, const struct caller *caller, rowid id, core_done done, void *context)
{
	struct project_verb *v = verb_new(sizeof(*v), core, caller, done, context);

	if (!v)
		return;
	v->row.id = id;
	verb_submit(&v->verb, project_remove_apply);
}

/* ---- chmod, chown ---- */

static int project_own_apply(struct job *job, struct store *store, struct error *err)
{
	struct project_verb *v = (struct project_verb *)job;
	struct project_row row;
	int r = project_by_id(store, v->row.id, &row, err);

	if (r < 0)
		return r;
	owner_apply(&row.owner, &v->change);
	job->touched_project = row.id;
	job->announce = true;
	return project_set_owner(store, row.id, &row.owner, err);
}

void core_project_own(struct core *core, const struct caller *caller, rowid id, const struct owner_change *change,
		      core_done done, void *context)
{
	struct project_verb *v = verb_new(sizeof(*v), core, caller, done, context);

	if (!v)
		return;
	v->row.id = id;
	v->change = *change;
	verb_submit(&v->verb, project_own_apply);
}

/* ---- policy ---- */

static int check_subject(struct store *store, const struct project_row *row, const char *subject, struct error *err)
{
	_cleanup_buffer_ struct buffer old_text = {0};
	struct policy old;
	int r = project_policy(store, row->id, &old_text, err);

	if (r == 0)
		r = policy_parse(buffer_span(&old_text), &old, err);
	return r < 0 || strcmp(old.subject, subject) == 0 ? r : user_data_subject(store, row, subject, err);
}

static int project_policy_apply(struct job *job, struct store *store, struct error *err)
{
	struct project_verb *v = (struct project_verb *)job;
	struct project_row row;
	int r = project_by_id(store, v->row.id, &row, err);

	job->touched_project = v->row.id;
	if (r == 0)
		r = check_subject(store, &row, v->subject, err);
	if (r == 0)
		r = project_set_policy(store, row.id, buffer_span(&v->policy), err);
	if (r == 0)
		r = object_written(store, "project", row.id, clock_now(), err);
	return r == 0 ? project_event(store, &row, "policy.changed", "policy changed", err) : r;
}

static void project_policy_clear(struct verb *verb)
{
	buffer_clear(&((struct project_verb *)verb)->policy);
}

void core_project_policy(struct core *core, const struct caller *caller, rowid id, struct span text, core_done done,
			 void *context)
{
	struct project_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	struct error err = {0};
	struct policy policy;
	int r;

	if (!v)
		return;
	v->row.id = id;
	v->verb.clear = project_policy_clear;
	v->verb.refusable = (struct refusable){.file = REJECTED_POLICY, .project = id};
	buffer_add_span(&v->policy, text);
	r = policy_parse(text, &policy, &err);
	if (r == 0 && buffer_status(&v->policy) < 0)
		r = error_set(&err, ENOMEM, "out of memory");
	if (r < 0) {
		verb_answer(&v->verb, r, &err);
		return;
	}
	memcpy(v->subject, policy.subject, sizeof(v->subject));
	verb_submit(&v->verb, project_policy_apply);
}
