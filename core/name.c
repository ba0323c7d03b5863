#include "name.h"

#include <stdio.h>
#include <string.h>

#include "certfs/buffer.h"
#include "digest.h"
#include "utf8.h"

enum { COMMON_NAME_MAX = 64, COMMON_NAME_KEPT = 47, HASH_DIGITS = 16 };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

int name_check(const char *name, struct error *err)
{
	if (strlen(name) >= NAME_SIZE)
		return error_set(err, ENAMETOOLONG, "the name is longer than %d bytes: choose a shorter one", NAME_SIZE - 1);
	if (!*name || *name == '.' || *name == '-' || name[strspn(name, alphabet)])
		return error_set(err, EINVAL,
				 "the name '%s' must be of A-Z a-z 0-9 . _ - and not begin with . or -: choose another one",
				 name);
	return 0;
}

static void expand(const char *subject, const char *app, const char *project, struct buffer *out)
{
	for (const char *c = subject; *c; c++) {
		if (*c != '%') {
			buffer_add(out, c, 1);
			continue;
		}
		c++;
		buffer_add_text(out, *c == 'a' ? app : *c == 'p' ? project : "%");
		if (!*c)
			break;
	}
}

/* X.509 allows 64 characters (ub-common-name). What is longer keeps its beginning, and a hash keeps it unique. */
void name_common_name(const char *subject, const char *app, const char *project, char ret[65])
{
	static const char prefix[] = "CN=";
	_cleanup_buffer_ struct buffer name = {0};
	uint8_t digest[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1];
	size_t kept;

	expand(strncmp(subject, prefix, strlen(prefix)) == 0 ? subject + strlen(prefix) : subject, app, project, &name);
	if (name.size <= COMMON_NAME_MAX) {
		snprintf(ret, COMMON_NAME_MAX + 1, "%.*s", (int)name.size, (const char *)name.data);
		return;
	}
	digest_sha256(buffer_span(&name), digest);
	hex_lower((struct span){digest, sizeof(digest)}, hex);
	kept = utf8_cut(buffer_span(&name), COMMON_NAME_KEPT);
	snprintf(ret, COMMON_NAME_MAX + 1, "%.*s-%.*s", (int)kept, (const char *)name.data, HASH_DIGITS, hex);
}
