/* PKCS#11 modules, tokens, sessions and logins. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <p11-kit/p11-kit.h>

#include "certfs/clock.h"
#include "digest.h"
#include "token_internal.h"

enum { MODULES_MAX = 32, RESTART_PAUSE_SECONDS = 2, LOGINS_MAX = 32 };

/* Held for reading by whoever is inside a module. Everything here is protected by it. */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static struct module {
	CK_FUNCTION_LIST *list;
	bool ready;
	char path[PATH_MAX]; /* "": of p11-kit's configuration */
} modules[MODULES_MAX];
static int module_count;
static bool configured; /* those of p11-kit's configuration are loaded */
static uint64_t epoch = 1;
static int64_t restarted; /* clock_monotonic in seconds */

/* ---- modules ---- */

static void module_add(CK_FUNCTION_LIST *list, const char *path)
{
	struct module *module = &modules[module_count++];

	module->list = list;
	module->ready = p11_kit_module_initialize(list) == CKR_OK;
	snprintf(module->path, sizeof(module->path), "%s", path);
}

/* At exit, before OpenSSL's own handler: a module that uses OpenSSL, too, must end first. */
static void modules_end(void)
{
	for (int i = 0; i < module_count; i++)
		if (modules[i].ready)
			(void)p11_kit_module_finalize(modules[i].list);
	module_count = 0;
}

static void load_configured(void)
{
	static CK_FUNCTION_LIST **lists; /* p11-kit's own, kept as long as its modules */

	lists = p11_kit_modules_load(NULL, 0);
	for (int i = 0; lists && lists[i] && module_count < MODULES_MAX; i++)
		module_add(lists[i], "");
	configured = true;
}

static struct module *module_at(const char *path)
{
	for (int i = 0; i < module_count; i++)
		if (strcmp(modules[i].path, path) == 0)
			return &modules[i];
	return NULL;
}

static int load_path(const struct token_uri *uri, const char *path, struct error *err)
{
	CK_FUNCTION_LIST *list = module_count < MODULES_MAX ? p11_kit_module_load(path, 0) : NULL;

	if (!list)
		return error_set(err, ENODEV, "%s: the module %s can't be loaded: correct module-path", uri->name, path);
	module_add(list, path);
	return 0;
}

static bool is_loaded(const char *path)
{
	bool is;

	pthread_rwlock_rdlock(&lock);
	is = path ? module_at(path) != NULL : configured;
	pthread_rwlock_unlock(&lock);
	return is;
}

/* Asked before each signature: those that sign are waited for only where there is something to load. */
int token_load(const struct token_uri *uri, struct error *err)
{
	const char *path = p11_kit_uri_get_module_path(uri->parsed);
	int r = 0;

	if (is_loaded(path))
		return 0;
	pthread_rwlock_wrlock(&lock);
	if (module_count == 0 && !configured) {
		OPENSSL_init_crypto(0, NULL);
		atexit(modules_end);
		p11_kit_be_quiet();
	}
	if (path && !module_at(path))
		r = load_path(uri, path, err);
	else if (!path && !configured)
		load_configured();
	pthread_rwlock_unlock(&lock);
	return r;
}

void token_enter(void)
{
	pthread_rwlock_rdlock(&lock);
}

void token_leave(void)
{
	pthread_rwlock_unlock(&lock);
}

static void module_restart(struct module *module)
{
	if (module->ready)
		(void)p11_kit_module_finalize(module->list);
	module->ready = p11_kit_module_initialize(module->list) == CKR_OK;
}

bool token_restart(void)
{
	bool due;

	pthread_rwlock_wrlock(&lock);
	due = clock_monotonic() / 1000 >= restarted + RESTART_PAUSE_SECONDS;
	if (due) {
		restarted = clock_monotonic() / 1000;
		epoch++;
		for (int i = 0; i < module_count; i++)
			module_restart(&modules[i]);
	}
	pthread_rwlock_unlock(&lock);
	return due;
}

