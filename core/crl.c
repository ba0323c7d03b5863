#include "crl.h"

#include <stdlib.h>
#include <time.h>

#include "revocation_list.h"

enum { DAY = 86400 };

/* The last list of one key, and what it was made from. */
struct list {
	struct list *next;
	rowid key;
	struct revocations seen;
	unixtime made_at;
	struct buffer pem;
};

struct crls {
	pthread_mutex_t lock;
	struct list *lists; /* protected by lock: one for each key that was asked for */
	uint64_t number;    /* protected by lock: of the last list made */
};

struct crls *crls_new(void)
{
	struct crls *crls = calloc(1, sizeof(*crls));

	if (crls)
		pthread_mutex_init(&crls->lock, NULL);
	return crls;
}

void crls_free(struct crls *crls)
{
	struct list *next;

	if (!crls)
		return;
	for (struct list *list = crls->lists; list; list = next) {
		next = list->next;
		buffer_clear(&list->pem);
		free(list);
	}
	pthread_mutex_destroy(&crls->lock);
	free(crls);
}

static struct list *list_get(struct crls *crls, rowid key)
{
	struct list *list = crls->lists;

	while (list && list->key != key)
		list = list->next;
	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->key = key;
	list->next = crls->lists;
	crls->lists = list;
	return list;
}

/* Numbers grow with time, so they go on growing after a restart: microseconds. */
static uint64_t next_number(struct crls *crls)
{
	struct timespec now;
	uint64_t number;

	clock_gettime(CLOCK_REALTIME, &now);
	number = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	crls->number = number > crls->number ? number : crls->number + 1;
	return crls->number;
}

static int add_entry(void *context, const struct revocation_row *row)
{
	struct buffer *entries = context;

	crl_add_entry(entries, row->serial, row->revoked_at, crl_reason_of(row->reason));
	return buffer_status(entries);
}

static int list_make(struct core *core, struct signing_ca *ca, struct list *list, struct store *store, unixtime now,
		     struct error *err)
{
	_cleanup_buffer_ struct buffer entries = {0};
	_cleanup_buffer_ struct buffer der = {0};
	const struct issuer *issuer;
	int r = signing_ca_issuer(ca, store, core->seal, &issuer, err);

	if (r == 0)
		r = revocation_each(store, &ca->row, now, now - 2 * DAY, add_entry, &entries, err);
	if (r == -ENOMEM)
		return error_set(err, ENOMEM, "out of memory");
	if (r == 0)
		r = crl_sign(issuer, next_number(core->crls), now, buffer_span(&entries), &der, err);
	if (r < 0)
		return r;
	buffer_clear(&list->pem);
	pem_add_crl(&list->pem, buffer_span(&der));
	list->made_at = now;
	return buffer_status(&list->pem) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

static bool list_is_good(const struct list *list, const struct revocations *now_seen, unixtime now)
{
	return list->pem.size > 0 && now >= list->made_at && now < list->made_at + DAY &&
	       list->seen.count == now_seen->count && list->seen.latest == now_seen->latest;
}

static int crl_add_locked(struct core *core, struct signing_ca *ca, struct store *store, unixtime now,
			  struct buffer *out, struct error *err)
{
	struct list *list = list_get(core->crls, ca->row.key);
	struct revocations seen;
	int r = list ? revocation_count(store, &ca->row, now, &seen, err) : error_set(err, ENOMEM, "out of memory");

	if (r == 0 && !list_is_good(list, &seen, now)) {
		list->seen = seen;
		r = list_make(core, ca, list, store, now, err);
	}
	if (r < 0)
		return r;
	buffer_add_span(out, buffer_span(&list->pem));
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

int crl_add(struct core *core, struct signing_ca *ca, unixtime now, struct buffer *out, struct error *err)
{
	struct store *store;
	int r = core_reader(core, &store, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&core->crls->lock);
	r = crl_add_locked(core, ca, store, now, out, err);
	pthread_mutex_unlock(&core->crls->lock);
	return r;
}
