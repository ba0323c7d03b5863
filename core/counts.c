#include "counts.h"

/* In the order of SPEC 5.3, worst first. */
static const struct {
	enum state state;
	const char *key;
	size_t offset;
} rows[] = {
	{STATE_COMPROMISED, "apps_compromised", offsetof(struct app_counts, compromised)},
	{STATE_EXPIRED, "apps_expired", offsetof(struct app_counts, expired)},
	{STATE_REVOKED, "apps_revoked", offsetof(struct app_counts, revoked)},
	{STATE_UPDATE_REQUIRED, "apps_update_required", offsetof(struct app_counts, update_required)},
	{STATE_EXPIRING, "apps_expiring", offsetof(struct app_counts, expiring)},
	{STATE_VALID, "apps_valid", offsetof(struct app_counts, valid)},
	{STATE_NOT_ISSUED, "apps_not_issued", offsetof(struct app_counts, not_issued)},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static int64_t count_of(const struct app_counts *counts, size_t row)
{
	return *(const int64_t *)(const void *)((const char *)counts + rows[row].offset);
}

enum state counts_worst(const struct app_counts *counts)
{
	for (size_t i = 0; i < ROWS; i++)
		if (count_of(counts, i) > 0)
			return rows[i].state;
	return STATE_NOT_ISSUED;
}

int64_t counts_in(const struct app_counts *counts, enum state state)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].state == state)
			return count_of(counts, i);
	return 0;
}

void counts_add(struct app_counts *sum, const struct app_counts *counts)
{
	sum->total += counts->total;
	for (size_t i = 0; i < ROWS; i++)
		*(int64_t *)(void *)((char *)sum + rows[i].offset) += count_of(counts, i);
}

void counts_document(struct document *document, const struct app_counts *counts)
{
	document_number(document, "apps", counts->total);
	for (size_t i = 0; i < ROWS; i++)
		if (count_of(counts, i) > 0)
			document_number(document, rows[i].key, count_of(counts, i));
}
