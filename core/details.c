#include "details.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

struct detail {
	struct span key;
	struct span value;
	size_t line; /* of the file; only told apart by where both come from the same file */
};

struct details {
	struct detail *sorted; /* by key */
	size_t count;
	uint8_t *text; /* what keys and values point into */
};

void details_free(struct details *details)
{
	if (!details)
		return;
	free(details->sorted);
	free(details->text);
	free(details);
}

void details_freep(struct details **details)
{
	details_free(*details);
	*details = NULL;
}

/* Room for count details and size bytes of text; none of either is in it yet. */
static struct details *details_new(size_t count, size_t size)
{
	_cleanup_details_ struct details *details = calloc(1, sizeof(*details));
	struct details *made;

	if (!details)
		return NULL;
	details->sorted = calloc(count + 1, sizeof(*details->sorted));
	details->text = malloc(size + 1);
	if (!details->sorted || !details->text)
		return NULL;
	made = details;
	details = NULL;
	return made;
}

/* ---- keys ---- */

static int compare_keys(struct span a, struct span b)
{
	const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);

	return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Of two lines with the same key the earlier one comes first. */
static int compare_details(const void *left, const void *right)
{
	const struct detail *a = left, *b = right;
	const int order = compare_keys(a->key, b->key);

	return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static int compare_with_key(const void *key, const void *detail)
{
	return compare_keys(*(const struct span *)key, ((const struct detail *)detail)->key);
}

bool details_get(const struct details *details, struct span key, struct span *ret)
{
	const struct detail *found;

	if (!details || details->count == 0 || key.size == 0)
		return false;
	found = bsearch(&key, details->sorted, details->count, sizeof(*found), compare_with_key);
	if (found)
		*ret = found->value;
	return found != NULL;
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool details_key_valid(struct span key)
{
	if (key.size == 0 || key.size > DETAILS_KEY_MAX || !is_letter(key.data[0]))
		return false;
	for (size_t i = 1; i < key.size; i++) {
		const uint8_t c = key.data[i];

		if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '.' && c != '-')
			return false;
	}
	return true;
}

/* ---- a line ---- */

static bool is_blank(struct span line)
{
	for (size_t i = 0; i < line.size; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t')
			return false;
	return true;
}

/* Comments are shown again to whoever reads the file: text, with tabs. */
static bool is_comment_text(struct span line)
{
	for (size_t i = 0, start = 0; i <= line.size; i++)
		if (i == line.size || line.data[i] == '\t') {
			if (!utf8_printable((struct span){line.data + start, i - start}))
				return false;
			start = i + 1;
		}
	return true;
}

static int read_detail(struct span line, size_t number, struct detail *ret, struct error *err)
{
	const uint8_t *equals = memchr(line.data, '=', line.size);
	struct detail detail = {.line = number};

	if (equals)
		detail.key = (struct span){line.data, (size_t)(equals - line.data)};
	if (!details_key_valid(detail.key))
		return error_set(err, EINVAL,
				 "line %zu: not KEY=VALUE, where KEY is 1 to %d of A-Z a-z 0-9 . _ - and begins with a "
				 "letter or _ (comments begin with #)",
				 number, DETAILS_KEY_MAX);
	detail.value = (struct span){equals + 1, line.size - detail.key.size - 1};
	if (detail.value.size > DETAILS_VALUE_MAX)
		return error_set(err, EINVAL, "line %zu: %.*s: the value has %zu bytes, at most %d are allowed", number,
				 (int)detail.key.size, (const char *)detail.key.data, detail.value.size,
				 DETAILS_VALUE_MAX);
	if (!utf8_printable(detail.value))
		return error_set(err, EINVAL,
				 "line %zu: %.*s: the value must be UTF-8 without control characters (no tabs, no "
				 "carriage returns)",
				 number, (int)detail.key.size, (const char *)detail.key.data);
	*ret = detail;
	return 0;
}

/* Adds what the line says to details, if it says something. */
static int take_line(struct details *details, struct span line, size_t number, struct error *err)
{
	int r;

	if (is_blank(line))
		return 0;
	if (line.data[0] == '#')
		return is_comment_text(line) ? 0
					     : error_set(err, EINVAL,
							 "line %zu: a comment must be UTF-8 without control characters",
							 number);
	r = read_detail(line, number, &details->sorted[details->count], err);
	if (r == 0)
		details->count++;
	return r;
}

/* ---- the whole ---- */

/* The file is refused for the first line that repeats a key, as someone who reads from the top would see it. */
static int check_twice(const struct details *details, struct error *err)
{
	const struct detail *first = NULL;

	for (size_t i = 1; i < details->count; i++) {
		const struct detail *detail = &details->sorted[i];

		if (compare_keys(detail[-1].key, detail->key) == 0 && (!first || detail->line < first->line))
			first = detail;
	}
	if (!first)
		return 0;
	return error_set(err, EINVAL, "line %zu: %.*s is given twice (first in line %zu): remove one of the two",
			 first->line, (int)first->key.size, (const char *)first->key.data, first[-1].line);
}

static size_t count_lines(struct span text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.size; i++)
		lines += text.data[i] == '\n';
	return lines;
}

static int take_lines(struct details *details, struct span rest, struct error *err)
{
	for (size_t number = 1; rest.size > 0; number++) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.size);
		const struct span line = {rest.data, newline ? (size_t)(newline - rest.data) : rest.size};
		const size_t taken = line.size + (newline ? 1 : 0);
		const int r = take_line(details, line, number, err);

		if (r < 0)
			return r;
		rest = (struct span){rest.data + taken, rest.size - taken};
	}
	return 0;
}

