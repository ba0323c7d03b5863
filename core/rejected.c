#include "rejected.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { ENTRIES = 1024 };

struct rejected {
	pthread_mutex_t lock;
	struct entry {
		rowid object;
		enum rejected_file file;
		unsigned part; /* 0: of the whole file */
		char text[512];
	} entry[ENTRIES]; /* protected by lock; object 0 is free; a ring, but for what is there already */
	size_t next;
};

struct rejected *rejected_new(void)
{
	struct rejected *rejected = calloc(1, sizeof(*rejected));

	if (rejected)
		pthread_mutex_init(&rejected->lock, NULL);
	return rejected;
}

void rejected_free(struct rejected *rejected)
{
	if (rejected)
		pthread_mutex_destroy(&rejected->lock);
	free(rejected);
}

static struct entry *rejected_find(struct rejected *rejected, rowid object, enum rejected_file file)
{
	const size_t used = rejected->next < ENTRIES ? rejected->next : ENTRIES;

	for (size_t i = 0; i < used; i++)
		if (rejected->entry[i].object == object && rejected->entry[i].file == file)
			return &rejected->entry[i];
	return NULL;
}

static void rejected_put(struct rejected *rejected, struct entry *entry, rowid object, enum rejected_file file, unsigned part,
			 const char *text)
{
	if (!entry && text)
		entry = &rejected->entry[rejected->next++ % ENTRIES];
	if (!entry)
		return;
	entry->object = text ? object : 0;
	entry->file = file;
	entry->part = part;
	snprintf(entry->text, sizeof(entry->text), "%s", text ? text : "");
}

void rejected_set(struct rejected *rejected, rowid object, enum rejected_file file, const char *text)
{
	pthread_mutex_lock(&rejected->lock);
	rejected_put(rejected, rejected_find(rejected, object, file), object, file, 0, text);
	pthread_mutex_unlock(&rejected->lock);
}

void rejected_set_part(struct rejected *rejected, rowid object, enum rejected_file file, unsigned part, const char *text)
{
	struct entry *entry;

	pthread_mutex_lock(&rejected->lock);
	entry = rejected_find(rejected, object, file);
	if (text || !entry || entry->part == part)
		rejected_put(rejected, entry, object, file, part, text);
	pthread_mutex_unlock(&rejected->lock);
}

bool rejected_get(struct rejected *rejected, rowid object, enum rejected_file file, char *ret, size_t size)
{
	const struct entry *entry;

	pthread_mutex_lock(&rejected->lock);
	entry = rejected_find(rejected, object, file);
	snprintf(ret, size, "%s", entry ? entry->text : "");
	pthread_mutex_unlock(&rejected->lock);
	return entry != NULL;
}
