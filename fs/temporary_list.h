/* The list of dot names behind temporary.h, and how it outlives the worker. All calls here are made under the list's lock. */
#ifndef FS_TEMPORARY_LIST_H
#define FS_TEMPORARY_LIST_H

#include <pthread.h>
#include <time.h>

#include "fs/temporary.h"

enum { TEMPORARY_NAME_MAX = 255 };

/* What a next worker must know of one. */
struct temporary_head {
	fuse_ino_t id;
	fuse_ino_t directory;
	char name[TEMPORARY_NAME_MAX + 1];
	mode_t mode;
	uid_t uid;
	gid_t gid;
	time_t written; /* clock_monotonic in seconds, of the last write */
	time_t created; /* of day */
	int spoiled;    /* as of a handle */
	bool closed;    /* nothing has been written since the last flush */
};

struct temporary {
	struct temporary *next;
	struct temporary_head head;
	struct buffer content;
	struct charge charge;
	keep_id kept; /* while it is closed */
};

struct temporaries {
	struct quota *quota;
	struct keep *keep;
	_Atomic uint64_t *last; /* number given */
	pthread_mutex_t lock;
	struct temporary *list; /* protected by lock, as what follows; short */
	int count;
};

/* Gives it a number, and takes it into the list, which owns it from then on. -EEXIST, -ENOSPC, -EDQUOT. */
int temporary_add(struct temporaries *temporaries, struct temporary *made);

/* A link to NULL, or NULL: there is none. */
struct temporary **temporary_find_name(struct temporaries *temporaries, fuse_ino_t directory, const char *name);
struct temporary *temporary_find(struct temporaries *temporaries, fuse_ino_t id);

void temporary_unlink(struct temporaries *temporaries, struct temporary **link);

/* It is whole for now, and kept; its bytes change, and what was kept is not what it is any more; something else of it has changed. */
void temporary_closed(struct temporaries *temporaries, struct temporary *temporary);
void temporary_changed(struct temporaries *temporaries, struct temporary *temporary);
void temporary_renewed(struct temporaries *temporaries, struct temporary *temporary);

#endif
