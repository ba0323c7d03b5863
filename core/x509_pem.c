/* PEM uploads: block by block, to the very end. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "x509_internal.h"

struct block {
	char *name;
	char *header;
	uint8_t *data;
	long size;
};

static void block_clear(struct block *block)
{
	buffer_secret_handover();
	OPENSSL_secure_free(block->name);
	OPENSSL_secure_free(block->header);
	OPENSSL_secure_clear_free(block->data, (size_t)block->size);
}

#define _cleanup_block_ __attribute__((cleanup(block_clear)))

/* ---- the kinds of blocks ---- */

enum block_kind {
	BLOCK_CERTIFICATE,
	BLOCK_PKCS8,
	BLOCK_ENCRYPTED_PKCS8,
	BLOCK_RSA,
	BLOCK_EC,
	BLOCK_SKIPPED,
	BLOCK_REFUSED
};

static const struct block_row {
	const char *name;
	enum block_kind kind;
	const char *refusal;
} block_rows[] = {
	{"CERTIFICATE", BLOCK_CERTIFICATE, NULL},
	{"X509 CERTIFICATE", BLOCK_CERTIFICATE, NULL},
	{"PRIVATE KEY", BLOCK_PKCS8, NULL},
	{"ENCRYPTED PRIVATE KEY", BLOCK_ENCRYPTED_PKCS8, NULL},
	{"RSA PRIVATE KEY", BLOCK_RSA, NULL},
	{"EC PRIVATE KEY", BLOCK_EC, NULL},
	{"EC PARAMETERS", BLOCK_SKIPPED,
	 NULL}, /* openssl ecparam -genkey writes it before the key */
	{"TRUSTED CERTIFICATE", BLOCK_REFUSED,
	 "holds OpenSSL's own trust settings: convert it with openssl x509"},
	{"CERTIFICATE REQUEST", BLOCK_REFUSED,
	 "is only a request: upload the certificate that the CA made from it"},
	{"NEW CERTIFICATE REQUEST", BLOCK_REFUSED,
	 "is only a request: upload the certificate that the CA made from it"},
	{"X509 CRL", BLOCK_REFUSED, "is a revocation list: remove it from the upload"},
	{"PUBLIC KEY", BLOCK_REFUSED, "is only a public key: upload the private key, or remove it"},
	{"RSA PUBLIC KEY", BLOCK_REFUSED,
	 "is only a public key: upload the private key, or remove it"},
	{"DSA PRIVATE KEY", BLOCK_REFUSED,
	 "is a DSA key, which certfs can't sign with: use EC, RSA or Ed25519"},
	{"OPENSSH PRIVATE KEY", BLOCK_REFUSED,
	 "is in OpenSSH's own form: convert it with ssh-keygen -p -m PKCS8"},
	{"PKCS7", BLOCK_REFUSED,
	 "is PKCS#7, which certfs does not take: convert it with openssl pkcs7 -print_certs"},
	{"PKCS #7 SIGNED DATA", BLOCK_REFUSED,
	 "is PKCS#7, which certfs does not take: convert it with openssl pkcs7 -print_certs"},
	{"CMS", BLOCK_REFUSED,
	 "is CMS, which certfs does not take: convert it with openssl pkcs7 -print_certs"},
};

static const struct block_row *block_row_of(const char *name)
{
	static const struct block_row other = {
		NULL, BLOCK_REFUSED,
		"is neither a certificate nor a private key: remove it from the upload"};

	for (size_t i = 0; i < sizeof(block_rows) / sizeof(block_rows[0]); i++)
		if (strcmp(name, block_rows[i].name) == 0)
			return &block_rows[i];
	return &other;
}

/* ---- traditional encryption (Proc-Type: 4,ENCRYPTED) ---- */

/* Never asks anyone. */
static int give_password(char *to, int room, int writing, void *argument)
{
	const struct span *password = argument;

	(void)writing;
	if (password->size > (size_t)room)
		return -1;
	if (password->size > 0)
		memcpy(to, password->data, password->size);
	return (int)password->size;
}

static int decrypt_block(struct block *block, const struct span *password, struct error *err)
{
	EVP_CIPHER_INFO cipher;
	bool known = PEM_get_EVP_CIPHER_INFO(block->header, &cipher);

	if (!known && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_UNSUPPORTED_ENCRYPTION)
		return x509_reject(err, "corrupt PEM, the DEK-Info line of the private key is "
					"malformed: copy the whole file");
	if (known &&
	    PEM_do_header(&cipher, block->data, &block->size, give_password, (void *)password))
		return 0;
	if (!known || x509_error_is_unsupported())
		return x509_reject(
			err,
			"the private key is encrypted with an algorithm that this OpenSSL does not "
			"have: encrypt it again with openssl pkcs8 -topk8 -v2 aes-256-cbc");
	return x509_reject(err, "%s", WRONG_KEY_PASSWORD);
}

