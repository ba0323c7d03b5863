/* The program's log: one line a fact, never a secret. Any thread. */
#ifndef CERTFS_LOG_H
#define CERTFS_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* to_syslog: the journal or syslog(3), else standard error. priority: the least urgent that is written (LOG_INFO, …). */
void log_open(bool to_syslog, int priority);

/* Control characters, and what is not UTF-8, become '?': a name or a reason can't forge a line. */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
