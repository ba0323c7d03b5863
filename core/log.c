#include "certfs/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION /* it would always be this file */
#include <systemd/sd-journal.h>
#endif

#include "certfs/buffer.h"
#include "certfs/clock.h"
#include "log_limit.h"
#include "utf8.h"

enum { TEXT_SIZE = 1024, FIELD_SIZE = 320, FIELDS_MAX = 12 };

static _Atomic int least_urgent = LOG_INFO;
static _Atomic bool to_journal;
static _Atomic bool has_stderr = true;

static struct {
	pthread_mutex_t lock;
	struct log_limit limit; /* protected by lock */
} held = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the journal ---- */

#ifdef HAVE_SYSTEMD

/* As systemd.exec(5) says: DEVICE:INODE of the stream that systemd has connected. Somebody may have redirected it since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(own, stream) == 0;
}

/* sd_journal_sendv calls it a success when nobody listens. */
static bool journal_listens(void)
{
	return access("/run/systemd/journal/socket", W_OK) == 0;
}

struct entry {
	char field[FIELDS_MAX][FIELD_SIZE];
	struct iovec part[FIELDS_MAX + 1];
	int parts;
};

__attribute__((format(printf, 2, 3))) static void add(struct entry *entry, const char *format, ...)
{
	char *field = entry->field[entry->parts];
	va_list ap;

	va_start(ap, format);
	vsnprintf(field, FIELD_SIZE, format, ap);
	va_end(ap);
	utf8_clean(field);
	entry->part[entry->parts++] = (struct iovec){field, strlen(field)};
}

static void add_subject(struct entry *entry, const struct log_subject *about)
{
	const struct {
		const char *name, *value;
	} rows[] = {
		{"PROJECT", about->project},
		{"APP", about->app},
		{"OPERATION", about->operation},
		{"EVENT", about->event},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].value && *rows[i].value)
			add(entry, "CERTFS_%s=%s", rows[i].name, rows[i].value);
	if (about->error)
		add(entry, "ERRNO=%d", about->error);
}

static bool journal_send(int priority, const struct log_subject *about, int64_t suppressed, const char *text)
{
	char message[TEXT_SIZE + 16];
	struct entry entry = {0};

	snprintf(message, sizeof(message), "MESSAGE=%s", text);
	add(&entry, "PRIORITY=%d", priority);
	add(&entry, "SYSLOG_IDENTIFIER=certfs");
	add(&entry, "SYSLOG_FACILITY=%d", LOG_FAC(LOG_DAEMON));
	add_subject(&entry, about);
	if (suppressed)
		add(&entry, "CERTFS_SUPPRESSED=%lld", (long long)suppressed);
	entry.part[entry.parts++] = (struct iovec){message, strlen(message)};
	return sd_journal_sendv(entry.part, entry.parts) == 0;
}

#else

static bool stderr_is_journal(void)
{
	return false;
}

static bool journal_listens(void)
{
	return false;
}

static bool journal_send(int priority, const struct log_subject *about, int64_t suppressed, const char *text)
{
	(void)priority, (void)about, (void)suppressed, (void)text;
	return false;
}

#endif

/* ---- writing ---- */

static void write_stderr(const char *text)
{
	char line[TEXT_SIZE + 16];
	const int size = snprintf(line, sizeof(line), "certfs: %s\n", text);

	if (write(STDERR_FILENO, line, (size_t)size) < 0)
		return; /* nowhere to complain to */
}

static void send_on(int priority, const struct log_subject *about, int64_t suppressed, const char *text)
{
	if (atomic_load(&to_journal) && journal_listens() && journal_send(priority, about, suppressed, text))
		return;
	if (atomic_load(&has_stderr))
		write_stderr(text);
	else
		syslog(priority, "%s", text);
}

static uint64_t hash(const char *text)
{
	uint64_t value = 14695981039346656037U; /* FNV-1a */

	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 1099511628211U;
	return value ? value : 1;
}

/* Messages of one format are one kind, whatever they name; of one that says nothing by itself, those of one text. */
static uint64_t kind_of(const struct log_subject *about, const char *format, const char *text)
{
	if (about->event)
		return hash(about->event);
	return hash(strcmp(format, "%s") == 0 ? text : format);
}

static bool may_pass(uint64_t key, int priority, const char *text)
{
	bool pass;

	pthread_mutex_lock(&held.lock);
	pass = log_limit_pass(&held.limit, key, priority, text, clock_monotonic());
	pthread_mutex_unlock(&held.lock);
	return pass;
}

void log_tick(bool all)
{
	static const struct log_subject nothing;
	struct log_kind kind;
	char text[TEXT_SIZE];

	for (;;) {
		bool any;

		pthread_mutex_lock(&held.lock);
		any = log_limit_take(&held.limit, clock_monotonic(), all, &kind);
		pthread_mutex_unlock(&held.lock);
		if (!any)
			return;
		snprintf(text, sizeof(text), "%lld more of these suppressed, the last one: %s", (long long)kind.held_back, kind.text);
		utf8_clean(text); /* the text was cut somewhere */
		send_on(kind.priority, &nothing, kind.held_back, text);
	}
}

__attribute__((format(printf, 3, 0))) static void log_list(int priority, const struct log_subject *about, const char *format,
							   va_list ap)
{
	char text[TEXT_SIZE];

	if (!log_wanted(priority))
		return;
	vsnprintf(text, sizeof(text), format, ap);
	utf8_clean(text);
	log_tick(false);
	if (may_pass(kind_of(about, format, text), priority, text))
		send_on(priority, about, 0, text);
}

/* ---- the face ---- */

void log_open(bool detached, int priority)
{
	const bool journal = journal_listens() && (detached || stderr_is_journal());

	if (detached)
		openlog("certfs", LOG_PID, LOG_DAEMON);
	atomic_store(&has_stderr, !detached);
	atomic_store(&to_journal, journal);
	atomic_store(&least_urgent, priority);
}

void log_forked(void)
{
	pthread_mutex_lock(&held.lock);
	held.limit = (struct log_limit){0};
	pthread_mutex_unlock(&held.lock);
}

bool log_wanted(int priority)
{
	return priority <= atomic_load(&least_urgent);
}

void log_write(int priority, const char *format, ...)
{
	static const struct log_subject nothing;
	va_list ap;

	va_start(ap, format);
	log_list(priority, &nothing, format, ap);
	va_end(ap);
}

void log_about(int priority, const struct log_subject *about, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_list(priority, about, format, ap);
	va_end(ap);
}
