/* Whatever stands in a details file: it is taken whole and means what its lines say, or refused with the number of a line. */
#include <string.h>

#include "details.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

static void check_error(int r, const struct error *err, size_t size)
{
	REQUIRE(err->code == -r);
	REQUIRE(r == (size > DETAILS_SIZE_MAX ? -EFBIG : -EINVAL));
	REQUIRE(r == -EFBIG || strncmp(err->text, "line ", 5) == 0);
	REQUIRE(utf8_printable(span_text(err->text)));
}

/* Each line that is neither blank nor a comment can be got back. */
static void check_lines(struct span rest, const struct details *details)
{
	while (rest.size > 0) {
		const uint8_t *newline = memchr(rest.data, '\n', rest.size);
		const size_t line = newline ? (size_t)(newline - rest.data) : rest.size;
		const uint8_t *equals = rest.data[0] == '#' ? NULL : memchr(rest.data, '=', line);

		if (equals) {
			const struct span key = {rest.data, (size_t)(equals - rest.data)};
			struct span value;

			REQUIRE(details_key_valid(key));
			REQUIRE(details_get(details, key, &value));
			REQUIRE(span_equal(value, (struct span){equals + 1, line - key.size - 1}));
			REQUIRE(value.size <= DETAILS_VALUE_MAX && utf8_printable(value));
		}
		rest.data += line + (newline ? 1 : 0);
		rest.size -= line + (newline ? 1 : 0);
	}
}

/* The second half of the file inherits from the first. */
static void check_merge(struct span text)
{
	_cleanup_details_ struct details *own = NULL, *inherited = NULL, *merged = NULL;
	const uint8_t *newline = text.size > 0 ? memchr(text.data + text.size / 2, '\n', text.size - text.size / 2) : NULL;
	const size_t first = newline ? (size_t)(newline - text.data) : text.size;
	const struct span half = {text.data, first}, other = {text.data + first, text.size - first};
	struct error err = {0};

	REQUIRE(details_parse(half, &inherited, &err) == 0);
	REQUIRE(details_parse(other, &own, &err) == 0);
	REQUIRE(details_merge(own, inherited, &merged, &err) == 0);
	check_lines(text, merged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span text = {data, size};
	_cleanup_details_ struct details *details = NULL;
	struct error err = {0};
	const int r = details_parse(text, &details, &err);

	if (r < 0) {
		REQUIRE(!details);
		check_error(r, &err, size);
		return 0;
	}
	check_lines(text, details);
	if (size > 0)
		check_merge(text);
	return 0;
}
