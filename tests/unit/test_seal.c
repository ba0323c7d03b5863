/* Keys at rest: what is sealed for one row opens there, whole, and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "certfs/core.h"
#include "seal.h"

enum { BLOB_EXTRA = 1 + 4 + 12 + 16, WRAPPED_SIZE = 12 + DATA_KEY_SIZE + 16 };

static const uint8_t master_bytes[MASTER_KEY_SIZE] = {1, 2, 3};
static const struct span master = {master_bytes, MASTER_KEY_SIZE};
static const uint8_t spki[FINGERPRINT_SIZE] = {0xaa, 0xbb}, other_spki[FINGERPRINT_SIZE] = {0xaa, 0xbc};
static const struct seal_row row = {"generation", 12, 3, spki};
static const char plain_text[] = "-----BEGIN PRIVATE KEY-----";

static struct seal *seal_of(struct span key)
{
	struct seal *seal = NULL;
	struct error err = {0};

	assert_int_equal(seal_new(key, &seal, &err), 0);
	assert_non_null(seal);
	return seal;
}

static void create(struct seal *seal, uint32_t term, struct buffer *ret)
{
	struct error err = {0};

	assert_int_equal(seal_term_create(seal, term, ret, &err), 0);
	assert_int_equal(ret->size, WRAPPED_SIZE);
}

static void add(struct seal *seal, uint32_t term, const struct buffer *wrapped)
{
	struct error err = {0};

	if (seal_term_add(seal, term, buffer_span(wrapped), &err) != 0)
		fail_msg("%s", err.text);
}

/* A seal with term 1, which is kept in *ret_wrapped. */
static struct seal *ready(struct buffer *ret_wrapped)
{
	struct seal *seal = seal_of(master);

	create(seal, 1, ret_wrapped);
	add(seal, 1, ret_wrapped);
	return seal;
}

