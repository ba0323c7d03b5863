/* Status, info and trigger files have one form (SPEC 3.1): `key: value` lines that are valid YAML, and a JSON twin with the
 * same keys. A document writes either, from the same calls. Quoting is SQLite's (store_json_quote).
 */
#ifndef CORE_DOCUMENT_H
#define CORE_DOCUMENT_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"
#include "store.h"

enum document_form { DOCUMENT_TEXT, DOCUMENT_JSON };

/* Something that somebody should know, in the original system's vocabulary (facts: zededa). */
struct notice {
	const char *cause;    /* DEVICE_CA_EXPIRING, … */
	const char *severity; /* NOTICE, WARN, ERROR */
	const char *scope;    /* PROJECT, EDGE_APP_INSTANCE */
	const char *action;   /* NONE, UPDATEREQUIRED, UPDATEWITHRESTART, UPDATEWITHPURGE */
	char message[640];
};

struct document {
	enum document_form form;
	struct store *store;
	struct buffer *out;
	bool begun; /* a key has been written */
	int r;      /* the first failure */
	struct error *err;
};

void document_begin(struct document *document, enum document_form form, struct store *store, struct buffer *out,
		    struct error *err);

/* word: of a known vocabulary, written bare in the text form. text: free text, always quoted. time: 0 gives null. */
void document_word(struct document *document, const char *key, const char *word);
void document_text(struct document *document, const char *key, const char *text);
void document_number(struct document *document, const char *key, int64_t number);
void document_time(struct document *document, const char *key, unixtime time);
void document_words(struct document *document, const char *key, const char *const *words, size_t count);
void document_notices(struct document *document, const struct notice *notices, size_t count);

/* The same with objects of other fields: between begin and end each item's text fields, one call an object. */
struct document_field {
	const char *key, *text; /* text: free, always quoted */
};
void document_list_begin(struct document *document, const char *key, size_t count);
void document_list_item(struct document *document, size_t number, const struct document_field *fields, size_t count);
void document_list_end(struct document *document, size_t count);

/* 0, or the first failure. */
int document_end(struct document *document);

#endif
