/* Successors of a signing CA: a key of the same kind, a self-signed certificate, a request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "x509_fixture.h"

static const char *const kinds[] = {"P-256/o",    "P-384/o",   "P-521/o", "RSA-2048/o",
				    "RSA-3072/o", "ED25519/o", "ED448/o"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char *const bounded_ca[] = {"basicConstraints=critical,CA:TRUE,pathlen:2",
					 "keyUsage=critical,digitalSignature,keyCertSign,cRLSign",
					 "subjectKeyIdentifier=hash", NULL};

static X509 *parse(const struct buffer *der)
{
	const uint8_t *at = der->data;
	X509 *cert = d2i_X509(NULL, &at, (long)der->size);

	assert_non_null(cert);
	assert_ptr_equal(at, der->data + der->size);
	return cert;
}

static struct keypair *key_like(const X509 *cert)
{
	struct buffer der = fixture_der(cert);
	struct keypair *key = NULL;
	struct error err = {0};

	if (keypair_generate_like(buffer_span(&der), &key, &err) != 0)
		fail_msg("%s", err.text);
	buffer_clear(&der);
	return key;
}

/* The DER of a successor of old at time now. */
static struct buffer succeed(const X509 *old, const struct keypair *key, unixtime now)
{
	struct buffer der = fixture_der(old), made = {0};
	struct error err = {0};

	if (x509_successor(buffer_span(&der), key, now, &made, &err) != 0)
		fail_msg("%s", err.text);
	buffer_clear(&der);
	return made;
}

static unixtime time_of(const ASN1_TIME *time)
{
	struct tm tm;

	assert_int_equal(ASN1_TIME_to_tm(time, &tm), 1);
	return timegm(&tm);
}

static void assert_same_extension(const X509 *a, const X509 *b, int nid)
{
	X509_EXTENSION *in_a = X509_get_ext(a, X509_get_ext_by_NID(a, nid, -1));
	X509_EXTENSION *in_b = X509_get_ext(b, X509_get_ext_by_NID(b, nid, -1));

	assert_non_null(in_a);
	assert_non_null(in_b);
	assert_int_equal(X509_EXTENSION_get_critical(in_a), X509_EXTENSION_get_critical(in_b));
	assert_int_equal(
		ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(in_a), X509_EXTENSION_get_data(in_b)),
		0);
}

static void assert_same_name(const X509_NAME *a, const X509_NAME *b)
{
	const uint8_t *der_a, *der_b;
	size_t size_a, size_b;

	assert_int_equal(X509_NAME_get0_der(a, &der_a, &size_a), 1);
	assert_int_equal(X509_NAME_get0_der(b, &der_b, &size_b), 1);
	assert_int_equal(size_a, size_b);
	assert_memory_equal(der_a, der_b, size_a);
}

/* ---- keys ---- */

static void test_key_like(void **state)
{
	(void)state;
	for (int i = 0; i < KINDS; i++) {
		const struct recipe recipe = {.name = "Root", .key = kinds[i]};
		X509 *old = fixture_certificate(&recipe), *new;
		struct keypair *key = key_like(old);
		struct buffer made = succeed(old, key, NOW);
		EVP_PKEY *was = X509_get0_pubkey(old), *is;
		char was_group[64] = "", is_group[64] = "";

		new = parse(&made);
		is = X509_get0_pubkey(new);
		assert_string_equal(EVP_PKEY_get0_type_name(was), EVP_PKEY_get0_type_name(is));
		assert_int_equal(EVP_PKEY_get_bits(was), EVP_PKEY_get_bits(is));
		(void)EVP_PKEY_get_group_name(was, was_group, sizeof(was_group), NULL);
		(void)EVP_PKEY_get_group_name(is, is_group, sizeof(is_group), NULL);
		assert_string_equal(was_group, is_group);
		assert_int_not_equal(EVP_PKEY_eq(was, is), 1);
		X509_free(new);
		buffer_clear(&made);
		keypair_unref(key);
	}
}

static void test_no_certificate(void **state)
{
	const struct span rubbish = {(const uint8_t *)"\x30\x03\x02\x01\x00", 5};
	struct keypair *key = fixture_keypair(fixture_key("P-256/o"));
	struct keypair *untouched = NULL;
	struct buffer ret = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(keypair_generate_like(rubbish, &untouched, &err), -EKEYREJECTED);
	assert_null(untouched);
	assert_int_equal(x509_successor(rubbish, key, NOW, &ret, &err), -EKEYREJECTED);
	assert_int_equal(x509_request(rubbish, key, &ret, &err), -EKEYREJECTED);
	assert_null(ret.data);
	keypair_unref(key);
}

/* ---- a self-signed successor ---- */