static void close_row(struct seal *seal, const struct seal_row *at, struct span plain, struct buffer *ret)
{
	struct error err = {0};

	if (seal_close_row(seal, at, plain, ret, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(ret->size, plain.size + BLOB_EXTRA);
}

static void assert_opens(struct seal *seal, const struct seal_row *at, const struct buffer *blob, struct span plain)
{
	_cleanup_buffer_ struct buffer got = BUFFER_SECRET;
	struct error err = {0};

	if (seal_open_row(seal, at, buffer_span(blob), &got, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(span_equal(buffer_span(&got), plain));
	assert_true(got.secret);
	assert_int_equal(CRYPTO_secure_allocated(got.data), 1);
}

static void assert_damaged(struct seal *seal, const struct seal_row *at, struct span blob)
{
	_cleanup_buffer_ struct buffer got = BUFFER_SECRET;
	struct error err = {0};

	buffer_add_text(&got, "untouched");
	assert_int_equal(seal_open_row(seal, at, blob, &got, &err), -EIO);
	assert_int_equal(err.code, EIO);
	assert_non_null(strstr(err.text, "damaged"));
	assert_true(span_equal(buffer_span(&got), span_text("untouched")));
}

/* ---- rows ---- */

static void test_round_trip(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 138, 1704, 3273, 100000};
	_cleanup_buffer_ struct buffer wrapped = {0};
	struct seal *seal = ready(&wrapped);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		_cleanup_buffer_ struct buffer plain = BUFFER_SECRET, blob = {0};

		assert_int_equal(buffer_resize(&plain, sizes[i]), 0);
		memset(plain.data, (int)i, sizes[i]);
		close_row(seal, &row, buffer_span(&plain), &blob);
		assert_opens(seal, &row, &blob, buffer_span(&plain));
	}
	seal_free(seal);
	seal_free(NULL);
}

static void test_form(void **state)
{
	static const uint8_t head[] = {1, 0, 0, 0, 1};
	_cleanup_buffer_ struct buffer wrapped = {0}, a = {0}, b = {0};
	struct seal *seal = ready(&wrapped);

	(void)state;
	close_row(seal, &row, span_text(plain_text), &a);
	close_row(seal, &row, span_text(plain_text), &b);
	assert_memory_equal(a.data, head, sizeof(head));
	/* never the same nonce, nor the same bytes behind it, nor the plain text */
	assert_memory_not_equal(a.data + 5, b.data + 5, 12);
	assert_memory_not_equal(a.data + 17, b.data + 17, strlen(plain_text));
	assert_memory_not_equal(a.data + 17, plain_text, strlen(plain_text));
	assert_null(memmem(a.data, a.size, "PRIVATE", 7));
	seal_free(seal);
}

static void test_every_byte_flipped(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = {0}, blob = {0};
	struct seal *seal = ready(&wrapped);

	(void)state;
	close_row(seal, &row, span_text(plain_text), &blob);
	for (size_t i = 0; i < blob.size; i++)
		for (int bit = 0; bit < 8; bit++) {
			blob.data[i] ^= (uint8_t)(1 << bit);
			assert_damaged(seal, &row, buffer_span(&blob));
			blob.data[i] ^= (uint8_t)(1 << bit);
		}
	assert_opens(seal, &row, &blob, span_text(plain_text));
	seal_free(seal);
}

static void test_truncated_and_extended(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = {0}, blob = {0};
	struct seal *seal = ready(&wrapped);

	(void)state;
	close_row(seal, &row, span_text(plain_text), &blob);
	for (size_t size = 0; size < blob.size; size++) {
		/* of its own, so that a read behind its end is noticed */
		uint8_t *copy = size ? malloc(size) : NULL;

		if (size)
			memcpy(copy, blob.data, size);
		assert_damaged(seal, &row, (struct span){copy, size});
		if (size)
			assert_damaged(seal, &row, (struct span){blob.data + blob.size - size, size});
		free(copy);
	}
	buffer_add(&blob, "", 1);
	assert_damaged(seal, &row, buffer_span(&blob));
	seal_free(seal);
}

static void test_swapped_rows(void **state)
{
	static const struct seal_row others[] = {
		{"generation", 12, 4, spki},       {"generation", 13, 3, spki},
		{"generation", 3, 12, spki},       {"generation", 12, 3, other_spki},
		{"signing_key", 12, 3, spki},      {"generatio", 12, 3, spki},
		{"generation", -12, 3, spki},      {"generation", 12 + (1LL << 32), 3, spki},
		{"generation", 12, 3 + (1LL << 56), spki}, {"", 12, 3, spki},
	};
	_cleanup_buffer_ struct buffer wrapped = {0}, blob = {0};
	struct seal *seal = ready(&wrapped);

	(void)state;
	close_row(seal, &row, span_text(plain_text), &blob);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		_cleanup_buffer_ struct buffer other_blob = {0};

		assert_damaged(seal, &others[i], buffer_span(&blob));
		close_row(seal, &others[i], span_text(plain_text), &other_blob);
		assert_damaged(seal, &row, buffer_span(&other_blob));
		assert_opens(seal, &others[i], &other_blob, span_text(plain_text));
	}
	seal_free(seal);
}

/* ---- terms ---- */

static void test_no_term(void **state)
{
	_cleanup_buffer_ struct buffer blob = {0};
	struct seal *seal = seal_of(master);
	struct error err = {0};

	(void)state;
	assert_int_equal(seal_close_row(seal, &row, span_text(plain_text), &blob, &err), -EIO);
	assert_int_equal(blob.size, 0);
	seal_free(seal);
}

static void test_two_terms(void **state)
{
	_cleanup_buffer_ struct buffer first = {0}, second = {0}, old = {0}, new = {0};
	struct seal *seal = ready(&first), *again;

	(void)state;
	close_row(seal, &row, span_text(plain_text), &old);
	create(seal, 0x01020304, &second);
	add(seal, 0x01020304, &second);
	close_row(seal, &row, span_text(plain_text), &new);
	assert_memory_equal(new.data, "\1\1\2\3\4", 5); /* the last one added seals */
	assert_opens(seal, &row, &old, span_text(plain_text));
	assert_opens(seal, &row, &new, span_text(plain_text));
	memcpy(new.data + 1, old.data + 1, 4); /* one term's blob under the other's number */
	assert_damaged(seal, &row, buffer_span(&new));
	seal_free(seal);

	again = seal_of(master); /* the next start */
	assert_damaged(again, &row, buffer_span(&old));
	add(again, 1, &first);
	assert_opens(again, &row, &old, span_text(plain_text));
	seal_free(again);
}

static void assert_term_refused(struct seal *seal, uint32_t term, struct span wrapped)
{
	_cleanup_buffer_ struct buffer blob = {0};
	struct error err = {0};

	assert_int_equal(seal_term_add(seal, term, wrapped, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "wrong master key"));
	assert_int_equal(seal_close_row(seal, &row, span_text("x"), &blob, &err), -EIO);
}

static void test_wrong_master_key(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	struct seal *seal = ready(&wrapped);
	uint8_t wrong[MASTER_KEY_SIZE];

	(void)state;
	seal_free(seal);
	for (size_t i = 0; i < MASTER_KEY_SIZE; i++) {
		memcpy(wrong, master_bytes, sizeof(wrong));
		wrong[i] ^= 1;
		seal = seal_of((struct span){wrong, sizeof(wrong)});
		assert_term_refused(seal, 1, buffer_span(&wrapped));
		seal_free(seal);
	}
}

static void test_damaged_term(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	struct seal *seal = seal_of(master);

	(void)state;
	create(seal, 1, &wrapped);
	assert_term_refused(seal, 2, buffer_span(&wrapped)); /* another's number */
	for (size_t i = 0; i < wrapped.size; i++) {
		wrapped.data[i] ^= 0x80;
		assert_term_refused(seal, 1, buffer_span(&wrapped));
		wrapped.data[i] ^= 0x80;
		assert_term_refused(seal, 1, (struct span){wrapped.data, i});
	}
	buffer_add(&wrapped, "", 1);
	assert_term_refused(seal, 1, buffer_span(&wrapped));
	seal_free(seal);
}

/* Terms are random: the same master key and number give another data key. */
static void test_terms_differ(void **state)
{
	_cleanup_buffer_ struct buffer first = {0}, second = {0}, blob = {0};
	struct seal *seal = ready(&first), *other;

	(void)state;
	close_row(seal, &row, span_text(plain_text), &blob);
	other = ready(&second);
	assert_damaged(other, &row, buffer_span(&blob));
	seal_free(other);
	seal_free(seal);
}

static void test_master_key_size(void **state)
{
	struct seal *seal = NULL;
	struct error err = {0};

	(void)state;
	assert_int_equal(seal_new((struct span){master_bytes, 31}, &seal, &err), -EKEYREJECTED);
	assert_int_equal(seal_new((struct span){NULL, 0}, &seal, &err), -EKEYREJECTED);
	assert_null(seal);
}

/* ---- the written form, opened by other means: a store of today must open with every certfs to come ---- */

static void decrypt(const uint8_t *key, struct span aad, struct span in, uint8_t *plain)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const int size = (int)in.size - 12 - 16;
	int n;

	assert_int_equal(EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, in.data), 1);
	assert_int_equal(EVP_DecryptUpdate(context, NULL, &n, aad.data, (int)aad.size), 1);
	assert_int_equal(EVP_DecryptUpdate(context, plain, &n, in.data + 12, size), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, 16,
					     (void *)(uintptr_t)(in.data + 12 + size)), 1);
	assert_int_equal(EVP_DecryptFinal_ex(context, plain + n, &n), 1);
	EVP_CIPHER_CTX_free(context);
}

