/* CRLs: read back by OpenSSL, judged by the tools of others, and quick however long they are.
 *
 * The judges look at the clock themselves (certtool can't be told another time), so these tests run
 * at the real time, with certificates that began long ago.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "revocation_list.h"
#include "x509_fixture.h"

enum { LONG_LIST = 100000, SAID = 4096 };

static const unixtime YEAR_2050 = 2524608000; /* its first second */

static const char *const signer_kinds[] = {"P-256/s",    "P-384/s",   "P-521/s",
					   "RSA-2048/s", "ED25519/s", "ED448/s"};
enum { SIGNERS = sizeof(signer_kinds) / sizeof(signer_kinds[0]) };

static const enum crl_reason all_reasons[] = {CRL_UNSPECIFIED, CRL_CA_COMPROMISE, CRL_SUPERSEDED,
					      CRL_CESSATION_OF_OPERATION};
enum { REASONS = sizeof(all_reasons) / sizeof(all_reasons[0]) };

static unixtime now; /* when the tests began */

/* ---- a signing CA and what it signs ---- */

struct plant {
	struct chain chain;
	struct issuer *issuer;
	X509 *signer;
};

static void plant_clear(struct plant *plant)
{
	issuer_free(plant->issuer);
	chain_clear(&plant->chain);
}

#define _cleanup_plant_ __attribute__((cleanup(plant_clear)))

static void plant_grow(const char *kind, const char *const *extensions, struct plant *ret)
{
	const struct recipe recipe = {
		.name = "Revoker", .key = kind, .from_days = -3650, .extensions = extensions};
	struct error err = {0};
	struct keypair *key;
	struct buffer der;

	ret->signer = fixture_certificate(&recipe);
	key = fixture_keypair(fixture_key_of(ret->signer));
	der = fixture_der(ret->signer);
	if (x509_check_chain(&der, 1, NULL, now, &ret->chain, &err) != 0 ||
	    issuer_new(&ret->chain, key, &ret->issuer, &err) != 0)
		fail_msg("%s", err.text);
	keypair_unref(key);
	buffer_clear(&der);
}

static void make_serial(uint8_t ret[SERIAL_SIZE])
{
	struct error err = {0};

	assert_int_equal(x509_serial(ret, &err), 0);
}

/* A device CA as PEM, and its serial. */
static struct buffer issue(const struct plant *plant, uint8_t ret_serial[SERIAL_SIZE])
{
	struct device_ca_order order = {.common_name = "gw-01"};
	struct keypair *key = fixture_keypair(fixture_key("P-256/dev"));
	struct buffer pem = {0}, der = {0};
	struct error err = {0};

	issuer_validity(plant->issuer, now, 365, &order.not_before, &order.not_after);
	make_serial(order.serial);
	if (issuer_sign(plant->issuer, &order, key, &der, &err) != 0)
		fail_msg("%s", err.text);
	memcpy(ret_serial, order.serial, SERIAL_SIZE);
	pem_add_certificate(&pem, buffer_span(&der));
	buffer_clear(&der);
	keypair_unref(key);
	return pem;
}

static struct buffer make_list(const struct plant *plant, uint64_t number, unixtime at,
			       const struct buffer *entries)
{
	struct buffer der = {0};
	struct error err = {0};

	assert_int_equal(buffer_status(entries), 0);
	if (crl_sign(plant->issuer, number, at, buffer_span(entries), &der, &err) != 0)
		fail_msg("%s", err.text);
	return der;
}

/* The whole of der is one list. */
static X509_CRL *parse(const struct buffer *der)
{
	const uint8_t *at = der->data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der->size);

	assert_non_null(crl);
	assert_ptr_equal(at, der->data + der->size);
	return crl;
}

static X509_CRL *parsed_list(const struct plant *plant, uint64_t number, unixtime at,
			     const struct buffer *entries)
{
	struct buffer der = make_list(plant, number, at, entries);
	X509_CRL *crl = parse(&der);

	buffer_clear(&der);
	return crl;
}

static void assert_time(const ASN1_TIME *time, unixtime expected)
{
	assert_int_equal(ASN1_STRING_type(time),
			 expected < YEAR_2050 ? V_ASN1_UTCTIME : V_ASN1_GENERALIZEDTIME);
	assert_int_equal(ASN1_TIME_cmp_time_t(time, (time_t)expected), 0);
}

/* ---- what stands in a list ---- */

