/* Row ids collected from a listing. Snapshots must not be loaded while a listing's statement is open: its read transaction is older than
 * the cache's tickets, and an old row could be cached as a new one. So: list first, then load.
 */
#ifndef CORE_IDLIST_H
#define CORE_IDLIST_H

#include "certfs/types.h"

struct idlist {
	rowid *id;
	size_t count;
};

/* Appends; -ENOMEM leaves the list as it was. */
int idlist_add(struct idlist *list, rowid id);
/* The same, as what a listing of the store calls for each row. */
int idlist_collect(void *list, rowid id);
/* And for a listing that tells names, too. */
int idlist_collect_named(void *list, rowid id, const char *name);
void idlist_clear(struct idlist *list);
#define _cleanup_idlist_ __attribute__((cleanup(idlist_clear)))

#endif
