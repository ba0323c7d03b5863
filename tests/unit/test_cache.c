/* The cache: what is put can be got, what is dropped can't come back, and nothing leaks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>

#include "cache.h"

struct thing {
	struct object object;
	rowid id;
	int version;
};

static _Atomic int alive;

static void thing_free(struct object *object)
{
	struct thing *thing = (struct thing *)object;

	thing->id = -1;
	atomic_fetch_sub(&alive, 1);
	free(thing);
}

static struct object *thing_new(rowid id, int version)
{
	struct thing *thing = malloc(sizeof(*thing));

	if (!thing)
		abort();
	*thing = (struct thing){.id = id, .version = version};
	object_init(&thing->object, thing_free);
	atomic_fetch_add(&alive, 1);
	return &thing->object;
}

/* As a reader does: look, and load what is not there. */
static void load(struct cache *cache, rowid id, int version)
{
	uint64_t ticket = 0;
	struct object *object = cache_get(cache, id, &ticket);

	assert_null(object);
	object = thing_new(id, version);
	cache_put(cache, id, object, ticket);
	object_unref(object);
}

/* The version that the cache has, -1: none. */
static int version_of(struct cache *cache, rowid id)
{
	uint64_t ticket;
	struct object *object = cache_get(cache, id, &ticket);
	int version = -1;

	if (object) {
		assert_int_equal(((struct thing *)object)->id, id);
		version = ((struct thing *)object)->version;
	}
	object_unref(object);
	return version;
}

static struct cache *new_cache(size_t entries)
{
	struct cache *cache = cache_new(entries);

	assert_non_null(cache);
	assert_int_equal(atomic_load(&alive), 0);
	return cache;
}

static void end_cache(struct cache *cache)
{
	cache_free(cache);
	assert_int_equal(atomic_load(&alive), 0);
}

static void test_references(void **state)
{
	struct object *object = thing_new(1, 1);

	(void)state;
	assert_ptr_equal(object_ref(object), object);
	object_unref(object);
	assert_int_equal(atomic_load(&alive), 1);
	object_unref(object);
	assert_int_equal(atomic_load(&alive), 0);
	object_unref(NULL);
	cache_free(NULL);
}

static void test_put_and_get(void **state)
{
	struct cache *cache = new_cache(16);

	(void)state;
	assert_int_equal(version_of(cache, 7), -1);
	load(cache, 7, 70);
	load(cache, 8, 80);
	assert_int_equal(version_of(cache, 7), 70);
	assert_int_equal(version_of(cache, 8), 80);
	end_cache(cache);
}

static void test_put_replaces(void **state)
{
	struct cache *cache = new_cache(16);
	struct object *object = thing_new(7, 71);
	uint64_t ticket;

	(void)state;
	load(cache, 7, 70);
	object_unref(cache_get(cache, 7, &ticket));
	cache_put(cache, 7, object, ticket);
	object_unref(object);
	assert_int_equal(version_of(cache, 7), 71);
	assert_int_equal(atomic_load(&alive), 1);
	end_cache(cache);
}

/* A reader keeps what it got, whatever is dropped meanwhile. */
static void test_reader_keeps_its_object(void **state)
{
	struct cache *cache = new_cache(16);
	struct object *object;
	uint64_t ticket;

	(void)state;
	load(cache, 7, 70);
	object = cache_get(cache, 7, &ticket);
	cache_drop(cache, 7);
	assert_int_equal(version_of(cache, 7), -1);
	assert_int_equal(((struct thing *)object)->version, 70);
	cache_free(cache);
	assert_int_equal(((struct thing *)object)->version, 70);
	object_unref(object);
	assert_int_equal(atomic_load(&alive), 0);
}

/* Loaded before the commit, put after it: refused. */
static void test_stale_ticket(void **state)
{
	struct cache *cache = new_cache(16);
	struct object *old = thing_new(7, 70);
	uint64_t ticket;

	(void)state;
	assert_null(cache_get(cache, 7, &ticket));
	cache_drop(cache, 7); /* of what is not even there */
	cache_put(cache, 7, old, ticket);
	assert_int_equal(version_of(cache, 7), -1);
	assert_null(cache_get(cache, 7, &ticket));
	cache_drop_all(cache);
	cache_put(cache, 7, old, ticket);
	assert_int_equal(version_of(cache, 7), -1);
	object_unref(old);
	load(cache, 7, 71);
	assert_int_equal(version_of(cache, 7), 71);
	end_cache(cache);
}

