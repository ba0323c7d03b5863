/* What the token*.c files share. Only they may include this: it shows PKCS#11's types. */
#ifndef CORE_TOKEN_INTERNAL_H
#define CORE_TOKEN_INTERNAL_H

#include <limits.h>

#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

#include "certfs/types.h"
#include "token.h"

enum { TOKEN_NAME_SIZE = 200 };

/* ---- token_uri.c ---- */

struct token_uri {
	P11KitUri *parsed;           /* all but the pin-value, which stays out of p11-kit's memory */
	struct buffer text;          /* secret: as it was given, without white space at its end */
	struct buffer pin;           /* secret: the pin-value */
	char pin_source[PATH_MAX];   /* a path; "": none */
	char name[TOKEN_NAME_SIZE];  /* for sentences: without what may be secret */
};

/* EINVAL: malformed, an attribute that is not known, a pin-source that is no file, a module in an upload. */
int token_uri_parse(struct span text, enum token_trust trust, struct token_uri *ret, struct error *err);
void token_uri_clear(struct token_uri *uri);
#define _cleanup_token_uri_ __attribute__((cleanup(token_uri_clear)))

/* EKEYREJECTED where there is none, or its file can't be read. ret must be secret. */
int token_uri_pin(const struct token_uri *uri, struct buffer *ret, struct error *err);

/* ---- token_module.c ---- */

/* One session, of a token that is logged in. */
struct token_session {
	struct token_session *next; /* of those that nobody uses */
	CK_FUNCTION_LIST *module;
	CK_SESSION_HANDLE handle;
	CK_OBJECT_HANDLE object; /* what its owner found with it */
	uint64_t epoch;          /* sessions end when the modules are started again */
};

/* Loads what the URI needs, if it is not there yet. Before token_enter. */
int token_load(const struct token_uri *uri, struct error *err);

/* Around every use of what follows, and of sessions: no module is started again in between. */
void token_enter(void);
void token_leave(void);

/* Ends all sessions and starts all modules again: some see a token that came back only then. False: they were a moment ago. */
bool token_restart(void);

/* fresh: a PIN that was refused is tried again. */
int token_open(const struct token_uri *uri, bool fresh, struct token_session *ret, struct error *err);
void token_close(struct token_session *session);
bool token_is_current(const struct token_session *session);

/* EIO, and what the token said. */
int token_failed(const struct token_uri *uri, const char *what, CK_RV rv, struct error *err);

/* ---- token_object.c ---- */

/* The one object of that class that the URI names; ENOKEY, EINVAL for several. */
int token_find(const struct token_session *session, const struct token_uri *uri, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE *ret,
	       struct error *err);

/* False: the object has none. */
bool token_number(const struct token_session *session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, CK_ULONG *ret);

/* DER SubjectPublicKeyInfo of the session's object, a private key. */
int token_spki(const struct token_session *session, const struct token_uri *uri, struct buffer *ret, struct error *err);

/* One signature, or MAC. *size: the room in ret, then the length. */
CK_RV token_sign(const struct token_session *session, CK_MECHANISM_TYPE mechanism, struct span data, uint8_t *ret, size_t *size);

#endif