static void test_same_but_for_the_key(void **state)
{
	const struct recipe recipe = {
		.name = "Wurzel Größe 7", .key = "P-256/o", .extensions = bounded_ca};
	X509 *old = fixture_certificate(&recipe), *new;
	struct keypair *key = key_like(old);
	struct buffer made = succeed(old, key, NOW + 3000 * (unixtime)DAY);

	(void)state;
	new = parse(&made);
	assert_int_equal(X509_get_version(new), X509_VERSION_3);
	assert_same_name(X509_get_subject_name(new), X509_get_subject_name(old));
	assert_same_name(X509_get_issuer_name(new), X509_get_subject_name(old));
	assert_same_extension(old, new, NID_basic_constraints);
	assert_same_extension(old, new, NID_key_usage);
	assert_int_equal(X509_check_purpose(new, -1, 0), 1);
	assert_int_equal(X509_get_pathlen(new), 2);
	X509_free(new);
	buffer_clear(&made);
	keypair_unref(key);
}

/* As long as the old one was, from five minutes ago; past 2049 too. */
static void test_lifetime(void **state)
{
	static const int lives[] = {30, 3650, 20000};

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		const struct recipe recipe = {
			.name = "Root", .key = "P-256/o", .till_days = lives[i]};
		const unixtime now = NOW + (lives[i] - 10) * (unixtime)DAY;
		X509 *old = fixture_certificate(&recipe), *new;
		struct keypair *key = key_like(old);
		struct buffer made = succeed(old, key, now);

		new = parse(&made);
		assert_int_equal(time_of(X509_get0_notBefore(new)), now - 300);
		assert_int_equal(
			time_of(X509_get0_notAfter(new)) - time_of(X509_get0_notBefore(new)),
			time_of(X509_get0_notAfter(old)) - time_of(X509_get0_notBefore(old)));
		X509_free(new);
		buffer_clear(&made);
		keypair_unref(key);
	}
}

static void test_identifiers_and_serial(void **state)
{
	const struct recipe recipe = {.name = "Root", .key = "P-256/o"};
	X509 *old = fixture_certificate(&recipe), *one, *two;
	struct keypair *key = key_like(old);
	struct buffer first = succeed(old, key, NOW), second = succeed(old, key, NOW);
	const ASN1_OCTET_STRING *ski;

	(void)state;
	one = parse(&first);
	two = parse(&second);
	ski = X509_get0_subject_key_id(one);
	assert_int_equal(ASN1_STRING_length(ski), 20);
	assert_int_equal(ASN1_OCTET_STRING_cmp(ski, X509_get0_authority_key_id(one)), 0);
	assert_int_not_equal(ASN1_OCTET_STRING_cmp(ski, X509_get0_subject_key_id(old)), 0);
	assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(one)), SERIAL_SIZE);
	assert_int_not_equal(
		ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
	X509_free(one);
	X509_free(two);
	buffer_clear(&first);
	buffer_clear(&second);
	keypair_unref(key);
}

/* It is a signing CA of its own, as an upload would have to be, and issues. */
static void test_is_a_signing_ca(void **state)
{
	(void)state;
	for (int i = 0; i < KINDS; i++) {
		const struct recipe recipe = {
			.name = "Root", .key = kinds[i], .extensions = bounded_ca};
		X509 *old = fixture_certificate(&recipe);
		struct keypair *key = key_like(old);
		struct buffer made = succeed(old, key, NOW);
		_cleanup_chain_ struct chain chain = {0};
		struct issuer *issuer = NULL;
		struct error err = {0};

		if (x509_check_chain(&made, 1, NULL, NOW, &chain, &err) != 0 ||
		    issuer_new(&chain, key, &issuer, &err) != 0)
			fail_msg("%s: %s", kinds[i], err.text);
		assert_true(chain.self_signed);
		assert_int_equal(chain.path_length, 2);
		issuer_free(issuer);
		buffer_clear(&made);
		keypair_unref(key);
	}
}

/* ---- a request ---- */

static X509_REQ *request(const X509 *old, const struct keypair *key, struct buffer *ret_pem)
{
	struct buffer cert = fixture_der(old), der = {0};
	struct error err = {0};
	const uint8_t *at;
	X509_REQ *made;

	if (x509_request(buffer_span(&cert), key, &der, &err) != 0)
		fail_msg("%s", err.text);
	at = der.data;
	made = d2i_X509_REQ(NULL, &at, (long)der.size);
	assert_non_null(made);
	assert_ptr_equal(at, der.data + der.size);
	pem_add_request(ret_pem, buffer_span(&der));
	buffer_clear(&cert);
	buffer_clear(&der);
	return made;
}