int details_parse(struct span text, struct details **ret, struct error *err)
{
	_cleanup_details_ struct details *details = NULL;
	int r;

	if (text.size > DETAILS_SIZE_MAX)
		return error_set(err, EFBIG, "the details have %zu bytes, at most %d are allowed: shorten them",
				 text.size, DETAILS_SIZE_MAX);
	details = details_new(count_lines(text), text.size);
	if (!details)
		return error_set(err, ENOMEM, "out of memory");
	if (text.size)
		memcpy(details->text, text.data, text.size);
	r = take_lines(details, (struct span){details->text, text.size}, err);
	if (r < 0)
		return r;
	qsort(details->sorted, details->count, sizeof(*details->sorted), compare_details);
	r = check_twice(details, err);
	if (r < 0)
		return r;
	*ret = details;
	details = NULL;
	return 0;
}

/* ---- two files ---- */

static size_t text_size(const struct details *details)
{
	size_t size = 0;

	for (size_t i = 0; details && i < details->count; i++)
		size += details->sorted[i].key.size + details->sorted[i].value.size;
	return size;
}

static struct span copy_text(struct span text, uint8_t **to)
{
	const struct span copy = {*to, text.size};

	if (text.size)
		memcpy(*to, text.data, text.size);
	*to += text.size;
	return copy;
}

/* The next in order of two sorted lists; of two with the same key the one of own's, and both are passed. */
static const struct detail *merge_next(const struct details *own, size_t *i, const struct details *inherited,
				       size_t *j)
{
	const struct detail *a = own && *i < own->count ? &own->sorted[*i] : NULL;
	const struct detail *b = inherited && *j < inherited->count ? &inherited->sorted[*j] : NULL;
	const int order = !a ? 1 : !b ? -1 : compare_keys(a->key, b->key);

	*i += a && order <= 0;
	*j += b && order >= 0;
	return order <= 0 ? a : b;
}

int details_merge(const struct details *own, const struct details *inherited, struct details **ret,
		  struct error *err)
{
	const size_t count = (own ? own->count : 0) + (inherited ? inherited->count : 0);
	struct details *merged = details_new(count, text_size(own) + text_size(inherited));
	const struct detail *next;
	size_t i = 0, j = 0;
	uint8_t *to;

	if (!merged)
		return error_set(err, ENOMEM, "out of memory");
	to = merged->text;
	while ((next = merge_next(own, &i, inherited, &j))) {
		struct detail *detail = &merged->sorted[merged->count++];

		detail->key = copy_text(next->key, &to);
		detail->value = copy_text(next->value, &to);
	}
	*ret = merged;
	return 0;
}