/* RFC 5869 with an empty salt, one block. */
static void hkdf(const uint8_t *key, struct span info, uint8_t *ret)
{
	static const uint8_t salt[32];
	_cleanup_buffer_ struct buffer input = {0};
	uint8_t prk[32];

	assert_non_null(HMAC(EVP_sha256(), salt, sizeof(salt), key, DATA_KEY_SIZE, prk, NULL));
	buffer_add_span(&input, info);
	buffer_add(&input, "\1", 1);
	assert_non_null(HMAC(EVP_sha256(), prk, sizeof(prk), input.data, input.size, ret, NULL));
}

static void test_written_form(void **state)
{
	static const char term_aad[] = "certfs/term/v1\0\0\0\1";
	static const char name[] = "generation\0\0\0\0\0\0\0\0\14\0\0\0\0\0\0\0\3";
	_cleanup_buffer_ struct buffer wrapped = {0}, blob = {0}, info = {0}, aad = {0};
	struct seal *seal = ready(&wrapped);
	uint8_t data_key[DATA_KEY_SIZE], row_key[DATA_KEY_SIZE], plain[sizeof(plain_text)];

	(void)state;
	close_row(seal, &row, span_text(plain_text), &blob);
	seal_free(seal);
	decrypt(master_bytes, (struct span){(const uint8_t *)term_aad, sizeof(term_aad) - 1}, buffer_span(&wrapped),
		data_key);
	buffer_add_text(&info, "certfs/key/v1");
	buffer_add(&info, name, sizeof(name) - 1);
	hkdf(data_key, buffer_span(&info), row_key);
	buffer_add(&aad, "\1\0\0\0\1", 5);
	buffer_add(&aad, name, sizeof(name) - 1);
	buffer_add(&aad, spki, sizeof(spki));
	decrypt(row_key, buffer_span(&aad), (struct span){blob.data + 5, blob.size - 5}, plain);
	assert_memory_equal(plain, plain_text, strlen(plain_text));
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 200, TERMS = 8 };