static void assert_requested(const X509 *old, STACK_OF(X509_EXTENSION) * asked, int nid)
{
	X509_EXTENSION *was = X509_get_ext(old, X509_get_ext_by_NID(old, nid, -1));
	X509_EXTENSION *is = X509v3_get_ext(asked, X509v3_get_ext_by_NID(asked, nid, -1));

	assert_non_null(is);
	assert_int_equal(X509_EXTENSION_get_critical(was), X509_EXTENSION_get_critical(is));
	assert_int_equal(
		ASN1_OCTET_STRING_cmp(X509_EXTENSION_get_data(was), X509_EXTENSION_get_data(is)),
		0);
}

static void test_request(void **state)
{
	const struct recipe top = {.name = "Top", .key = "P-256/top"};
	X509 *root = fixture_certificate(&top);

	(void)state;
	for (int i = 0; i < KINDS; i++) {
		const struct recipe recipe = {.name = "Zwischenstelle Größe 7",
					      .key = kinds[i],
					      .issuer = root,
					      .extensions = bounded_ca};
		X509 *old = fixture_certificate(&recipe);
		struct keypair *key = key_like(old);
		struct buffer pem = {0};
		X509_REQ *made = request(old, key, &pem);
		STACK_OF(X509_EXTENSION) *asked = X509_REQ_get_extensions(made);

		assert_int_equal(X509_REQ_verify(made, X509_REQ_get0_pubkey(made)), 1);
		assert_same_name(X509_REQ_get_subject_name(made), X509_get_subject_name(old));
		assert_int_not_equal(EVP_PKEY_eq(X509_REQ_get0_pubkey(made), X509_get0_pubkey(old)),
				     1);
		assert_int_equal(sk_X509_EXTENSION_num(asked), 2);
		assert_requested(old, asked, NID_basic_constraints);
		assert_requested(old, asked, NID_key_usage);
		sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
		X509_REQ_free(made);
		buffer_clear(&pem);
		keypair_unref(key);
	}
}

/* A signing CA without keyUsage may do all: no request for less. */
static void test_request_without_key_usage(void **state)
{
	static const char *const bare[] = {"basicConstraints=critical,CA:TRUE", NULL};
	const struct recipe recipe = {.name = "Bare", .key = "P-256/o", .extensions = bare};
	X509 *old = fixture_certificate(&recipe);
	struct keypair *key = key_like(old);
	struct buffer pem = {0};
	X509_REQ *made = request(old, key, &pem);
	STACK_OF(X509_EXTENSION) *asked = X509_REQ_get_extensions(made);

	(void)state;
	assert_int_equal(sk_X509_EXTENSION_num(asked), 1);
	assert_requested(old, asked, NID_basic_constraints);
	sk_X509_EXTENSION_pop_free(asked, X509_EXTENSION_free);
	X509_REQ_free(made);
	buffer_clear(&pem);
	keypair_unref(key);
}

/* What the customer's CA will do first. 0: the tool takes the request (its exit status does not say
 * so). */
static int verify_by_tool(const struct buffer *pem)
{
	FILE *pipe = popen("openssl req -noout -verify 2>&1 | grep -q 'verify OK'", "w");

	assert_non_null(pipe);
	assert_int_equal(fwrite(pem->data, 1, pem->size, pipe), pem->size);
	return pclose(pipe);
}

/* Puts another letter where the signature is. */
static void damage(struct buffer *pem)
{
	uint8_t *letter =
		pem->data + pem->size - strlen("-----END CERTIFICATE REQUEST-----\n") - 12;

	*letter = *letter == 'A' ? 'B' : 'A';
}

static void test_request_by_openssl(void **state)
{
	(void)state;
	if (system("command -v openssl >/dev/null") != 0)
		skip();
	for (int i = 0; i < KINDS; i++) {
		const struct recipe recipe = {
			.name = "Judged", .key = kinds[i], .extensions = bounded_ca};
		X509 *old = fixture_certificate(&recipe);
		struct keypair *key = key_like(old);
		struct buffer pem = {0};

		X509_REQ_free(request(old, key, &pem));
		assert_int_equal(buffer_status(&pem), 0);
		assert_int_equal(pem.data[pem.size - 1], '\n');
		assert_int_equal(verify_by_tool(&pem), 0);
		damage(&pem);
		assert_int_not_equal(verify_by_tool(&pem), 0);
		buffer_clear(&pem);
		keypair_unref(key);
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
		cmocka_unit_test(test_key_like),
		cmocka_unit_test(test_no_certificate),
		cmocka_unit_test(test_same_but_for_the_key),
		cmocka_unit_test(test_lifetime),
		cmocka_unit_test(test_identifiers_and_serial),
		cmocka_unit_test(test_is_a_signing_ca),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_request_without_key_usage),
		cmocka_unit_test(test_request_by_openssl),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
