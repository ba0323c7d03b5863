#include "event_hook.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/log.h"
#include "hook.h"
#include "pool.h"
#include "verb.h"

struct event_hook {
	struct core *core;
	struct task task;
	_Atomic bool busy;     /* one event is being told */
	_Atomic bool stopping;
	int64_t id;            /* of that event; the task's and its answer's, as what follows */
	int tries;
};

static const char scope[] = "fleet";
static const char cursor_name[] = "event_hook";

int event_hook_new(struct core *core, struct event_hook **ret, struct error *err)
{
	struct event_hook *hook = calloc(1, sizeof(*hook));

	if (!hook)
		return error_set(err, ENOMEM, "out of memory");
	hook->core = core;
	*ret = hook;
	return 0;
}

void event_hook_free(struct event_hook *hook)
{
	free(hook);
}

void event_hook_stop(struct event_hook *hook)
{
	atomic_store(&hook->stopping, true);
}

/* ---- where it stands ---- */

static int read_cursor(struct store *store, int64_t *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer text = {0};
	int r = document_get(store, scope, 0, cursor_name, &text, err);

	*ret = 0;
	if (r == -ENOENT)
		return 0;
	buffer_add(&text, "", 1);
	if (r == 0)
		*ret = strtoll((const char *)text.data, NULL, 10);
	return r;
}

struct move {
	struct verb verb;
	struct event_hook *hook;
	int64_t id;
};

static int move_apply(struct job *job, struct store *store, struct error *err)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)((struct move *)job)->id);
	return document_put(store, scope, 0, cursor_name, span_text(text), err);
}

/* ---- one event ---- */

struct found {
	int64_t id;
	struct buffer *line;
};

static int take_first(void *context, int64_t id, struct span line)
{
	struct found *found = context;

	if (found->id)
		return -ECANCELED; /* one is enough */
	found->id = id;
	buffer_printf(found->line, EVENT_FORMAT, (long long)id, (int)line.size, (const char *)line.data);
	return 0;
}

static int next_event(struct core *core, int64_t *ret_id, struct buffer *ret_line, struct event_subject *ret_subject,
		      struct error *err)
{
	struct found found = {.line = ret_line};
	struct store *store;
	int64_t cursor;
	int r = core_reader(core, &store, err);

	if (r == 0)
		r = read_cursor(store, &cursor, err);
	if (r == 0)
		r = event_each(store, (struct event_scope){0}, cursor, take_first, &found, err);
	*ret_id = found.id;
	if (r == -ECANCELED || (r == 0 && found.id))
		r = event_subject(store, found.id, ret_subject, err);
	return r;
}

static void rest(struct event_hook *hook)
{
	atomic_store(&hook->busy, false);
	core_leave(hook->core);
}

static void moved(void *context, int r, int64_t result, const struct error *err)
{
	struct event_hook *hook = context;
	struct core *core = hook->core;

	(void)result;
	if (r < 0)
		log_about(LOG_ERR, LOG_SUBJECT(.error = err->code),
			  "what the hook event has got could not be noted, it gets it again: %s", err->text);
	core_enter(core); /* the kick is core's business, too: it must not be closed in between */
	rest(hook);
	if (r == 0)
		event_hook_kick(hook); /* the next one */
	core_leave(core);
}

static void move_on(struct event_hook *hook)
{
	struct move *move = verb_new(sizeof(*move), hook->core, NULL, moved, hook);

	hook->tries = 0;
	if (!move)
		return;
	move->id = hook->id;
	verb_submit(&move->verb, move_apply);
}

/* A failure is tried again with the ticks, and after hooks.retries the event is left out: the log tells. */
static void told(struct event_hook *hook, int r, const struct error *err)
{
	if (r < 0 && hook->tries++ < hook->core->config.hook_retries) {
		log_about(LOG_WARNING, LOG_SUBJECT(.operation = "event", .error = err->code),
			  "hook event, for event %lld, tried again: %s", (long long)hook->id, err->text);
		rest(hook);
		return;
	}
	if (r < 0)
		log_about(LOG_ERR, LOG_SUBJECT(.operation = "event", .error = err->code),
			  "hook event: event %lld is left out after hooks.retries: %s", (long long)hook->id, err->text);
	move_on(hook);
}

static void event_task(struct task *task)
{
	struct event_hook *hook = (struct event_hook *)((char *)task - offsetof(struct event_hook, task));
	_cleanup_buffer_ struct buffer line = {0};
	_cleanup_buffer_ struct buffer output = {0};
	struct hook_call call = {.kind = HOOK_EVENT, .mount = hook->core->options.mountpoint};
	struct event_subject subject = {0};
	struct error err = {0};
	int r = next_event(hook->core, &hook->id, &line, &subject, &err);

	if (r < 0 || !hook->id) {
		rest(hook);
		return;
	}
	call.project = *subject.project ? subject.project : NULL;
	call.app = *subject.app ? subject.app : NULL;
	call.generation = subject.generation;
	call.event = buffer_span(&line);
	told(hook, hook_run(&hook->core->config, &call, &output, &err), &err);
}

void event_hook_kick(struct event_hook *hook)
{
	if (!hook_configured(&hook->core->config, HOOK_EVENT) || hook->core->options.read_only ||
	    atomic_load(&hook->stopping) || atomic_exchange(&hook->busy, true))
		return;
	core_enter(hook->core);
	hook->task.run = event_task;
	pool_submit(hook->core->hook_pool, &hook->task);
}
