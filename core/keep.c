/* Records in memory that outlives the process (keep.h).
 *
 * The memory is a header, slots, and blocks of 4 KiB in chains. A slot's state is what counts: a slot that is not KEPT holds nothing, but may
 * have to be wiped. Which blocks are free is nowhere written down: keep_open finds it out from the slots.
 */
#include "certfs/keep.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

enum { SLOTS = 2048, BLOCK = 4096, NO_BLOCK = 0 };

enum slot_state { SLOT_FREE, SLOT_DIRTY, SLOT_KEPT };

struct slot {
	_Atomic uint32_t state; /* enum slot_state: DIRTY while it is filled or wiped, its chain is whole then */
	uint32_t kind;
	uint64_t serial;        /* never given twice */
	uint64_t replaces;      /* serial of the record that this one takes the place of, if that is still there; 0: none */
	uint32_t head_size, size; /* size: of both */
	uint32_t first;         /* block */
};

struct memory {
	_Atomic uint64_t last_serial;
	struct slot slot[SLOTS];
	uint32_t next[]; /* of each block, NO_BLOCK: it is the last; then the blocks, from the next multiple of BLOCK on. Block 0 is none */
};

struct keep {
	struct memory *memory;
	uint8_t *block;
	uint32_t blocks;       /* and one, since none has the number 0 */
	pthread_mutex_t lock;
	uint32_t *free;        /* a stack; protected by lock, as are the slots */
	uint32_t free_count;
};

static uint8_t *block_at(const struct keep *keep, uint32_t number)
{
	return keep->block + (size_t)(number - 1) * BLOCK;
}

static uint32_t blocks_for(size_t size)
{
	return (uint32_t)((size + BLOCK - 1) / BLOCK);
}

/* ---- slots; under the lock ---- */

static void slot_wipe(struct keep *keep, struct slot *slot)
{
	uint32_t next;

	atomic_store(&slot->state, SLOT_DIRTY);
	for (uint32_t number = slot->first; number != NO_BLOCK; number = next) {
		next = keep->memory->next[number];
		explicit_bzero(block_at(keep, number), BLOCK);
		keep->free[keep->free_count++] = number;
	}
	atomic_store(&slot->state, SLOT_FREE);
}

static struct slot *slot_free(struct keep *keep)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (atomic_load(&keep->memory->slot[i].state) == SLOT_FREE)
			return &keep->memory->slot[i];
	return NULL;
}

static uint32_t chain_make(struct keep *keep, uint32_t count)
{
	uint32_t first = NO_BLOCK;

	while (count-- > 0) {
		const uint32_t number = keep->free[--keep->free_count];

		keep->memory->next[number] = first;
		first = number;
	}
	return first;
}

/* Where in a chain something is read or written next. */
struct place {
	uint32_t number;
	size_t offset;
};

/* The next piece of at most `size` bytes that lies in one block. */
static uint8_t *place_piece(const struct keep *keep, struct place *place, size_t size, size_t *ret_size)
{
	uint8_t *at = block_at(keep, place->number) + place->offset;

	*ret_size = size < BLOCK - place->offset ? size : BLOCK - place->offset;
	place->offset += *ret_size;
	if (place->offset == BLOCK)
		*place = (struct place){.number = keep->memory->next[place->number]};
	return at;
}

static void place_write(const struct keep *keep, struct place *place, struct span data)
{
	for (size_t size, done = 0; done < data.size; done += size) {
		uint8_t *at = place_piece(keep, place, data.size - done, &size);

		memcpy(at, data.data + done, size);
	}
}

static void place_read(const struct keep *keep, struct place *place, void *data, size_t wanted)
{
	for (size_t size, done = 0; done < wanted; done += size) {
		const uint8_t *at = place_piece(keep, place, wanted - done, &size);

		memcpy((uint8_t *)data + done, at, size);
	}
}

static struct slot *slot_of(const struct keep *keep, keep_id id)
{
	return &keep->memory->slot[id - 1];
}

static keep_id id_of(const struct keep *keep, const struct slot *slot)
{
	return (keep_id)(slot - keep->memory->slot) + 1;
}

/* ---- opening ---- */

static void mark_chain(const struct keep *keep, const struct slot *slot, bool *used)
{
	for (uint32_t number = slot->first; number != NO_BLOCK; number = keep->memory->next[number])
		used[number] = true;
}

static void find_free_blocks(struct keep *keep, bool *used)
{
	for (uint32_t i = 0; i < SLOTS; i++)
		if (atomic_load(&keep->memory->slot[i].state) != SLOT_FREE)
			mark_chain(keep, &keep->memory->slot[i], used);
	for (uint32_t number = keep->blocks; number > 0; number--)
		if (!used[number])
			keep->free[keep->free_count++] = number;
}

static bool is_replaced(const struct keep *keep, const struct slot *slot)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		const struct slot *other = &keep->memory->slot[i];

		if (atomic_load(&other->state) == SLOT_KEPT && other->replaces == slot->serial)
			return true;
	}
	return false;
}

