#include "ini_table.h"

#include <inttypes.h>
#include <ini.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

struct reading {
	struct span rest;  /* what inih has not asked for yet */
	int line;          /* of the last line that it got, from 1 */
	int bad_line;      /* of err */
	const struct ini_key *keys;
	size_t count;
	int seen[INI_KEYS_MAX]; /* line of each key, 0: not yet */
	uint8_t *values;
	struct error *err; /* code 0: no error so far; the first one stays */
};

/* ---- values ---- */

static int take_yes_no(const struct ini_key *key, const char *value, void *field, struct error *err)
{
	const bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0)
		return error_set(err, EINVAL, "%s: '%s' is neither yes nor no", key->key, value);
	*(bool *)field = yes;
	return 0;
}

static int take_number(const struct ini_key *key, const char *value, void *field, struct error *err)
{
	const char *unit = key->unit ? key->unit : "";
	char *end;
	long long number;

	errno = 0;
	number = strtoll(value, &end, 10);
	if (errno || end == value || *end || strchr(" +", value[0]) || number < key->min || number > key->max)
		return error_set(err, EINVAL, "%s: '%s' is not a whole number %s%s%sfrom %" PRId64 " to %" PRId64, key->key,
				 value, key->unit ? "of " : "", unit, key->unit ? " " : "", key->min, key->max);
	if (key->kind == INI_INT)
		*(int *)field = (int)number;
	else
		*(int64_t *)field = number;
	return 0;
}

static int take_choice(const struct ini_key *key, const char *value, void *field, struct error *err)
{
	char names[128] = "";
	size_t size = 0;

	for (const struct ini_choice *choice = key->choices; choice->name; choice++) {
		if (strcmp(choice->name, value) == 0) {
			*(int *)field = choice->value;
			return 0;
		}
		size += (size_t)snprintf(names + size, sizeof(names) - size, "%s%s", size ? ", " : "", choice->name);
	}
	return error_set(err, EINVAL, "%s: '%s' is not one of %s", key->key, value, names);
}

static int take_text(const struct ini_key *key, const char *value, void *field, struct error *err)
{
	int r;

	if (!*value && key->kind == INI_TEXT)
		return error_set(err, EINVAL, "%s: the value is empty", key->key);
	if (strlen(value) >= key->size)
		return error_set(err, EINVAL, "%s: the value is longer than %zu bytes", key->key, key->size - 1);
	r = key->check && *value ? key->check(value, err) : 0;
	if (r < 0)
		return error_prefix(err, "%s", key->key);
	strcpy(field, value);
	return 0;
}

static int take_value(const struct ini_key *key, const char *value, void *field, struct error *err)
{
	/* Of every kind, as the sentence that refuses a value quotes it, and status.json the sentence. */
	if (!utf8_printable(span_text(value)))
		return error_set(err, EINVAL, "%s: the value is not UTF-8 without control characters", key->key);
	switch (key->kind) {
	case INI_YES_NO:
		return take_yes_no(key, value, field, err);
	case INI_INT:
	case INI_INT64:
		return take_number(key, value, field, err);
	case INI_CHOICE:
		return take_choice(key, value, field, err);
	default:
		return take_text(key, value, field, err);
	}
}

/* ---- inih's side ---- */

/* 0, which tells inih that the line is bad. what may be "". */
static int reading_fail(struct reading *reading, const char *what, const char *why)
{
	if (reading->err->code)
		return 0;
	error_set(reading->err, EINVAL, "line %d: %s%s%s", reading->line, what, *what ? ": " : "", why);
	reading->bad_line = reading->line;
	return 0;
}

static bool section_known(const struct reading *reading, const char *section)
{
	for (size_t i = 0; i < reading->count; i++)
		if (strcmp(reading->keys[i].section, section) == 0)
			return true;
	return false;
}

