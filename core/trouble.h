/* A store that fails: the log has it at once, the events when the store can be written again (they are kept in it). */
#ifndef CORE_TROUBLE_H
#define CORE_TROUBLE_H

#include <pthread.h>

#include "certfs/error.h"
#include "store.h"

struct trouble {
	pthread_mutex_t lock;
	struct error first; /* protected by lock, as all: of the failures that no event tells of yet */
	struct error last;  /* code 0: the store has been written since */
	unixtime since;
	int64_t times;
	int64_t telling;    /* so many of them are told of by the transaction under way */
	unixtime told;      /* the last event */
	unixtime logged;
};

void trouble_init(struct trouble *trouble);
void trouble_end(struct trouble *trouble);

/* A failure. Any thread. Logged at most once in ten seconds, so that the log of a full disk does not fill another one. */
void trouble_note(struct trouble *trouble, const struct error *err);

/* Is there something to tell, and has the last event been told a minute ago? Any thread. */
bool trouble_due(struct trouble *trouble);

/* True: nothing has been written since the last failure, which is *ret. Any thread. */
bool trouble_now(struct trouble *trouble, struct error *ret);

/* [w] Adds the event, if one is due; trouble_told after that transaction's commit. */
int trouble_event(struct trouble *trouble, struct store *store, struct error *err);
void trouble_told(struct trouble *trouble);

#endif
