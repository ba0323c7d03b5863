#include "picture.h"

#include <pthread.h>
#include <stdlib.h>

#include "certfs/clock.h"

enum {
	TRUE_SECONDS = 10, /* what the page says of times is behind by so much */
	LONG_MS = 250,     /* what takes longer to make … */
	LONG_FACTOR = 10,  /* … is kept for so many times as long */
	MEMORY_SECONDS = 60,
};

struct picture {
	pthread_mutex_t lock;
	struct buffer page; /* protected by lock, as all; empty: there is none */
	struct picture_moment made;
	int64_t took; /* milliseconds */
};

struct picture *picture_new(void)
{
	struct picture *picture = calloc(1, sizeof(*picture));

	if (picture)
		pthread_mutex_init(&picture->lock, NULL);
	return picture;
}

void picture_free(struct picture *picture)
{
	if (!picture)
		return;
	buffer_clear(&picture->page);
	pthread_mutex_destroy(&picture->lock);
	free(picture);
}

/* A clock that jumped, either way, makes it untrue. */
bool picture_will_do(const struct picture_moment *made, int64_t took, const struct picture_moment *moment)
{
	const int64_t age = moment->now - made->now;

	if (age < 0)
		return false;
	if (took >= LONG_MS && age * 1000 < took * LONG_FACTOR)
		return true;
	return made->changes == moment->changes && age < TRUE_SECONDS;
}

static int renew(struct picture *picture, const struct picture_moment *moment, picture_fn make, void *context,
		 struct error *err)
{
	const int64_t start = clock_monotonic();
	_cleanup_buffer_ struct buffer page = {0};
	int r = make(context, &page, err);

	if (r < 0)
		return r;
	buffer_clear(&picture->page);
	picture->page = buffer_take(&page);
	picture->made = *moment;
	picture->took = clock_monotonic() - start;
	return 0;
}

int picture_get(struct picture *picture, const struct picture_moment *moment, picture_fn make, void *context,
		struct buffer *out, size_t *ret_size, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&picture->lock);
	if (picture->page.size == 0 || !picture_will_do(&picture->made, picture->took, moment))
		r = renew(picture, moment, make, context, err);
	if (r == 0 && out)
		buffer_add_span(out, buffer_span(&picture->page));
	if (r == 0)
		*ret_size = picture->page.size;
	pthread_mutex_unlock(&picture->lock);
	return r;
}

void picture_tick(struct picture *picture, unixtime now)
{
	if (pthread_mutex_trylock(&picture->lock) != 0)
		return; /* it is being made, or read: not old */
	if (picture->page.size > 0 && (now < picture->made.now || now > picture->made.now + MEMORY_SECONDS))
		buffer_clear(&picture->page);
	pthread_mutex_unlock(&picture->lock);
}
