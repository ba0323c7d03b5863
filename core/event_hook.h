/* The hook `event`: gets every event, in order, at least once. How far it is stands in the store. */
#ifndef CORE_EVENT_HOOK_H
#define CORE_EVENT_HOOK_H

#include "core_internal.h"

struct event_hook;

int event_hook_new(struct core *core, struct event_hook **ret, struct error *err);
void event_hook_free(struct event_hook *hook); /* nothing may be under way */

/* There may be something to tell. Any thread; returns at once; does nothing where no such hook is configured. */
void event_hook_kick(struct event_hook *hook);

void event_hook_stop(struct event_hook *hook);

#endif
