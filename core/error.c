#include "certfs/error.h"

#include <stdio.h>
#include <string.h>

#include "utf8.h"

int error_set(struct error *err, int code, const char *format, ...)
{
	char text[sizeof(err->text)]; /* an argument may be err->text itself */
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	utf8_clean(text);
	err->code = code;
	memcpy(err->text, text, sizeof(text));
	return -code;
}

/* What the system's own words do not say. */
static const char *remedy(int code)
{
	static const struct {
		int code;
		const char *text;
	} rows[] = {
		{ENOSPC, "free some space there"},
		{EDQUOT, "free some space there, or raise the quota"},
		{EROFS, "mount that file system read-write"},
		{EACCES, "run certfs as root, or give its user that right"},
		{EPERM, "run certfs as root, or give its user that right"},
		{ENOENT, "look at the path"},
		{ENOTDIR, "look at the path"},
		{EISDIR, "look at the path"},
		{ELOOP, "look at the path"},
		{ENAMETOOLONG, "choose a shorter path"},
		{EMFILE, "raise the number of open files (ulimit -n, LimitNOFILE)"},
		{ENFILE, "raise the number of open files of the system (fs.file-max)"},
		{EAGAIN, "raise the number of processes (ulimit -u, TasksMax)"},
		{ENOMEM, "free some memory, or raise the limit (MemoryMax)"},
		{EIO, "look for the disk's errors in the kernel's log (dmesg)"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].code == code)
			return rows[i].text;
	return NULL;
}

int error_system(struct error *err, int code, const char *format, ...)
{
	char what[sizeof(err->text)];
	const char *helps = remedy(code);
	va_list ap;

	va_start(ap, format);
	vsnprintf(what, sizeof(what), format, ap);
	va_end(ap);
	return error_set(err, code, "%s: %s%s%s", what, strerror(code), helps ? ": " : "", helps ? helps : "");
}

int error_prefix(struct error *err, const char *format, ...)
{
	char context[sizeof(err->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	return error_set(err, err->code, "%s: %s", context, err->text);
}