/* Seals and opens while terms are added; assertions belong to the main thread. */
static void *work(void *argument)
{
	struct seal *seal = argument;

	for (int i = 0; i < ROUNDS; i++) {
		const struct seal_row at = {"generation", i, 1, spki};
		_cleanup_buffer_ struct buffer blob = {0}, plain = BUFFER_SECRET;
		struct error err = {0};

		if (seal_close_row(seal, &at, span_text(plain_text), &blob, &err) < 0 ||
		    seal_open_row(seal, &at, buffer_span(&blob), &plain, &err) < 0 ||
		    !span_equal(buffer_span(&plain), span_text(plain_text)))
			return "failed";
	}
	return NULL;
}

static void test_threads(void **state)
{
	_cleanup_buffer_ struct buffer wrapped = {0};
	struct seal *seal = ready(&wrapped);
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, seal), 0);
	for (uint32_t term = 2; term <= TERMS; term++) {
		_cleanup_buffer_ struct buffer more = {0};

		create(seal, term, &more);
		add(seal, term, &more);
	}
	for (int i = 0; i < THREADS; i++) {
		void *result;

		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_null(result);
	}
	seal_free(seal);
}

/* ---- the master key's file ---- */

static char directory[] = "/tmp/test_seal.XXXXXX";
static char path[sizeof(directory) + 16];

static void write_file(const void *data, size_t size, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	assert_int_equal(close(fd), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static int read_master(struct error *err)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	const int r = seal_master_read(path, &key, err);

	if (r == 0) {
		assert_true(span_equal(buffer_span(&key), master));
		assert_int_equal(CRYPTO_secure_allocated(key.data), 1);
	}
	return r;
}

static void test_master_create(void **state)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET, again = BUFFER_SECRET, other = BUFFER_SECRET;
	const mode_t mask = umask(0);
	struct error err = {0};
	struct stat st;

	(void)state;
	unlink(path);
	assert_int_equal(seal_master_create(path, &key, &err), 0);
	umask(mask);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, MASTER_KEY_SIZE);
	assert_int_equal(seal_master_read(path, &again, &err), 0);
	assert_true(span_equal(buffer_span(&key), buffer_span(&again)));
	assert_true(key.secret);
	assert_int_equal(CRYPTO_secure_allocated(key.data), 1);
	/* never over an existing one */
	assert_int_equal(seal_master_create(path, &other, &err), -EEXIST);
	buffer_clear(&again);
	assert_int_equal(seal_master_read(path, &again, &err), 0);
	assert_true(span_equal(buffer_span(&key), buffer_span(&again)));
	/* each is another one */
	unlink(path);
	buffer_clear(&other);
	assert_int_equal(seal_master_create(path, &other, &err), 0);
	assert_false(span_equal(buffer_span(&key), buffer_span(&other)));
}

