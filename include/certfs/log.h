/* The program's log: one line a fact, never a secret. Any thread.
 *
 * Of messages that are the same but for names and numbers so many are written, and the others are counted (core/log_limit.h). */
#ifndef CERTFS_LOG_H
#define CERTFS_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* Where messages go, from now on. With standard error (detached = false): to the journal, with fields, if standard error is a stream of
 * it (systemd says so in $JOURNAL_STREAM), else there. Without: to the journal if there is one, else to syslog(3).
 * priority: the least urgent that is written (LOG_INFO, …). */
void log_open(bool detached, int priority);

/* In a new process: what was counted is the old one's to tell. */
void log_forked(void);

/* What a message is about, as far as it is known: NULL and 0 are not. All strings are borrowed. */
struct log_subject {
	const char *project;   /* CERTFS_PROJECT in the journal */
	const char *app;       /* CERTFS_APP */
	const char *operation; /* CERTFS_OPERATION: update, purge, … */
	const char *event;     /* CERTFS_EVENT: its type */
	int error;             /* ERRNO, positive */
};

/* Control characters, and what is not UTF-8, become '?': a name or a reason can't forge a line. */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_about(int priority, const struct log_subject *about, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The subject of a log_about: LOG_SUBJECT(.project = name, .error = err->code). */
#define LOG_SUBJECT(...) (&(const struct log_subject){__VA_ARGS__})

/* Would a message of that priority be written? */
bool log_wanted(int priority);

/* Writes how many messages were counted and not written, where their time is over; all = true: also where it is not. To be called every
 * few seconds, and before the end. */
void log_tick(bool all);

#endif
