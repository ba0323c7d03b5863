#include "master_key.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seal.h"
#include "token.h"

/* What a derived master key is for: another use of the same token key gives another key. */
static const char purpose[] = "certfs/master/v1";

static int read_file(const char *path, struct buffer *ret, struct error *err)
{
	return seal_master_read(path, ret, err);
}

static int read_credential(const char *name, struct buffer *ret, struct error *err)
{
	const char *directory = secure_getenv("CREDENTIALS_DIRECTORY");
	char path[PATH_MAX];

	if (!directory)
		return error_set(err, ENOENT,
				 "master key credential:%s: CREDENTIALS_DIRECTORY is not set: let systemd start certfs, with "
				 "LoadCredential=%s:/PATH in its unit",
				 name, name);
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return error_set(err, ENAMETOOLONG, "master key credential:%s: its path is too long", name);
	return seal_master_read(path, ret, err);
}

static int read_token(const char *uri, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	int r = buffer_resize(&key, MASTER_KEY_SIZE) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;

	if (r == 0)
		r = token_derive(span_text(uri), purpose, key.data, err);
	if (r < 0)
		return r == -ENOMEM ? r : error_prefix(err, "master key");
	buffer_clear(ret);
	*ret = buffer_take(&key);
	return 0;
}

static const struct scheme {
	const char *prefix;
	bool whole; /* the prefix is part of what read takes */
	int (*read)(const char *name, struct buffer *ret, struct error *err);
} schemes[] = {
	{"file:", false, read_file},
	{"credential:", false, read_credential},
	{"pkcs11:", true, read_token},
};

const char *master_key_file(const char *source)
{
	const size_t size = strlen(schemes[0].prefix);

	return strncmp(source, schemes[0].prefix, size) == 0 ? source + size : NULL;
}

int master_key_read(const char *source, struct buffer *ret, struct error *err)
{
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		const struct scheme *scheme = &schemes[i];
		const size_t size = strlen(scheme->prefix);

		if (strncmp(source, scheme->prefix, size) == 0)
			return scheme->read(scheme->whole ? source : source + size, ret, err);
	}
	return error_set(err, EINVAL, "keystore.master_key names no file:, credential: or pkcs11: source: correct it");
}

/* The query of a pkcs11: URI tells how to get at the key, not which it is. */
void master_key_text(const char *source, char *ret, size_t room)
{
	const size_t size = strncmp(source, "pkcs11:", 7) == 0 ? strcspn(source, "?") : strlen(source);

	snprintf(ret, room, "%.*s", (int)size, source);
}
