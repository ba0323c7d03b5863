#include "crl.h"

#include <stdlib.h>
#include <time.h>

#include "idlist.h"
#include "key_trouble.h"
#include "revocation_list.h"

/* The last list of one issuer, and what it was made from. */
struct list {
	struct list *next;
	rowid signing_ca;
	struct revocations seen;
	unixtime made_at;
	struct buffer pem;
};

struct crls {
	pthread_mutex_t lock;
	struct list *lists; /* protected by lock: one for each signing CA that was asked for */
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

static struct list *list_get(struct crls *crls, rowid signing_ca)
{
	struct list *list = crls->lists;

	while (list && list->signing_ca != signing_ca)
		list = list->next;
	if (list)
		return list;
	list = calloc(1, sizeof(*list));
	if (!list)
		return NULL;
	list->signing_ca = signing_ca;
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

/* ---- whose certificates are in it ---- */

/* An issuer is a name and a key: other projects may have the same one, and the same key may have other names (RFC 5280, 5). */
struct issuer_rows {
	struct signing_ca_row *row;
	size_t count;
};

static void issuer_rows_clear(struct issuer_rows *rows)
{
	free(rows->row);
}

static int add_if_same(struct core *core, const struct signing_ca *ca, rowid id,
		       struct issuer_rows *rows, struct error *err)
{
	struct signing_ca *other;
	int r = core_signing_ca(core, id, &other, err);

	if (r < 0)
		return r;
	if (x509_same_issuer(buffer_span(&ca->chain.certs[0]), buffer_span(&other->chain.certs[0])))
		rows->row[rows->count++] = other->row;
	object_unref(&other->object);
	return 0;
}

static int rows_of_issuer(struct core *core, const struct signing_ca *ca, struct store *store, struct issuer_rows *ret,
			  struct error *err)
{
	_cleanup_idlist_ struct idlist ids = {0};
	int r = signing_ca_each_of_key(store, ca->row.key, idlist_collect, &ids, err);

	if (r < 0)
		return r;
	ret->row = calloc(ids.count + 1, sizeof(*ret->row));
	if (!ret->row)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = add_if_same(core, ca, ids.id[i], ret, err);
	return r;
}

static int count_all(struct store *store, const struct issuer_rows *rows, unixtime now, struct revocations *ret,
		     struct error *err)
{
	int r = 0;

	*ret = (struct revocations){0};
	for (size_t i = 0; r == 0 && i < rows->count; i++) {
		struct revocations seen;

		r = revocation_count(store, &rows->row[i], now, &seen, err);
		ret->count += r == 0 ? seen.count : 0;
		if (r == 0 && seen.latest > ret->latest)
			ret->latest = seen.latest;
	}
	return r;
}

/* ---- the list ---- */

static int add_entry(void *context, const struct revocation_row *row)
{
	struct buffer *entries = context;

	crl_add_entry(entries, row->serial, row->revoked_at, crl_reason_of(row->reason));
	return buffer_status(entries);
}

static int entries_of(struct store *store, const struct issuer_rows *rows, unixtime now, struct buffer *entries,
		      struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rows->count; i++)
		r = revocation_each(store, &rows->row[i], now, now - 2 * DAY, add_entry, entries, err);
	return r == -ENOMEM ? error_set(err, ENOMEM, "out of memory") : r;
}

static int list_make(struct core *core, struct signing_ca *ca, const struct issuer_rows *rows, struct list *list,
		     struct store *store, unixtime now, struct error *err)
{
	_cleanup_buffer_ struct buffer entries = {0};
	_cleanup_buffer_ struct buffer der = {0};
	_cleanup_buffer_ struct buffer pem = {0};
	const struct issuer *issuer;
	int r = signing_ca_issuer(ca, store, core->seal, &issuer, err);

	if (r == 0)
		r = entries_of(store, rows, now, &entries, err);
	if (r < 0)
		return r;
	r = crl_sign(issuer, next_number(core->crls), now, buffer_span(&entries), &der, err);
	key_trouble_note(core, ca->row.project, issuer, r, err);
	if (r < 0)
		return r;
	pem_add_crl(&pem, buffer_span(&der));
	if (buffer_status(&pem) < 0)
		return error_set(err, ENOMEM, "out of memory");
	buffer_clear(&list->pem);
	list->pem = buffer_take(&pem);
	list->made_at = now;
	return 0;
}

static bool list_is_good(const struct list *list, const struct revocations *now_seen, unixtime now)
{
	return list->pem.size > 0 && now >= list->made_at && now < list->made_at + DAY &&
	       list->seen.count == now_seen->count && list->seen.latest == now_seen->latest;
}

static int crl_add_locked(struct core *core, struct signing_ca *ca, struct store *store, unixtime now,
			  struct buffer *out, struct error *err)
{
	__attribute__((cleanup(issuer_rows_clear))) struct issuer_rows rows = {0};
	struct list *list = list_get(core->crls, ca->row.id);
	struct revocations seen;
	int r = list ? rows_of_issuer(core, ca, store, &rows, err) : error_set(err, ENOMEM, "out of memory");

	if (r == 0)
		r = count_all(store, &rows, now, &seen, err);
	if (r == 0 && !list_is_good(list, &seen, now)) {
		r = list_make(core, ca, &rows, list, store, now, err);
		if (r == 0)
			list->seen = seen; /* else the old one is still what it was: it lacks what is new */
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

unixtime crl_next_update(struct core *core, rowid signing_ca)
{
	unixtime next = 0;

	pthread_mutex_lock(&core->crls->lock);
	for (const struct list *list = core->crls->lists; list; list = list->next)
		if (list->signing_ca == signing_ca && list->pem.size > 0)
			next = list->made_at + CRL_LIFE_SECONDS;
	pthread_mutex_unlock(&core->crls->lock);
	return next;
}
