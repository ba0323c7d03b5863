/* Device CAs: exactly as long as planned, exactly of the profile, and accepted below every kind of
 * signing CA. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/x509v3.h>

#include "digest.h"
#include "keypair.h"
#include "x509_fixture.h"

static const unixtime YEAR_2050 = 2524608000; /* its first second */

#define CA_BASIC "basicConstraints=critical,CA:TRUE"
#define CA_USAGE "keyUsage=critical,keyCertSign,cRLSign"

static const char *const signer_kinds[] = {"P-256/s",    "P-384/s",   "P-521/s", "RSA-2048/s",
					   "RSA-3072/s", "ED25519/s", "ED448/s"};
enum { SIGNERS = sizeof(signer_kinds) / sizeof(signer_kinds[0]) };

/* A chain, checked, and the issuer made from it. */
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

static void plant_grow(X509 *const *certs, struct plant *ret)
{
	struct buffer ders[8] = {0};
	struct error err = {0};
	struct keypair *key = fixture_keypair(fixture_key_of(certs[0]));
	size_t count = 0;

	for (; certs[count] != NULL; count++)
		ders[count] = fixture_der(certs[count]);
	if (x509_check_chain(ders, count, NULL, NOW, &ret->chain, &err) != 0 ||
	    issuer_new(&ret->chain, key, &ret->issuer, &err) != 0)
		fail_msg("%s", err.text);
	keypair_unref(key);
	ret->signer = certs[0];
	for (size_t i = 0; i < count; i++)
		buffer_clear(&ders[i]);
}

static void plant_root(const struct recipe *recipe, struct plant *ret)
{
	X509 *const certs[] = {fixture_certificate(recipe), NULL};

	plant_grow(certs, ret);
}

static const struct keypair *device_key(enum key_type type)
{
	static struct keypair *keys[KEY_TYPE_COUNT];
	static const char *const kinds[] = {"P-256/dev", "RSA-2048/dev", "RSA-3072/dev",
					    "RSA-4096/dev"};

	if (keys[type] == NULL)
		keys[type] = fixture_keypair(fixture_key(kinds[type]));
	return keys[type];
}

static struct device_ca_order order_of(const char *common_name)
{
	struct device_ca_order order = {
		.path_length = 0, .not_before = NOW - 300, .not_after = NOW + 365 * DAY};
	struct error err = {0};

	strncpy(order.common_name, common_name, sizeof(order.common_name) - 1);
	assert_int_equal(x509_serial(order.serial, &err), 0);
	return order;
}

static X509 *issue(const struct plant *plant, const struct device_ca_order *order,
		   enum key_type type)
{
	_cleanup_buffer_ struct buffer der = {0};
	struct error err = {0};
	const uint8_t *at;
	X509 *cert;

	if (issuer_sign(plant->issuer, order, device_key(type), &der, &err) != 0)
		fail_msg("%s", err.text);
	at = der.data;
	cert = d2i_X509(NULL, &at, (long)der.size);
	assert_non_null(cert);
	assert_ptr_equal(at, der.data + der.size);
	return cert;
}

/* ---- lengths ---- */

static void assert_planned(const struct plant *plant, const struct device_ca_order *order,
			   enum key_type type)
{
	_cleanup_buffer_ struct buffer der = {0};
	struct error err = {0};
	size_t planned = 0;

	assert_int_equal(issuer_plan(plant->issuer, order, type, &planned, &err), 0);
	assert_int_equal(issuer_sign(plant->issuer, order, device_key(type), &der, &err), 0);
	assert_int_equal(der.size, planned);
}

