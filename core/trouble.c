#include "trouble.h"

#include <inttypes.h>

#include "certfs/log.h"
#include "clock.h"
#include "event.h"

enum { EVENT_PAUSE_SECONDS = 60, LOG_PAUSE_SECONDS = 10 };

void trouble_init(struct trouble *trouble)
{
	*trouble = (struct trouble){0};
	pthread_mutex_init(&trouble->lock, NULL);
}

void trouble_end(struct trouble *trouble)
{
	pthread_mutex_destroy(&trouble->lock);
}

/* A clock that jumped back must not silence anything. */
static bool over(unixtime last, int pause, unixtime now)
{
	return now >= last + pause || now < last;
}

void trouble_note(struct trouble *trouble, const struct error *err)
{
	const unixtime now = clock_now();
	bool log;

	pthread_mutex_lock(&trouble->lock);
	if (trouble->times++ == 0) {
		trouble->first = *err;
		trouble->since = now;
	}
	trouble->last = *err;
	log = over(trouble->logged, LOG_PAUSE_SECONDS, now);
	if (log)
		trouble->logged = now;
	pthread_mutex_unlock(&trouble->lock);
	if (log)
		log_about(LOG_ERR, LOG_SUBJECT(.error = err->code), "%s", err->text);
}

static bool due(const struct trouble *trouble)
{
	return trouble->times > 0 && over(trouble->told, EVENT_PAUSE_SECONDS, clock_now());
}

bool trouble_due(struct trouble *trouble)
{
	bool yes;

	pthread_mutex_lock(&trouble->lock);
	yes = due(trouble);
	pthread_mutex_unlock(&trouble->lock);
	return yes;
}

bool trouble_now(struct trouble *trouble, struct error *ret)
{
	bool yes;

	pthread_mutex_lock(&trouble->lock);
	yes = trouble->last.code != 0;
	*ret = trouble->last;
	pthread_mutex_unlock(&trouble->lock);
	return yes;
}

int trouble_event(struct trouble *trouble, struct store *store, struct error *err)
{
	struct event event = {.severity = "ERROR", .type = "store.failed"};
	struct error why;

	pthread_mutex_lock(&trouble->lock);
	trouble->telling = due(trouble) ? trouble->times : 0;
	event.time = trouble->since;
	why = trouble->first;
	pthread_mutex_unlock(&trouble->lock);
	if (!trouble->telling)
		return 0;
	return event_add(store, &event, err, "%s (%" PRId64 " times; it works again)", why.text, trouble->telling);
}

void trouble_told(struct trouble *trouble)
{
	pthread_mutex_lock(&trouble->lock);
	if (trouble->telling) {
		trouble->times -= trouble->telling;
		trouble->since = trouble->told = clock_now();
	}
	trouble->telling = 0;
	trouble->last.code = 0;
	pthread_mutex_unlock(&trouble->lock);
}