static int read_traditional_block(struct block *block, int type, const struct span *password,
				  struct bag *bag, struct error *err)
{
	bool encrypted = block->header[0] != '\0';
	int r;

	if (encrypted && password == NULL) {
		bag->needs_password = true;
		bag->key_only = true;
		return 0;
	}
	if (encrypted) {
		r = decrypt_block(block, password, err);
		if (r < 0)
			return r;
	}
	/* One wrong password in 256 decrypts to something with the right padding. */
	return read_traditional_key(type, (struct span){block->data, (size_t)block->size},
				    encrypted ? WRONG_KEY_PASSWORD : MALFORMED_KEY, bag, err);
}

/* ---- the loop ---- */

static int read_block(struct block *block, const struct span *password, struct bag *bag,
		      struct error *err)
{
	const struct block_row *row = block_row_of(block->name);
	struct span data = {block->data, (size_t)block->size};

	switch (row->kind) {
	case BLOCK_CERTIFICATE:
		return bag_add_certificate(bag, data, err);
	case BLOCK_PKCS8:
		return read_pkcs8(data, bag, err);
	case BLOCK_ENCRYPTED_PKCS8:
		return read_encrypted_pkcs8(data, password, bag, err);
	case BLOCK_RSA:
		return read_traditional_block(block, EVP_PKEY_RSA, password, bag, err);
	case BLOCK_EC:
		return read_traditional_block(block, EVP_PKEY_EC, password, bag, err);
	case BLOCK_SKIPPED:
		return 0;
	case BLOCK_REFUSED:
		break;
	}
	return x509_reject(err, "the PEM block \"%.40s\" %s", block->name, row->refusal);
}

static int corrupt(struct error *err)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	char text[64];

	(void)snprintf(text, sizeof(text), "%s", reason != NULL ? reason : "unreadable");
	return x509_reject(
		err, "corrupt PEM (%s): copy the whole file again, with its BEGIN and END lines",
		text);
}

/* 1: a block was read and put away, 0: the end, negative: an error. */
static int read_next(BIO *bio, const struct span *password, struct bag *bag, struct error *err)
{
	_cleanup_block_ struct block block = {0};
	int r;

	ERR_clear_error();
	if (!PEM_read_bio_ex(bio, &block.name, &block.header, &block.data, &block.size,
			     PEM_FLAG_SECURE | PEM_FLAG_EAY_COMPATIBLE)) {
		block = (struct block){0};
		if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			return 0;
		return corrupt(err);
	}
	buffer_secret_handover();
	r = read_block(&block, password, bag, err);
	return r < 0 ? r : 1;
}

/* How many lines begin with this text. */
static size_t count_lines(struct span upload, const char *text)
{
	const uint8_t *at = upload.data, *end = upload.data + upload.size;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), text, strlen(text))) != NULL) {
		if (at == upload.data || at[-1] == '\n')
			count++;
		at++;
	}
	return count;
}

/* OpenSSL silently skips a BEGIN line that is not quite right; then a certificate would be missed.
 */
static int check_all_read(struct span upload, size_t blocks, struct error *err)
{
	if (blocks == 0 && count_lines(upload, "-----BEGIN") == 0)
		return x509_reject(err, "corrupt PEM: the BEGIN line must start in the first "
					"column, remove what is before it");
	if (count_lines(upload, "-----BEGIN") != blocks)
		return x509_reject(
			err, "corrupt PEM: a BEGIN line is malformed, it must end in five dashes");
	if (count_lines(upload, "-----END") != blocks)
		return x509_reject(err, "corrupt PEM: an END line has no BEGIN line before it, "
					"copy the whole file");
	return 0;
}

int read_pem(struct span upload, const struct span *password, struct bag *bag, struct error *err)
{
	_cleanup_bio_ BIO *bio = BIO_new_mem_buf(upload.data, (int)upload.size);
	size_t blocks = 0;
	int r;

	if (bio == NULL)
		return x509_no_memory(err);
	while ((r = read_next(bio, password, bag, err)) > 0)
		blocks++;
	if (r < 0)
		return r;
	r = check_all_read(upload, blocks, err);
	if (r < 0)
		return r;
	if (bag->cert_count == 0 && bag->key == NULL && !bag->needs_password)
		return x509_reject(err, "there is no certificate and no private key in the PEM "
					"file: write that of the signing CA");
	return 0;
}
