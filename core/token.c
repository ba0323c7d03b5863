#include "token.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "token_internal.h"

#ifndef CKM_AES_CMAC
#define CKM_AES_CMAC 0x108aUL
#endif

enum { IDLE_MAX = 16, DERIVED_SIZE = 32 };

struct token_key {
	struct token_uri uri;
	pthread_mutex_t lock;
	struct token_session *idle; /* protected by lock */
	int idle_count;
};

/* ---- a key that makes keys ---- */

static int choose_mac(const struct token_session *session, const struct token_uri *uri, CK_MECHANISM_TYPE *ret, struct error *err)
{
	CK_ULONG kind = 0, size = 0;

	(void)token_number(session, session->object, CKA_KEY_TYPE, &kind);
	if (kind != CKK_AES && kind != CKK_GENERIC_SECRET && kind != CKK_SHA256_HMAC)
		return error_set(err, EKEYREJECTED, "%s: the key is neither AES nor a generic secret: make one of these", uri->name);
	if (token_number(session, session->object, CKA_VALUE_LEN, &size) && size < DERIVED_SIZE)
		return error_set(err, EKEYREJECTED, "%s: the key has %lu bits: make one of 256", uri->name, size * 8);
	*ret = kind == CKK_AES ? CKM_AES_CMAC : CKM_SHA256_HMAC;
	return 0;
}

/* [i] | label | 0 | [L], both numbers of 32 bits (SP 800-108, 4.1), without a context. */
static void counter_block(uint8_t i, const char *label, struct buffer *ret)
{
	const uint8_t number[4] = {0, 0, 0, i}, length[4] = {0, 0, DERIVED_SIZE * 8 >> 8, DERIVED_SIZE * 8 & 0xff};

	buffer_add(ret, number, sizeof(number));
	buffer_add(ret, label, strlen(label) + 1);
	buffer_add(ret, length, sizeof(length));
}

static int derive(const struct token_session *session, const struct token_uri *uri, const char *label, uint8_t ret[DERIVED_SIZE],
		  struct error *err)
{
	CK_MECHANISM_TYPE mac = 0;
	size_t done = 0;
	int r = choose_mac(session, uri, &mac, err);

	for (uint8_t i = 1; r == 0 && done < DERIVED_SIZE; i++) {
		_cleanup_buffer_ struct buffer block = {0};
		size_t size = DERIVED_SIZE - done;
		CK_RV rv;

		counter_block(i, label, &block);
		rv = buffer_status(&block) < 0 ? CKR_HOST_MEMORY : token_sign(session, mac, buffer_span(&block), ret + done, &size);
		if (rv != CKR_OK || size == 0)
			return token_failed(uri, "the key made no MAC (it must allow to sign)", rv, err);
		done += size;
	}
	return r;
}

static int derive_from(const struct token_uri *uri, const char *label, uint8_t ret[DERIVED_SIZE], struct error *err)
{
	struct token_session session;
	int r = token_open(uri, true, &session, err);

	if (r < 0)
		return r;
	r = token_find(&session, uri, CKO_SECRET_KEY, &session.object, err);
	if (r == 0)
		r = derive(&session, uri, label, ret, err);
	token_close(&session);
	return r;
}

int token_derive(struct span text, const char *label, uint8_t ret[DERIVED_SIZE], struct error *err)
{
	_cleanup_token_uri_ struct token_uri uri = {0};
	int r = token_uri_parse(text, TOKEN_OF_CONFIGURATION, &uri, err);

	if (r == 0)
		r = token_load(&uri, err);
	if (r < 0)
		return r;
	token_enter();
	r = derive_from(&uri, label, ret, err);
	token_leave();
	return r;
}

/* ---- a key that signs ---- */

int token_key_new(struct span uri, enum token_trust trust, struct token_key **ret, struct error *err)
{
	struct token_key *key = calloc(1, sizeof(*key));
	int r;

	if (!key)
		return error_set(err, ENOMEM, "out of memory");
	r = token_uri_parse(uri, trust, &key->uri, err);
	if (r < 0) {
		free(key);
		return r;
	}
	pthread_mutex_init(&key->lock, NULL);
	*ret = key;
	return 0;
}

