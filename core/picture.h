/* A rendered page that is costly to make, kept while it is true: nothing has changed since, and its clock is seconds behind at most. One
 * that took long to make is kept for some time whatever has changed, so that looking at it all the time costs a part of one processor.
 * Safe from any thread; whoever asks while it is being made waits for it. */
#ifndef CORE_PICTURE_H
#define CORE_PICTURE_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"

struct picture;

struct picture *picture_new(void); /* NULL: out of memory */
void picture_free(struct picture *picture);

/* What a picture would be made of. */
struct picture_moment {
	uint64_t changes; /* grows with each change */
	unixtime now;
};

/* make appends the page to out. */
typedef int (*picture_fn)(void *context, struct buffer *out, struct error *err);

/* Appends the page to out (NULL: only its size is wanted), which make makes if there is none that will do. */
int picture_get(struct picture *picture, const struct picture_moment *moment, picture_fn make, void *context,
		struct buffer *out, size_t *ret_size, struct error *err);

/* Gives the memory of an old one back. */
void picture_tick(struct picture *picture, unixtime now);

/* The rule: will one do that was made at `made` and took `took` milliseconds? */
bool picture_will_do(const struct picture_moment *made, int64_t took, const struct picture_moment *moment);

#endif
