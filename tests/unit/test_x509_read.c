/* Uploads in every form that users have them in, and in every way that they come damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "keypair.h"
#include "x509_fixture.h"

static X509 *root(void)
{
	static X509 *cert;

	if (cert == NULL)
		cert = fixture_certificate(&(struct recipe){.name = "Root", .key = "P-256/root"});
	return cert;
}

static X509 *low(void)
{
	static X509 *cert;

	if (cert == NULL)
		cert = fixture_certificate(
			&(struct recipe){.name = "Low", .key = "RSA-2048/low", .issuer = root()});
	return cert;
}

static EVP_PKEY *key(void)
{
	return fixture_key("P-256/root");
}

static EVP_PKEY *rsa(void)
{
	return fixture_key("RSA-2048/low");
}

/* ---- writing uploads ---- */

static struct buffer text(const char *string)
{
	struct buffer out = {0};

	buffer_add_text(&out, string);
	return out;
}

/* Joins and frees. */
static struct buffer join(struct buffer a, struct buffer b)
{
	buffer_add_span(&a, buffer_span(&b));
	buffer_clear(&b);
	return a;
}

static struct buffer cut(struct buffer a, size_t bytes)
{
	assert_true(a.size > bytes);
	a.size -= bytes;
	return a;
}

static struct buffer from_bio(BIO *bio)
{
	struct buffer out = {0};
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	buffer_add(&out, data, (size_t)size);
	BIO_free(bio);
	return out;
}

/* A block of any name around any bytes. */
static struct buffer block(const char *name, struct buffer data)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio(bio, name, "", data.data, (long)data.size) > 0);
	buffer_clear(&data);
	return from_bio(bio);
}

static struct buffer replace(struct buffer in, const char *from, const char *to)
{
	struct buffer out = {0};
	const uint8_t *at = in.data, *end = in.data + in.size, *hit;

	while ((hit = memmem(at, (size_t)(end - at), from, strlen(from))) != NULL) {
		buffer_add(&out, at, (size_t)(hit - at));
		buffer_add_text(&out, to);
		at = hit + strlen(from);
	}
	buffer_add(&out, at, (size_t)(end - at));
	buffer_clear(&in);
	return out;
}

static struct buffer traditional(EVP_PKEY *pkey, const char *cipher, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const EVP_CIPHER *found = cipher != NULL ? EVP_get_cipherbyname(cipher) : NULL;

	assert_true(PEM_write_bio_PrivateKey_traditional(
		bio, pkey, found, (const uint8_t *)password,
		password != NULL ? (int)strlen(password) : 0, NULL, NULL));
	return from_bio(bio);
}

static struct buffer encrypted(EVP_PKEY *pkey, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, pkey, EVP_aes_256_cbc(), password,
						  (int)strlen(password), NULL, NULL));
	return from_bio(bio);
}

static struct buffer encrypted_with(EVP_PKEY *pkey, int nid, int iterations, const char *password)
{
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
	X509_SIG *sig = PKCS8_encrypt_ex(nid, NULL, password, (int)strlen(password), NULL, 0,
					 iterations, info, fixture_legacy(), NULL);

	assert_non_null(sig);
	assert_true(PEM_write_bio_PKCS8(bio, sig));
	X509_SIG_free(sig);
	PKCS8_PRIV_KEY_INFO_free(info);
	return from_bio(bio);
}

static struct buffer pkcs12(const char *password, int key_nid, int cert_nid, int mac_iterations)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12;

	sk_X509_push(others, root());
	p12 = PKCS12_create_ex(password, "signing ca", rsa(), low(), others, key_nid, cert_nid, 0,
			       mac_iterations, 0, fixture_legacy(), NULL);
	assert_non_null(p12);
	assert_true(i2d_PKCS12_bio(bio, p12));
	PKCS12_free(p12);
	sk_X509_free(others);
	return from_bio(bio);
}

static struct buffer modern_pkcs12(const char *password)
{
	return pkcs12(password, 0, 0, 0);
}