static void test_profile(void **state)
{
	const struct buffer none = {0};
	_cleanup_plant_ struct plant plant = {0};
	X509_CRL *crl;
	AUTHORITY_KEYID *aki;
	int critical;

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	crl = parsed_list(&plant, 7, now, &none);
	assert_int_equal(X509_CRL_get_version(crl), X509_CRL_VERSION_2);
	assert_int_equal(
		X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(plant.signer)), 0);
	assert_time(X509_CRL_get0_lastUpdate(crl), now);
	assert_time(X509_CRL_get0_nextUpdate(crl), now + 7 * DAY);
	aki = X509_CRL_get_ext_d2i(crl, NID_authority_key_identifier, &critical, NULL);
	assert_non_null(aki);
	assert_int_equal(critical, 0);
	assert_int_equal(ASN1_OCTET_STRING_cmp(aki->keyid, X509_get0_subject_key_id(plant.signer)),
			 0);
	assert_null(aki->issuer);
	AUTHORITY_KEYID_free(aki);
	assert_int_equal(X509_CRL_get_ext_count(crl), 2); /* and the number */
	X509_CRL_free(crl);
}

/* RFC 5280, 5.1.2.6: the list must be absent, not empty. */
static void test_nothing_revoked(void **state)
{
	const struct buffer none = {0};
	_cleanup_plant_ struct plant plant = {0};
	X509_CRL *crl;

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	crl = parsed_list(&plant, 1, now, &none);
	assert_null(X509_CRL_get_REVOKED(crl));
	X509_CRL_free(crl);
}

/* In the shortest form, and never negative. */
static void test_numbers(void **state)
{
	static const uint64_t numbers[] = {0,          1,         127,        128,
					   255,        256,       32767,      32768,
					   2147483648, INT64_MAX, 1ull << 63, UINT64_MAX};
	const struct buffer none = {0};
	_cleanup_plant_ struct plant plant = {0};

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		X509_CRL *crl = parsed_list(&plant, numbers[i], now, &none);
		int at = X509_CRL_get_ext_by_NID(crl, NID_crl_number, -1), critical;
		ASN1_INTEGER *number = X509_CRL_get_ext_d2i(crl, NID_crl_number, &critical, NULL);
		const ASN1_OCTET_STRING *data = X509_EXTENSION_get_data(X509_CRL_get_ext(crl, at));
		uint64_t value;

		assert_int_equal(critical, 0);
		assert_int_equal(ASN1_INTEGER_get_uint64(&value, number), 1);
		assert_true(value == numbers[i]);
		assert_int_equal(i2d_ASN1_INTEGER(number, NULL), ASN1_STRING_length(data));
		ASN1_INTEGER_free(number);
		X509_CRL_free(crl);
	}
}

static void assert_entry(X509_REVOKED *entry, const uint8_t serial[SERIAL_SIZE], unixtime at,
			 enum crl_reason reason)
{
	const ASN1_INTEGER *number = X509_REVOKED_get0_serialNumber(entry);
	ASN1_ENUMERATED *code;
	int critical;

	assert_int_equal(ASN1_STRING_type(number), V_ASN1_INTEGER); /* not negative */
	assert_int_equal(ASN1_STRING_length(number), SERIAL_SIZE);
	assert_memory_equal(ASN1_STRING_get0_data(number), serial, SERIAL_SIZE);
	assert_time(X509_REVOKED_get0_revocationDate(entry), at);
	code = X509_REVOKED_get_ext_d2i(entry, NID_crl_reason, &critical, NULL);
	assert_int_equal(X509_REVOKED_get_ext_count(entry), reason != CRL_UNSPECIFIED);
	if (reason == CRL_UNSPECIFIED) {
		assert_null(code);
		return;
	}
	assert_non_null(code);
	assert_int_equal(critical, 0);
	assert_int_equal(ASN1_ENUMERATED_get(code), (int)reason);
	ASN1_ENUMERATED_free(code);
}

static void test_entries(void **state)
{
	static const int ages[REASONS] = {0, 60, 30 * DAY, 3000 * DAY};
	_cleanup_plant_ struct plant plant = {0};
	uint8_t serials[REASONS][SERIAL_SIZE];
	struct buffer entries = {0};
	X509_CRL *crl;

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	for (int i = 0; i < REASONS; i++) {
		make_serial(serials[i]);
		crl_add_entry(&entries, serials[i], now - ages[i], all_reasons[i]);
	}
	crl = parsed_list(&plant, 1, now, &entries);
	/* OpenSSL sorts when it is asked for one serial, so in order of the list first. */
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), REASONS);
	for (int i = 0; i < REASONS; i++)
		assert_entry(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), i), serials[i],
			     now - ages[i], all_reasons[i]);
	X509_CRL_free(crl);
	buffer_clear(&entries);
}

