/* The top of the mount: what it is, and how the fleet is. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"
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

struct worry {
	char project[NAME_SIZE];
	char message[640];
};

struct survey {
	const struct view *view;
	struct app_counts counts;
	int64_t projects, needy, hidden; /* hidden: of the needy ones */
	enum state worst;                /* of the needy ones */
	struct worry *worries;           /* of each that may be named */
	size_t count, room;
};

static enum state more_urgent(enum state a, enum state b)
{
	const bool error_b = strcmp(state_severity(b), "ERROR") == 0;

	return error_b && strcmp(state_severity(a), "ERROR") != 0 ? b : a;
}

static struct worry *survey_add(struct survey *survey, const char *project, struct error *err)
{
	if (survey->count == survey->room) {
		const size_t room = survey->room ? survey->room * 2 : 16;
		struct worry *more = reallocarray(survey->worries, room, sizeof(*more));

		if (!more) {
			error_set(err, ENOMEM, "out of memory");
			return NULL;
		}
		survey->worries = more;
		survey->room = room;
	}
	snprintf(survey->worries[survey->count].project, NAME_SIZE, "%s", project);
	return &survey->worries[survey->count++];
}

static int survey_project(void *context, const struct project *project, const struct fleet_project *facts, struct error *err)
{
	const enum state worst = fleet_worst(facts);
	struct survey *survey = context;
	struct error why;
	const bool unusable = signing_ca_usable(project->signing_ca, survey->view->now, &why) < 0 ||
			      signing_key_unavailable(survey->view->core, project, why.text, sizeof(why.text));

	struct worry *worry;

	counts_add(&survey->counts, &facts->counts);
	survey->projects++;
	if (!unusable && !fleet_needs_someone(worst))
		return 0;
	survey->worst = survey->needy++ ? more_urgent(survey->worst, worst) : worst;
	if (facts->hidden) {
		survey->hidden++;
		return 0;
	}
	worry = survey_add(survey, facts->name, err);
	if (!worry)
		return -ENOMEM;
	if (unusable)
		snprintf(worry->message, sizeof(worry->message), "%s", why.text);
	else
		snprintf(worry->message, sizeof(worry->message), "%s, see projects/%s/status", state_name(worst), facts->name);
	return 0;
}

static void survey_message(const struct survey *survey, char *ret, size_t size)
{
	if (survey->needy)
		snprintf(ret, size, "%" PRId64 " of %" PRId64 " project%s need%s someone: the status of each says what to do.",
			 survey->needy, survey->projects, plural(survey->projects), survey->needy == 1 ? "s" : "");
	else if (!survey->projects)
		snprintf(ret, size, "There is no project yet. Make one: mkdir projects/NAME.");
	else if (!survey->counts.total)
		snprintf(ret, size, "There is no app instance yet. Make one: mkdir projects/PROJECT/apps/NAME.");
	else
		snprintf(ret, size, "Every project is as it should be. Nothing to do.");
}

static void survey_tell(struct survey *survey, struct document *document)
{
	struct notice host[HOST_NOTICES];
	const size_t wrong = host_notices(survey->view, "PROJECT", host);
	char message[160];

	survey_message(survey, message, sizeof(message));
	document_word(document, "state", survey->projects ? state_name(counts_worst(&survey->counts)) : "NOT_ISSUED");
	document_word(document, "severity", wrong ? "ERROR" : state_severity(survey->needy ? survey->worst : STATE_VALID));
	document_text(document, "message", wrong ? host[0].message : message);
	document_number(document, "projects", survey->projects);
	document_number(document, "projects_that_need_someone", survey->needy);
	counts_document(document, &survey->counts);
	document_list_begin(document, "attention", survey->count);
	for (size_t i = 0; i < survey->count; i++)
		document_list_item(document, i,
				   (const struct document_field[]){{"project", survey->worries[i].project},
								   {"message", survey->worries[i].message}},
				   2);
	document_list_end(document, survey->count);
	if (document->form == DOCUMENT_TEXT && survey->hidden)
		buffer_printf(document->out, "# %" PRId64 " of them closed to others: not named here\n", survey->hidden);
}

static int fleet_status(const struct view *view, struct document *document, struct error *err)
{
	struct survey survey = {.view = view};
	int r = fleet_each(view, document->store, survey_project, &survey, err);

	if (r == 0)
		survey_tell(&survey, document);
	free(survey.worries);
	return r;
}

int render_fleet_status(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_TEXT, fleet_status, out, err);
}

int render_fleet_status_json(const struct view *view, struct buffer *out, struct error *err)
{
	return render_document(view, DOCUMENT_JSON, fleet_status, out, err);
}