static void test_drop_leaves_others(void **state)
{
	struct cache *cache = new_cache(4); /* one set: all ids meet in it */

	(void)state;
	load(cache, 1, 10);
	load(cache, 2, 20);
	load(cache, 3, 30);
	cache_drop(cache, 2);
	assert_int_equal(version_of(cache, 1), 10);
	assert_int_equal(version_of(cache, 2), -1);
	assert_int_equal(version_of(cache, 3), 30);
	assert_int_equal(atomic_load(&alive), 2);
	end_cache(cache);
}

/* The least recently used one goes; a look counts as a use. */
static void test_eviction(void **state)
{
	struct cache *cache = new_cache(4);

	(void)state;
	for (rowid id = 1; id <= 4; id++)
		load(cache, id, (int)id);
	assert_int_equal(version_of(cache, 1), 1);
	load(cache, 5, 5);
	assert_int_equal(version_of(cache, 2), -1);
	assert_int_equal(version_of(cache, 1), 1);
	assert_int_equal(version_of(cache, 3), 3);
	assert_int_equal(version_of(cache, 4), 4);
	assert_int_equal(version_of(cache, 5), 5);
	end_cache(cache);
}

/* What was dropped leaves a place that is taken before anything is pushed out. */
static void test_empty_place_first(void **state)
{
	struct cache *cache = new_cache(4);

	(void)state;
	for (rowid id = 1; id <= 4; id++)
		load(cache, id, (int)id);
	cache_drop(cache, 3);
	load(cache, 5, 5);
	assert_int_equal(version_of(cache, 1), 1);
	assert_int_equal(version_of(cache, 2), 2);
	assert_int_equal(version_of(cache, 4), 4);
	assert_int_equal(version_of(cache, 5), 5);
	end_cache(cache);
}

static void test_bounded(void **state)
{
	struct cache *cache = new_cache(100);

	(void)state;
	for (rowid id = 1; id <= 5000; id++)
		load(cache, id, (int)id);
	assert_int_equal(atomic_load(&alive), 128);
	end_cache(cache);
}

static void test_drop_all(void **state)
{
	struct cache *cache = new_cache(64);

	(void)state;
	for (rowid id = 1; id <= 64; id++)
		load(cache, id, (int)id);
	cache_drop_all(cache);
	assert_int_equal(atomic_load(&alive), 0);
	for (rowid id = 1; id <= 64; id++)
		assert_int_equal(version_of(cache, id), -1);
	end_cache(cache);
}

static void test_small(void **state)
{
	struct cache *cache = new_cache(0);

	(void)state;
	load(cache, 1, 1);
	assert_int_equal(version_of(cache, 1), 1);
	load(cache, INT64_MAX, 2);
	assert_int_equal(version_of(cache, INT64_MAX), 2);
	end_cache(cache);
}

/* ---- threads ---- */

enum { IDS = 8, READERS = 3, COMMITS = 2000 };

struct world {
	struct cache *cache;
	_Atomic int stored[IDS];   /* what a load finds */
	_Atomic int answered[IDS]; /* what some client knows of */
	_Atomic bool end;
	_Atomic int failures;
};

/* After a commit was answered nobody may see an older version. */
static void *read_all(void *argument)
{
	struct world *world = argument;
	unsigned int i = 0;

	while (!atomic_load(&world->end)) {
		const rowid id = i++ % IDS;
		const int least = atomic_load(&world->answered[id]);
		uint64_t ticket = 0;
		struct object *object = cache_get(world->cache, id, &ticket);

		if (!object) {
			object = thing_new(id, atomic_load(&world->stored[id]));
			cache_put(world->cache, id, object, ticket);
		}
		if (((struct thing *)object)->id != id || ((struct thing *)object)->version < least)
			atomic_fetch_add(&world->failures, 1);
		object_unref(object);
	}
	return NULL;
}

/* The row changes, what is cached is dropped, and only then is the commit answered. */
static void commit(struct world *world, rowid id)
{
	atomic_fetch_add(&world->stored[id], 1);
	cache_drop(world->cache, id);
	atomic_fetch_add(&world->answered[id], 1);
}

static void test_threads(void **state)
{
	struct world world = {.cache = new_cache(4)};
	pthread_t readers[READERS];

	(void)state;
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_all, &world), 0);
	for (int i = 0; i < COMMITS; i++)
		commit(&world, i % IDS);
	atomic_store(&world.end, true);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&world.failures), 0);
	end_cache(world.cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_put_and_get),
		cmocka_unit_test(test_put_replaces),
		cmocka_unit_test(test_reader_keeps_its_object),
		cmocka_unit_test(test_stale_ticket),
		cmocka_unit_test(test_drop_leaves_others),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_empty_place_first),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_drop_all),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
