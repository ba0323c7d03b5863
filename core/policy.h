/* A project's policy: the ini file of SPEC section 6, parsed as a whole (inih).
 * Pure data; no I/O. */
#ifndef CORE_POLICY_H
#define CORE_POLICY_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "certfs/types.h"

enum renewal { RENEWAL_ON_READ, RENEWAL_AUTO, RENEWAL_MANUAL };

enum { POLICY_TEXT = 256 };

struct policy {
	bool attach;
	enum key_type key_type;
	int validity_days;     /* 1 to 36500 */
	int renew_before_days; /* 0 to validity_days - 1 */
	enum renewal renewal;
	bool rotate_key;
	char subject[POLICY_TEXT]; /* "CN=%a.%p.ca"; only a CN; %a, %p, %% */
	int path_length;       /* 0 to 100 */
	int revoke_grace_hours; /* 0 to 87600 */
	int warn_days;         /* 0 to 36500 */
	int max_parallel;      /* 1 to 1024 */
	int per_minute;        /* 0: no limit */
	char cert_dir[POLICY_TEXT]; /* absolute paths without % */
	char key_dir[POLICY_TEXT];
	mode_t key_mode;       /* 0400 or 0440 */
	char variable_required[POLICY_TEXT]; /* each begins with '$', all different, no white space, no '|' */
	char variable_cert[POLICY_TEXT];
	char variable_key[POLICY_TEXT];
};

/* The default policy, SPEC section 6. */
void policy_default(struct policy *ret);

/* The text that a new project's `policy` shows: every key with its default and its comment. Static storage. */
const char *policy_default_text(void);

/* Parses and checks a whole file. Keys that are absent have their default; an unknown section or key, a key given twice, a
 * value out of range, or a combination that makes no sense (renew_before_days not below validity_days) is
 * EINVAL with "line N: KEY: what is wrong and what is allowed". Nothing of a bad file is taken. */
int policy_parse(struct span text, struct policy *ret, struct error *err);

/* "ec-p256", … as the policy spells them. */
const char *key_type_name(enum key_type type);

#endif
