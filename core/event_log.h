/* Events that say that something is wrong are lines of the log, too, once their transaction is durable: WARN as a warning, ERROR as an
 * error, NOTICE as a line for `level = debug`. The writer's thread only. */
#ifndef CORE_EVENT_LOG_H
#define CORE_EVENT_LOG_H

#include "event.h"

/* Remembers the event until the transaction ends. Out of memory: it is not logged. */
void event_log_note(const struct event *event, const char *message);

/* How many are remembered, and back to so many, where what was done since is undone. */
int event_log_mark(void);
void event_log_undo(int mark);

/* The transaction is durable: logs them. */
void event_log_tell(void);

#endif