static void test_planned_length(void **state)
{
	const unixtime till[] = {NOW + DAY, YEAR_2050 - 1, YEAR_2050, YEAR_2050 + DAY};

	(void)state;
	for (int s = 0; s < SIGNERS; s++) {
		_cleanup_plant_ struct plant plant = {0};

		plant_root(&(struct recipe){.name = "Signer",
					    .key = signer_kinds[s],
					    .till_days = 20000},
			   &plant);
		for (int type = 0; type < KEY_TYPE_COUNT; type++)
			for (size_t length = 1; length <= 64; length++) {
				struct device_ca_order order = order_of("");

				memset(order.common_name, 'x', length);
				order.not_after = till[length % 4];
				order.not_before = length % 8 > 5 ? YEAR_2050 - 300 : NOW - 300;
				if (order.not_before > order.not_after)
					order.not_before = NOW;
				assert_planned(&plant, &order, (enum key_type)type);
			}
	}
}

/* Enough of them that each length of a signature has come up at each length of the rest. */
static void test_planned_length_as_pem(void **state)
{
	int off = 0;

	(void)state;
	for (int s = 0; s < 3; s++) {
		_cleanup_plant_ struct plant plant = {0};

		plant_root(&(struct recipe){.name = "Signer", .key = signer_kinds[s]}, &plant);
		for (int i = 0; i < 192; i++) {
			_cleanup_buffer_ struct buffer der = {0}, pem = {0};
			struct device_ca_order order = order_of("");
			struct error err = {0};
			size_t planned = 0;

			memset(order.common_name, 'x', (size_t)(1 + i % 64));
			order.pem_size_only = true;
			assert_int_equal(
				issuer_plan(plant.issuer, &order, KEY_EC_P256, &planned, &err), 0);
			assert_int_equal(issuer_sign(plant.issuer, &order, device_key(KEY_EC_P256),
						     &der, &err),
					 0);
			pem_add_certificate(&pem, buffer_span(&der));
			assert_int_equal(pem.size, pem_certificate_size(planned));
			off += der.size != planned;
		}
	}
	assert_true(off > 0);
}

static void test_planned_length_after_2050(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("late");

	(void)state;
	plant_root(&(struct recipe){.name = "Signer", .till_days = 20000}, &plant);
	order.not_before = YEAR_2050;
	order.not_after = YEAR_2050 + DAY;
	assert_planned(&plant, &order, KEY_EC_P256);
	order.not_before = YEAR_2050 - 1;
	assert_planned(&plant, &order, KEY_EC_P256);
}

static void test_order_out_of_range(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order nameless = order_of(""), backwards = order_of("b"),
			       endless = order_of("e"), deep = order_of("d");
	struct buffer der = {0};
	struct error err = {0};
	size_t planned = 5;

	(void)state;
	plant_root(&(struct recipe){.name = "Signer"}, &plant);
	backwards.not_after = backwards.not_before - 1;
	endless.not_after = 253402300800; /* year 10000 */
	deep.path_length = -1;
	assert_int_equal(issuer_plan(plant.issuer, &nameless, KEY_EC_P256, &planned, &err),
			 -EINVAL);
	assert_int_equal(issuer_plan(plant.issuer, &backwards, KEY_EC_P256, &planned, &err),
			 -EINVAL);
	assert_int_equal(issuer_plan(plant.issuer, &endless, KEY_EC_P256, &planned, &err), -EINVAL);
	assert_int_equal(issuer_sign(plant.issuer, &deep, device_key(KEY_EC_P256), &der, &err),
			 -EINVAL);
	assert_int_equal(planned, 5);
	assert_null(der.data);
}

/* ---- the profile ---- */

static void assert_extension(X509 *cert, int index, int nid, bool critical)
{
	X509_EXTENSION *extension = X509_get_ext(cert, index);

	assert_int_equal(OBJ_obj2nid(X509_EXTENSION_get_object(extension)), nid);
	assert_int_equal(X509_EXTENSION_get_critical(extension), critical);
}

