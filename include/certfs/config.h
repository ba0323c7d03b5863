/* The daemon's configuration: ini file of SPEC section 7, read by inih. Pure data. */
#ifndef CERTFS_CONFIG_H
#define CERTFS_CONFIG_H

#include <limits.h>
#include <stdint.h>

#include "certfs/error.h"

enum hook_kind { HOOK_DETAILS, HOOK_PUSH, HOOK_PURGE, HOOK_RESTART, HOOK_EVENT, HOOK_COUNT };

struct config {
	char store_path[PATH_MAX];
	char master_key[PATH_MAX]; /* "file:PATH", "credential:NAME" or "pkcs11:…"; never empty after config_load */
	char token_paths[PATH_MAX]; /* absolute paths with spaces between them, which the worker may write for a token's module */
	char daemon_user[64];      /* empty: the worker stays what it is */
	char hook[HOOK_COUNT][PATH_MAX];
	char hook_user[64];
	int hook_timeout_seconds;  /* 1 to 86400 */
	int hook_retries;          /* 0 to 1000 */
	int64_t limit_projects;
	int64_t limit_apps_per_project;
	int64_t limit_events;      /* how many are kept: the oldest give way */
	int64_t limit_audit;       /* the same for audit records */
	int log_level;             /* syslog(3) priority: LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG */
};

/* Every key at its default: `certfs mount MOUNTPOINT` works with nothing but this. */
void config_default(struct config *ret);

/* Reads path over the defaults. An unknown section or key, a value that makes no sense, a relative path or a hook that is not an
 * absolute path is EINVAL with "FILE:LINE: …"; ENOENT, EACCES as open(2). Where master_key is not given it becomes
 * "file:DIR/master.key" with DIR the store's directory. */
int config_load(const char *path, struct config *ret, struct error *err);

#endif
