/* dashboard.html: the parts of the page that change. What does not is core/dashboard.html. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "dashboard_html.h"
#include "fleet.h"
#include "render_internal.h"

enum {
	WEEKS = 53,
	LIST_MAX = 10000,  /* app instances on the page: the worst */
	FIRST_MAX = 20,    /* projects under "needs someone first" */
	CHART_WIDTH = 848, /* in units of the SVG's view box: 16 for each week */
	CHART_HEIGHT = 120,
};

struct page {
	const struct view *view;
	struct buffer *out;
	struct fleet fleet;
	struct app_ranked *row; /* LIST_MAX worst ones at the front, once sorted */
	size_t rows;
	int64_t ends[WEEKS];
};

static void add_escaped(struct buffer *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': buffer_add_text(out, "&amp;"); break;
		case '<': buffer_add_text(out, "&lt;"); break;
		case '>': buffer_add_text(out, "&gt;"); break;
		case '"': buffer_add_text(out, "&quot;"); break;
		case '\'': buffer_add_text(out, "&#39;"); break;
		default: buffer_add(out, text, 1);
		}
	}
}

static void add_state(struct buffer *out, enum state state)
{
	buffer_printf(out, "<span class=\"s %s\">%s</span>", state_name(state), state_name(state));
}

static void add_day(struct buffer *out, unixtime time)
{
	char text[32];

	clock_format(time, text);
	buffer_printf(out, "<time datetime=\"%s\">%.10s</time>", text, text);
}

/* ---- collecting ---- */

static int rank_compare(const void *a, const void *b)
{
	const struct app_ranked *left = a, *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	if (left->not_after != right->not_after)
		return left->not_after < right->not_after ? -1 : 1;
	if (left->project != right->project)
		return left->project < right->project ? -1 : 1;
	return strcmp(left->name, right->name);
}

static void rows_sort(struct page *page)
{
	qsort(page->row, page->rows, sizeof(*page->row), rank_compare);
	if (page->rows > LIST_MAX)
		page->rows = LIST_MAX;
}

static int take_row(void *context, const struct app_ranked *row)
{
	struct page *page = context;

	if (page->rows == (size_t)2 * LIST_MAX)
		rows_sort(page);
	page->row[page->rows++] = *row;
	return 0;
}

static int collect_project(struct page *page, struct store *store, const struct fleet_project *facts, struct error *err)
{
	struct app_ranking by = {.now = page->view->now, .room = LIST_MAX};
	struct project *project;
	int r = core_project(page->view->core, facts->id, &project, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	by.renew_before = (int64_t)project->policy.renew_before_days * DAY;
	r = app_each_ranked(store, &project->row, &by, take_row, page, err);
	object_unref(&project->object);
	return r;
}

static int page_load(struct page *page, struct error *err)
{
	struct store *store;
	int r = core_reader(page->view->core, &store, err);

	if (r == 0)
		r = fleet_load(page->view, &page->fleet, err);
	if (r == 0)
		r = app_ends(store, page->view->now, 7 * DAY, page->ends, WEEKS, err);
	page->row = calloc((size_t)2 * LIST_MAX, sizeof(*page->row));
	if (r == 0 && !page->row)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < page->fleet.count; i++)
		if (!page->fleet.project[i].hidden)
			r = collect_project(page, store, &page->fleet.project[i], err);
	if (r == 0)
		rows_sort(page);
	return r;
}

static void page_clear(struct page *page)
{
	fleet_clear(&page->fleet);
	free(page->row);
}

/* ---- the parts ---- */

static void put_head(struct page *page)
{
	char now[32];

	clock_format(page->view->now, now);
	buffer_printf(page->out, "%" PRId64 " app instances in %zu projects, at <time>%s</time>", page->fleet.counts.total,
		      page->fleet.count, now);
}

static void put_states(struct page *page)
{
	buffer_add_text(page->out, "<ul class=\"states\">\n");
	for (int state = 0; state < STATE_NO_SIGNING_CA; state++) {
		const int64_t n = counts_in(&page->fleet.counts, (enum state)state);

		buffer_printf(page->out, "<li class=\"%s\"><b>%" PRId64 "</b>%s</li>\n",
			      n ? state_name((enum state)state) : "none", n, state_name((enum state)state));
	}
	buffer_add_text(page->out, "</ul>");
}