static void test_profile(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("gw-\xc3\xa4.plant-7.ca");
	const ASN1_INTEGER *serial;
	ASN1_OCTET_STRING *ski;
	X509_NAME_ENTRY *entry;
	uint8_t sha1[EVP_MAX_MD_SIZE];
	X509 *cert;

	(void)state;
	plant_root(&(struct recipe){.name = "Signer"}, &plant);
	cert = issue(&plant, &order, KEY_EC_P256);
	assert_int_equal(X509_get_version(cert), X509_VERSION_3);
	serial = X509_get0_serialNumber(cert);
	assert_int_equal(ASN1_STRING_length(serial), SERIAL_SIZE);
	assert_memory_equal(ASN1_STRING_get0_data(serial), order.serial, SERIAL_SIZE);
	assert_int_equal(order.serial[0] & 0xc0, 0x40);
	assert_int_equal(
		X509_NAME_cmp(X509_get_issuer_name(cert), X509_get_subject_name(plant.signer)), 0);
	assert_int_equal(X509_NAME_entry_count(X509_get_subject_name(cert)), 1);
	entry = X509_NAME_get_entry(X509_get_subject_name(cert), 0);
	assert_int_equal(ASN1_STRING_type(X509_NAME_ENTRY_get_data(entry)), V_ASN1_UTF8STRING);
	assert_memory_equal(ASN1_STRING_get0_data(X509_NAME_ENTRY_get_data(entry)),
			    order.common_name, 17);
	assert_int_equal(X509_get_ext_count(cert), 4);
	assert_extension(cert, 0, NID_subject_key_identifier, false);
	assert_extension(cert, 1, NID_authority_key_identifier, false);
	assert_extension(cert, 2, NID_basic_constraints, true);
	assert_extension(cert, 3, NID_key_usage, true);
	assert_int_equal(X509_get_key_usage(cert),
			 KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_get_pathlen(cert), 0);
	assert_int_equal(X509_check_ca(cert), 1);
	X509_pubkey_digest(cert, EVP_sha1(), sha1, NULL);
	ski = (ASN1_OCTET_STRING *)X509_get0_subject_key_id(cert);
	assert_int_equal(ASN1_STRING_length(ski), 20);
	assert_memory_equal(ASN1_STRING_get0_data(ski), sha1, 20);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert),
					       X509_get0_subject_key_id(plant.signer)),
			 0);
	assert_null(X509_get0_authority_issuer(cert));
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(plant.signer)), 1);
	assert_int_equal(X509_cmp_time(X509_get0_notAfter(cert), &(time_t){order.not_after}), -1);
	assert_int_equal(X509_cmp_time(X509_get0_notAfter(cert), &(time_t){order.not_after - 1}),
			 1);
	assert_int_equal(X509_cmp_time(X509_get0_notBefore(cert), &(time_t){order.not_before - 1}),
			 1);
	X509_free(cert);
}

static void test_signature_algorithms(void **state)
{
	const int nids[] = {NID_ecdsa_with_SHA256,
			    NID_ecdsa_with_SHA384,
			    NID_ecdsa_with_SHA512,
			    NID_sha256WithRSAEncryption,
			    NID_sha256WithRSAEncryption,
			    NID_ED25519,
			    NID_ED448};

	(void)state;
	for (int s = 0; s < SIGNERS; s++) {
		_cleanup_plant_ struct plant plant = {0};
		struct device_ca_order order = order_of("device");
		X509 *cert;

		plant_root(&(struct recipe){.name = "Signer", .key = signer_kinds[s]}, &plant);
		for (int type = 0; type < KEY_TYPE_COUNT; type++) {
			cert = issue(&plant, &order, (enum key_type)type);
			assert_int_equal(X509_get_signature_nid(cert), nids[s]);
			assert_int_equal(X509_verify(cert, X509_get0_pubkey(plant.signer)), 1);
			X509_free(cert);
		}
	}
}

