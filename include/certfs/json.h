/* Fields of a JSON text, read by SQLite's functions. One struct json is used by one thread at a time. */
#ifndef CERTFS_JSON_H
#define CERTFS_JSON_H

#include <stddef.h>

#include "certfs/error.h"

struct json;

int json_open(struct json **ret, struct error *err);
void json_close(struct json *json); /* NULL is fine */

/* The value at path ("$.state") of a JSON text as text, cut to size. ENOENT: it is not there or null; EINVAL: text is no JSON. */
int json_get(struct json *json, const char *text, const char *path, char *ret, size_t size, struct error *err);

#endif
