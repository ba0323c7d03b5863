/* Keys: made, written, read back, named. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/pem.h>

#include "digest.h"
#include "keypair.h"
#include "x509_fixture.h"

static struct keypair *generate(enum key_type type)
{
	struct keypair *key = NULL;
	struct error err = {0};

	assert_int_equal(keypair_generate(type, &key, &err), 0);
	assert_int_equal(keypair_type(key), type);
	return key;
}

static void to_pkcs8(const struct keypair *key, struct buffer *ret)
{
	struct error err = {0};

	assert_int_equal(keypair_to_pkcs8(key, ret, &err), 0);
	assert_true(ret->secret);
}

/* Signs with the one, verifies with the other. */
static void assert_same_key(EVP_PKEY *a, EVP_PKEY *b)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t size = sizeof(signature);

	assert_int_equal(EVP_PKEY_eq(a, b), 1);
	assert_true(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, a) > 0);
	assert_true(EVP_DigestSign(ctx, signature, &size, (const uint8_t *)"x", 1) > 0);
	EVP_MD_CTX_free(ctx);
	ctx = EVP_MD_CTX_new();
	assert_true(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, b) > 0);
	assert_true(EVP_DigestVerify(ctx, signature, size, (const uint8_t *)"x", 1) > 0);
	EVP_MD_CTX_free(ctx);
}

static EVP_PKEY *parse(struct span der)
{
	const uint8_t *at = der.data;
	EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.size);

	assert_non_null(pkey);
	assert_ptr_equal(at, der.data + der.size);
	return pkey;
}

/* OpenSSL reads what we write, writes the same bytes, and we read it back to the same key. */
static void round_trip(enum key_type type)
{
	_cleanup_keypair_ struct keypair *key = generate(type), *again = NULL;
	_cleanup_buffer_ struct buffer der = BUFFER_SECRET, twice = BUFFER_SECRET;
	struct buffer theirs;
	uint8_t name[FINGERPRINT_SIZE], name_again[FINGERPRINT_SIZE];
	struct error err = {0};
	EVP_PKEY *pkey, *second;

	to_pkcs8(key, &der);
	pkey = parse(buffer_span(&der));
	theirs = fixture_key_der(pkey);
	assert_true(span_equal(buffer_span(&der), buffer_span(&theirs)));
	assert_int_equal(keypair_from_pkcs8(buffer_span(&der), &again, &err), 0);
	assert_int_equal(keypair_type(again), type);
	to_pkcs8(again, &twice);
	assert_true(span_equal(buffer_span(&der), buffer_span(&twice)));
	second = parse(buffer_span(&twice));
	assert_same_key(pkey, second);
	keypair_spki(key, name);
	keypair_spki(again, name_again);
	assert_memory_equal(name, name_again, sizeof(name));
	buffer_clear(&theirs);
	EVP_PKEY_free(pkey);
	EVP_PKEY_free(second);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		round_trip(KEY_EC_P256);
	round_trip(KEY_RSA_2048);
	round_trip(KEY_RSA_3072);
}

static void test_pem(void **state)
{
	(void)state;
	for (int type = KEY_EC_P256; type <= KEY_RSA_2048; type++) {
		_cleanup_keypair_ struct keypair *key = generate((enum key_type)type);
		_cleanup_buffer_ struct buffer der = BUFFER_SECRET, pem = BUFFER_SECRET;
		EVP_PKEY *pkey;
		struct buffer theirs;

		to_pkcs8(key, &der);
		pem_add_pkcs8(&pem, buffer_span(&der));
		assert_int_equal(buffer_status(&pem), 0);
		assert_int_equal(pem.size, keypair_pem_size((enum key_type)type));
		assert_int_equal(pem.data[pem.size - 1], '\n');
		pkey = parse(buffer_span(&der));
		theirs = fixture_key_pem(pkey);
		assert_true(span_equal(buffer_span(&pem), buffer_span(&theirs)));
		buffer_clear(&theirs);
		EVP_PKEY_free(pkey);
	}
}

/* Every length around the 48 bytes of a line and the 3 of a group, against OpenSSL's. */
static void test_pem_of_every_size(void **state)
{
	uint8_t data[400];
	struct buffer pem = {0};

	(void)state;
	memset(data, 0x5a, sizeof(data));
	for (size_t size = 1; size < sizeof(data); size++) {
		BIO *bio = BIO_new(BIO_s_mem());
		char *text;
		long expected;

		assert_true(PEM_write_bio(bio, "CERTIFICATE", "", data, (long)size) > 0);
		expected = BIO_get_mem_data(bio, &text);
		pem_add_certificate(&pem, (struct span){data, size});
		assert_int_equal(pem.size, expected);
		assert_int_equal(pem_certificate_size(size), expected);
		assert_memory_equal(pem.data, text, pem.size);
		buffer_clear(&pem);
		BIO_free(bio);
	}
}

