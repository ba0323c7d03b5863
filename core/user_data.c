#include "user_data.h"

#include <string.h>
#include <strings.h>

#include "certfs/view.h"
#include "clock.h"
#include "event.h"
#include "name.h"
#include "template.h"
#include "verb.h"

static const char *const scopes[] = {[CORE_APP] = "app", [CORE_PROJECT] = "project"};

/* ---- reading ---- */

/* The files at their places, in base64 so that nothing has to be indented. With attach = no there is nothing to write, and
 * above all no empty key: IoT Edge would put one of its own there. */
static void built_in(const struct policy *policy, struct buffer *out)
{
	buffer_add_text(out, "#cloud-config\n# Written by certfs; user_data.in is the template, and yours to change.\n");
	if (!policy->attach)
		return;
	buffer_printf(out,
		      "write_files:\n"
		      "- path: %s/device_ca.pem\n"
		      "  permissions: '0644'\n"
		      "  encoding: b64\n"
		      "  content: %s|base64\n"
		      "- path: %s/device_ca.key\n"
		      "  permissions: '0600'\n"
		      "  encoding: b64\n"
		      "  content: %s|base64\n",
		      policy->cert_dir, policy->variable_cert, policy->key_dir, policy->variable_key);
}

/* 1: found, 0: there is none. */
int user_data_written(const struct view *view, enum core_scope scope, const char *name,
		      struct buffer *ret, struct error *err)
{
	const rowid id = scope == CORE_APP ? view->app->row.id : view->project->row.id;
	struct store *store;
	int r = core_reader(view->core, &store, err);

