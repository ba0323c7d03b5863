#include "key_trouble.h"

#include <stdio.h>

#include "certfs/log.h"
#include "event.h"
#include "rejected.h"
#include "verb.h"

struct key_trouble {
	struct verb verb;
	rowid project;
	bool works;
	char text[512];
};

static int apply(struct job *job, struct store *store, struct error *err)
{
	const struct key_trouble *t = (struct key_trouble *)job;
	struct project_row project = {0};
	int r = project_by_id(store, t->project, &project, err);
	const struct event event = event_of(t->works ? "NOTICE" : "ERROR",
					    t->works ? "signing_ca.key_available" : "signing_ca.key_unavailable", &project, NULL);

	if (r == -ENOENT)
		return 0;
	return r == 0 ? event_add(store, &event, err, "%s", t->text) : r;
}

static void told(void *context, int r, int64_t result, const struct error *err)
{
	(void)context, (void)result;
	if (r < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err->code),
			  "the state of a signing key in a token could not be made an event: %s", err->text);
}

static void tell(struct core *core, rowid project, bool works, const char *text)
{
	struct key_trouble *t = verb_new(sizeof(*t), core, NULL, told, NULL);

	if (!t)
		return;
	t->project = project;
	t->works = works;
	snprintf(t->text, sizeof(t->text), "%s", text);
	verb_submit(&t->verb, apply);
}

/* True if that is news: of many threads that find out together, one tells. */
static bool is_news(struct core *core, rowid project, bool works, const char *text)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	char last[512];
	bool news;

	pthread_mutex_lock(&lock);
	news = rejected_get(core->rejected, project, REJECTED_BY_TOKEN, last, sizeof(last)) == works;
	if (news)
		rejected_set(core->rejected, project, REJECTED_BY_TOKEN, works ? NULL : text);
	pthread_mutex_unlock(&lock);
	return news;
}

void key_trouble_note(struct core *core, rowid project, const struct issuer *issuer, int r, const struct error *err)
{
	if (!issuer_in_token(issuer) || core->options.read_only || (r < 0 && r != -EIO))
		return;
	if (is_news(core, project, r == 0, err->text))
		tell(core, project, r == 0, r == 0 ? "the signing CA's token signs again" : err->text);
}
