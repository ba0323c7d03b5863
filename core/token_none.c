/* In the place of token.c and its parts where the build has no PKCS#11. */
#include "token.h"

static int not_built(struct error *err)
{
	return error_set(err, ENOTSUP,
			 "a pkcs11: URI names a key in a token, and this certfs was built without PKCS#11: build it with libp11-kit-dev "
			 "and meson -Dpkcs11=enabled");
}

int token_derive(struct span uri, const char *label, uint8_t ret[32], struct error *err)
{
	(void)uri, (void)label, (void)ret;
	return not_built(err);
}

int token_key_new(struct span uri, enum token_trust trust, struct token_key **ret, struct error *err)
{
	(void)uri, (void)trust, (void)ret;
	return not_built(err);
}

void token_key_free(struct token_key *key)
{
	(void)key;
}

struct span token_key_uri(const struct token_key *key)
{
	(void)key;
	return (struct span){0};
}

int token_key_public(struct token_key *key, struct buffer *ret, struct error *err)
{
	(void)key, (void)ret;
	return not_built(err);
}

int token_key_sign(struct token_key *key, enum token_mechanism mechanism, struct span data, uint8_t *ret, size_t *size,
		   struct error *err)
{
	(void)key, (void)mechanism, (void)data, (void)ret, (void)size;
	return not_built(err);
}