/* Whoever died in the middle of keep_put or keep_drop. */
static void finish(struct keep *keep)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &keep->memory->slot[i];
		const uint32_t state = atomic_load(&slot->state);

		if (state == SLOT_DIRTY || (state == SLOT_KEPT && is_replaced(keep, slot)))
			slot_wipe(keep, slot);
	}
}

/* Where the blocks begin, if there are so many. */
static size_t offset_of_blocks(size_t blocks)
{
	const size_t end = sizeof(struct memory) + (blocks + 1) * sizeof(uint32_t);

	return (end + BLOCK - 1) / BLOCK * BLOCK;
}

static size_t blocks_in(size_t size)
{
	size_t blocks = size / BLOCK;

	while (blocks > 0 && offset_of_blocks(blocks) + blocks * BLOCK > size)
		blocks--;
	return blocks;
}

struct keep *keep_open(void *memory, size_t size)
{
	const size_t blocks = memory ? blocks_in(size) : 0;
	struct keep *keep = blocks > 0 ? calloc(1, sizeof(*keep)) : NULL;
	bool *used = calloc(blocks + 1, sizeof(*used));

	if (keep)
		keep->free = calloc(blocks, sizeof(*keep->free));
	if (!keep || !used || !keep->free) {
		free(used);
		free(keep);
		return NULL;
	}
	keep->memory = memory;
	keep->block = (uint8_t *)memory + offset_of_blocks(blocks);
	keep->blocks = (uint32_t)blocks;
	pthread_mutex_init(&keep->lock, NULL);
	find_free_blocks(keep, used);
	finish(keep);
	free(used);
	return keep;
}

void keep_close(struct keep *keep)
{
	if (!keep)
		return;
	pthread_mutex_destroy(&keep->lock);
	free(keep->free);
	free(keep);
}

/* ---- records ---- */

static void slot_fill(struct keep *keep, struct slot *slot, enum keep_kind kind, struct span head, struct span bytes, uint64_t replaces)
{
	struct place place;

	slot->kind = kind;
	slot->serial = atomic_fetch_add(&keep->memory->last_serial, 1) + 1;
	slot->replaces = replaces;
	slot->head_size = (uint32_t)head.size;
	slot->size = (uint32_t)(head.size + bytes.size);
	slot->first = chain_make(keep, blocks_for(slot->size));
	atomic_store(&slot->state, SLOT_DIRTY);
	place = (struct place){.number = slot->first};
	place_write(keep, &place, head);
	place_write(keep, &place, bytes);
	atomic_store(&slot->state, SLOT_KEPT);
}

static bool put_locked(struct keep *keep, enum keep_kind kind, struct span head, struct span bytes, keep_id *id)
{
	struct slot *old = *id ? slot_of(keep, *id) : NULL;
	struct slot *slot = slot_free(keep);
	const bool fits = slot && blocks_for(head.size + bytes.size) <= keep->free_count;

	if (fits)
		slot_fill(keep, slot, kind, head, bytes, old ? old->serial : 0);
	if (old)
		slot_wipe(keep, old);
	*id = fits ? id_of(keep, slot) : 0;
	return fits;
}

bool keep_put(struct keep *keep, enum keep_kind kind, const void *head, size_t head_size, struct span bytes, keep_id *id)
{
	bool kept;

	if (!keep || head_size == 0 || head_size > UINT16_MAX || bytes.size > UINT32_MAX / 2)
		return false;
	pthread_mutex_lock(&keep->lock);
	kept = put_locked(keep, kind, (struct span){head, head_size}, bytes, id);
	pthread_mutex_unlock(&keep->lock);
	return kept;
}

void keep_drop(struct keep *keep, keep_id *id)
{
	if (!keep || !*id)
		return;
	pthread_mutex_lock(&keep->lock);
	slot_wipe(keep, slot_of(keep, *id));
	pthread_mutex_unlock(&keep->lock);
	*id = 0;
}

/* False: there is no such record, or it is of another kind. */
static bool record_read(struct keep *keep, struct slot *slot, enum keep_kind kind, size_t head_size, void *head, struct buffer *bytes)
{
	struct place place = {.number = slot->first};

	if (atomic_load(&slot->state) != SLOT_KEPT || slot->kind != kind)
		return false;
	if (slot->head_size != head_size || buffer_resize(bytes, slot->size - head_size) < 0) {
		slot_wipe(keep, slot);
		return false;
	}
	place_read(keep, &place, head, head_size);
	place_read(keep, &place, bytes->data, bytes->size);
	return true;
}

void keep_each(struct keep *keep, enum keep_kind kind, size_t head_size,
	       void (*each)(void *context, keep_id id, const void *head, struct buffer *bytes), void *context)
{
	_cleanup_free_ void *head = keep ? malloc(head_size) : NULL;

	for (keep_id id = 1; head && id <= SLOTS; id++) {
		_cleanup_buffer_ struct buffer bytes = BUFFER_SECRET;
		bool found;

		pthread_mutex_lock(&keep->lock);
		found = record_read(keep, slot_of(keep, id), kind, head_size, head, &bytes);
		pthread_mutex_unlock(&keep->lock);
		if (found)
			each(context, id, head, &bytes);
	}
}