struct span token_key_uri(const struct token_key *key)
{
	return buffer_span(&key->uri.text);
}

/* ---- its sessions; all between token_enter and token_leave ---- */

static struct token_session *session_take(struct token_key *key)
{
	struct token_session *session;

	pthread_mutex_lock(&key->lock);
	session = key->idle;
	if (session) {
		key->idle = session->next;
		key->idle_count--;
	}
	pthread_mutex_unlock(&key->lock);
	return session;
}

static void session_drop(struct token_session *session)
{
	if (session)
		token_close(session);
	free(session);
}

static void session_give(struct token_key *key, struct token_session *session)
{
	pthread_mutex_lock(&key->lock);
	if (key->idle_count < IDLE_MAX) {
		session->next = key->idle;
		key->idle = session;
		key->idle_count++;
		session = NULL;
	}
	pthread_mutex_unlock(&key->lock);
	session_drop(session);
}

static void sessions_drop(struct token_key *key)
{
	struct token_session *session;

	while ((session = session_take(key)))
		session_drop(session);
}

static int session_open(struct token_key *key, bool fresh, struct token_session **ret, struct error *err)
{
	struct token_session *session = calloc(1, sizeof(*session));
	int r = session ? token_open(&key->uri, fresh, session, err) : error_set(err, ENOMEM, "out of memory");

	if (r < 0) {
		free(session);
		return r;
	}
	r = token_find(session, &key->uri, CKO_PRIVATE_KEY, &session->object, err);
	if (r < 0) {
		session_drop(session);
		return r;
	}
	*ret = session;
	return 0;
}

void token_key_free(struct token_key *key)
{
	if (!key)
		return;
	token_enter();
	sessions_drop(key);
	token_leave();
	token_uri_clear(&key->uri);
	pthread_mutex_destroy(&key->lock);
	free(key);
}

int token_key_public(struct token_key *key, struct buffer *ret, struct error *err)
{
	struct token_session *session = NULL;
	int r = token_load(&key->uri, err);

	if (r < 0)
		return r;
	token_enter();
	r = session_open(key, true, &session, err);
	if (r == 0)
		r = token_spki(session, &key->uri, ret, err);
	session_drop(session);
	token_leave();
	return r;
}

/* With a session that has signed, as long as it does; then with a new one. */
static int sign_once(struct token_key *key, CK_MECHANISM_TYPE mechanism, struct span data, uint8_t *ret, size_t *size,
		     struct error *err)
{
	struct token_session *session;
	CK_RV rv;
	int r = 0;

	while ((session = session_take(key))) {
		if (token_is_current(session) && token_sign(session, mechanism, data, ret, size) == CKR_OK)
			break;
		session_drop(session);
		sessions_drop(key);
	}
	if (!session) {
		r = session_open(key, false, &session, err);
		if (r < 0)
			return r;
		rv = token_sign(session, mechanism, data, ret, size);
		if (rv != CKR_OK) {
			session_drop(session);
			return token_failed(&key->uri, "the key did not sign", rv, err);
		}
	}
	session_give(key, session);
	return 0;
}

int token_key_sign(struct token_key *key, enum token_mechanism mechanism, struct span data, uint8_t *ret, size_t *size,
		   struct error *err)
{
	static const CK_MECHANISM_TYPE mechanisms[] = {
		[TOKEN_RSA_PKCS] = CKM_RSA_PKCS, [TOKEN_ECDSA] = CKM_ECDSA, [TOKEN_EDDSA] = CKM_EDDSA};
	int r = token_load(&key->uri, err);

	for (int tries = 0; r == 0; tries++) {
		token_enter();
		r = sign_once(key, mechanisms[mechanism], data, ret, size, err);
		token_leave();
		if (r == 0 || (r != -ENODEV && r != -EIO && r != -ENOKEY) || tries > 0 || !token_restart())
			break;
		r = 0;
	}
	return r;
}
