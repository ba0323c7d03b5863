#include "clock_trouble.h"

#include "certfs/log.h"
#include "clock.h"
#include "device_ca.h"
#include "event.h"
#include "verb.h"

struct clock_verb {
	struct verb verb;
	bool believed;
	struct error why;
};

bool clock_trouble(struct core *core, unixtime now, struct error *ret)
{
	return device_ca_clock(now, core_clock_floor(core), ret) < 0;
}

static int apply(struct job *job, struct store *store, struct error *err)
{
	const struct clock_verb *v = (struct clock_verb *)job;
	const struct event event = {
		.severity = v->believed ? "NOTICE" : "ERROR",
		.type = v->believed ? "clock.believed" : "clock.not_believed",
	};

	return event_add(store, &event, err, "%s", v->believed ? "the clock is to be believed again" : v->why.text);
}

static void told(void *context, int r, int64_t result, const struct error *err)
{
	(void)context, (void)result;
	if (r < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = err->code), "what the clock does could not be made an event: %s", err->text);
}

void clock_trouble_tick(struct core *core)
{
	struct error why = {0};
	const bool believed = !clock_trouble(core, clock_now(), &why);
	struct clock_verb *v;

	if (believed == core->clock_believed || core->options.read_only)
		return;
	core->clock_believed = believed;
	v = verb_new(sizeof(*v), core, NULL, told, NULL);
	if (!v)
		return;
	v->believed = believed;
	v->why = why;
	verb_submit(&v->verb, apply);
}
