#include "certfs/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "utf8.h"

static _Atomic int least_urgent = LOG_INFO;
static _Atomic bool log_to_syslog;

void log_open(bool to_syslog, int priority)
{
	if (to_syslog)
		openlog("certfs", LOG_PID, LOG_DAEMON);
	atomic_store(&log_to_syslog, to_syslog);
	atomic_store(&least_urgent, priority);
}

void log_write(int priority, const char *format, ...)
{
	char line[1024] = "certfs: ";
	const size_t prefix = strlen(line);
	va_list ap;
	size_t size;

	if (priority > atomic_load(&least_urgent))
		return;
	va_start(ap, format);
	vsnprintf(line + prefix, sizeof(line) - prefix - 1, format, ap);
	va_end(ap);
	utf8_clean(line);
	if (atomic_load(&log_to_syslog)) {
		syslog(priority, "%s", line + prefix);
		return;
	}
	size = strlen(line);
	line[size++] = '\n';
	if (write(STDERR_FILENO, line, size) < 0)
		return; /* nowhere to complain to */
}