/* Two keys. */
static struct buffer pkcs12_of_two(void)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;
	STACK_OF(PKCS7) *safes = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12;

	assert_non_null(PKCS12_add_key(&bags, key(), 0, 0, -1, NULL));
	assert_non_null(PKCS12_add_key(&bags, rsa(), 0, 0, -1, NULL));
	assert_true(PKCS12_add_safe(&safes, bags, -1, 0, NULL));
	p12 = PKCS12_add_safes(safes, 0);
	assert_true(i2d_PKCS12_bio(bio, p12));
	PKCS12_free(p12);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return from_bio(bio);
}

/* The root, over and over, each time encrypted by itself; without a MAC. */
static struct buffer pkcs12_of_parts(int count, const char *password)
{
	STACK_OF(PKCS7) *safes = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12;

	for (int i = 0; i < count; i++) {
		STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

		assert_non_null(PKCS12_add_cert(&bags, root()));
		assert_true(PKCS12_add_safe(&safes, bags, NID_aes_256_cbc, 1, password));
		sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	}
	p12 = PKCS12_add_safes(safes, 0);
	assert_true(i2d_PKCS12_bio(bio, p12));
	PKCS12_free(p12);
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return from_bio(bio);
}

static struct buffer i2d_key(EVP_PKEY *pkey)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(i2d_PrivateKey_bio(bio, pkey));
	return from_bio(bio);
}

static struct buffer public_key(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(i2d_PUBKEY_bio(bio, key()));
	return from_bio(bio);
}

static struct buffer request(void)
{
	X509_REQ *req = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());

	X509_REQ_set_pubkey(req, key());
	assert_true(X509_REQ_sign(req, key(), EVP_sha256()) > 0);
	assert_true(i2d_X509_REQ_bio(bio, req));
	X509_REQ_free(req);
	return from_bio(bio);
}

static struct buffer crl(void)
{
	X509_CRL *list = X509_CRL_new();
	ASN1_TIME *now = ASN1_TIME_set(NULL, NOW);
	BIO *bio = BIO_new(BIO_s_mem());

	X509_CRL_set_version(list, 1);
	X509_CRL_set_issuer_name(list, X509_get_subject_name(root()));
	X509_CRL_set1_lastUpdate(list, now);
	X509_CRL_set1_nextUpdate(list, now);
	assert_true(X509_CRL_sign(list, key(), EVP_sha256()) > 0);
	assert_true(i2d_X509_CRL_bio(bio, list));
	X509_CRL_free(list);
	ASN1_TIME_free(now);
	return from_bio(bio);
}

static struct buffer pkcs7(void)
{
	STACK_OF(X509) *certs = sk_X509_new_null();
	PKCS7 *p7 = PKCS7_new();
	BIO *bio = BIO_new(BIO_s_mem());

	PKCS7_set_type(p7, NID_pkcs7_signed);
	PKCS7_content_new(p7, NID_pkcs7_data);
	PKCS7_add_certificate(p7, root());
	assert_true(i2d_PKCS7_bio(bio, p7));
	PKCS7_free(p7);
	sk_X509_free(certs);
	return from_bio(bio);
}

static struct buffer trusted(void)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_true(PEM_write_bio_X509_AUX(bio, root()));
	return from_bio(bio);
}

/* An EC key whose public part belongs to another: the point is the last 65 bytes of the template.
 */
static struct buffer inconsistent_key(void)
{
	struct buffer a = fixture_key_der(key()), b = fixture_key_der(fixture_key("P-256/b"));

	assert_int_equal(a.size, 138);
	memcpy(a.data + 73, b.data + 73, 65);
	buffer_clear(&b);
	return a;
}

/* ---- judging ---- */

static int read_upload(const struct buffer *upload, const char *password, struct bag *ret,
		       struct error *err)
{
	struct span given = {(const uint8_t *)password, password != NULL ? strlen(password) : 0};

	return x509_read(buffer_span(upload), password != NULL ? &given : NULL, ret, err);
}

