#include "log_limit.h"

#include <stdio.h>

static bool over(const struct log_kind *kind, int64_t now)
{
	return now >= kind->began + LOG_LIMIT_MS;
}

static struct log_kind *find(struct log_limit *limit, uint64_t key)
{
	for (int i = 0; i < LOG_LIMIT_KINDS; i++)
		if (limit->kind[i].key == key)
			return &limit->kind[i];
	return NULL;
}

/* A free one, else the one that began first. NULL: of all of them some were held back, and nobody was told yet. */
static struct log_kind *room_for(struct log_limit *limit)
{
	struct log_kind *first = NULL;

	for (int i = 0; i < LOG_LIMIT_KINDS; i++) {
		struct log_kind *kind = &limit->kind[i];

		if (!kind->key)
			return kind;
		if (kind->held_back == 0 && (!first || kind->began < first->began))
			first = kind;
	}
	return first;
}

static bool begin(struct log_kind *kind, uint64_t key, int64_t now)
{
	*kind = (struct log_kind){.key = key, .began = now, .written = 1};
	return true;
}

bool log_limit_pass(struct log_limit *limit, uint64_t key, int priority, const char *text, int64_t now)
{
	struct log_kind *kind = find(limit, key);

	if (!kind) {
		kind = room_for(limit);
		return kind ? begin(kind, key, now) : true;
	}
	if (over(kind, now) && kind->held_back == 0)
		return begin(kind, key, now);
	if (kind->written < LOG_LIMIT_BURST) {
		kind->written++;
		return true;
	}
	kind->held_back++;
	kind->priority = priority;
	snprintf(kind->text, sizeof(kind->text), "%s", text);
	return false;
}

bool log_limit_take(struct log_limit *limit, int64_t now, bool all, struct log_kind *ret)
{
	for (int i = 0; i < LOG_LIMIT_KINDS; i++) {
		struct log_kind *kind = &limit->kind[i];

		if (kind->key && kind->held_back > 0 && (all || over(kind, now))) {
			*ret = *kind;
			*kind = (struct log_kind){0};
			return true;
		}
	}
	return false;
}
