/* The top of the mount: what it is, and how the fleet is. */
#include "counts.h"
#include "idlist.h"
#include "render_internal.h"

/* One screen: 24 lines of 80 columns. */
static const char readme[] =
	"certfs: the device CA certificates of Azure IoT Edge gateways, as files.\n"
	"\n"
	"projects/P/              mkdir makes a project, rmdir removes an empty one\n"
	"  policy                 validity, key type, renewal: cp it, edit, cp back\n"
	"  signing_ca/            cp your signing CA here: cert.pem (with its chain),\n"
	"                         key.pem, password; status says what is missing\n"
	"  apps/A/                mkdir makes an app instance, for one gateway\n"
	"    device_ca.pem        read it: the certificate is issued, or the current one\n"
	"    device_ca.key        its private key; bundle.pem: key, certificate, chain\n"
	"    trust_bundle.pem  config.toml  user_data    what a gateway needs besides\n"
	"    status  info         what is, and what to do; what the certificate says\n"
	"    renew  purge         touch: a new certificate; all new, delivered by hooks\n"
	"    revoke               echo REASON >revoke: a stolen gateway\n"
	"  update                 touch: re-issue what has expired or was replaced\n"
	"  force_update           touch: everything anew; progress shows how far it is\n"
	"status  events  audit    the fleet; what happened; who read which private key\n"
	"\n"
	"  mkdir projects/plant-7 projects/plant-7/apps/gw-01\n"
	"  cp ~/ca/chain.pem projects/plant-7/signing_ca/cert.pem\n"
	"  cp ~/ca/intermediate.key projects/plant-7/signing_ca/key.pem\n"
	"  cat projects/plant-7/apps/gw-01/device_ca.pem\n"
	"\n"
	"What fails says so by its error, and the nearest status says why.\n"
	"Every file is explained by: man certfs-tree\n";

int render_readme(const struct view *view, struct buffer *out, struct error *err)
{
	(void)view;
	buffer_add_text(out, readme);
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* ---- status ---- */

struct fleet {
	const struct view *view;
	struct store *store;
	struct app_counts counts;
	int64_t projects;
	struct buffer *worries; /* one line for each project that needs someone; NULL: not wanted */
	struct error *err;
};

static int fleet_project(struct fleet *fleet, const struct project *project)
{
	struct app_counts counts;
	struct error why;
	int r = app_count_states(fleet->store, project->row.id, fleet->view->now,
				 (int64_t)project->policy.renew_before_days * DAY, &counts, fleet->err);
	enum state worst;

	if (r < 0)
		return r;
	counts_add(&fleet->counts, &counts);
	fleet->projects++;
	worst = counts_worst(&counts);
	if (!fleet->worries)
		return 0;
	if (signing_ca_usable(project->signing_ca, fleet->view->now, &why) < 0)
		buffer_printf(fleet->worries, "# %s: %s\n", project->row.name, why.text);
	else if (worst < STATE_VALID)
		buffer_printf(fleet->worries, "# %s: %s, see projects/%s/status\n", project->row.name,
			      state_name(worst), project->row.name);
	return 0;
}

static int fleet_add(struct fleet *fleet, rowid id)
{
	struct project *project;
	int r = core_project(fleet->view->core, id, &project, fleet->err);

	if (r < 0)
		return r == -ENOENT ? 0 : r; /* removed meanwhile */
	r = fleet_project(fleet, project);
	object_unref(&project->object);
	return r;
}

static int fleet_status(const struct view *view, struct document *document, struct error *err)
{
	_cleanup_buffer_ struct buffer worries = {0};
	_cleanup_idlist_ struct idlist projects = {0};
	struct fleet fleet = {
		.view = view,
		.store = document->store,
		.worries = document->form == DOCUMENT_TEXT ? &worries : NULL,
		.err = err,
	};
	int r = project_each(document->store, 0, idlist_collect_named, &projects, err);

	for (size_t i = 0; r == 0 && i < projects.count; i++)
		r = fleet_add(&fleet, projects.id[i]);
	if (r < 0)
		return r;
	document_word(document, "state", fleet.projects ? state_name(counts_worst(&fleet.counts)) : "NOT_ISSUED");
	document_number(document, "projects", fleet.projects);
	counts_document(document, &fleet.counts);
	buffer_add_span(document->out, buffer_span(&worries));
	return buffer_status(&worries) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int render_fleet_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, fleet_status, out, err);
}

int render_fleet_status_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, fleet_status, out, err);
}
