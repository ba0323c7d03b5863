/* A bounded cache of immutable, reference-counted objects by row id.
 *
 * Set-associative, so its memory is fixed. What a commit changed is dropped before the commit is answered; a ticket
 * keeps a reader that loaded the old row before the commit from putting it back after.
 * Safe from any thread.
 */
#ifndef CORE_CACHE_H
#define CORE_CACHE_H

#include <stdatomic.h>

#include "certfs/types.h"

/* The head of every object that can be cached. */
struct object {
	_Atomic int references;
	void (*free)(struct object *object);
};

void object_init(struct object *object, void (*free)(struct object *object)); /* with one reference, the caller's */
struct object *object_ref(struct object *object);
void object_unref(struct object *object); /* NULL is fine */

struct cache;

/* entries: how many objects at most, rounded up to a power of two. NULL: out of memory. */
struct cache *cache_new(size_t entries);
void cache_free(struct cache *cache);

/* A new reference, or NULL and a ticket for cache_put. */
struct object *cache_get(struct cache *cache, rowid id, uint64_t *ret_ticket);

/* Takes a reference of its own, unless something in that place was dropped since the ticket was given. */
void cache_put(struct cache *cache, rowid id, struct object *object, uint64_t ticket);

/* How many cache_get have found something, and how many have not. */
void cache_counts(struct cache *cache, uint64_t *ret_hits, uint64_t *ret_misses);

void cache_drop(struct cache *cache, rowid id);
void cache_drop_all(struct cache *cache);

#endif