static void test_signer_without_ski(void **state)
{
	static const char *const extensions[] = {CA_BASIC, CA_USAGE, NULL};
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("device");
	uint8_t sha1[EVP_MAX_MD_SIZE];
	X509 *cert;

	(void)state;
	plant_root(&(struct recipe){.name = "No SKI", .extensions = extensions}, &plant);
	cert = issue(&plant, &order, KEY_EC_P256);
	X509_pubkey_digest(plant.signer, EVP_sha1(), sha1, NULL);
	assert_int_equal(ASN1_STRING_length(X509_get0_authority_key_id(cert)), 20);
	assert_memory_equal(ASN1_STRING_get0_data(X509_get0_authority_key_id(cert)), sha1, 20);
	X509_free(cert);
}

/* An identifier of another method and length is copied as it stands; the plan knows of it. */
static void test_signer_with_odd_ski(void **state)
{
	static const char *const extensions[] = {
		CA_BASIC, CA_USAGE,
		"subjectKeyIdentifier="
		"000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
		NULL};
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("device");
	X509 *cert;

	(void)state;
	plant_root(&(struct recipe){.name = "Odd SKI", .extensions = extensions}, &plant);
	cert = issue(&plant, &order, KEY_EC_P256);
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert),
					       X509_get0_subject_key_id(plant.signer)),
			 0);
	assert_planned(&plant, &order, KEY_EC_P256);
	X509_free(cert);
}

static int issued_path_length(const char *basic, int policy)
{
	const char *const extensions[] = {basic, CA_USAGE, "subjectKeyIdentifier=hash", NULL};
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("device");
	X509 *cert;
	int length;

	plant_root(&(struct recipe){.name = "Signer", .extensions = extensions}, &plant);
	order.path_length = policy;
	cert = issue(&plant, &order, KEY_EC_P256);
	length = (int)X509_get_pathlen(cert);
	X509_free(cert);
	return length;
}

static void test_path_length(void **state)
{
	(void)state;
	assert_int_equal(issued_path_length(CA_BASIC, 0), 0);
	assert_int_equal(issued_path_length(CA_BASIC, 100), 100);
	assert_int_equal(issued_path_length(CA_BASIC ",pathlen:1", 0), 0);
	assert_int_equal(issued_path_length(CA_BASIC ",pathlen:1", 3), 0);
	assert_int_equal(issued_path_length(CA_BASIC ",pathlen:3", 1), 1);
	assert_int_equal(issued_path_length(CA_BASIC ",pathlen:3", 9), 2);
}

static void test_validity(void **state)
{
	X509 *root = fixture_certificate(&(struct recipe){.name = "Short root", .till_days = 50});
	X509 *const certs[] = {fixture_certificate(&(struct recipe){
				       .name = "Long low", .issuer = root, .till_days = 900}),
			       root, NULL};
	_cleanup_plant_ struct plant plant = {0};
	unixtime from, till;

	(void)state;
	plant_grow(certs, &plant);
	issuer_validity(plant.issuer, NOW, 10, &from, &till);
	assert_int_equal(from, NOW - 300);
	assert_int_equal(till, NOW + 10 * DAY);
	issuer_validity(plant.issuer, NOW, 365, &from, &till);
	assert_int_equal(till, NOW + 50 * DAY); /* the root's, not the signer's */
	issuer_validity(plant.issuer, NOW - DAY + 10, 10, &from, &till);
	assert_int_equal(from, NOW - DAY); /* the signer's own beginning */
}

static void test_serials(void **state)
{
	uint8_t serials[200][SERIAL_SIZE];
	struct error err = {0};

	(void)state;
	for (int i = 0; i < 200; i++) {
		assert_int_equal(x509_serial(serials[i], &err), 0);
		assert_int_equal(serials[i][0] & 0xc0, 0x40);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(serials[i], serials[j], SERIAL_SIZE);
	}
}

/* ---- issuers ---- */

static void test_key_of_another(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct issuer *issuer = NULL;
	struct error err = {0};

	(void)state;
	plant_root(&(struct recipe){.name = "Signer"}, &plant);
	assert_int_equal(issuer_new(&plant.chain, device_key(KEY_EC_P256), &issuer, &err),
			 -EKEYREJECTED);
	assert_null(issuer);
}

