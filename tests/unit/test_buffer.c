/* Byte strings, and the memory that secret ones live in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "certfs/buffer.h"
#include "certfs/core.h"

static void test_empty(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0};

	(void)state;
	assert_int_equal(buffer_status(&buffer), 0);
	assert_int_equal(buffer_span(&buffer).size, 0);
	buffer_add(&buffer, NULL, 0);
	buffer_add_span(&buffer, (struct span){0});
	assert_int_equal(buffer.size, 0);
	assert_int_equal(buffer_status(&buffer), 0);
	buffer_clear(&buffer);
	buffer_clear(&buffer);
	assert_null(buffer.data);
}

static void test_append(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0};

	(void)state;
	buffer_add(&buffer, "a\0b", 3);
	buffer_add_text(&buffer, "cd");
	buffer_add_span(&buffer, span_text("ef"));
	buffer_printf(&buffer, "-%d-%s", 42, "x");
	assert_int_equal(buffer_status(&buffer), 0);
	assert_int_equal(buffer.size, 12);
	assert_memory_equal(buffer.data, "a\0bcdef-42-x", 12);
}

/* Across every reallocation nothing is lost. */
static void grow(struct buffer *buffer)
{
	for (int i = 0; i < 5000; i++)
		buffer_printf(buffer, "%04d", i);
	assert_int_equal(buffer_status(buffer), 0);
	assert_int_equal(buffer->size, 20000);
	assert_true(buffer->room >= buffer->size);
	for (int i = 0; i < 5000; i++) {
		const uint8_t *at = buffer->data + (size_t)i * 4;

		assert_int_equal((at[0] - '0') * 1000 + (at[1] - '0') * 100 + (at[2] - '0') * 10 +
					 at[3] - '0',
				 i);
	}
}

static void test_growth(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0}, secret = BUFFER_SECRET;

	(void)state;
	grow(&buffer);
	assert_int_equal(CRYPTO_secure_allocated(buffer.data), 0);
	grow(&secret);
	assert_int_equal(CRYPTO_secure_allocated(secret.data), 1);
}

static void test_printf_exact_room(void **state)
{
	char text[600];

	(void)state;
	for (size_t size = 250; size < 260; size++) {
		_cleanup_buffer_ struct buffer buffer = {0};

		memset(text, 'y', size);
		text[size] = '\0';
		buffer_printf(&buffer, "%s", text);
		buffer_add_text(&buffer, "z");
		assert_int_equal(buffer.size, size + 1);
		assert_memory_equal(buffer.data, text, size);
		assert_int_equal(buffer.data[size], 'z');
	}
}

static void test_resize(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0};

	(void)state;
	assert_int_equal(buffer_resize(&buffer, 0), 0);
	assert_non_null(buffer.data);
	buffer_add_text(&buffer, "secret");
	assert_int_equal(buffer_resize(&buffer, 2), 0);
	assert_int_equal(buffer_resize(&buffer, 1000), 0);
	assert_int_equal(buffer.size, 1000);
	assert_memory_equal(buffer.data, "se", 2);
	for (size_t i = 2; i < 1000; i++)
		assert_int_equal(buffer.data[i], 0);
}

static void test_reserve(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0};
	const uint8_t *data;

	(void)state;
	buffer_add_text(&buffer, "abc");
	assert_int_equal(buffer_reserve(&buffer, 10000), 0);
	assert_int_equal(buffer.size, 3);
	assert_true(buffer.room >= 10000);
	data = buffer.data;
	assert_int_equal(buffer_resize(&buffer, 10000), 0);
	assert_ptr_equal(buffer.data, data);
	assert_memory_equal(buffer.data, "abc", 3);
}

static void test_take(void **state)
{
	_cleanup_buffer_ struct buffer buffer = BUFFER_SECRET;
	_cleanup_buffer_ struct buffer taken = {0};
	const uint8_t *data;

	(void)state;
	buffer_add_text(&buffer, "abc");
	data = buffer.data;
	taken = buffer_take(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.size, 0);
	assert_int_equal(buffer.room, 0);
	assert_true(buffer.secret);
	assert_ptr_equal(taken.data, data);
	assert_int_equal(taken.size, 3);
	assert_true(taken.secret);
}