int token_failed(const struct token_uri *uri, const char *what, CK_RV rv, struct error *err)
{
	return error_set(err, EIO, "%s: %s: %s: check the token, then try again", uri->name, what, p11_kit_strerror(rv));
}

/* ---- logins ---- */

/* PINs by their digests, in secure memory: which opened a token, which one it refused. */
static struct login {
	uint8_t token[DIGEST_SIZE];
	uint8_t opened[DIGEST_SIZE];
	uint8_t refused[DIGEST_SIZE];
} *logins; /* protected by login_lock */
static int login_count;
static pthread_mutex_t login_lock = PTHREAD_MUTEX_INITIALIZER;

static struct login *login_of(const CK_TOKEN_INFO *info)
{
	const struct span id = {(const uint8_t *)info, offsetof(CK_TOKEN_INFO, flags)}; /* label, manufacturer, model, serial */
	uint8_t token[DIGEST_SIZE];

	digest_sha256(id, token);
	if (!logins)
		logins = OPENSSL_secure_zalloc(LOGINS_MAX * sizeof(*logins));
	for (int i = 0; logins && i < login_count; i++)
		if (memcmp(logins[i].token, token, sizeof(token)) == 0)
			return &logins[i];
	if (!logins || login_count == LOGINS_MAX)
		return NULL;
	memcpy(logins[login_count].token, token, sizeof(token));
	return &logins[login_count++];
}

static int wrong_pin(const struct token_uri *uri, struct error *err)
{
	return error_set(err, EKEYREJECTED, "%s: wrong PIN: correct it in the URI or in the file that pin-source names", uri->name);
}

static int login_result(const struct token_uri *uri, struct login *login, const uint8_t pin[DIGEST_SIZE], CK_RV rv,
			struct error *err)
{
	switch (rv) {
	case CKR_OK:
		memcpy(login->opened, pin, DIGEST_SIZE);
		memset(login->refused, 0, DIGEST_SIZE);
		return 0;
	case CKR_USER_ALREADY_LOGGED_IN:
		return CRYPTO_memcmp(login->opened, pin, DIGEST_SIZE) == 0 ? 0 : wrong_pin(uri, err);
	case CKR_PIN_INCORRECT:
	case CKR_PIN_INVALID:
	case CKR_PIN_LEN_RANGE:
		memcpy(login->refused, pin, DIGEST_SIZE);
		return wrong_pin(uri, err);
	case CKR_PIN_LOCKED:
		return error_set(err, EKEYREJECTED, "%s: its PIN is locked after too many wrong ones: unlock it with the token's own tool",
				 uri->name);
	default:
		return token_failed(uri, "the token takes no login", rv, err);
	}
}

static int login_locked(const struct token_uri *uri, const CK_TOKEN_INFO *info, const struct token_session *session,
			const struct buffer *pin, bool fresh, struct error *err)
{
	struct login *login = login_of(info);
	uint8_t digest[DIGEST_SIZE]; /* of a PIN: soon guessed */
	int r;

	if (!login)
		return error_set(err, ENOMEM, "%s: more than %d tokens, or out of locked memory", uri->name, LOGINS_MAX);
	digest_sha256(buffer_span(pin), digest);
	if (!fresh && CRYPTO_memcmp(login->refused, digest, DIGEST_SIZE) == 0)
		r = error_set(err, EKEYREJECTED,
			      "%s: the token refused this PIN; it is not tried again, so that it is not locked: correct the "
			      "PIN's file, or write key.pem again",
			      uri->name);
	else
		r = login_result(uri, login, digest, session->module->C_Login(session->handle, CKU_USER, pin->data, pin->size), err);
	OPENSSL_cleanse(digest, sizeof(digest));
	return r;
}

