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

int error_prefix(struct error *err, const char *format, ...)
{
	char context[sizeof(err->text)];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	return error_set(err, err->code, "%s: %s", context, err->text);
}
