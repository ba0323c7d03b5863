#include "fs/tree.h"

#include <errno.h>
#include <string.h>

/* ---- directories of the user's names ---- */

static int find_project(struct core *core, rowid row, const char *name, rowid *ret, struct error *err)
{
	(void)row;
	return core_project_find(core, name, ret, err);
}

static int each_project(struct core *core, rowid row, int64_t after, core_each each, void *context, struct error *err)
{
	(void)row;
	return core_project_each(core, after, each, context, err);
}

static void create_project(struct core *core, const struct caller *caller, rowid row, const char *name, mode_t mode,
			   core_done done, void *context)
{
	(void)row;
	core_project_create(core, caller, name, mode, done, context);
}

/* Generations are called by their number, in the one way that a number is written. */
static int find_generation(struct core *core, rowid row, const char *name, rowid *ret, struct error *err)
{
	int64_t number = 0;

	for (const char *c = name; *c; c++) {
		if (*c < '0' || *c > '9' || (c == name && *c == '0') || c - name > 17)
			return error_set(err, ENOENT, "there is no generation %s", name);
		number = number * 10 + (*c - '0');
	}
	return core_generation_find(core, row, number, ret, err);
}

static const struct tree_listing projects = {
	.child = KIND_PROJECT,
	.find = find_project,
	.each = each_project,
	.create = create_project,
	.remove = core_project_remove,
};

static const struct tree_listing apps = {
	.child = KIND_APP,
	.find = core_app_find,
	.each = core_app_each,
	.create = core_app_create,
	.remove = core_app_remove,
};

static const struct tree_listing generations = {
	.child = KIND_GENERATION,
	.find = find_generation,
	.each = core_generation_each,
};

/* ---- what writes do ---- */

static void write_cert(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_ACTIVE, UPLOAD_CERT, bytes, done, context);
}

static void write_key(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_ACTIVE, UPLOAD_KEY, bytes, done, context);
}

static void write_password(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_ACTIVE, UPLOAD_PASSWORD, bytes, done, context);
}

static void write_next_cert(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_NEXT, UPLOAD_CERT, bytes, done, context);
}

static void write_next_key(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_NEXT, UPLOAD_KEY, bytes, done, context);
}

static void write_next_password(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			core_done done, void *context)
{
	core_upload(core, caller, row, UPLOAD_NEXT, UPLOAD_PASSWORD, bytes, done, context);
}

static void write_app_template(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			       core_done done, void *context)
{
	core_template(core, caller, CORE_APP, row, bytes, done, context);
}

static void write_app_details(struct core *core, const struct caller *caller, rowid row, struct span bytes,
			      core_done done, void *context)
{
	core_details(core, caller, CORE_APP, row, bytes, done, context);
}

static void write_project_template(struct core *core, const struct caller *caller, rowid row, struct span bytes,
				   core_done done, void *context)
{
	core_template(core, caller, CORE_PROJECT, row, bytes, done, context);
}

static void write_project_details(struct core *core, const struct caller *caller, rowid row, struct span bytes,
				  core_done done, void *context)
{
	core_details(core, caller, CORE_PROJECT, row, bytes, done, context);
}

/* ---- the table ---- */