static void test_name_is_that_of_the_spki(void **state)
{
	_cleanup_keypair_ struct keypair *key = generate(KEY_EC_P256);
	_cleanup_buffer_ struct buffer der = BUFFER_SECRET;
	uint8_t name[FINGERPRINT_SIZE], expected[DIGEST_SIZE];
	uint8_t *spki = NULL;
	EVP_PKEY *pkey;
	int size;

	(void)state;
	to_pkcs8(key, &der);
	pkey = parse(buffer_span(&der));
	size = i2d_PUBKEY(pkey, &spki);
	digest_sha256((struct span){spki, (size_t)size}, expected);
	keypair_spki(key, name);
	assert_memory_equal(name, expected, sizeof(name));
	OPENSSL_free(spki);
	EVP_PKEY_free(pkey);
}

static void test_other_kinds(void **state)
{
	static const char *const kinds[] = {"P-384", "P-521", "ED25519", "ED448", "secp256k1"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		_cleanup_keypair_ struct keypair *key = fixture_keypair(fixture_key(kinds[i]));
		_cleanup_buffer_ struct buffer der = BUFFER_SECRET;
		EVP_PKEY *pkey;

		assert_int_equal(keypair_type(key), -1);
		to_pkcs8(key, &der);
		pkey = parse(buffer_span(&der));
		assert_int_equal(EVP_PKEY_eq(pkey, fixture_key(kinds[i])), 1);
		EVP_PKEY_free(pkey);
	}
}

static void test_refused(void **state)
{
	struct buffer der = fixture_key_der(fixture_key("P-256"));
	struct keypair *key = (struct keypair *)&der;
	struct error err = {0};

	(void)state;
	assert_int_equal(keypair_from_pkcs8((struct span){der.data, der.size - 1}, &key, &err),
			 -EKEYREJECTED);
	assert_int_equal(keypair_from_pkcs8((struct span){NULL, 0}, &key, &err), -EKEYREJECTED);
	der.data[der.size - 1] ^= 1; /* no point of the curve */
	assert_int_equal(keypair_from_pkcs8(buffer_span(&der), &key, &err), -EKEYREJECTED);
	assert_ptr_equal(key, &der);
	buffer_clear(&der);
}

static void test_references(void **state)
{
	struct keypair *key = generate(KEY_EC_P256);
	struct keypair *second = keypair_ref(key);
	_cleanup_buffer_ struct buffer der = BUFFER_SECRET;

	(void)state;
	keypair_unref(key);
	to_pkcs8(second, &der);
	keypair_unref(second);
	keypair_unref(NULL);
}

static void *make_keys(void *argument)
{
	uint8_t(*names)[FINGERPRINT_SIZE] = argument;

	for (int i = 0; i < 50; i++) {
		_cleanup_keypair_ struct keypair *key = generate(KEY_EC_P256);

		keypair_spki(key, names[i]);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static uint8_t names[4][50][FINGERPRINT_SIZE];
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, make_keys, names[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int a = 0; a < 200; a++)
		for (int b = 0; b < a; b++)
			assert_memory_not_equal(names[a / 50][a % 50], names[b / 50][b % 50],
						FINGERPRINT_SIZE);
}

static void test_digest(void **state)
{
	static const char *const empty =
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	uint8_t digest[DIGEST_SIZE];
	char hex[2 * DIGEST_SIZE + 1], colons[3 * 4];

	(void)state;
	digest_sha256((struct span){0}, digest);
	hex_lower((struct span){digest, sizeof(digest)}, hex);
	assert_string_equal(hex, empty);
	colon_hex((struct span){digest, 4}, colons, sizeof(colons));
	assert_string_equal(colons, "E3:B0:C4:42");
	colon_hex((struct span){digest, 5}, colons, sizeof(colons));
	assert_string_equal(colons, "E3:B0:C4:42");
	colon_hex((struct span){digest, 5}, colons, 11);
	assert_string_equal(colons, "E3:B0:C4");
	colon_hex((struct span){digest, 0}, colons, sizeof(colons));
	assert_string_equal(colons, "");
	colon_hex((struct span){digest, 1}, colons, 1);
	assert_string_equal(colons, "");
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
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_pem),
		cmocka_unit_test(test_pem_of_every_size),
		cmocka_unit_test(test_name_is_that_of_the_spki),
		cmocka_unit_test(test_other_kinds),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