static void *issue_many(void *argument)
{
	const struct plant *plant = argument;

	for (int i = 0; i < 50; i++) {
		struct device_ca_order order = order_of("device");
		X509 *cert = issue(plant, &order, KEY_EC_P256);

		assert_int_equal(X509_verify(cert, X509_get0_pubkey(plant->signer)), 1);
		X509_free(cert);
	}
	return NULL;
}

static void test_threads(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	pthread_t threads[4];

	(void)state;
	plant_root(&(struct recipe){.name = "Signer"}, &plant);
	(void)device_key(KEY_EC_P256);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, issue_many, &plant), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

/* ---- the proof ---- */

static int prove(const struct plant *plant, struct error *err)
{
	struct device_ca_order order = order_of("gw-01.plant-7.ca");

	return issuer_prove(plant->issuer, &plant->chain, &order, device_key(KEY_EC_P256), NOW,
			    err);
}

static void test_proved(void **state)
{
	(void)state;
	for (int s = 0; s < SIGNERS; s++) {
		X509 *root = fixture_certificate(
			&(struct recipe){.name = "Root", .key = signer_kinds[(s + 1) % SIGNERS]});
		X509 *const with[] = {fixture_certificate(&(struct recipe){.name = "Low",
									   .key = signer_kinds[s],
									   .issuer = root}),
				      root, NULL};
		X509 *const without[] = {with[0], NULL}, *const alone[] = {root, NULL};
		X509 *const *const chains[] = {with, without, alone};

		for (int i = 0; i < 3; i++) {
			_cleanup_plant_ struct plant plant = {0};
			struct error err = {0};

			plant_grow(chains[i], &plant);
			if (prove(&plant, &err) != 0)
				fail_msg("%s", err.text);
		}
	}
}

/* What `openssl req -x509` makes by default has no keyUsage. */
static void test_proved_under_lax_root(void **state)
{
	static const char *const sets[][4] = {{CA_BASIC, "subjectKeyIdentifier=hash",
					       "authorityKeyIdentifier=keyid:always", NULL},
					      {CA_BASIC, CA_USAGE, NULL}};

	(void)state;
	for (int i = 0; i < 2; i++) {
		_cleanup_plant_ struct plant plant = {0};
		struct error err = {0};

		plant_root(&(struct recipe){.name = "Lax", .extensions = sets[i]}, &plant);
		assert_true(plant.chain.warning[0] != '\0');
		if (prove(&plant, &err) != 0)
			fail_msg("%s", err.text);
	}
}

static void test_not_proved_under_name_constraint(void **state)
{
	/* permitted: directoryName with O=Elsewhere */
	static const char *const extensions[] = {
		CA_BASIC, CA_USAGE, "subjectKeyIdentifier=hash",
		"nameConstraints=critical,DER:301CA01A3018A4163014311230100603550"
		"40A0C09456C73657768657265",
		NULL};
	_cleanup_plant_ struct plant plant = {0};
	struct error err = {0};

	(void)state;
	plant_root(&(struct recipe){.name = "Constrained", .extensions = extensions}, &plant);
	assert_int_equal(prove(&plant, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "error 47"));
	assert_non_null(strstr(err.text, "gw-01.plant-7.ca"));
}

static void test_not_proved_when_too_late(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	struct device_ca_order order = order_of("late");
	struct error err = {0};

	(void)state;
	plant_root(&(struct recipe){.name = "Signer"}, &plant);
	assert_int_equal(issuer_prove(plant.issuer, &plant.chain, &order, device_key(KEY_EC_P256),
				      NOW + 400 * DAY, &err),
			 -EKEYREJECTED);
}

/* ---- info ---- */