static void test_clear_keeps_secrecy(void **state)
{
	struct buffer buffer = BUFFER_SECRET;

	(void)state;
	buffer_add_text(&buffer, "abc");
	buffer_clear(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.size, 0);
	assert_true(buffer.secret);
	buffer_add_text(&buffer, "def");
	assert_int_equal(CRYPTO_secure_allocated(buffer.data), 1);
	buffer_clear(&buffer);
}

enum { SECRET_SIZE = 4096, LINKS = 64 };

static void count_secret_bytes(const volatile uint8_t *data, int *ret)
{
	*ret = 0;
	for (size_t i = LINKS; i < SECRET_SIZE; i++)
		*ret += data[i] == 0x5a;
}

/* The heap stays mapped, so what is left of a secret can be looked at. Its first bytes are the free list's. */
static void test_secret_is_wiped(void **state)
{
	struct buffer buffer = BUFFER_SECRET;
	uint8_t secret[SECRET_SIZE];
	const volatile uint8_t *data;
	int left;

	(void)state;
	memset(secret, 0x5a, sizeof(secret));
	buffer_add(&buffer, secret, sizeof(secret));
	data = buffer.data;
	count_secret_bytes(data, &left);
	assert_int_equal(left, SECRET_SIZE - LINKS);
	buffer_clear(&buffer);
	count_secret_bytes(data, &left);
	assert_int_equal(left, 0);
}

static void test_secret_is_wiped_when_moved(void **state)
{
	_cleanup_buffer_ struct buffer buffer = BUFFER_SECRET;
	uint8_t secret[SECRET_SIZE];
	const volatile uint8_t *data;
	int left;

	(void)state;
	memset(secret, 0x5a, sizeof(secret));
	buffer_add(&buffer, secret, sizeof(secret));
	data = buffer.data;
	assert_int_equal(buffer_reserve(&buffer, 4 * SECRET_SIZE), 0);
	assert_ptr_not_equal(buffer.data, data);
	count_secret_bytes(data, &left);
	assert_int_equal(left, 0);
	assert_memory_equal(buffer.data, secret, sizeof(secret));
}

/* A full locked heap is an error, never ordinary memory; and the failure stays. */
static void test_secret_heap_full(void **state)
{
	_cleanup_buffer_ struct buffer buffer = BUFFER_SECRET;

	(void)state;
	buffer_add_text(&buffer, "abc");
	assert_int_equal(buffer_resize(&buffer, 64 << 20), -ENOMEM);
	assert_int_equal(buffer_status(&buffer), -ENOMEM);
	buffer_add_text(&buffer, "def");
	buffer_printf(&buffer, "%s", "ghi");
	assert_int_equal(buffer.size, 3);
	assert_memory_equal(buffer.data, "abc", 3);
	assert_int_equal(buffer_status(&buffer), -ENOMEM);
	buffer_clear(&buffer);
	assert_int_equal(buffer_status(&buffer), 0);
}

static void test_absurd_size(void **state)
{
	_cleanup_buffer_ struct buffer buffer = {0};

	(void)state;
	buffer_add_text(&buffer, "abc");
	buffer_add(&buffer, "x", SIZE_MAX);
	assert_int_equal(buffer_status(&buffer), -ENOMEM);
	assert_int_equal(buffer.size, 3);
}

static void test_span_equal(void **state)
{
	(void)state;
	assert_true(span_equal(span_text("ab"), (struct span){(const uint8_t *)"abc", 2}));
	assert_false(span_equal(span_text("ab"), span_text("abc")));
	assert_false(span_equal(span_text("ab"), span_text("ac")));
	assert_true(span_equal((struct span){0}, span_text("")));
}

static int make_memory(void **state)
{
	struct error err = {0};

	(void)state;
	return core_memory_init(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_printf_exact_room),
		cmocka_unit_test(test_resize),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_clear_keeps_secrecy),
		cmocka_unit_test(test_secret_is_wiped),
		cmocka_unit_test(test_secret_is_wiped_when_moved),
		cmocka_unit_test(test_secret_heap_full),
		cmocka_unit_test(test_absurd_size),
		cmocka_unit_test(test_span_equal),
	};

	return cmocka_run_group_tests(tests, make_memory, NULL);
}
