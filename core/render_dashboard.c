/* dashboard.html: the parts of the page that change. What does not is core/dashboard.html. */
#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"
#include "dashboard_html.h"
#include "fleet.h"
#include "picture.h"
#include "ranking.h"
#include "render_internal.h"

enum {
	WEEKS = 53,
	FIRST_MAX = 20,    /* projects under "needs someone first" */
	SOON_WEEKS = 4,
	AXIS_DATES = 5,
	CHART_WIDTH = 848, /* in units of the SVG's view box: 16 for each week */
	CHART_HEIGHT = 120,
};

struct needy {
	const struct fleet_project *project; /* of page.fleet */
};

struct page {
	const struct view *view;
	struct buffer *out;
	struct fleet fleet;
	struct ranking list;
	struct needy *needy;
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

static int page_load(struct page *page, struct error *err)
{
	struct store *store;
	int r = core_reader(page->view->core, &store, err);

	if (r == 0)
		r = fleet_load(page->view, &page->fleet, err);
	if (r == 0)
		r = app_ends(store, page->view->now, 7 * DAY, page->ends, WEEKS, err);
	page->needy = calloc(page->fleet.count + 1, sizeof(*page->needy));
	if (r == 0 && !page->needy)
		return error_set(err, ENOMEM, "out of memory");
	return r == 0 ? ranking_load(page->view, store, &page->fleet, &page->list, err) : r;
}

static void page_clear(struct page *page)
{
	fleet_clear(&page->fleet);
	ranking_clear(&page->list);
	free(page->needy);
}

/* ---- the parts ---- */

static void put_head(struct page *page)
{
	char now[32];

	clock_format(page->view->now, now);
	buffer_printf(page->out, "%" PRId64 " app instance%s in %zu project%s, at <time datetime=\"%s\">%.10s %.5s UTC</time>",
		      page->fleet.counts.total, plural(page->fleet.counts.total), page->fleet.count,
		      plural((long long)page->fleet.count), now, now, now + 11);
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

static int project_compare(const void *a, const void *b)
{
	const struct fleet_project *left = ((const struct needy *)a)->project, *right = ((const struct needy *)b)->project;
	const enum state l = fleet_worst(left), r = fleet_worst(right);

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
	const enum state worst = fleet_worst(project);
	int64_t concerned = 0;

	for (int state = 0; state < STATE_VALID; state++)
		concerned += counts_in(&project->counts, (enum state)state);
	buffer_add_text(out, "<tr><td>");
	add_state(out, worst);
	buffer_add_text(out, "</td><th scope=\"row\">");
	add_escaped(out, project->name);
	buffer_printf(out, "</th><td class=\"n\" data-unit=\" app instances\">%" PRId64 " of %" PRId64 "</td><td>%s</td></tr>\n", concerned,
		      project->counts.total, remedy(worst));
}

/* Those that need someone, the worst first. */
static size_t collect_needy(struct page *page)
{
	size_t n = 0;

	for (size_t i = 0; i < page->fleet.count; i++)
		if (fleet_needs_someone(fleet_worst(&page->fleet.project[i])))
			page->needy[n++].project = &page->fleet.project[i];
	qsort(page->needy, n, sizeof(*page->needy), project_compare);
	return n;
}

static void put_not_shown(struct page *page, size_t more, size_t hidden)
{
	if (more)
		buffer_printf(page->out, "<p>%zu more project%s someone: see the file status.</p>", more, more == 1 ? " needs" : "s need");
	if (hidden)
		buffer_printf(page->out, "<p>%zu project%s closed to others: not named here.</p>", hidden,
			      hidden == 1 ? " that needs someone is" : "s that need someone are");
}

static void put_first(struct page *page)
{
	const size_t needy = collect_needy(page);
	size_t shown = 0, more = 0, hidden = 0;

	for (size_t i = 0; i < needy; i++) {
		if (page->needy[i].project->hidden) {
			hidden++;
			continue;
		}
		if (shown == FIRST_MAX) {
			more++;
			continue;
		}
		if (shown++ == 0)
			buffer_add_text(page->out, "<table class=\"first\"><thead><tr><th scope=\"col\">State</th><th scope=\"col\">Project</th>"
						   "<th scope=\"col\" class=\"n\">App instances</th><th scope=\"col\">What to do</th>"
						   "</tr></thead><tbody>\n");
		put_project(page, page->needy[i].project);
	}
	if (shown)
		buffer_add_text(page->out, "</tbody></table>");
	if (!needy)
		buffer_add_text(page->out, "<p>Nothing. Every project is as it should be.</p>");
	put_not_shown(page, more, hidden);
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
	const int64_t height = n * CHART_HEIGHT / most > 3 ? n * CHART_HEIGHT / most : 3;
	char start[32];

	if (n == 0)
		return;
	clock_format(page->view->now + (unixtime)week * 7 * DAY, start);
	buffer_printf(page->out,
		      "<rect class=\"%s\" x=\"%d\" y=\"%" PRId64 "\" width=\"12\" height=\"%" PRId64
		      "\"><title>week from %.10s: %" PRId64 "</title></rect>\n",
		      week < SOON_WEEKS ? "soon" : "later", week * 16 + 2, CHART_HEIGHT - height, height, start, n);
}

/* The chart stretches to any width, its words do not: they are beside it. */
static void put_axis(const struct page *page)
{
	buffer_add_text(page->out, "<p class=\"axis\" aria-hidden=\"true\">");
	for (int i = 0; i < AXIS_DATES; i++) {
		char day[32];

		clock_format(page->view->now + (unixtime)WEEKS * 7 * DAY * i / (AXIS_DATES - 1), day);
		buffer_printf(page->out, "<span>%.10s</span>", day);
	}
	buffer_add_text(page->out, "</p>");
}

static void put_timeline(struct page *page)
{
	struct buffer *out = page->out;
	int64_t sum, soon = 0;
	const int64_t most = ends_most(page, &sum);

	for (int week = 0; week < SOON_WEEKS; week++)
		soon += page->ends[week];
	if (sum == 0) {
		buffer_add_text(out, "<p>No current certificate ends within a year.</p>");
		return;
	}
	buffer_printf(out,
		      "<p><b>%" PRId64 "</b> certificate%s, by the week of the end. <span class=\"key soon\"></span><b>%" PRId64
		      "</b> within four weeks. The highest bar is %" PRId64 ".</p>\n"
		      "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%" PRId64
		      " certificates end within a year, %" PRId64 " of them within four weeks\">\n",
		      sum, sum == 1 ? " ends" : "s end", soon, most, CHART_WIDTH, CHART_HEIGHT, sum, soon);
	for (int week = 0; week < WEEKS; week++)
		put_bar(page, week, most);
	buffer_add_text(out, "</svg>");
	put_axis(page);
}

static const char *name_of(const struct page *page, rowid id)
{
	const struct fleet_project *project = fleet_find(&page->fleet, id);

	return project ? project->name : "";
}

/* Whatever its certificate says, it is not handed out: days left would be a comfort that there is not. */
static bool is_over(enum state state)
{
	return state == STATE_COMPROMISED || state == STATE_REVOKED;
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
	buffer_add_text(out, "</td><td class=\"n\" data-unit=\" days left\">");
	if (row->not_after && !is_over((enum state)row->rank))
		buffer_printf(out, "%" PRId64, days_until(row->not_after, page->view->now));
	buffer_add_text(out, "</td></tr>\n");
}

/* What of the fleet is not in the list, and whether that matters: the list begins with the worst. */
static void put_rest(struct page *page)
{
	const bool all_bad = page->list.count && page->list.row[page->list.count - 1].rank < (int)STATE_VALID;
	int64_t closed = 0, more;

	for (size_t i = 0; i < page->fleet.count; i++)
		if (page->fleet.project[i].hidden)
			closed += page->fleet.project[i].counts.total;
	more = page->fleet.counts.total - closed - (int64_t)page->list.count;
	if (more > 0 && all_bad)
		buffer_printf(page->out, "<p>%" PRId64 " more are not listed, and some of them need someone, too: these are the worst %zu.</p>",
			      more, page->list.count);
	else if (more > 0)
		buffer_printf(page->out, "<p>%" PRId64 " more are not listed; none of them needs anybody.</p>", more);
	if (closed)
		buffer_printf(page->out, "<p>%" PRId64 " in projects that are closed to others are counted above and not listed.</p>",
			      closed);
}

static void put_instances(struct page *page)
{
	if (page->list.count == 0)
		buffer_add_text(page->out, "<p>There are none to be listed. <code>mkdir projects/PROJECT/apps/NAME</code> makes one.</p>");
	else
		buffer_add_text(page->out, "<table id=\"list\"><caption>Worst first, then by their end.</caption><thead><tr>"
					   "<th scope=\"col\">State</th><th scope=\"col\">App instance</th>"
					   "<th scope=\"col\" class=\"n wide\">Ends</th><th scope=\"col\" class=\"n\">Days left</th>"
					   "</tr></thead><tbody>\n");
	for (size_t i = 0; i < page->list.count; i++)
		put_instance(page, &page->list.row[i]);
	if (page->list.count)
		buffer_add_text(page->out, "</tbody></table>");
	put_rest(page);
}

/* ---- the page ---- */

static int make_page(void *context, struct buffer *out, struct error *err)
{
	static void (*const put[])(struct page *) = {put_head, put_states, put_first, put_timeline, put_instances};
	__attribute__((cleanup(page_clear))) struct page page = {.view = context, .out = out};
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

static int page_get(const struct view *view, struct buffer *out, size_t *ret_size, struct error *err)
{
	const struct picture_moment moment = {.changes = atomic_load(&view->core->changes), .now = view->now};

	return picture_get(view->core->dashboard, &moment, make_page, (void *)view, out, ret_size, err);
}

int render_dashboard(const struct view *view, struct buffer *out, struct error *err)
{
	size_t size;
	int r = page_get(view, out, &size, err);

	return r == 0 && buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : r;
}

int size_dashboard(const struct view *view, size_t *ret, struct error *err)
{
	return page_get(view, NULL, ret, err);
}
