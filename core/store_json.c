#include <stdlib.h>

#include "certfs/json.h"
#include "store_internal.h"

struct json {
	sqlite3 *db; /* in memory, without tables */
	sqlite3_stmt *get;
};

int json_open(struct json **ret, struct error *err)
{
	struct json *json = calloc(1, sizeof(*json));

	if (json && sqlite3_open(":memory:", &json->db) == SQLITE_OK &&
	    sqlite3_prepare_v2(json->db, "SELECT json_extract(?, ?)", -1, &json->get, NULL) == SQLITE_OK) {
		*ret = json;
		return 0;
	}
	json_close(json);
	return error_set(err, ENOMEM, "SQLite's JSON functions can't be used");
}

void json_close(struct json *json)
{
	if (!json)
		return;
	sqlite3_finalize(json->get);
	sqlite3_close(json->db);
	free(json);
}

int json_get(struct json *json, const char *text, const char *path, char *ret, size_t size, struct error *err)
{
	int rc, r = 0;

	sqlite3_bind_text(json->get, 1, text, -1, SQLITE_STATIC);
	sqlite3_bind_text(json->get, 2, path, -1, SQLITE_STATIC);
	rc = sqlite3_step(json->get);
	if (rc != SQLITE_ROW)
		r = error_set(err, EINVAL, "not JSON: %s", sqlite3_errmsg(json->db));
	else if (sqlite3_column_type(json->get, 0) == SQLITE_NULL)
		r = error_set(err, ENOENT, "there is no %s", path);
	else
		column_text(json->get, 0, ret, size);
	sqlite3_reset(json->get);
	return r;
}