/* Worst first: the signing CA's own state, or that of the worst app instance. */
static enum state project_worst(const struct fleet_project *project)
{
	const enum state apps = counts_worst(&project->counts);

	if (project->signing_ca == STATE_NO_SIGNING_CA)
		return apps < STATE_VALID ? apps : STATE_NO_SIGNING_CA;
	return apps < project->signing_ca ? apps : project->signing_ca;
}

static bool needs_someone(enum state state)
{
	return state < STATE_VALID || state == STATE_NO_SIGNING_CA;
}

static int project_compare(const void *a, const void *b)
{
	const struct fleet_project *left = a, *right = b;
	const enum state l = project_worst(left), r = project_worst(right);

	if (l != r)
		return l < r ? -1 : 1;
	return left->id < right->id ? -1 : 1;
}

static const char *remedy(enum state state)
{
	static const char *const texts[STATE_COUNT] = {
		[STATE_COMPROMISED] = "Upload another signing CA, then touch force_update.",
		[STATE_EXPIRED] = "See its status: upload another signing CA, or touch update.",
		[STATE_REVOKED] = "Touch purge of a revoked app instance that comes back, or remove it.",
		[STATE_UPDATE_REQUIRED] = "Touch update.",
		[STATE_EXPIRING] = "See its status, then touch update.",
		[STATE_NO_SIGNING_CA] = "Upload a signing CA to signing_ca/.",
	};

	return texts[state] ? texts[state] : "";
}

static void put_project(const struct page *page, const struct fleet_project *project)
{
	struct buffer *out = page->out;
	const enum state worst = project_worst(project);
	int64_t concerned = 0;

	for (int state = 0; state < STATE_VALID; state++)
		concerned += counts_in(&project->counts, (enum state)state);
	buffer_add_text(out, "<tr><td>");
	add_state(out, worst);
	buffer_add_text(out, "</td><th scope=\"row\">");
	add_escaped(out, project->name);
	buffer_printf(out, "</th><td class=\"n\">%" PRId64 " of %" PRId64 "</td><td>%s</td></tr>\n", concerned,
		      project->counts.total, remedy(worst));
}

static void put_first(struct page *page)
{
	struct fleet *fleet = &page->fleet;
	size_t shown = 0, more = 0;

	qsort(fleet->project, fleet->count, sizeof(*fleet->project), project_compare);
	for (size_t i = 0; i < fleet->count; i++) {
		if (fleet->project[i].hidden || !needs_someone(project_worst(&fleet->project[i])))
			continue;
		if (shown == 0)
			buffer_add_text(page->out, "<table class=\"first\"><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Project</th>"
						   "<th scope=\"col\" class=\"n\">App instances</th><th scope=\"col\">What to do</th>"
						   "</tr></thead><tbody>\n");
		if (shown < FIRST_MAX) {
			put_project(page, &fleet->project[i]);
			shown++;
		} else {
			more++;
		}
	}
	buffer_add_text(page->out, shown ? "</tbody></table>" : "<p>Nothing. Every project is as it should be.</p>");
	if (more)
		buffer_printf(page->out, "<p>%zu more projects need someone: see the file status.</p>", more);
}

static int64_t ends_most(const struct page *page, int64_t *ret_sum)
{
	int64_t most = 1;

	*ret_sum = 0;
	for (int week = 0; week < WEEKS; week++) {
		*ret_sum += page->ends[week];
		most = page->ends[week] > most ? page->ends[week] : most;
	}
	return most;
}

static void put_bar(const struct page *page, int week, int64_t most)
{
	const int64_t n = page->ends[week];
	const int64_t height = n * CHART_HEIGHT / most > 2 ? n * CHART_HEIGHT / most : 2;
	char start[32];

	if (n == 0)
		return;
	clock_format(page->view->now + (unixtime)week * 7 * DAY, start);
	buffer_printf(page->out,
		      "<rect class=\"%s\" x=\"%d\" y=\"%" PRId64 "\" width=\"12\" height=\"%" PRId64
		      "\"><title>week from %.10s: %" PRId64 "</title></rect>\n",
		      week < 4 ? "soon" : "later", week * 16 + 2, 16 + CHART_HEIGHT - height, height, start, n);
}

