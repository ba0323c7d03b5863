#include "template.h"

#include <string.h>

#include "digest.h"

enum { SYSTEM_VARIABLES = 3 };

static const char details_prefix[] = "$details.";

struct variable {
	struct span name; /* with the $ */
	struct span value;
};

/* What may be found in a template. */
struct vocabulary {
	struct variable system[SYSTEM_VARIABLES];
	const struct details *details;
	bool any_detail; /* every $details.NAME is known, and empty */
};

enum filter_kind { FILTER_NONE, FILTER_BASE64, FILTER_INDENT };

struct filter {
	enum filter_kind kind;
	size_t spaces;
	size_t size; /* as written, with its | */
};

/* Where the result goes; without a buffer it is only counted. */
struct sink {
	struct buffer *out;
	size_t size;
};

static struct span span_from(struct span text, size_t start)
{
	return (struct span){text.data + start, text.size - start};
}

static bool span_begins(struct span text, struct span with)
{
	return text.size >= with.size && memcmp(text.data, with.data, with.size) == 0;
}

/* ---- variables ---- */

static struct vocabulary vocabulary_of(const struct template_values *values)
{
	const struct policy *policy = values->policy;
	const struct span none = {0};

	return (struct vocabulary){
		.system = {
			{span_text(policy->variable_required), span_text(policy->attach ? "true" : "false")},
			{span_text(policy->variable_cert), policy->attach ? values->cert : none},
			{span_text(policy->variable_key), policy->attach ? values->key : none},
		},
		.details = values->details,
	};
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(uint8_t c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool is_name(uint8_t c)
{
	return is_word(c) || c == '.';
}

/* How many bytes from start on are of a name. */
static size_t name_run(struct span text, size_t start)
{
	size_t end = start;

	while (end < text.size && is_name(text.data[end]))
		end++;
	return end - start;
}

/* The same without the . and - at its end, which may be punctuation. */
static size_t name_core(struct span text, size_t start)
{
	size_t run = name_run(text, start);

	while (run > 0 && (text.data[start + run - 1] == '.' || text.data[start + run - 1] == '-'))
		run--;
	return run;
}

static bool system_fits(const struct variable *variable, struct span text)
{
	const struct span name = variable->name;

	if (!span_begins(text, name))
		return false;
	return !is_name(name.data[name.size - 1]) || name_core(text, name.size) == 0;
}

/* The longest NAME of $details.NAME at the beginning of text that there is. A key of details may end in . or -, too. */
static bool find_detail(const struct vocabulary *vocabulary, struct span text, struct variable *ret)
{
	const size_t start = strlen(details_prefix);
	const size_t run = span_begins(text, span_text(details_prefix)) ? name_run(text, start) : 0;
	const size_t core = run > 0 ? name_core(text, start) : 0;

	for (size_t size = run; size > 0 && size >= core; size--) {
		const struct span key = {text.data + start, size};
		struct span value = {0};

		if (vocabulary->any_detail ? details_key_valid(key)
					   : details_get(vocabulary->details, key, &value)) {
			*ret = (struct variable){{text.data, start + size}, value};
			return true;
		}
	}
	return false;
}

/* The variable at the beginning of text, which is a $. */
static bool find_variable(const struct vocabulary *vocabulary, struct span text, struct variable *ret)
{
	bool found = find_detail(vocabulary, text, ret);

	for (size_t i = 0; i < SYSTEM_VARIABLES; i++) {
		const struct variable *variable = &vocabulary->system[i];

		if (system_fits(variable, text) && (!found || variable->name.size >= ret->name.size)) {
			*ret = *variable;
			found = true;
		}
	}
	return found;
}

/* ---- filters ---- */

static bool filter_begins(struct span text)
{
	return text.size >= 2 && text.data[0] == '|' && is_letter(text.data[1]);
}

/* The N of |indent:N at the beginning of text; how many bytes it has, 0: it is none. */
static size_t read_spaces(struct span text, size_t *ret)
{
	size_t end = 0, spaces = 0;

	for (; end < text.size && is_word(text.data[end]); end++) {
		if (text.data[end] < '0' || text.data[end] > '9' || end >= 2)
			return 0;
		spaces = spaces * 10 + (size_t)(text.data[end] - '0');
	}
	*ret = spaces;
	return spaces > TEMPLATE_INDENT_MAX ? 0 : end;
}

/* What name, behind a |, stands for; after is what follows it. */
static int name_filter(struct span name, struct span after, struct filter *ret, struct error *err)
{
	size_t digits = 0, spaces = 0;

	if (span_equal(name, span_text("base64"))) {
		*ret = (struct filter){FILTER_BASE64, 0, 1 + name.size};
		return 0;
	}
	if (!span_equal(name, span_text("indent")))
		return error_set(err, EINVAL,
				 "there is no filter |%.*s, only |base64 and |indent:N (put a space before the | if it "
				 "is meant to stay)",
				 (int)(name.size < 64 ? name.size : 64), (const char *)name.data);
	if (after.size > 0 && after.data[0] == ':')
		digits = read_spaces(span_from(after, 1), &spaces);
	if (digits == 0)
		return error_set(err, EINVAL, "|indent needs a number from 0 to %d: |indent:6", TEMPLATE_INDENT_MAX);
	*ret = (struct filter){FILTER_INDENT, spaces, 1 + name.size + 1 + digits};
	return 0;
}

/* The filter that text, behind a variable, begins with, if any. EINVAL: the sentence has no line yet. */
static int read_filter(struct span text, struct filter *ret, struct error *err)
{
	size_t end = 1;
	int r;

	*ret = (struct filter){0};
	if (!filter_begins(text))
		return 0;
	while (end < text.size && is_word(text.data[end]))
		end++;
	r = name_filter((struct span){text.data + 1, end - 1}, span_from(text, end), ret, err);
	if (r == 0 && filter_begins(span_from(text, ret->size)))
		r = error_set(err, EINVAL, "a variable can have one filter only");
	return r;
}

/* ---- values ---- */

static void put(struct sink *sink, struct span text)
{
	sink->size += text.size;
	if (sink->out)
		buffer_add_span(sink->out, text);
}

static void put_base64(struct sink *sink, struct span value)
{
	sink->size += base64_size(value.size);
	if (sink->out)
		base64_add(sink->out, value);
}

static void put_indented(struct sink *sink, struct span value, size_t spaces)
{
	static const uint8_t blank[TEMPLATE_INDENT_MAX + 1] =
		"                                                                ";

	if (value.size > 0 && value.data[value.size - 1] == '\n')
		value.size--;
	while (value.size > 0) {
		const uint8_t *newline = memchr(value.data, '\n', value.size);
		const size_t line = newline ? (size_t)(newline - value.data) + 1 : value.size;

		put(sink, (struct span){value.data, line});
		if (newline)
			put(sink, (struct span){blank, spaces});
		value = span_from(value, line);
	}
}

static void put_value(struct sink *sink, struct span value, const struct filter *filter)
{
	switch (filter->kind) {
	case FILTER_NONE:
		put(sink, value);
		break;
	case FILTER_BASE64:
		put_base64(sink, value);
		break;
	case FILTER_INDENT:
		put_indented(sink, value, filter->spaces);
		break;
	}
}

/* ---- the whole ---- */

static size_t line_at(struct span template, const uint8_t *at)
{
	size_t line = 1;

	for (const uint8_t *c = template.data; c < at; c++)
		line += *c == '\n';
	return line;
}

/* Puts the variable at the beginning of text, or its $ alone if it is none. *ret: how many bytes of text that was. */
static int put_variable(const struct vocabulary *vocabulary, struct span text, struct sink *sink, size_t *ret,
			struct error *err)
{
	struct variable variable = {0};
	struct filter filter;
	int r;

	if (!find_variable(vocabulary, text, &variable)) {
		put(sink, (struct span){text.data, 1});
		*ret = 1;
		return 0;
	}
	r = read_filter(span_from(text, variable.name.size), &filter, err);
	if (r < 0)
		return r;
	put_value(sink, variable.value, &filter);
	*ret = variable.name.size + filter.size;
	return 0;
}

static int walk(struct span template, const struct vocabulary *vocabulary, struct sink *sink, struct error *err)
{
	struct span rest = template;

	while (rest.size > 0) {
		const uint8_t *dollar = memchr(rest.data, '$', rest.size);
		size_t taken = dollar ? (size_t)(dollar - rest.data) : rest.size;

		put(sink, (struct span){rest.data, taken});
		rest = span_from(rest, taken);
		if (rest.size > 0 && put_variable(vocabulary, rest, sink, &taken, err) < 0)
			return error_prefix(err, "line %zu", line_at(template, rest.data));
		if (rest.size > 0)
			rest = span_from(rest, taken);
		if (sink->size > TEMPLATE_SIZE_MAX)
			return error_set(err, EFBIG,
					 "line %zu: here the user data grows larger than %d bytes: shorten the template",
					 line_at(template, rest.data), TEMPLATE_SIZE_MAX);
	}
	return 0;
}

static int check_template_size(struct span template, struct error *err)
{
	if (template.size <= TEMPLATE_SIZE_MAX)
		return 0;
	return error_set(err, EFBIG, "the template has %zu bytes, at most %d are allowed: shorten it", template.size,
			 TEMPLATE_SIZE_MAX);
}

int template_size(struct span template, const struct template_values *values, size_t *ret, struct error *err)
{
	const struct vocabulary vocabulary = vocabulary_of(values);
	struct sink sink = {0};
	int r = check_template_size(template, err);

	if (r == 0)
		r = walk(template, &vocabulary, &sink, err);
	if (r == 0)
		*ret = sink.size;
	return r;
}

/* Counted first: so nothing is written of what fails, and the secure heap gives its memory once, and no more than is needed. */
int template_render(struct span template, const struct template_values *values, struct buffer *out,
		    struct error *err)
{
	const struct vocabulary vocabulary = vocabulary_of(values);
	struct sink sink = {.out = out};
	size_t size = 0;
	int r = template_size(template, values, &size, err);

	if (r < 0)
		return r;
	if (buffer_reserve(out, out->size + size + 1) == 0) /* base64_add writes one byte ahead */
		r = walk(template, &vocabulary, &sink, err);
	return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : r;
}

int template_check(struct span template, const struct policy *policy, struct error *err)
{
	const struct template_values values = {.policy = policy};
	struct vocabulary vocabulary = vocabulary_of(&values);
	struct sink sink = {0};
	int r = check_template_size(template, err);

	vocabulary.any_detail = true;
	return r < 0 ? r : walk(template, &vocabulary, &sink, err);
}
