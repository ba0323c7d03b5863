/* What a statement gives: rows one by one, a row's columns, and text quoted as JSON and YAML want it. */
#include "store_internal.h"

#include <string.h>

#include "utf8.h"

int rows_each_id(struct store *store, sqlite3_stmt *stmt, int (*each)(void *context, rowid id), void *context,
		 struct error *err)
{
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1) {
		r = each(context, sqlite3_column_int64(stmt, 0));
		if (r < 0)
			return r;
	}
	return r;
}

int rows_each_name(struct store *store, sqlite3_stmt *stmt, int (*each)(void *context, rowid id, const char *name),
		   void *context, struct error *err)
{
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1)
		if (each(context, sqlite3_column_int64(stmt, 0), (const char *)sqlite3_column_text(stmt, 1)) != 0)
			return 0;
	return r;
}

int rows_collect(struct store *store, sqlite3_stmt *stmt, rowid *ret, struct error *err)
{
	int count = 0;
	int r;

	if (!stmt)
		return -err->code;
	while ((r = statement_step(store, stmt, err)) == 1)
		ret[count++] = sqlite3_column_int64(stmt, 0);
	return r < 0 ? r : count;
}

/* Columns. */
void column_text(sqlite3_stmt *stmt, int column, char *ret, size_t size)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);
	size_t length = text ? strnlen((const char *)text, size - 1) : 0;

	if (length)
		memcpy(ret, text, length);
	ret[length] = '\0';
}

struct span column_span(sqlite3_stmt *stmt, int column)
{
	const void *data = sqlite3_column_blob(stmt, column);

	return (struct span){data, (size_t)sqlite3_column_bytes(stmt, column)};
}

void column_bytes(sqlite3_stmt *stmt, int column, uint8_t *ret, size_t size)
{
	struct span span = column_span(stmt, column);
	size_t n = span.size < size ? span.size : size;

	memset(ret, 0, size);
	if (n)
		memcpy(ret, span.data, n);
}

int column_buffer(sqlite3_stmt *stmt, int column, struct buffer *ret, struct error *err)
{
	buffer_clear(ret);
	buffer_add_span(ret, column_span(stmt, column));
	return buffer_status(ret) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* Characters that JSON takes as they are and YAML doesn't (YAML 1.2, 5.1: not printable), or takes for the end of a line. */
static bool yaml_wants_escaped(uint32_t c)
{
	return (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff;
}

static void add_for_yaml(struct buffer *out, struct span quoted)
{
	const uint8_t *start = quoted.data;
	uint32_t c;
	size_t length;

	while ((length = utf8_take(&quoted, &c)) > 0) {
		if (yaml_wants_escaped(c))
			buffer_printf(out, "\\u%04X", c);
		else
			buffer_add(out, start, length);
		start = quoted.data;
	}
}

/* Through SQLite, so that escaping is a library's: json_quote() gives a JSON string, which is a YAML one, too, but for a few
 * characters. */
int store_json_quote(struct store *store, struct span text, struct buffer *out, struct error *err)
{
	_cleanup_statement_ sqlite3_stmt *stmt = statement(store, err, "SELECT json_quote(CAST(? AS TEXT))", "b", text);
	int r = statement_one(store, stmt, "text", err);

	if (r < 0)
		return r;
	add_for_yaml(out, column_span(stmt, 0));
	return 0;
}
