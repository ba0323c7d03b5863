#include "cache.h"

#include <pthread.h>
#include <stdlib.h>

enum { WAYS = 4 };

struct set {
	pthread_mutex_t lock;
	uint64_t ticket; /* protected by lock, as all of the set: grows with each drop */
	uint64_t clock;
	uint64_t hits, misses;
	struct {
		rowid id;
		struct object *object;
		uint64_t used;
	} way[WAYS];
};

struct cache {
	size_t sets; /* a power of two */
	struct set set[];
};

void object_init(struct object *object, void (*free)(struct object *object))
{
	atomic_init(&object->references, 1);
	object->free = free;
}

struct object *object_ref(struct object *object)
{
	atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed);
	return object;
}

void object_unref(struct object *object)
{
	if (object && atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) == 1)
		object->free(object);
}

struct cache *cache_new(size_t entries)
{
	struct cache *cache;
	size_t sets = 1;

	while (sets * WAYS < entries)
		sets *= 2;
	cache = calloc(1, sizeof(*cache) + sets * sizeof(struct set));
	if (!cache)
		return NULL;
	cache->sets = sets;
	for (size_t i = 0; i < sets; i++)
		pthread_mutex_init(&cache->set[i].lock, NULL);
	return cache;
}

void cache_free(struct cache *cache)
{
	if (!cache)
		return;
	cache_drop_all(cache);
	for (size_t i = 0; i < cache->sets; i++)
		pthread_mutex_destroy(&cache->set[i].lock);
	free(cache);
}

static struct set *cache_set(struct cache *cache, rowid id)
{
	return &cache->set[(size_t)id & (cache->sets - 1)];
}

struct object *cache_get(struct cache *cache, rowid id, uint64_t *ret_ticket)
{
	struct set *set = cache_set(cache, id);
	struct object *found = NULL;

	pthread_mutex_lock(&set->lock);
	*ret_ticket = set->ticket;
	for (int i = 0; i < WAYS && !found; i++) {
		if (!set->way[i].object || set->way[i].id != id)
			continue;
		set->way[i].used = ++set->clock;
		found = object_ref(set->way[i].object);
	}
	*(found ? &set->hits : &set->misses) += 1;
	pthread_mutex_unlock(&set->lock);
	return found;
}

/* The way that holds id, else an empty one, else the least recently used. */
static int set_victim(const struct set *set, rowid id)
{
	int victim = 0;

	for (int i = 0; i < WAYS; i++) {
		if (set->way[i].object && set->way[i].id == id)
			return i;
		if (!set->way[i].object || (set->way[victim].object && set->way[i].used < set->way[victim].used))
			victim = i;
	}
	return victim;
}

void cache_put(struct cache *cache, rowid id, struct object *object, uint64_t ticket)
{
	struct set *set = cache_set(cache, id);
	struct object *old = NULL;

	pthread_mutex_lock(&set->lock);
	if (set->ticket == ticket) {
		int i = set_victim(set, id);

		old = set->way[i].object;
		set->way[i].id = id;
		set->way[i].object = object_ref(object);
		set->way[i].used = ++set->clock;
	}
	pthread_mutex_unlock(&set->lock);
	object_unref(old);
}

void cache_counts(struct cache *cache, uint64_t *ret_hits, uint64_t *ret_misses)
{
	*ret_hits = *ret_misses = 0;
	for (size_t i = 0; i < cache->sets; i++) {
		pthread_mutex_lock(&cache->set[i].lock);
		*ret_hits += cache->set[i].hits;
		*ret_misses += cache->set[i].misses;
		pthread_mutex_unlock(&cache->set[i].lock);
	}
}

void cache_drop(struct cache *cache, rowid id)
{
	struct set *set = cache_set(cache, id);
	struct object *old = NULL;

	pthread_mutex_lock(&set->lock);
	set->ticket++;
	for (int i = 0; i < WAYS; i++) {
		if (!set->way[i].object || set->way[i].id != id)
			continue;
		old = set->way[i].object;
		set->way[i].object = NULL;
	}
	pthread_mutex_unlock(&set->lock);
	object_unref(old);
}

void cache_drop_all(struct cache *cache)
{
	for (size_t i = 0; i < cache->sets; i++) {
		struct set *set = &cache->set[i];

		pthread_mutex_lock(&set->lock);
		set->ticket++;
		for (int w = 0; w < WAYS; w++) {
			object_unref(set->way[w].object);
			set->way[w].object = NULL;
		}
		pthread_mutex_unlock(&set->lock);
	}
}