static void put_timeline(struct page *page)
{
	struct buffer *out = page->out;
	int64_t sum;
	const int64_t most = ends_most(page, &sum);

	if (sum == 0) {
		buffer_add_text(out, "<p>No current certificate ends within a year.</p>");
		return;
	}
	buffer_printf(out,
		      "<p>%" PRId64 " certificates, by the week of their end; at most %" PRId64
		      " in one week. The first four weeks have another colour.</p>\n"
		      "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-labelledby=\"h-time\">"
		      "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%" PRId64 " certificates end in the coming year\">\n",
		      sum, most, CHART_WIDTH, CHART_HEIGHT + 40, sum);
	for (int week = 0; week < WEEKS; week++)
		put_bar(page, week, most);
	buffer_printf(out, "<line x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", CHART_WIDTH, CHART_HEIGHT + 16,
		      CHART_HEIGHT + 16);
	for (int week = 0; week < WEEKS - 4; week += 8) {
		char day[32];

		clock_format(page->view->now + (unixtime)week * 7 * DAY, day);
		buffer_printf(out, "<text x=\"%d\" y=\"%d\">%.10s</text>\n", week * 16 + 2, CHART_HEIGHT + 32, day);
	}
	buffer_add_text(out, "</svg></div>");
}

static const char *name_of(const struct page *page, rowid project)
{
	for (size_t i = 0; i < page->fleet.count; i++)
		if (page->fleet.project[i].id == project)
			return page->fleet.project[i].name;
	return "";
}

static void put_instance(const struct page *page, const struct app_ranked *row)
{
	struct buffer *out = page->out;

	buffer_add_text(out, "<tr><td>");
	add_state(out, (enum state)row->rank);
	buffer_add_text(out, "</td><th scope=\"row\">");
	add_escaped(out, name_of(page, row->project));
	buffer_add_text(out, "/");
	add_escaped(out, row->name);
	buffer_add_text(out, "</th><td class=\"n wide\">");
	if (row->not_after)
		add_day(out, row->not_after);
	buffer_add_text(out, "</td><td class=\"n\">");
	if (row->not_after)
		buffer_printf(out, "%" PRId64, days_until(row->not_after, page->view->now));
	buffer_add_text(out, "</td></tr>\n");
}

static void put_instances(struct page *page)
{
	const int64_t more = page->fleet.counts.total - (int64_t)page->rows;

	if (page->rows == 0)
		buffer_add_text(page->out, "<p>There are none to be listed. <code>mkdir projects/PROJECT/apps/NAME</code> makes one.</p>");
	else
		buffer_add_text(page->out, "<table id=\"list\"><caption>Worst first, then by their end.</caption><thead><tr>"
					   "<th scope=\"col\">State</th><th scope=\"col\">App instance</th>"
					   "<th scope=\"col\" class=\"n wide\">Ends</th><th scope=\"col\" class=\"n\">Days left</th>"
					   "</tr></thead><tbody>\n");
	for (size_t i = 0; i < page->rows; i++)
		put_instance(page, &page->row[i]);
	if (page->rows)
		buffer_add_text(page->out, "</tbody></table>");
	if (more > 0)
		buffer_printf(page->out, "<p>%" PRId64 " more are not listed here: those that need nobody, or are closed to others.</p>",
			      more);
}

int render_dashboard(const struct view *view, struct buffer *out, struct error *err)
{
	static void (*const put[])(struct page *) = {put_head, put_states,
						     put_first, put_timeline, put_instances};
	__attribute__((cleanup(page_clear))) struct page page = {.view = view, .out = out};
	int r = page_load(&page, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(dashboard_html) / sizeof(dashboard_html[0]); i++) {
		buffer_add_text(out, dashboard_html[i]);
		if (i < sizeof(put) / sizeof(put[0]))
			put[i](&page);
	}
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}