/* UTCTime to the last second of 2049, GeneralizedTime from then on. */
static void test_after_2050(void **state)
{
	_cleanup_plant_ struct plant plant = {0};

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	for (int past = -1; past <= 0; past++) {
		struct buffer entries = {0};
		uint8_t serial[SERIAL_SIZE];
		X509_CRL *crl;

		make_serial(serial);
		crl_add_entry(&entries, serial, YEAR_2050 + past, CRL_SUPERSEDED);
		crl = parsed_list(&plant, 1, YEAR_2050 + past, &entries);
		assert_time(X509_CRL_get0_lastUpdate(crl), YEAR_2050 + past);
		assert_time(X509_CRL_get0_nextUpdate(crl), YEAR_2050 + past + 7 * DAY);
		assert_entry(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0), serial,
			     YEAR_2050 + past, CRL_SUPERSEDED);
		X509_CRL_free(crl);
		buffer_clear(&entries);
	}
}

static void test_reason_names(void **state)
{
	(void)state;
	assert_int_equal(crl_reason_of("cACompromise"), 2);
	assert_int_equal(crl_reason_of("superseded"), 4);
	assert_int_equal(crl_reason_of("cessationOfOperation"), 5);
	assert_int_equal(crl_reason_of("Superseded"), CRL_UNSPECIFIED);
	assert_int_equal(crl_reason_of(""), CRL_UNSPECIFIED);
}

static void test_signatures(void **state)
{
	(void)state;
	for (int i = 0; i < SIGNERS; i++) {
		const struct buffer none = {0};
		_cleanup_plant_ struct plant plant = {0};
		X509_CRL *crl;

		plant_grow(signer_kinds[i], NULL, &plant);
		crl = parsed_list(&plant, 1, now, &none);
		assert_int_equal(X509_CRL_verify(crl, fixture_key_of(plant.signer)), 1);
		assert_int_not_equal(X509_CRL_verify(crl, fixture_key("P-256/other")), 1);
		X509_CRL_free(crl);
	}
}

/* ---- length ---- */

static double cpu_milliseconds(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
	return (double)spent.tv_sec * 1e3 + (double)spent.tv_nsec / 1e6;
}

/* The bound is for a sanitizer's pace: it catches work that grows with the square. */
static void test_long_list(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct buffer entries = {0}, der, pem = {0};
	uint8_t serial[SERIAL_SIZE];
	double start, encoded, signed_at, done;
	X509_CRL *crl;

	(void)state;
	plant_grow("P-256/s", NULL, &plant);
	make_serial(serial);
	start = cpu_milliseconds();
	for (int i = 0; i < LONG_LIST; i++) {
		memcpy(serial + SERIAL_SIZE - sizeof(i), &i, sizeof(i));
		crl_add_entry(&entries, serial, now - i, all_reasons[i % REASONS]);
	}
	encoded = cpu_milliseconds();
	der = make_list(&plant, 1, now, &entries);
	signed_at = cpu_milliseconds();
	pem_add_crl(&pem, buffer_span(&der));
	done = cpu_milliseconds();
	print_message("%d entries: encoded in %.1f ms, signed in %.1f ms, as PEM in %.1f ms\n",
		      LONG_LIST, encoded - start, signed_at - encoded, done - signed_at);
	assert_true(done - start < 2000);
	crl = parse(&der);
	assert_int_equal(sk_X509_REVOKED_num(X509_CRL_get_REVOKED(crl)), LONG_LIST);
	assert_int_equal(X509_CRL_verify(crl, fixture_key_of(plant.signer)), 1);
	X509_CRL_free(crl);
	buffer_clear(&entries);
	buffer_clear(&der);
	buffer_clear(&pem);
}

/* ---- the judges ---- */

static char directory[] = "/tmp/certfs-crl-XXXXXX";

static void path_of(const char *name, char ret[64])
{
	snprintf(ret, 64, "%s/%s", directory, name);
}

static void put_file(const char *name, const struct buffer *data)
{
	char path[64];
	FILE *file;

	path_of(name, path);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(data->data, 1, data->size, file), data->size);
	assert_int_equal(fclose(file), 0);
}

static void put_list(const struct plant *plant, const struct buffer *entries)
{
	struct buffer der = make_list(plant, 1, now, entries), pem = {0};

	pem_add_crl(&pem, buffer_span(&der));
	assert_int_equal(buffer_status(&pem), 0);
	put_file("crl.pem", &pem);
	buffer_clear(&der);
	buffer_clear(&pem);
}

/* Runs a command among the files; said: all that it prints. Its exit status. */
static int ask(const char *command, char said[SAID])
{
	char line[512];
	size_t size;
	FILE *pipe;

	snprintf(line, sizeof(line), "cd %s && { %s; } 2>&1", directory, command);
	pipe = popen(line, "r"); /* NOLINT(cert-env33-c): fixed words only */
	assert_non_null(pipe);
	size = fread(said, 1, SAID - 1, pipe);
	said[size] = '\0';
	return pclose(pipe);
}

static bool have(const char *tool)
{
	char command[64], said[SAID];

	snprintf(command, sizeof(command), "command -v %s", tool);
	return ask(command, said) == 0;
}