	if (r == 0)
		r = document_get(store, scopes[scope], id, name, ret, err);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

int user_data_project_template(const struct view *view, struct buffer *ret, struct error *err)
{
	int r = user_data_written(view, CORE_PROJECT, "template", ret, err);

	if (r == 0)
		built_in(&view->project->policy, ret);
	return r < 0 ? r : buffer_status(ret) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int user_data_template(const struct view *view, struct buffer *ret, struct error *err)
{
	int r = user_data_written(view, CORE_APP, "template", ret, err);

	return r == 0 ? user_data_project_template(view, ret, err) : r < 0 ? r : 0;
}

static int details_of(const struct view *view, enum core_scope scope, struct details **ret, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	int r = user_data_written(view, scope, "details", &text, err);

	return r <= 0 ? r : details_parse(buffer_span(&text), ret, err);
}

int user_data_details(const struct view *view, struct details **ret, struct error *err)
{
	_cleanup_details_ struct details *own = NULL;
	_cleanup_details_ struct details *inherited = NULL;
	int r = details_of(view, CORE_APP, &own, err);

	if (r >= 0)
		r = details_of(view, CORE_PROJECT, &inherited, err);
	return r < 0 ? r : details_merge(own, inherited, ret, err);
}

/* ---- writing ---- */

struct document_verb {
	struct verb verb;
	enum core_scope scope;
	rowid id;
	rowid project;
	const char *name;
	struct buffer content;
};

static void document_clear(struct verb *verb)
{
	buffer_clear(&((struct document_verb *)verb)->content);
}

static int document_apply(struct job *job, struct store *store, struct error *err)
{
	struct document_verb *v = (struct document_verb *)job;
	struct project_row project = {0};
	struct app_row app = {0};
	struct event event;
	int r = project_by_id(store, v->project, &project, err);

	if (r == 0 && v->scope == CORE_APP)
		r = app_by_id(store, v->id, &app, err);
	if (r == 0)
		r = document_put(store, scopes[v->scope], v->id, v->name, buffer_span(&v->content), err);
	if (r == 0)
		r = object_written(store, scopes[v->scope], v->id, clock_now(), err);
	event = event_of("NOTICE", "user_data.changed", &project, v->scope == CORE_APP ? &app : NULL);
	event.generation = 0; /* of no certificate */
	job->touched_app = app.id;
	job->touched_project = v->scope == CORE_APP ? 0 : project.id;
	return r == 0 ? event_add(store, &event, err, "%s changed", v->name) : r;
}

static struct refusable document_refusable(enum core_scope scope, rowid id, const char *name, const struct view *view)
{
	const bool details = strcmp(name, "details") == 0;

	if (scope == CORE_APP)
		return (struct refusable){details ? REJECTED_DETAILS : REJECTED_TEMPLATE, view->project->row.id, id};
	return (struct refusable){.file = details ? REJECTED_POLICY_DETAILS : REJECTED_POLICY_TEMPLATE, .project = id};
}

/* A project, or an app instance of it, under a subject. */
struct named {
	const char *project, *app, *subject;
};

/* IoT Edge: the common name of a device CA must not be the gateway's hostname. Case means nothing in either (RFC 4343). */
static int check_hostname(const struct named *named, const struct details *details, struct error *err)
{
	const struct span key = span_text("hostname");
	char common_name[65];
	struct span hostname;

	if (!details || !details_get(details, key, &hostname))
		return 0;
	name_common_name(named->subject, named->app, named->project, common_name);
	if (hostname.size != strlen(common_name) || strncasecmp((const char *)hostname.data, common_name, hostname.size) != 0)
		return 0;
	return error_set(err, EINVAL,
			 "hostname%s%s: it equals the common name of the device CA, which IoT Edge forbids: change "
			 "subject in the policy, or the hostname",
			 *named->app ? " of " : "", named->app);
}

static int check_hostname_of_app(void *context, const char *app, struct span text, struct error *err)
{
	struct named named = *(const struct named *)context;
	_cleanup_details_ struct details *details = NULL;
	int r = details_parse(text, &details, err);

	named.app = app;
	return r == 0 ? check_hostname(&named, details, err) : r;
}

int user_data_subject(struct store *store, const struct project_row *project, const char *subject, struct error *err)
{
	struct named named = {project->name, "", subject};
	_cleanup_buffer_ struct buffer text = {0};
	int r = 0;

	if (!strstr(subject, "%a")) {
		r = document_get(store, scopes[CORE_PROJECT], project->id, "details", &text, err);
		if (r == 0)
			r = check_hostname_of_app(&named, "", buffer_span(&text), err);
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return document_each_details(store, project->id, check_hostname_of_app, &named, err);
}

static int check_document(const struct view *view, const char *name, struct span text, struct error *err)
{
	const struct named named = {view->project->row.name, view->app ? view->app->row.name : "", view->project->policy.subject};
	_cleanup_details_ struct details *details = NULL;
	int r;

	if (strcmp(name, "template") == 0)
		return template_check(text, &view->project->policy, err);
	r = details_parse(text, &details, err);
	if (r < 0 || (!view->app && strstr(named.subject, "%a")))
		return r;
	return check_hostname(&named, details, err);
}

int user_data_judge_details(const struct view *view, struct span text, struct error *err)
{
	return check_document(view, "details", text, err);
}

static int document_view(struct core *core, enum core_scope scope, rowid id, struct view **ret, struct error *err)
{
	return scope == CORE_APP ? view_app(core, id, ret, err) : view_project(core, id, ret, err);
}

static void document_submit(struct core *core, const struct caller *caller, enum core_scope scope, rowid id,
			    const char *name, struct span text, core_done done, void *context)
{
	struct document_verb *v = verb_new(sizeof(*v), core, caller, done, context);
	_cleanup_view_ struct view *view = NULL;
	struct error err = {0};
	int r;

	if (!v)
		return;
	v->verb.clear = document_clear;
	v->scope = scope;
	v->id = id;
	v->name = name;
	buffer_add_span(&v->content, text);
	r = document_view(core, scope, id, &view, &err);
	if (r == 0) {
		v->project = view->project->row.id;
		v->verb.refusable = document_refusable(scope, id, name, view);
		r = check_document(view, name, text, &err);
	}
	if (r == 0 && buffer_status(&v->content) < 0)
		r = error_set(&err, ENOMEM, "out of memory");
	if (r < 0)
		verb_answer(&v->verb, r, &err);
	else
		verb_submit(&v->verb, document_apply);
}

void core_template(struct core *core, const struct caller *caller, enum core_scope scope, rowid id, struct span text,
		   core_done done, void *context)
{
	document_submit(core, caller, scope, id, "template", text, done, context);
}

void core_details(struct core *core, const struct caller *caller, enum core_scope scope, rowid id, struct span text,
		  core_done done, void *context)
{
	document_submit(core, caller, scope, id, "details", text, done, context);
}