/* Takes the upload over. */
static void taken(struct buffer upload, const char *password, size_t certs, EVP_PKEY *pkey)
{
	_cleanup_bag_ struct bag bag = {0};
	struct error err = {0};
	uint8_t expected[FINGERPRINT_SIZE], found[FINGERPRINT_SIZE];
	struct keypair *pair;

	if (read_upload(&upload, password, &bag, &err) != 0)
		fail_msg("refused: %s", err.text);
	buffer_clear(&upload);
	assert_false(bag.needs_password);
	assert_int_equal(bag.cert_count, certs);
	assert_int_equal(ERR_peek_error(), 0);
	assert_true((bag.key != NULL) == (pkey != NULL));
	if (pkey == NULL)
		return;
	pair = fixture_keypair(pkey);
	keypair_spki(pair, expected);
	keypair_spki(bag.key, found);
	keypair_unref(pair);
	assert_memory_equal(expected, found, sizeof(found));
}

static void refused(struct buffer upload, const char *password, const char *sentence)
{
	struct bag bag = {.cert_count = 77};
	struct error err = {0};
	int r = read_upload(&upload, password, &bag, &err);

	buffer_clear(&upload);
	if (r != -EKEYREJECTED || strstr(err.text, sentence) == NULL)
		fail_msg("%d, expected \"%s\", got: %s", r, sentence, err.text);
	assert_int_equal(bag.cert_count, 77);
	assert_int_equal(ERR_peek_error(), 0);
}

static void locked(struct buffer upload)
{
	_cleanup_bag_ struct bag bag = {0};
	struct error err = {0};

	if (read_upload(&upload, NULL, &bag, &err) != 0)
		fail_msg("refused: %s", err.text);
	buffer_clear(&upload);
	assert_true(bag.needs_password);
	assert_int_equal(bag.cert_count, 0);
	assert_null(bag.key);
}

/* ---- PEM ---- */

static void test_pem_certificates(void **state)
{
	(void)state;
	taken(fixture_pem(root()), NULL, 1, NULL);
	taken(join(fixture_pem(low()), fixture_pem(root())), NULL, 2, NULL);
	taken(join(fixture_pem(root()), fixture_pem(root())), NULL, 1, NULL);
	taken(replace(fixture_pem(root()), "CERTIFICATE", "X509 CERTIFICATE"), NULL, 1, NULL);
}

static void test_pem_text(void **state)
{
	(void)state;
	taken(join(text("subject=CN = Root\nBag Attributes\n"), fixture_pem(root())), NULL, 1,
	      NULL);
	taken(join(fixture_pem(root()), text("\n\nthe end\n")), NULL, 1, NULL);
	taken(join(text("\xef\xbb\xbf"), fixture_pem(root())), NULL, 1, NULL);
	taken(replace(fixture_pem(root()), "\n", "\r\n"), NULL, 1, NULL);
	taken(replace(fixture_pem(root()), "\n", "  \n"), NULL, 1, NULL);
	taken(cut(fixture_pem(root()), 1), NULL, 1, NULL);
}