static int take_key(struct reading *reading, size_t i, const char *value)
{
	const struct ini_key *key = &reading->keys[i];

	if (reading->seen[i])
		return reading_fail(reading, key->key, "this key is given twice, or its second line is indented");
	reading->seen[i] = reading->line;
	if (reading->err->code || take_value(key, value, reading->values + key->offset, reading->err) == 0)
		return 1;
	error_prefix(reading->err, "line %d", reading->line);
	reading->bad_line = reading->line;
	return 0;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;

	for (size_t i = 0; i < reading->count; i++)
		if (strcmp(reading->keys[i].section, section) == 0 && strcmp(reading->keys[i].key, name) == 0)
			return take_key(reading, i, value ? value : "");
	if (!utf8_printable(span_text(section)) || !utf8_printable(span_text(name)))
		return reading_fail(reading, "", "the name of a key or section is not UTF-8 without control characters");
	if (section_known(reading, section))
		return reading_fail(reading, name, "there is no such key in this section");
	if (!*section)
		return reading_fail(reading, name, "a key must stand below a [section]");
	return reading_fail(reading, section, "there is no such [section]");
}

/* inih tells nothing of a section without keys, and skips what follows a section's name: both are looked at here. A line that it
 * would take for the second one of a value is refused in any case, see take_key. */
static void check_section(struct reading *reading, const char *line)
{
	static const char blank[] = " \t\r\n\v\f";
	const char *end, *behind;
	char name[64];

	if (reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0)
		line += 3;
	line += strspn(line, blank);
	end = strchr(line, ']');
	if (*line != '[')
		return;
	behind = end ? end + 1 + strspn(end + 1, blank) : NULL;
	if (!behind || (*behind && !strchr(";#", *behind))) {
		reading_fail(reading, "", "it is not [section] alone: what follows belongs on a line of its own");
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(end - line - 1), line + 1);
	if (!utf8_printable(span_text(name)))
		reading_fail(reading, "", "the name of a key or section is not UTF-8 without control characters");
	else if (!section_known(reading, name))
		reading_fail(reading, name, "there is no such [section]");
}

/* inih has no line numbers for its handler, and cuts lines that are too long: both are seen here, where it asks for the next one. */
static char *next_line(char *line, int room, void *stream)
{
	struct reading *reading = stream;
	const uint8_t *end;
	size_t size;

	if (reading->rest.size == 0)
		return NULL;
	end = memchr(reading->rest.data, '\n', reading->rest.size);
	size = end ? (size_t)(end - reading->rest.data) + 1 : reading->rest.size;
	reading->line++;
	if (size >= (size_t)room)
		reading_fail(reading, "", "the line is too long");
	if (memchr(reading->rest.data, '\0', size))
		reading_fail(reading, "", "there is a NUL byte in it");
	snprintf(line, (size_t)room, "%.*s", (int)size, (const char *)reading->rest.data);
	check_section(reading, line);
	reading->rest.data += size;
	reading->rest.size -= size;
	return line;
}

/* Debian's inih lets a program say how long a line may be: 200 bytes are too few for a path or a PKCS#11 URI. Said once, and the same for
 * all that this process reads. */
static pthread_once_t lines_once = PTHREAD_ONCE_INIT;

static void allow_long_lines(void)
{
	enum { LINE_MAX_BYTES = 8192 };

	ini_use_stack = false;
	ini_initial_alloc = LINE_MAX_BYTES;
	ini_max_line = LINE_MAX_BYTES;
}

int ini_table_read(struct span text, const struct ini_key *keys, size_t count, void *values, int *lines,
		   struct error *err)
{
	struct reading reading = {
		.rest = text,
		.keys = keys,
		.count = count,
		.values = values,
		.err = err,
	};
	int line;

	if (count > INI_KEYS_MAX || text.size > INI_SIZE_MAX)
		return error_set(err, EFBIG, "the file is larger than %d bytes: shorten it", INI_SIZE_MAX);
	*err = (struct error){0};
	pthread_once(&lines_once, allow_long_lines);
	line = ini_parse_stream(next_line, &reading, on_key, &reading);
	if (line < 0)
		error_set(err, ENOMEM, "out of memory");
	else if (line > 0 && (!err->code || line < reading.bad_line))
		error_set(err, EINVAL, "line %d: it is neither [section] nor KEY = VALUE", line);
	if (lines)
		memcpy(lines, reading.seen, count * sizeof(*lines));
	return -err->code;
}