/* What a crash left under the other name is in nobody's way. */
static void test_master_create_after_crash(void **state)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	char part[sizeof(path) + 8];
	struct error err = {0};

	(void)state;
	unlink(path);
	snprintf(part, sizeof(part), "%s.new", path);
	close(open(part, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	assert_int_equal(seal_master_create(path, &key, &err), 0);
	assert_int_equal(access(part, F_OK), -1);
}

static void test_master_create_nowhere(void **state)
{
	_cleanup_buffer_ struct buffer key = BUFFER_SECRET;
	char nowhere[sizeof(path) + 16];
	struct error err = {0};

	(void)state;
	snprintf(nowhere, sizeof(nowhere), "%s/no/master.key", directory);
	assert_int_equal(seal_master_create(nowhere, &key, &err), -ENOENT);
	assert_non_null(strstr(err.text, nowhere));
}

static void test_master_modes(void **state)
{
	static const struct {
		mode_t mode;
		int result;
	} modes[] = {
		{0600, 0},        {0400, 0},        {0700, 0},        {0640, -EACCES}, {0604, -EACCES},
		{0620, -EACCES},  {0602, -EACCES},  {0610, -EACCES},  {0601, -EACCES}, {0644, -EACCES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct error err = {0};

		write_file(master_bytes, MASTER_KEY_SIZE, modes[i].mode);
		if (read_master(&err) != modes[i].result)
			fail_msg("mode %o: %s", modes[i].mode, err.text);
		if (modes[i].result)
			assert_non_null(strstr(err.text, "chmod 0600"));
	}
}

static void test_master_owner(void **state)
{
	struct error err = {0};

	(void)state;
	if (geteuid() != 0)
		skip();
	write_file(master_bytes, MASTER_KEY_SIZE, 0600);
	assert_int_equal(chown(path, 65534, 65534), 0);
	assert_int_equal(read_master(&err), -EACCES);
	assert_non_null(strstr(err.text, "another user"));
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(read_master(&err), 0);
}

static void test_master_size(void **state)
{
	static const uint8_t bytes[64] = {1, 2, 3};
	static const size_t sizes[] = {0, 31, 33, 64};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct error err = {0};

		write_file(bytes, sizes[i], 0600);
		assert_int_equal(read_master(&err), -EKEYREJECTED);
		assert_non_null(strstr(err.text, path));
	}
}

static void test_master_missing(void **state)
{
	struct error err = {0};

	(void)state;
	unlink(path);
	assert_int_equal(read_master(&err), -ENOENT);
	assert_non_null(strstr(err.text, path));
}

static int prepare(void **state)
{
	struct error err = {0};

	(void)state;
	if (core_memory_init(&err) < 0 || !mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/master.key", directory);
	return 0;
}

static int clean(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_truncated_and_extended),
		cmocka_unit_test(test_swapped_rows),
		cmocka_unit_test(test_no_term),
		cmocka_unit_test(test_two_terms),
		cmocka_unit_test(test_wrong_master_key),
		cmocka_unit_test(test_damaged_term),
		cmocka_unit_test(test_terms_differ),
		cmocka_unit_test(test_master_key_size),
		cmocka_unit_test(test_written_form),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_master_create),
		cmocka_unit_test(test_master_create_after_crash),
		cmocka_unit_test(test_master_create_nowhere),
		cmocka_unit_test(test_master_modes),
		cmocka_unit_test(test_master_owner),
		cmocka_unit_test(test_master_size),
		cmocka_unit_test(test_master_missing),
	};

	return cmocka_run_group_tests(tests, prepare, clean);
}
