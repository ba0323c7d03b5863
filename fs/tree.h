/* The tree is one table (tree.c): a row for each name of SPEC section 1. lookup, readdir, getattr, open, read and write walk it; none
 * of them knows a file by name. A new file is one row and one renderer.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "certfs/render.h"
#include "fs/fs.h"

/* Part of node ids, which outlive a program: numbers never change, new ones are added. At most 127. */
enum kind {
	KIND_ROOT = 0,
	KIND_README = 1,
	KIND_FLEET_STATUS = 2,
	KIND_FLEET_STATUS_JSON = 3,
	KIND_PROJECTS = 4,
	KIND_PROJECT = 5,
	KIND_POLICY = 6,
	KIND_PROJECT_STATUS = 7,
	KIND_PROJECT_STATUS_JSON = 8,
	KIND_SIGNING_CA = 9,
	KIND_SIGNING_CA_CERT = 10,
	KIND_SIGNING_CA_KEY = 11,
	KIND_SIGNING_CA_PASSWORD = 12,
	KIND_SIGNING_CA_INFO = 13,
	KIND_SIGNING_CA_INFO_JSON = 14,
	KIND_SIGNING_CA_STATUS = 15,
	KIND_SIGNING_CA_STATUS_JSON = 16,
	KIND_APPS = 17,
	KIND_APP = 18,
	KIND_DEVICE_CA_CERT = 19,
	KIND_DEVICE_CA_KEY = 20,
	KIND_BUNDLE = 21,
	KIND_TRUST_BUNDLE = 22,
	KIND_CONFIG_TOML = 23,
	KIND_CONFIG_YAML = 24,
	KIND_APP_STATUS = 25,
	KIND_APP_STATUS_JSON = 26,
	KIND_APP_INFO = 27,
	KIND_APP_INFO_JSON = 28,
	KIND_RENEW = 29,
	KIND_PURGE = 30,
	KIND_GENERATIONS = 31,
	KIND_GENERATION = 32,
	KIND_GENERATION_CERT = 33,
	KIND_GENERATION_KEY = 34,
	KIND_GENERATION_INFO = 35,
	KIND_FLEET_EVENTS = 36,
	KIND_PROJECT_EVENTS = 37,
	KIND_APP_EVENTS = 38,
	KIND_AUDIT = 39,
	KIND_READERS = 40,
	KIND_UPDATE = 41,
	KIND_FORCE_UPDATE = 42,
	KIND_PROGRESS = 43,
	KIND_COMPROMISED = 44,
	KIND_REVOKE = 45,
	KIND_CRL = 46,
	KIND_USER_DATA = 47,
	KIND_TEMPLATE = 48,
	KIND_DETAILS = 49,
	KIND_APP_POLICY = 50,
	KIND_PROJECT_TEMPLATE = 51,
	KIND_PROJECT_DETAILS = 52,
	KIND_NEXT = 53,
	KIND_NEXT_CERT = 54,
	KIND_NEXT_KEY = 55,
	KIND_NEXT_PASSWORD = 56,
	KIND_NEXT_INFO = 57,
	KIND_NEXT_STATUS = 58,
	KIND_CSR = 59,
	KIND_AFFECTED = 60,
	KIND_METRICS = 61,
	KIND_DASHBOARD = 62,
	KIND_TEMPORARY = 126, /* no row: a dot name on its way to a writable one (temporary.h) */
	KIND_COUNT = 127
};

/* What the row part of a node id names. */
enum scope { SCOPE_FLEET, SCOPE_PROJECT, SCOPE_APP, SCOPE_GENERATION };

enum tree_flags {
	TREE_DIRECTORY = 1 << 0,
	TREE_ISSUES = 1 << 1,    /* opening it for reading issues the certificate if need be */
	TREE_SECRET = 1 << 2,    /* holds a private key: in locked memory, audited, mode by policy */
	TREE_VERSIONED = 1 << 3, /* its node id carries a version, its pages may be cached */
	TREE_TRIGGER = 1 << 4,   /* a touch, too, is a write */
	TREE_TEXT_ONLY = 1 << 8, /* a trigger that a touch or a truncation does not fire */
	TREE_WRITE_ONLY = 1 << 5, /* nothing to read, not even for root */
	TREE_CURRENT = 1 << 6,   /* there only while its generation is the current one */
	TREE_UNATTACHED = 1 << 9, /* can be read under attach = no, too: then it holds no certificate */
	TREE_UPLOAD = 1 << 10,   /* what is written may be a private key: kept in locked memory */
	TREE_OWNED = 1 << 7,     /* a directory whose owner and mode the user sets */
};

/* How a directory of the user's names is walked and changed. NULL: that can't be done there (EPERM). */
struct tree_listing {
	enum kind child;
	int (*find)(struct core *core, rowid row, const char *name, rowid *ret, struct error *err);
	int (*each)(struct core *core, rowid row, int64_t after, core_each each, void *context, struct error *err);
	void (*create)(struct core *core, const struct caller *caller, rowid row, const char *name, mode_t mode,
		       core_done done, void *context);
	void (*remove)(struct core *core, const struct caller *caller, rowid id, core_done done, void *context);
};

/* Takes what was written. Answers through done. */
typedef void (*write_fn)(struct core *core, const struct caller *caller, rowid row, struct span bytes, core_done done,
			 void *context);

struct tree_row {
	enum kind kind;
	enum kind parent;
	const char *name; /* NULL: the user's names, see the parent's listing */
	enum scope scope;
	mode_t mode;      /* permission bits */
	unsigned flags;
	render_fn render;
	size_fn size;     /* NULL: as many bytes as render gives */
	log_fn log;       /* in place of render: a file that grows at its end, and wakes poll(2) */
	write_fn write;   /* NULL: it can't be written */
	/* What rm does besides; NULL: nothing. */
	void (*unlink)(struct core *core, const struct caller *caller, rowid row, core_done done, void *context);
	const struct tree_listing *listing; /* of a directory; NULL: no names but the table's */
	void (*own)(struct core *core, const struct caller *caller, rowid row, const struct owner_change *change,
		    core_done done, void *context); /* TREE_OWNED */
};

/* NULL: no such kind. */
const struct tree_row *tree_row(int kind);

/* The row of that name in a directory; NULL: the table has none. */
const struct tree_row *tree_find(int directory, const char *name);

/* The next row of a directory after `previous` (NULL: the first), leaving out those without a name of their own; NULL: no more. */
const struct tree_row *tree_next(int directory, const struct tree_row *previous);

/* A directory that holds a writable file takes uploads by temporary file and rename. */
bool tree_takes_uploads(int directory);

static inline bool tree_is_directory(const struct tree_row *row)
{
	return row->flags & TREE_DIRECTORY;
}

#endif