static void test_pem_keys(void **state)
{
	static const char *const kinds[] = {"P-256/a",    "P-384/a",   "P-521/a",
					    "RSA-2048/a", "ED25519/a", "ED448/a"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		taken(fixture_key_pem(fixture_key(kinds[i])), NULL, 0, fixture_key(kinds[i]));
	taken(traditional(key(), NULL, NULL), NULL, 0, key());
	taken(traditional(rsa(), NULL, NULL), NULL, 0, rsa());
	taken(join(fixture_key_pem(key()), fixture_key_pem(key())), NULL, 0, key());
}

static void test_pem_everything(void **state)
{
	struct buffer parameters =
		block("EC PARAMETERS", text("\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"));

	(void)state;
	taken(join(join(parameters, traditional(key(), NULL, NULL)),
		   join(fixture_pem(low()), fixture_pem(root()))),
	      NULL, 2, key());
	taken(join(fixture_pem(root()), encrypted(key(), "secret")), "secret", 1, key());
}

static void test_pem_encrypted_keys(void **state)
{
	static const char *const ciphers[] = {"AES-128-CBC", "AES-256-CBC", "DES-EDE3-CBC"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		locked(traditional(key(), ciphers[i], "secret"));
		taken(traditional(key(), ciphers[i], "secret"), "secret", 0, key());
		taken(traditional(rsa(), ciphers[i], "secret"), "secret", 0, rsa());
		refused(traditional(rsa(), ciphers[i], "secret"), "Secret", "wrong key password");
		refused(traditional(rsa(), ciphers[i], "secret"), "", "wrong key password");
	}
	locked(encrypted(key(), "secret"));
	locked(join(fixture_pem(root()), encrypted(key(), "secret")));
	taken(encrypted(key(), "secret"), "secret", 0, key());
	refused(encrypted(key(), "secret"), "secre", "wrong key password");
	refused(encrypted(key(), "secret"), "", "wrong key password");
	taken(fixture_key_pem(key()), "not needed", 0, key());
}

/* A long row of wrong passwords: about one in 256 has the padding right and must still be called
 * wrong. */
static void test_pem_wrong_passwords(void **state)
{
	char password[32];

	(void)state;
	for (int i = 0; i < 600; i++) {
		snprintf(password, sizeof(password), "wrong-%d", i);
		refused(traditional(key(), "AES-128-CBC", "right"), password, "wrong key password");
	}
}

static void test_pem_old_encryption(void **state)
{
	(void)state;
	taken(encrypted_with(key(), NID_pbeWithMD5AndDES_CBC, 2048, "secret"), "secret", 0, key());
	taken(encrypted_with(key(), NID_pbe_WithSHA1And40BitRC2_CBC, 2048, "secret"), "secret", 0,
	      key());
	taken(encrypted_with(key(), NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 2048, "secret"),
	      "secret", 0, key());
	refused(encrypted_with(key(), NID_pbeWithMD5AndDES_CBC, 2048, "secret"), "wrong",
		"wrong key password");
}

static void test_too_many_iterations(void **state)
{
	struct buffer upload =
		encrypted_with(key(), NID_pbeWithMD5AndDES_CBC, 0x00112233, "secret");
	struct buffer der = {0};
	char *name, *header;
	uint8_t *data, *at;
	long size;
	BIO *bio = BIO_new_mem_buf(upload.data, (int)upload.size);

	(void)state;
	assert_true(PEM_read_bio(bio, &name, &header, &data, &size));
	at = memmem(data, (size_t)size, "\x11\x22\x33", 3);
	assert_non_null(at);
	at[0] = 0x7f;
	buffer_add(&der, data, (size_t)size);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	BIO_free(bio);
	buffer_clear(&upload);
	/* before a password is asked for */
	refused(der, NULL, "more than 5000000 iterations");
}

static void test_pem_corrupt(void **state)
{
	struct buffer pem = fixture_pem(root());
	size_t size = pem.size;

	(void)state;
	buffer_clear(&pem);
	for (size_t missing = 2; missing < size - 28; missing += 7)
		refused(cut(fixture_pem(root()), missing), NULL, "corrupt PEM");
	refused(replace(fixture_pem(root()), "-----END CERTIFICATE-----\n", ""), NULL,
		"corrupt PEM");
	refused(replace(fixture_pem(root()), "-----END CERTIFICATE-----", "-----END CERT-----"),
		NULL, "corrupt PEM");
	refused(replace(fixture_pem(root()), "BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE---"),
		NULL, "it must end in five dashes");
	refused(replace(fixture_pem(root()), "-----BEGIN CERTIFICATE-----\n", ""), NULL,
		"a BEGIN line is missing");
	refused(replace(fixture_pem(root()), "-----BEGIN CERTIFICATE-----\nM",
			"-----BEGIN CERTIFICATE-----\n!"),
		NULL, "corrupt PEM");
	refused(replace(fixture_pem(root()), "-----", "  -----"), NULL,
		"must start in the first column");
	refused(join(fixture_pem(root()), replace(fixture_pem(low()), "BEGIN CERTIFICATE-----",
						  "BEGIN CERTIFICATE----")),
		NULL, "it must end in five dashes");
	refused(join(fixture_pem(root()), cut(fixture_pem(low()), 40)), NULL, "corrupt PEM");
	refused(join(fixture_pem(root()), text("-----END CERTIFICATE-----\n")), NULL,
		"an END line has no BEGIN line");
	refused(replace(traditional(key(), "AES-128-CBC", "x"), "DEK-Info: AES-128-CBC",
			"DEK-Info: ROT13"),
		"x", "algorithm that this OpenSSL does not have");
	refused(replace(traditional(key(), "AES-128-CBC", "x"), "DEK-Info", "DEC-Info"), "x",
		"corrupt PEM");
	refused(replace(traditional(key(), "AES-128-CBC", "x"), "Proc-Type: 4", "Proc-Type: 5"),
		"x", "corrupt PEM");
}

static void test_pem_bad_contents(void **state)
{
	(void)state;
	refused(block("CERTIFICATE", text("0junk")), NULL, "not valid DER");
	refused(block("CERTIFICATE", cut(fixture_der(root()), 5)), NULL, "not valid DER");
	refused(block("CERTIFICATE", join(fixture_der(root()), text("x"))), NULL,
		"1 trailing bytes follow a certificate");
	refused(block("CERTIFICATE", fixture_key_der(key())), NULL, "not valid DER");
	refused(block("PRIVATE KEY", fixture_der(root())), NULL, "private key is not valid DER");
	refused(block("PRIVATE KEY", join(fixture_key_der(key()), text("xx"))), NULL,
		"trailing bytes follow the private key");
	refused(block("EC PRIVATE KEY", cut(i2d_key(key()), 4)), NULL,
		"private key is not valid DER");
	refused(block("RSA PRIVATE KEY", i2d_key(key())), NULL, "private key is not valid DER");
	refused(block("ENCRYPTED PRIVATE KEY", fixture_key_der(key())), "x",
		"encrypted private key is not valid DER");
	refused(block("PRIVATE KEY", inconsistent_key()), NULL, "its parts do not belong together");
	refused(join(fixture_key_pem(key()), fixture_key_pem(rsa())), NULL,
		"more than one private key");
}

static void test_pem_unsuitable_keys(void **state)
{
	(void)state;
	refused(fixture_key_pem(fixture_key("X25519")), NULL,
		"X25519, which certfs can't sign with");
	refused(fixture_key_pem(fixture_key("secp256k1")), NULL, "EC on secp256k1");
	refused(fixture_key_pem(fixture_key("DSA")), NULL, "DSA of 1024 bits");
	refused(traditional(fixture_key("DSA"), NULL, NULL), NULL, "is a DSA key");
	/* not "wrong password": the password is right */
	refused(traditional(fixture_key("secp256k1"), "AES-128-CBC", "x"), "x", "EC on secp256k1");
}

static void test_pem_other_blocks(void **state)
{
	static const struct {
		const char *name;
		const char *sentence;
	} rows[] = {
		{"CERTIFICATE REQUEST", "is only a request"},
		{"NEW CERTIFICATE REQUEST", "is only a request"},
		{"X509 CRL", "is a revocation list"},
		{"PUBLIC KEY", "is only a public key"},
		{"RSA PUBLIC KEY", "is only a public key"},
		{"OPENSSH PRIVATE KEY", "ssh-keygen -p -m PKCS8"},
		{"PKCS7", "PKCS#7, which certfs does not take"},
		{"PKCS #7 SIGNED DATA", "PKCS#7, which certfs does not take"},
		{"CMS", "CMS, which certfs does not take"},
		{"DH PARAMETERS", "is neither a certificate nor a private key"},
		{"SSL SESSION PARAMETERS", "is neither a certificate nor a private key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		refused(block(rows[i].name, text("anything")), NULL, rows[i].sentence);
		refused(join(fixture_pem(root()), block(rows[i].name, text("anything"))), NULL,
			rows[i].sentence);
	}
	refused(trusted(), NULL, "OpenSSL's own trust settings");
	refused(block("EC PARAMETERS", text("\x06\x01\x2a")), NULL,
		"no certificate and no private key");
}

/* ---- DER ---- */

static void test_der(void **state)
{
	(void)state;
	taken(fixture_der(root()), NULL, 1, NULL);
	taken(fixture_key_der(key()), NULL, 0, key());
	taken(fixture_key_der(rsa()), NULL, 0, rsa());
	taken(fixture_key_der(fixture_key("ED25519/a")), NULL, 0, fixture_key("ED25519/a"));
	taken(i2d_key(key()), NULL, 0, key());
	taken(i2d_key(rsa()), NULL, 0, rsa());
}

static void test_der_encrypted(void **state)
{
	BIO *bio = BIO_new(BIO_s_mem());
	struct buffer der, copy = {0};

	(void)state;
	assert_true(
		i2d_PKCS8PrivateKey_bio(bio, key(), EVP_aes_128_cbc(), "secret", 6, NULL, NULL));
	der = from_bio(bio);
	buffer_add_span(&copy, buffer_span(&der));
	locked(der);
	taken(copy, "secret", 0, key());
}

static void test_der_refused(void **state)
{
	(void)state;
	refused(join(fixture_der(root()), text("\n")), NULL, "1 trailing bytes");
	refused(join(fixture_der(root()), fixture_der(low())), NULL, "trailing bytes");
	refused(cut(fixture_der(root()), 1), NULL, "not valid DER");
	refused(join(fixture_key_der(key()), text("x")), NULL, "trailing bytes");
	refused(request(), NULL, "certificate request");
	refused(crl(), NULL, "revocation list");
	refused(public_key(), NULL, "public key, which is no certificate");
	refused(pkcs7(), NULL, "PKCS#7, which certfs does not take");
	refused(text("0\x03\x02\x01\x05"), NULL, "not valid DER of a certificate");
	refused(text("0"), NULL, "not valid DER");
	refused(inconsistent_key(), NULL, "its parts do not belong together");
}

/* The outer length in two octets where one more is not needed: BER, not DER. */
static void test_ber_certificate(void **state)
{
	struct buffer der = fixture_der(root()), ber = {0};

	(void)state;
	assert_int_equal(der.data[1], 0x82);
	buffer_add(&ber, "\x30\x83\x00", 3);
	buffer_add(&ber, der.data + 2, der.size - 2);
	buffer_clear(&der);
	refused(ber, NULL, "it is not valid DER");
}

static void test_no_kind_at_all(void **state)
{
	struct buffer zeros = {0}, big = {0};
	struct bag bag = {0};
	struct error err = {0};

	(void)state;
	refused((struct buffer){0}, NULL, "no certificate");
	refused(text("\n \r\n\t"), NULL, "no certificate");
	refused(text("\xef\xbb\xbf"), NULL, "no certificate");
	refused(text("hello\n"), NULL, "no certificate in the text");
	refused(text("MIIBkTCCATegAwIBAgIUXyz\n"), NULL, "no certificate in the text");
	refused(text("<html>not found</html>"), NULL, "no certificate in the text");
	refused(text("\x7f"
		     "ELF\x02\x01\x01"),
		NULL, "not valid DER");
	refused(text("\xff\xfe-"), NULL, "UTF-16");
	assert_int_equal(buffer_resize(&zeros, 4096), 0);
	refused(zeros, NULL, "not valid DER");
	assert_int_equal(buffer_resize(&big, UPLOAD_MAX + 1), 0);
	assert_int_equal(read_upload(&big, NULL, &bag, &err), -EFBIG);
	buffer_clear(&big);
}

static void test_too_many_certificates(void **state)
{
	struct buffer all = {0};
	char name[32];

	(void)state;
	for (int i = 0; i < 101; i++) {
		snprintf(name, sizeof(name), "many %d", i);
		all = join(all, fixture_pem(fixture_certificate(
					&(struct recipe){.name = name, .key = "P-256/many"})));
	}
	refused(all, NULL, "more than 100 certificates");
}

/* ---- PKCS#12 ---- */

static void test_pkcs12(void **state)
{
	(void)state;
	taken(modern_pkcs12("secret"), "secret", 2, rsa());
	locked(modern_pkcs12("secret"));
	refused(modern_pkcs12("secret"), "wrong", "wrong PKCS#12 password");
	refused(modern_pkcs12("secret"), "", "wrong PKCS#12 password");
	taken(modern_pkcs12("p\xc3\xa4ss"), "p\xc3\xa4ss", 2, rsa());
}

static void test_pkcs12_empty_password(void **state)
{
	(void)state;
	taken(modern_pkcs12(""), NULL, 2, rsa());
	taken(modern_pkcs12(NULL), NULL, 2, rsa());
	taken(modern_pkcs12(""), "", 2, rsa());
	taken(modern_pkcs12(NULL), "", 2, rsa());
	taken(modern_pkcs12(""), "not needed", 2, rsa());
	taken(pkcs12(NULL, -1, -1, -1), NULL, 2, rsa());
}

static void test_pkcs12_without_mac(void **state)
{
	(void)state;
	taken(pkcs12("secret", 0, 0, -1), "secret", 2, rsa());
	locked(pkcs12("secret", 0, 0, -1));
	refused(pkcs12("secret", 0, 0, -1), "wrong", "wrong PKCS#12 password");
}

static void test_pkcs12_legacy(void **state)
{
	const int triple_des = NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
		  rc2 = NID_pbe_WithSHA1And40BitRC2_CBC;

	(void)state;
	taken(pkcs12("secret", triple_des, rc2, 2048), "secret", 2, rsa());
	taken(pkcs12("secret", rc2, rc2, 2048), "secret", 2, rsa());
	taken(pkcs12("secret", rc2, rc2, -1), "secret", 2, rsa());
	taken(pkcs12("secret", triple_des, triple_des, 1), "secret", 2, rsa());
	taken(pkcs12("", triple_des, rc2, 2048), NULL, 2, rsa());
	locked(pkcs12("secret", triple_des, rc2, 2048));
	locked(pkcs12("secret", rc2, rc2, -1));
	refused(pkcs12("secret", triple_des, rc2, 2048), "wrong", "wrong PKCS#12 password");
}

static void test_pkcs12_refused(void **state)
{
	struct buffer damaged = modern_pkcs12("secret");

	(void)state;
	refused(pkcs12_of_two(), NULL, "more than one private key");
	taken(pkcs12_of_parts(8, "secret"), "secret", 1, NULL);
	refused(pkcs12_of_parts(9, "secret"), "secret", "more than 8 encrypted parts");
	refused(cut(modern_pkcs12("secret"), 3), "secret", "not valid DER");
	refused(join(modern_pkcs12("secret"), text("x")), "secret", "trailing bytes");
	damaged.data[damaged.size / 2] ^= 1;
	refused(damaged, "secret", "wrong PKCS#12 password");
}

/* Any single byte changed, anything cut off: never a crash, never a leak, nothing returned by a
 * failure. */
static void test_damage(void **state)
{
	struct buffer uploads[] = {fixture_der(root()), fixture_key_der(key()),
				   pkcs12(NULL, -1, -1, -1), encrypted(key(), "x"),
				   fixture_pem(root())};

	(void)state;
	for (size_t u = 0; u < sizeof(uploads) / sizeof(uploads[0]); u++) {
		for (size_t i = 0; i < uploads[u].size; i += u == 2 ? 11 : 3) {
			struct bag bag = {0};
			struct error err = {0};

			uploads[u].data[i] ^= 0x41;
			if (read_upload(&uploads[u], "x", &bag, &err) != 0) {
				assert_null(bag.certs);
				assert_null(bag.key);
				assert_true(err.code == EKEYREJECTED);
			}
			bag_clear(&bag);
			uploads[u].data[i] ^= 0x41;
		}
		buffer_clear(&uploads[u]);
	}
}

static int end(void **state)
{
	(void)state;
	fixture_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pem_certificates),
		cmocka_unit_test(test_pem_text),
		cmocka_unit_test(test_pem_keys),
		cmocka_unit_test(test_pem_everything),
		cmocka_unit_test(test_pem_encrypted_keys),
		cmocka_unit_test(test_pem_wrong_passwords),
		cmocka_unit_test(test_pem_old_encryption),
		cmocka_unit_test(test_too_many_iterations),
		cmocka_unit_test(test_pem_corrupt),
		cmocka_unit_test(test_pem_bad_contents),
		cmocka_unit_test(test_pem_unsuitable_keys),
		cmocka_unit_test(test_pem_other_blocks),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_der_encrypted),
		cmocka_unit_test(test_der_refused),
		cmocka_unit_test(test_ber_certificate),
		cmocka_unit_test(test_no_kind_at_all),
		cmocka_unit_test(test_too_many_certificates),
		cmocka_unit_test(test_pkcs12),
		cmocka_unit_test(test_pkcs12_empty_password),
		cmocka_unit_test(test_pkcs12_without_mac),
		cmocka_unit_test(test_pkcs12_legacy),
		cmocka_unit_test(test_pkcs12_refused),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
