#include "idlist.h"

#include <errno.h>
#include <stdlib.h>

int idlist_add(struct idlist *list, rowid id)
{
	const bool full = (list->count & (list->count - 1)) == 0; /* 0, 1, 2, 4, …: room doubles */
	rowid *grown = full ? reallocarray(list->id, list->count ? list->count * 2 : 1, sizeof(rowid)) : list->id;

	if (!grown)
		return -ENOMEM;
	list->id = grown;
	list->id[list->count++] = id;
	return 0;
}

int idlist_collect(void *list, rowid id)
{
	return idlist_add(list, id);
}

int idlist_collect_named(void *list, rowid id, const char *name)
{
	(void)name;
	return idlist_add(list, id);
}

void idlist_clear(struct idlist *list)
{
	free(list->id);
	*list = (struct idlist){0};
}