/* A token that asks for no PIN gives its objects to anybody. */
static int log_in(const struct token_uri *uri, const CK_TOKEN_INFO *info, const struct token_session *session, bool fresh,
		  struct error *err)
{
	_cleanup_buffer_ struct buffer pin = BUFFER_SECRET;
	int r;

	if (!(info->flags & CKF_LOGIN_REQUIRED))
		return 0;
	r = token_uri_pin(uri, &pin, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&login_lock);
	r = login_locked(uri, info, session, &pin, fresh, err);
	pthread_mutex_unlock(&login_lock);
	return r;
}

/* ---- tokens ---- */

struct found {
	CK_FUNCTION_LIST *module;
	CK_SLOT_ID slot;
	CK_TOKEN_INFO info;
	int count;
};

static void look_at_slot(const struct token_uri *uri, CK_FUNCTION_LIST *module, CK_SLOT_ID slot, struct found *found)
{
	const CK_SLOT_ID wanted = p11_kit_uri_get_slot_id(uri->parsed);
	CK_TOKEN_INFO info;

	if (wanted != (CK_SLOT_ID)-1 && wanted != slot)
		return;
	if (module->C_GetTokenInfo(slot, &info) != CKR_OK || !(info.flags & CKF_TOKEN_INITIALIZED) ||
	    !p11_kit_uri_match_token_info(uri->parsed, &info))
		return;
	if (found->count++ == 0)
		*found = (struct found){module, slot, info, 1};
}

/* Asked for their number first, many modules look again which tokens are there. */
static void look_at_module(const struct token_uri *uri, CK_FUNCTION_LIST *module, struct found *found)
{
	CK_SLOT_ID *slots;
	CK_ULONG count = 0;
	CK_INFO info;

	if (module->C_GetInfo(&info) != CKR_OK || !p11_kit_uri_match_module_info(uri->parsed, &info))
		return;
	if (module->C_GetSlotList(CK_TRUE, NULL, &count) != CKR_OK || count == 0)
		return;
	slots = calloc(count, sizeof(*slots));
	if (slots && module->C_GetSlotList(CK_TRUE, slots, &count) == CKR_OK)
		for (CK_ULONG i = 0; i < count; i++)
			look_at_slot(uri, module, slots[i], found);
	free(slots);
}

static int find_token(const struct token_uri *uri, struct found *found, struct error *err)
{
	const char *path = p11_kit_uri_get_module_path(uri->parsed);

	for (int i = 0; i < module_count; i++)
		if (modules[i].ready && strcmp(modules[i].path, path ? path : "") == 0)
			look_at_module(uri, modules[i].list, found);
	if (found->count > 1)
		return error_set(err, EINVAL, "%s: the URI fits %d tokens: add token=, serial= or slot-id=", uri->name, found->count);
	if (found->count == 0)
		return error_set(err, ENODEV,
				 "%s: no such token is there: plug it in, or check that p11-kit knows its module (p11-kit list-modules)",
				 uri->name);
	return 0;
}

/* ---- sessions ---- */

int token_open(const struct token_uri *uri, bool fresh, struct token_session *ret, struct error *err)
{
	struct found found = {0};
	struct token_session session = {.epoch = epoch};
	CK_RV rv;
	int r = find_token(uri, &found, err);

	if (r < 0)
		return r;
	session.module = found.module;
	rv = found.module->C_OpenSession(found.slot, CKF_SERIAL_SESSION, NULL, NULL, &session.handle);
	if (rv != CKR_OK)
		return token_failed(uri, "no session could be opened", rv, err);
	r = log_in(uri, &found.info, &session, fresh, err);
	if (r < 0) {
		token_close(&session);
		return r;
	}
	*ret = session;
	return 0;
}

bool token_is_current(const struct token_session *session)
{
	return session->epoch == epoch;
}

void token_close(struct token_session *session)
{
	if (token_is_current(session))
		(void)session->module->C_CloseSession(session->handle);
}