static void test_info(void **state)
{
	_cleanup_plant_ struct plant plant = {0};
	_cleanup_buffer_ struct buffer der = {0};
	struct device_ca_order order = order_of("gw-01.plant-7");
	struct certificate_info info = {0};
	struct error err = {0};
	uint8_t fingerprint[DIGEST_SIZE];
	char colons[96];

	(void)state;
	plant_root(&(struct recipe){.name = "Plant 7 Intermediate"}, &plant);
	assert_int_equal(issuer_sign(plant.issuer, &order, device_key(KEY_EC_P256), &der, &err), 0);
	assert_int_equal(x509_info(buffer_span(&der), &info, &err), 0);
	assert_string_equal(info.subject, "CN=gw-01.plant-7");
	assert_string_equal(info.issuer, "CN=Plant 7 Intermediate");
	colon_hex((struct span){order.serial, SERIAL_SIZE}, colons, sizeof(colons));
	assert_string_equal(info.serial_number, colons);
	assert_int_equal(info.valid_from, order.not_before);
	assert_int_equal(info.valid_till, order.not_after);
	assert_string_equal(info.signature_algorithm, "ecdsa-with-SHA256");
	assert_string_equal(info.public_key_algorithm, "id-ecPublicKey (P-256)");
	assert_string_equal(info.basic_constraints, "CA:TRUE, pathlen:0");
	assert_string_equal(info.key_usage, "Digital Signature, Certificate Sign, CRL Sign");
	assert_int_equal(strlen(info.subject_key_id), 59);
	assert_int_equal(strlen(info.authority_key_id), 59);
	digest_sha256(buffer_span(&der), fingerprint);
	colon_hex((struct span){fingerprint, sizeof(fingerprint)}, colons, sizeof(colons));
	assert_string_equal(info.sha256_fingerprint, colons);
	assert_int_equal(x509_info((struct span){der.data, der.size - 1}, &info, &err),
			 -EKEYREJECTED);
}

static void test_info_of_others(void **state)
{
	const struct {
		const char *key, *algorithm, *signature;
	} rows[] = {{"RSA-2048/i", "rsaEncryption (2048 bit)", "sha256WithRSAEncryption"},
		    {"ED25519/i", "ED25519", "ED25519"},
		    {"P-384/i", "id-ecPublicKey (P-384)", "ecdsa-with-SHA256"},
		    {"secp256k1/i", "id-ecPublicKey (secp256k1)", "ecdsa-with-SHA256"}};
	static const char *const bare[] = {NULL};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_buffer_ struct buffer der = {0};
		struct certificate_info info = {0};
		struct error err = {0};

		der = fixture_der(fixture_certificate(&(struct recipe){
			.name = "tab\tname", .key = rows[i].key, .extensions = bare}));
		assert_int_equal(x509_info(buffer_span(&der), &info, &err), 0);
		assert_string_equal(info.public_key_algorithm, rows[i].algorithm);
		assert_string_equal(info.signature_algorithm, rows[i].signature);
		assert_string_equal(info.subject, "CN=tab\\09name");
		assert_string_equal(info.basic_constraints, "");
		assert_string_equal(info.key_usage, "");
		assert_string_equal(info.subject_key_id, "");
	}
}

static int end(void **state)
{
	(void)state;
	for (int type = 0; type < KEY_TYPE_COUNT; type++)
		keypair_unref((struct keypair *)device_key((enum key_type)type));
	fixture_end();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_planned_length),
		cmocka_unit_test(test_planned_length_as_pem),
		cmocka_unit_test(test_planned_length_after_2050),
		cmocka_unit_test(test_order_out_of_range),
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_signature_algorithms),
		cmocka_unit_test(test_signer_without_ski),
		cmocka_unit_test(test_signer_with_odd_ski),
		cmocka_unit_test(test_path_length),
		cmocka_unit_test(test_validity),
		cmocka_unit_test(test_serials),
		cmocka_unit_test(test_key_of_another),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_proved),
		cmocka_unit_test(test_proved_under_lax_root),
		cmocka_unit_test(test_not_proved_under_name_constraint),
		cmocka_unit_test(test_not_proved_when_too_late),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
