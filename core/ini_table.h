/* Ini files as tables: a row for each key says where its value goes and what is allowed. inih does the parsing. */
#ifndef CORE_INI_TABLE_H
#define CORE_INI_TABLE_H

#include <stdio.h>

#include "certfs/buffer.h"
#include "certfs/error.h"

enum ini_kind {
	INI_YES_NO,  /* bool */
	INI_INT,     /* int, min to max */
	INI_INT64,   /* int64_t, min to max */
	INI_CHOICE,  /* int: the value of the name that was chosen */
	INI_TEXT,    /* char[size]: printable UTF-8, not empty */
	INI_TEXT_OR_EMPTY,
};

struct ini_choice {
	const char *name;
	int value;
};

struct ini_key {
	const char *section, *key;
	enum ini_kind kind;
	size_t offset;    /* in the struct that is filled */
	int64_t min, max; /* numbers */
	const char *unit; /* numbers: "days", … for the sentence; NULL: none */
	size_t size;      /* text: of the field */
	const struct ini_choice *choices; /* ends with a NULL name */
	/* A further check of a text; the sentence says what is allowed. NULL: none. */
	int (*check)(const char *value, struct error *err);
};

enum { INI_KEYS_MAX = 64, INI_SIZE_MAX = 64 << 10 };

/* Reads text into *values (defaults are in it already). EINVAL: "line N: KEY: what is wrong"; *values is then not to be used. */
/* lines: for each key the line that it stands on, 0 where it is absent; NULL: not wanted. */
int ini_table_read(struct span text, const struct ini_key *keys, size_t count, void *values, int *lines,
		   struct error *err);

#endif