#define BY_OPENSSL "openssl verify -x509_strict -CAfile ca.pem -CRLfile crl.pem -crl_check "
#define BY_GNUTLS  "certtool --verify --load-ca-certificate ca.pem --load-crl crl.pem --infile "

static void assert_said(const char *command, bool accepts, const char *words)
{
	char said[SAID];
	int status = ask(command, said);

	if ((status == 0) != accepts || strstr(said, words) == NULL)
		fail_msg("%s: status %d, said: %s", command, status, said);
}

/* The one that is revoked is refused for that, the other is not; and a list that another key has
 * signed in the same name is not believed. */
static void judge(const char *kind, const char *const *extensions)
{
	_cleanup_plant_ struct plant plant = {0};
	uint8_t good_serial[SERIAL_SIZE], bad_serial[SERIAL_SIZE];
	struct buffer good, bad, ca, entries = {0};

	plant_grow(kind, extensions, &plant);
	good = issue(&plant, good_serial);
	bad = issue(&plant, bad_serial);
	ca = fixture_pem(plant.signer);
	crl_add_entry(&entries, bad_serial, now - 60, CRL_SUPERSEDED);
	put_file("good.pem", &good);
	put_file("bad.pem", &bad);
	put_file("ca.pem", &ca);
	put_list(&plant, &entries);
	assert_said("openssl crl -noout -verify -in crl.pem -CAfile ca.pem", true, "verify OK");
	assert_said(BY_OPENSSL "good.pem", true, "good.pem: OK");
	assert_said(BY_OPENSSL "bad.pem", false, "certificate revoked");
	assert_said("certtool --verify-crl --load-ca-certificate ca.pem --infile crl.pem", true,
		    "Verified");
	assert_said(BY_GNUTLS "good.pem", true, "The certificate is trusted");
	assert_said(BY_GNUTLS "bad.pem", false, "The certificate chain is revoked");
	buffer_clear(&good);
	buffer_clear(&bad);
	buffer_clear(&ca);
	buffer_clear(&entries);
}

static void test_judges(void **state)
{
	static const char *const kinds[] = {"P-256/s", "P-384/s", "RSA-2048/s", "ED25519/s"};

	(void)state;
	if (!have("openssl") || !have("certtool"))
		skip();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		judge(kinds[i], NULL);
}

/* A list without any entry is one too. */
static void test_judges_of_nothing(void **state)
{
	const struct buffer none = {0};
	_cleanup_plant_ struct plant plant = {0};
	uint8_t serial[SERIAL_SIZE];
	struct buffer good, ca;

	(void)state;
	if (!have("openssl") || !have("certtool"))
		skip();
	plant_grow("P-256/s", NULL, &plant);
	good = issue(&plant, serial);
	ca = fixture_pem(plant.signer);
	put_file("good.pem", &good);
	put_file("ca.pem", &ca);
	put_list(&plant, &none);
	assert_said(BY_OPENSSL "good.pem", true, "good.pem: OK");
	assert_said(BY_GNUTLS "good.pem", true, "The certificate is trusted");
	buffer_clear(&good);
	buffer_clear(&ca);
}

/* The judges must be awake. */
static void test_judges_refuse(void **state)
{
	const struct buffer none = {0};
	_cleanup_plant_ struct plant plant = {0}, other = {0};
	uint8_t serial[SERIAL_SIZE];
	struct buffer good, ca;

	(void)state;
	if (!have("openssl") || !have("certtool"))
		skip();
	plant_grow("P-256/s", NULL, &plant);
	plant_grow("P-256/impostor", NULL, &other);
	good = issue(&plant, serial);
	ca = fixture_pem(plant.signer);
	put_file("good.pem", &good);
	put_file("ca.pem", &ca);
	put_list(&other, &none);
	assert_said(BY_OPENSSL "good.pem", false, "error");
	assert_said("certtool --verify-crl --load-ca-certificate ca.pem --infile crl.pem", false,
		    "Not verified");
	buffer_clear(&good);
	buffer_clear(&ca);
}

static int begin(void **state)
{
	(void)state;
	now = time(NULL);
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int end(void **state)
{
	static const char *const names[] = {"good.pem", "bad.pem", "ca.pem", "crl.pem"};
	char path[64];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path);
		(void)unlink(path);
	}
	fixture_end();
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile),       cmocka_unit_test(test_nothing_revoked),
		cmocka_unit_test(test_numbers),       cmocka_unit_test(test_entries),
		cmocka_unit_test(test_after_2050),    cmocka_unit_test(test_reason_names),
		cmocka_unit_test(test_signatures),    cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_judges),        cmocka_unit_test(test_judges_of_nothing),
		cmocka_unit_test(test_judges_refuse),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
