#include "document.h"

#include <inttypes.h>

#include "clock.h"

void document_begin(struct document *document, enum document_form form, struct store *store, struct buffer *out,
		    struct error *err)
{
	*document = (struct document){.form = form, .store = store, .out = out, .err = err};
	if (form == DOCUMENT_JSON)
		buffer_add_text(out, "{");
}

static void document_key(struct document *document, const char *key)
{
	if (document->form == DOCUMENT_JSON)
		buffer_printf(document->out, "%s\n  \"%s\": ", document->begun ? "," : "", key);
	else
		buffer_printf(document->out, "%s: ", key);
	document->begun = true;
}

static void document_value_end(struct document *document)
{
	if (document->form == DOCUMENT_TEXT)
		buffer_add_text(document->out, "\n");
}

static void document_quote(struct document *document, const char *text)
{
	int r = store_json_quote(document->store, span_text(text), document->out, document->err);

	if (r < 0 && document->r == 0)
		document->r = r;
}

static void document_add_word(struct document *document, const char *word)
{
	const char *quote = document->form == DOCUMENT_JSON ? "\"" : "";

	buffer_printf(document->out, "%s%s%s", quote, word, quote);
}

void document_word(struct document *document, const char *key, const char *word)
{
	document_key(document, key);
	document_add_word(document, word);
	document_value_end(document);
}

void document_text(struct document *document, const char *key, const char *text)
{
	document_key(document, key);
	document_quote(document, text);
	document_value_end(document);
}

void document_number(struct document *document, const char *key, int64_t number)
{
	document_key(document, key);
	buffer_printf(document->out, "%" PRId64, number);
	document_value_end(document);
}

void document_time(struct document *document, const char *key, unixtime time)
{
	char text[32];

	if (time) {
		clock_format(time, text);
		document_word(document, key, text);
		return;
	}
	document_key(document, key);
	buffer_add_text(document->out, "null");
	document_value_end(document);
}

void document_words(struct document *document, const char *key, const char *const *words, size_t count)
{
	document_key(document, key);
	buffer_add_text(document->out, "[");
	for (size_t i = 0; i < count; i++) {
		buffer_add_text(document->out, i ? ", " : "");
		document_add_word(document, words[i]);
	}
	buffer_add_text(document->out, "]");
	document_value_end(document);
}

static void document_notice(struct document *document, const struct notice *notice)
{
	const struct {
		const char *key, *word;
	} fields[] = {
		{"cause", notice->cause},
		{"severity", notice->severity},
		{"scope", notice->scope},
		{"action", notice->action},
	};
	const char *quote = document->form == DOCUMENT_JSON ? "\"" : "";

	buffer_add_text(document->out, "{");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		buffer_printf(document->out, "%s%s%s: ", quote, fields[i].key, quote);
		document_add_word(document, fields[i].word);
		buffer_add_text(document->out, ", ");
	}
	buffer_printf(document->out, "%smessage%s: ", quote, quote);
	document_quote(document, notice->message);
	buffer_add_text(document->out, "}");
}

/* ---- a block sequence of flow mappings in YAML, an array of objects in JSON ---- */

void document_list_begin(struct document *document, const char *key, size_t count)
{
	if (document->form == DOCUMENT_JSON || count == 0) {
		document_key(document, key);
		buffer_add_text(document->out, "[");
	} else {
		buffer_printf(document->out, "%s:\n", key);
	}
}

static void item_begin(struct document *document, size_t number)
{
	buffer_add_text(document->out, document->form != DOCUMENT_JSON ? "- " : number ? ",\n    " : "\n    ");
}

void document_list_item(struct document *document, size_t number, const struct document_field *fields, size_t count)
{
	const char *quote = document->form == DOCUMENT_JSON ? "\"" : "";

	item_begin(document, number);
	buffer_add_text(document->out, "{");
	for (size_t i = 0; i < count; i++) {
		buffer_printf(document->out, "%s%s%s%s: ", i ? ", " : "", quote, fields[i].key, quote);
		document_quote(document, fields[i].text);
	}
	buffer_add_text(document->out, "}");
	document_value_end(document);
}

void document_list_end(struct document *document, size_t count)
{
	if (document->form == DOCUMENT_JSON)
		buffer_add_text(document->out, count ? "\n  ]" : "]");
	else if (count == 0)
		buffer_add_text(document->out, "]\n");
}

void document_notices(struct document *document, const struct notice *notices, size_t count)
{
	document_list_begin(document, "notices", count);
	for (size_t i = 0; i < count; i++) {
		item_begin(document, i);
		document_notice(document, &notices[i]);
		document_value_end(document);
	}
	document_list_end(document, count);
}

int document_end(struct document *document)
{
	if (document->form == DOCUMENT_JSON)
		buffer_add_text(document->out, "\n}\n");
	if (document->r == 0 && buffer_status(document->out) < 0)
		return error_set(document->err, ENOMEM, "out of memory");
	return document->r;
}
