/* Names of projects and app instances, and the common name made from them. Pure functions. */
#ifndef CORE_NAME_H
#define CORE_NAME_H

#include "certfs/error.h"
#include "certfs/types.h"

/* SPEC section 1: 1 to 64 bytes of A-Z a-z 0-9 . _ -, not starting with . or -.
 * 0, -EINVAL or -ENAMETOOLONG, with the sentence. */
int name_check(const char *name, struct error *err);

/* Expands a policy's subject ("CN=%a.%p.ca") for an app instance. A result of more than 64 characters keeps its
 * first 47, then '-' and 16 lower-case hex digits of the SHA-256 of the whole: 64 in all. */
void name_common_name(const char *subject, const char *app, const char *project, char ret[65]);

#endif