/* Public files are 0444, writable ones and triggers 0644, private keys as the policy says (0400 or 0440). */
static const struct tree_row rows[] = {
	{KIND_ROOT, KIND_COUNT, NULL, SCOPE_FLEET, 0755, TREE_DIRECTORY, .listing = NULL},
	{KIND_README, KIND_ROOT, "README", SCOPE_FLEET, 0444, 0, .render = render_readme},
	{KIND_FLEET_STATUS, KIND_ROOT, "status", SCOPE_FLEET, 0444, 0, .render = render_fleet_status},
	{KIND_FLEET_STATUS_JSON, KIND_ROOT, "status.json", SCOPE_FLEET, 0444, 0, .render = render_fleet_status_json},
	{KIND_METRICS, KIND_ROOT, "metrics", SCOPE_FLEET, 0444, 0, .render = render_metrics},
	{KIND_DASHBOARD, KIND_ROOT, "dashboard.html", SCOPE_FLEET, 0444, 0, .render = render_dashboard, .size = size_dashboard},
	{KIND_FLEET_EVENTS, KIND_ROOT, "events", SCOPE_FLEET, 0440, 0, .log = log_events, .size = size_events},
	{KIND_AUDIT, KIND_ROOT, "audit", SCOPE_FLEET, 0400, 0, .log = log_audit, .size = size_audit},
	{KIND_PROJECTS, KIND_ROOT, "projects", SCOPE_FLEET, 0755, TREE_DIRECTORY, .listing = &projects},

	{KIND_PROJECT, KIND_PROJECTS, NULL, SCOPE_PROJECT, 0755, TREE_DIRECTORY | TREE_OWNED, .own = core_project_own},
	{KIND_POLICY, KIND_PROJECT, "policy", SCOPE_PROJECT, 0644, 0, .render = render_policy,
	 .write = core_project_policy},
	{KIND_PROJECT_STATUS, KIND_PROJECT, "status", SCOPE_PROJECT, 0444, 0, .render = render_project_status},
	{KIND_PROJECT_STATUS_JSON, KIND_PROJECT, "status.json", SCOPE_PROJECT, 0444, 0,
	 .render = render_project_status_json},
	{KIND_PROJECT_EVENTS, KIND_PROJECT, "events", SCOPE_PROJECT, 0440, 0, .log = log_events, .size = size_events},
	{KIND_SIGNING_CA, KIND_PROJECT, "signing_ca", SCOPE_PROJECT, 0755, TREE_DIRECTORY},
	{KIND_UPDATE, KIND_PROJECT, "update", SCOPE_PROJECT, 0644, TREE_TRIGGER, .render = render_update,
	 .write = core_update},
	{KIND_FORCE_UPDATE, KIND_PROJECT, "force_update", SCOPE_PROJECT, 0644, TREE_TRIGGER,
	 .render = render_force_update, .write = core_force_update},
	{KIND_PROGRESS, KIND_PROJECT, "progress", SCOPE_PROJECT, 0644, TREE_TRIGGER | TREE_TEXT_ONLY,
	 .render = render_progress, .write = core_progress},
	{KIND_APP_POLICY, KIND_PROJECT, "app_policy", SCOPE_PROJECT, 0755, TREE_DIRECTORY},
	{KIND_PROJECT_TEMPLATE, KIND_APP_POLICY, "user_data.in", SCOPE_PROJECT, 0600, 0,
	 .render = render_project_template, .write = write_project_template},
	{KIND_PROJECT_DETAILS, KIND_APP_POLICY, "details", SCOPE_PROJECT, 0644, 0, .render = render_project_details,
	 .write = write_project_details},
	{KIND_APPS, KIND_PROJECT, "apps", SCOPE_PROJECT, 0755, TREE_DIRECTORY, .listing = &apps},

	{KIND_SIGNING_CA_CERT, KIND_SIGNING_CA, "cert.pem", SCOPE_PROJECT, 0644, TREE_UPLOAD, .render = render_signing_ca_cert,
	 .write = write_cert},
	{KIND_SIGNING_CA_KEY, KIND_SIGNING_CA, "key.pem", SCOPE_PROJECT, 0200, TREE_WRITE_ONLY | TREE_UPLOAD,
	 .render = render_nothing, .write = write_key},
	{KIND_SIGNING_CA_PASSWORD, KIND_SIGNING_CA, "password", SCOPE_PROJECT, 0200, TREE_WRITE_ONLY | TREE_UPLOAD,
	 .render = render_nothing, .write = write_password},
	{KIND_SIGNING_CA_INFO, KIND_SIGNING_CA, "info", SCOPE_PROJECT, 0444, 0, .render = render_signing_ca_info},
	{KIND_SIGNING_CA_INFO_JSON, KIND_SIGNING_CA, "info.json", SCOPE_PROJECT, 0444, 0,
	 .render = render_signing_ca_info_json},
	{KIND_SIGNING_CA_STATUS, KIND_SIGNING_CA, "status", SCOPE_PROJECT, 0444, 0,
	 .render = render_signing_ca_status},
	{KIND_SIGNING_CA_STATUS_JSON, KIND_SIGNING_CA, "status.json", SCOPE_PROJECT, 0444, 0,
	 .render = render_signing_ca_status_json},
	{KIND_CSR, KIND_SIGNING_CA, "csr.pem", SCOPE_PROJECT, 0444, 0, .render = render_csr},
	{KIND_AFFECTED, KIND_SIGNING_CA, "affected", SCOPE_PROJECT, 0444, 0, .render = render_affected},
	{KIND_NEXT, KIND_SIGNING_CA, "next", SCOPE_PROJECT, 0755, TREE_DIRECTORY},
	{KIND_NEXT_CERT, KIND_NEXT, "cert.pem", SCOPE_PROJECT, 0644, TREE_UPLOAD, .render = render_next_cert,
	 .write = write_next_cert, .unlink = core_next_drop},
	{KIND_NEXT_KEY, KIND_NEXT, "key.pem", SCOPE_PROJECT, 0200, TREE_WRITE_ONLY | TREE_UPLOAD, .render = render_nothing,
	 .write = write_next_key},
	{KIND_NEXT_PASSWORD, KIND_NEXT, "password", SCOPE_PROJECT, 0200, TREE_WRITE_ONLY | TREE_UPLOAD, .render = render_nothing,
	 .write = write_next_password},
	{KIND_NEXT_INFO, KIND_NEXT, "info", SCOPE_PROJECT, 0444, 0, .render = render_next_info},
	{KIND_NEXT_STATUS, KIND_NEXT, "status", SCOPE_PROJECT, 0444, 0, .render = render_next_status},
	{KIND_CRL, KIND_SIGNING_CA, "crl.pem", SCOPE_PROJECT, 0444, 0, .render = render_crl},
	{KIND_COMPROMISED, KIND_SIGNING_CA, "compromised", SCOPE_PROJECT, 0644, TREE_TRIGGER | TREE_TEXT_ONLY,
	 .render = render_compromised, .write = core_compromised},

	{KIND_APP, KIND_APPS, NULL, SCOPE_APP, 0755, TREE_DIRECTORY | TREE_OWNED, .own = core_app_own},
	{KIND_DEVICE_CA_CERT, KIND_APP, "device_ca.pem", SCOPE_APP, 0444, TREE_ISSUES | TREE_VERSIONED,
	 .render = render_device_ca_cert, .size = size_device_ca_cert},
	{KIND_DEVICE_CA_KEY, KIND_APP, "device_ca.key", SCOPE_APP, 0400, TREE_ISSUES | TREE_VERSIONED | TREE_SECRET,
	 .render = render_device_ca_key, .size = size_device_ca_key},
	{KIND_BUNDLE, KIND_APP, "bundle.pem", SCOPE_APP, 0400, TREE_ISSUES | TREE_VERSIONED | TREE_SECRET,
	 .render = render_bundle, .size = size_bundle},
	{KIND_TRUST_BUNDLE, KIND_APP, "trust_bundle.pem", SCOPE_APP, 0444, 0, .render = render_trust_bundle},
	{KIND_CONFIG_TOML, KIND_APP, "config.toml", SCOPE_APP, 0444, 0, .render = render_config_toml},
	{KIND_CONFIG_YAML, KIND_APP, "config.yaml", SCOPE_APP, 0444, 0, .render = render_config_yaml},
	{KIND_APP_STATUS, KIND_APP, "status", SCOPE_APP, 0444, 0, .render = render_app_status},
	{KIND_APP_STATUS_JSON, KIND_APP, "status.json", SCOPE_APP, 0444, 0, .render = render_app_status_json},
	{KIND_APP_INFO, KIND_APP, "info", SCOPE_APP, 0444, 0, .render = render_app_info},
	{KIND_APP_INFO_JSON, KIND_APP, "info.json", SCOPE_APP, 0444, 0, .render = render_app_info_json},
	{KIND_APP_EVENTS, KIND_APP, "events", SCOPE_APP, 0440, 0, .log = log_events, .size = size_events},
	{KIND_READERS, KIND_APP, "readers", SCOPE_APP, 0444, 0, .render = render_readers},
	{KIND_TEMPLATE, KIND_APP, "user_data.in", SCOPE_APP, 0600, 0, .render = render_template,
	 .write = write_app_template},
	{KIND_USER_DATA, KIND_APP, "user_data", SCOPE_APP, 0400, TREE_ISSUES | TREE_SECRET | TREE_UNATTACHED,
	 .render = render_user_data, .size = size_user_data},
	{KIND_DETAILS, KIND_APP, "details", SCOPE_APP, 0644, 0, .render = render_details, .write = write_app_details},
	{KIND_RENEW, KIND_APP, "renew", SCOPE_APP, 0644, TREE_TRIGGER, .render = render_renew,
	 .write = core_app_renew},
	{KIND_PURGE, KIND_APP, "purge", SCOPE_APP, 0644, TREE_TRIGGER, .render = render_purge,
	 .write = core_app_purge},
	{KIND_REVOKE, KIND_APP, "revoke", SCOPE_APP, 0644, TREE_TRIGGER | TREE_TEXT_ONLY, .render = render_revoke,
	 .write = core_app_revoke},
	{KIND_GENERATIONS, KIND_APP, "generations", SCOPE_APP, 0755, TREE_DIRECTORY, .listing = &generations},

	{KIND_GENERATION, KIND_GENERATIONS, NULL, SCOPE_GENERATION, 0755, TREE_DIRECTORY},
	{KIND_GENERATION_CERT, KIND_GENERATION, "device_ca.pem", SCOPE_GENERATION, 0444, TREE_VERSIONED,
	 .render = render_device_ca_cert, .size = size_device_ca_cert},
	{KIND_GENERATION_KEY, KIND_GENERATION, "device_ca.key", SCOPE_GENERATION, 0400,
	 TREE_VERSIONED | TREE_SECRET | TREE_CURRENT, .render = render_device_ca_key, .size = size_device_ca_key},
	{KIND_GENERATION_INFO, KIND_GENERATION, "info", SCOPE_GENERATION, 0444, 0, .render = render_app_info},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

/* ---- walking it ---- */

const struct tree_row *tree_row(int kind)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((int)rows[i].kind == kind)
			return &rows[i];
	return NULL;
}

const struct tree_row *tree_next(int directory, const struct tree_row *previous)
{
	for (const struct tree_row *row = previous ? previous + 1 : rows; row < rows + ROWS; row++)
		if ((int)row->parent == directory && row->name)
			return row;
	return NULL;
}

const struct tree_row *tree_find(int directory, const char *name)
{
	const struct tree_row *row = NULL;

	while ((row = tree_next(directory, row)))
		if (strcmp(row->name, name) == 0)
			break;
	return row;
}

bool tree_takes_uploads(int directory)
{
	const struct tree_row *row = NULL;

	while ((row = tree_next(directory, row)))
		if (row->write)
			return true;
	return false;
}
