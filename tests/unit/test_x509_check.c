/* Signing CAs as users upload them: the good ones are taken whole, each bad one is refused with its
 * own sentence. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"
#include "x509_fixture.h"

#define EXTENSIONS(...)  ((const char *const[]){__VA_ARGS__, NULL})
#define CA_BASIC         "basicConstraints=critical,CA:TRUE"
#define CA_USAGE         "keyUsage=critical,keyCertSign,cRLSign"
#define SKI              "subjectKeyIdentifier=hash"
#define AKI              "authorityKeyIdentifier=keyid"
#define CERTIFICATE(...) fixture_certificate(&(struct recipe){__VA_ARGS__})

static int check_at(X509 *const *certs, size_t count, const uint8_t *spki, unixtime now,
		    struct chain *ret, struct error *err)
{
	struct buffer ders[32] = {0};
	int r;

	for (size_t i = 0; i < count; i++)
		ders[i] = fixture_der(certs[i]);
	r = x509_check_chain(ders, count, spki, now, ret, err);
	for (size_t i = 0; i < count; i++)
		buffer_clear(&ders[i]);
	return r;
}

/* Refused, with both texts in the sentence, and nothing returned. */
static void refused_key(X509 *const *certs, const uint8_t *spki, const char *sentence,
			const char *subject)
{
	struct chain chain = {.path_length = -7};
	struct error err = {0};
	size_t count = 0;

	while (certs[count] != NULL)
		count++;
	if (check_at(certs, count, spki, NOW, &chain, &err) != -EKEYREJECTED)
		fail_msg("not refused: expected \"%s\"", sentence);
	if (strstr(err.text, sentence) == NULL ||
	    (subject != NULL && strstr(err.text, subject) == NULL))
		fail_msg("expected \"%s\" of %s, got: %s", sentence, subject, err.text);
	assert_int_equal(chain.path_length, -7);
	assert_null(chain.certs);
}

static void refused(X509 *const *certs, const char *sentence, const char *subject)
{
	refused_key(certs, NULL, sentence, subject);
}

#define UPLOAD(...) ((X509 *const[]){__VA_ARGS__, NULL})

static void taken_key(X509 *const *certs, const uint8_t *spki, struct chain *ret)
{
	struct error err = {0};
	size_t count = 0;

	while (certs[count] != NULL)
		count++;
	if (check_at(certs, count, spki, NOW, ret, &err) != 0)
		fail_msg("refused: %s", err.text);
}

static void taken(X509 *const *certs, struct chain *ret)
{
	taken_key(certs, NULL, ret);
}

static X509 *root(void)
{
	static X509 *cert;

	if (cert == NULL)
		cert = CERTIFICATE(.name = "Root");
	return cert;
}

static X509 *intermediate(void)
{
	static X509 *cert;

	if (cert == NULL)
		cert = CERTIFICATE(.name = "Intermediate", .issuer = root());
	return cert;
}

/* ---- what is taken ---- */

static void test_root_alone(void **state)
{
	_cleanup_chain_ struct chain chain = {0};
	struct buffer der = fixture_der(root()), pem = fixture_pem(root());
	uint8_t spki[FINGERPRINT_SIZE], fingerprint[FINGERPRINT_SIZE];

	(void)state;
	taken(UPLOAD(root()), &chain);
	assert_int_equal(chain.count, 1);
	assert_true(span_equal(buffer_span(&chain.certs[0]), buffer_span(&der)));
	assert_true(span_equal(buffer_span(&chain.pem), buffer_span(&pem)));
	fixture_spki(root(), spki);
	digest_sha256(buffer_span(&der), fingerprint);
	assert_memory_equal(chain.spki, spki, sizeof(spki));
	assert_memory_equal(chain.fingerprint, fingerprint, sizeof(fingerprint));
	assert_true(chain.self_signed && chain.has_root && chain.crl_sign);
	assert_int_equal(chain.path_length, INT_MAX);
	assert_int_equal(chain.not_before, NOW - DAY);
	assert_int_equal(chain.not_after, NOW + 3650LL * DAY);
	assert_string_equal(chain.warning, "");
	buffer_clear(&der);
	buffer_clear(&pem);
}

static void test_any_order_and_duplicates(void **state)
{
	X509 *low = CERTIFICATE(.name = "Low", .issuer = intermediate(), .till_days = 100,
				.from_days = -2);
	X509 *const orders[][5] = {{low, intermediate(), root()},
				   {root(), low, intermediate()},
				   {intermediate(), root(), low, low, root()}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		_cleanup_chain_ struct chain chain = {0};
		struct buffer der = fixture_der(low), top = fixture_der(root());
		struct error err = {0};

		assert_int_equal(check_at(orders[i], i == 2 ? 5 : 3, NULL, NOW, &chain, &err), 0);
		assert_int_equal(chain.count, 3);
		assert_true(span_equal(buffer_span(&chain.certs[0]), buffer_span(&der)));
		assert_true(span_equal(buffer_span(&chain.certs[2]), buffer_span(&top)));
		assert_int_equal(chain.not_after, NOW + 100LL * DAY);
		assert_int_equal(chain.not_before, NOW - DAY);
		assert_true(chain.has_root && !chain.self_signed);
		buffer_clear(&der);
		buffer_clear(&top);
	}
}

static void test_without_root(void **state)
{
	_cleanup_chain_ struct chain chain = {0};

	(void)state;
	taken(UPLOAD(intermediate()), &chain);
	assert_false(chain.has_root);
	assert_false(chain.self_signed);
}

static void test_every_key_kind(void **state)
{
	static const char *const kinds[] = {"P-256/k",    "P-384/k",   "P-521/k", "RSA-2048/k",
					    "RSA-3072/k", "ED25519/k", "ED448/k"};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		_cleanup_chain_ struct chain chain = {0};

		taken(UPLOAD(CERTIFICATE(.name = "Kind", .key = kinds[i])), &chain);
		assert_true((strstr(chain.warning, "NSS") != NULL) == (kinds[i][0] == 'E'));
	}
}

static void test_picks_by_key(void **state)
{
	_cleanup_chain_ struct chain chain = {0};
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	fixture_spki(intermediate(), spki);
	taken_key(UPLOAD(root(), intermediate()), spki, &chain);
	assert_int_equal(chain.count, 2);
	assert_memory_equal(chain.spki, spki, sizeof(spki));
}

/* One key, two certificates: its own root, and one that another root signed. */
static void test_cross_signed(void **state)
{
	_cleanup_chain_ struct chain chain = {0};
	X509 *other = CERTIFICATE(.name = "Other root");
	X509 *own = CERTIFICATE(.name = "Crossed", .key = "P-256/crossed");
	X509 *cross = CERTIFICATE(.name = "Crossed", .key = "P-256/crossed", .issuer = other);
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	fixture_spki(own, spki);
	taken_key(UPLOAD(cross, other), spki, &chain);
	assert_int_equal(chain.count, 2);
	refused_key(UPLOAD(own, cross, other), spki, "is not used in the chain", "Crossed");
}

/* Of two certificates of the issuer the one that has not expired is taken. */
static void test_renewed_issuer_without_the_old(void **state)
{
	X509 *old = CERTIFICATE(.name = "Renewed", .key = "P-256/renewed", .from_days = -20,
				.till_days = -10);
	X509 *new = CERTIFICATE(.name = "Renewed", .key = "P-256/renewed");
	X509 *low = CERTIFICATE(.name = "Below renewed", .issuer = new);
	_cleanup_chain_ struct chain chain = {0};

	(void)state;
	taken(UPLOAD(low, new), &chain);
	refused(UPLOAD(low, old, new), "is not used in the chain", "Renewed");
	refused(UPLOAD(low, old), "has expired", "Renewed");
}

static void test_warns_of_lax_roots(void **state)
{
	const struct {
		const char *const *extensions;
		const char *word;
	} rows[] = {
		{EXTENSIONS(CA_BASIC, SKI, AKI), "no keyUsage"},
		{EXTENSIONS(CA_BASIC, CA_USAGE), "no subjectKeyIdentifier"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_cleanup_chain_ struct chain chain = {0};

		taken(UPLOAD(CERTIFICATE(.name = "Lax", .extensions = rows[i].extensions)), &chain);
		assert_non_null(strstr(chain.warning, rows[i].word));
		assert_non_null(strstr(chain.warning, "\"CN=Lax\""));
		assert_true(chain.crl_sign);
	}
}

static void test_refuses_lax_basic_constraints(void **state)
{
	X509 *lax = CERTIFICATE(.name = "Lax", .extensions = EXTENSIONS("basicConstraints=CA:TRUE", CA_USAGE, SKI));

	(void)state;
	refused(UPLOAD(lax), "is not critical", "Lax");
	refused(UPLOAD(CERTIFICATE(.name = "Below lax", .issuer = lax), lax), "is not critical", "Lax");
}

static void test_crl_sign(void **state)
{
	_cleanup_chain_ struct chain chain = {0};

	(void)state;
	taken(UPLOAD(CERTIFICATE(.name = "No CRL",
				 .extensions = EXTENSIONS(CA_BASIC, "keyUsage=critical,keyCertSign",
							  SKI))),
	      &chain);
	assert_false(chain.crl_sign);
}

static void test_extended_key_usage_that_allows(void **state)
{
	_cleanup_chain_ struct chain a = {0}, b = {0};

	(void)state;
	taken(UPLOAD(CERTIFICATE(.name = "A", .extensions = EXTENSIONS(
						      CA_BASIC, CA_USAGE, SKI,
						      "extendedKeyUsage=clientAuth,serverAuth"))),
	      &a);
	taken(UPLOAD(CERTIFICATE(.name = "B",
				 .extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI,
							  "extendedKeyUsage=anyExtendedKeyUsage"))),
	      &b);
}

/* ---- path length ---- */

#define WITH_PATHLEN(n) EXTENSIONS(CA_BASIC ",pathlen:" n, CA_USAGE, SKI, AKI)

static int effective(X509 *const *certs)
{
	_cleanup_chain_ struct chain chain = {0};

	taken(certs, &chain);
	return chain.path_length;
}

static void test_path_length_effective(void **state)
{
	X509 *r3 = CERTIFICATE(.name = "R3", .extensions = WITH_PATHLEN("3"));
	X509 *i = CERTIFICATE(.name = "I under R3", .issuer = r3);
	X509 *i9 =
		CERTIFICATE(.name = "I9 under R3", .issuer = r3, .extensions = WITH_PATHLEN("9"));
	X509 *j = CERTIFICATE(.name = "J", .issuer = i);
	X509 *j1 = CERTIFICATE(.name = "J1", .issuer = i, .extensions = WITH_PATHLEN("1"));

	(void)state;
	assert_int_equal(effective(UPLOAD(r3)), 3);
	assert_int_equal(effective(UPLOAD(r3, i)), 2);
	assert_int_equal(effective(UPLOAD(r3, i9)), 2);
	assert_int_equal(effective(UPLOAD(i)), INT_MAX);
	assert_int_equal(effective(UPLOAD(r3, i, j)), 1);
	assert_int_equal(effective(UPLOAD(r3, i, j1)), 1);
}

/* A key rollover certificate, self-issued, costs nothing. */
static void test_path_length_self_issued(void **state)
{
	X509 *r1 = CERTIFICATE(.name = "Rollover", .key = "P-256/old",
			       .extensions = WITH_PATHLEN("2"));
	X509 *again = CERTIFICATE(.name = "Rollover", .key = "P-256/new", .issuer = r1);
	X509 *low = CERTIFICATE(.name = "Under rollover", .issuer = again);

	(void)state;
	assert_int_equal(effective(UPLOAD(r1, again)), 2);
	assert_int_equal(effective(UPLOAD(r1, again, low)), 1);
}

static void test_path_length_refused(void **state)
{
	X509 *r1 = CERTIFICATE(.name = "R1", .extensions = WITH_PATHLEN("1"));
	X509 *i = CERTIFICATE(.name = "I under R1", .issuer = r1);
	X509 *i5 =
		CERTIFICATE(.name = "I5 under R1", .issuer = r1, .extensions = WITH_PATHLEN("5"));

	(void)state;
	refused(UPLOAD(CERTIFICATE(.name = "R0", .extensions = WITH_PATHLEN("0"))),
		"pathlen:0 of certificate", "\"CN=R0\"");
	refused(UPLOAD(CERTIFICATE(.name = "I0", .issuer = root(), .extensions = WITH_PATHLEN("0")),
		       root()),
		"pathlen:0 of certificate", "\"CN=I0\"");
	refused(UPLOAD(r1, i), "forbids another CA below the signing CA", "\"CN=R1\"");
	refused(UPLOAD(r1, i5), "issue it again with pathlen:2 or more", "\"CN=R1\"");
}

/* ---- one certificate at fault ---- */

static void test_faults_of_a_root(void **state)
{
	const struct {
		struct recipe recipe;
		const char *sentence;
	} rows[] = {
		{{.version = -1, .extensions = EXTENSIONS(CA_BASIC)}, "is of version 1, not 3"},
		{{.version = 1, .extensions = EXTENSIONS(CA_BASIC)}, "is of version 2, not 3"},
		{{.extensions = EXTENSIONS("basicConstraints=critical,CA:FALSE", SKI)},
		 "basicConstraints CA:TRUE is missing (it says CA:FALSE)"},
		{{.extensions = EXTENSIONS(CA_USAGE, SKI)}, "basicConstraints CA:TRUE is missing:"},
		{{.extensions = EXTENSIONS(SKI, "extendedKeyUsage=serverAuth")}, "is not a CA"},
		{{.extensions =
			  EXTENSIONS(CA_BASIC, "keyUsage=critical,digitalSignature,cRLSign", SKI)},
		 "lacks keyCertSign"},
		{{.extensions = EXTENSIONS(CA_BASIC, "keyUsage=critical,cRLSign", SKI)},
		 "lacks keyCertSign"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "extendedKeyUsage=clientAuth")},
		 "excludes serverAuth"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI,
					   "extendedKeyUsage=critical,codeSigning,timeStamping")},
		 "excludes serverAuth"},
		{{.extensions = EXTENSIONS("basicConstraints=critical,DER:30030101")},
		 "malformed extension, X509v3 Basic Constraints"},
		{{.extensions = EXTENSIONS("basicConstraints=critical,DER:30030101FF0500")},
		 "malformed extension, X509v3 Basic Constraints"},
		{{.extensions = EXTENSIONS("basicConstraints=critical,DER:30060101FF0201FF")},
		 "malformed extension"},
		{{.extensions = EXTENSIONS(CA_BASIC, "keyUsage=critical,DER:0500")},
		 "malformed extension, X509v3 Key Usage"},
		{{.extensions = EXTENSIONS(CA_BASIC, "keyUsage=critical,DER:030100")},
		 "malformed extension"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, "subjectKeyIdentifier=DER:0500")},
		 "malformed extension, X509v3 Subject Key Identifier"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "extendedKeyUsage=DER:30")},
		 "malformed extension, X509v3 Extended Key Usage"},
		{{.extensions =
			  EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "nameConstraints=DER:3003A00101")},
		 "malformed extension, X509v3 Name Constraints"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_BASIC, CA_USAGE, SKI)}, "appears twice"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, CA_USAGE, SKI)}, "appears twice"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "1.2.3.4.5=critical,DER:0500")},
		 "unknown critical extension, 1.2.3.4.5"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI,
					   "tlsfeature=critical,status_request")},
		 "unknown critical extension"},
		{{.key = "RSA-1024"}, "weaker than 112 bits of security (RSA of 1024 bits)"},
		{{.key = "RSA-1536"}, "weaker than 112 bits"},
		{{.key = "prime192v1"}, "weaker than 112 bits of security (EC on prime192v1)"},
		{{.key = "DSA"}, "weaker than 112 bits of security (DSA of 1024 bits)"},
		{{.key = "secp224r1"}, "EC on secp224r1, which certfs can't sign with"},
		{{.key = "secp256k1"}, "EC on secp256k1, which certfs can't sign with"},
		{{.key = "brainpoolP256r1"}, "EC on brainpoolP256r1, which certfs can't sign with"},
		{{.digest = "SHA1"}, "signature digest"},
		{{.digest = "SHA1", .key = "RSA-2048/sha1"}, "too weak (sha1WithRSAEncryption)"},
		{{.digest = "MD5", .key = "RSA-2048/md5"}, "too weak (md5WithRSAEncryption)"},
		{{.from_days = -20, .till_days = -1}, "has expired (at 2027-01-14T08:00:00Z)"},
		{{.from_days = 2}, "is not yet valid (until 2027-01-17T08:00:00Z)"},
		{{.from_days = 3, .till_days = 2}, "is not yet valid"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct recipe recipe = rows[i].recipe;

		recipe.name = "Faulty";
		refused(UPLOAD(fixture_certificate(&recipe)), rows[i].sentence, "\"CN=Faulty\"");
	}
}

/* The same above the signer: the sentence names the certificate that is to blame. */
static void test_faults_above(void **state)
{
	const struct {
		struct recipe recipe;
		const char *sentence;
	} rows[] = {
		{{.version = -1, .extensions = EXTENSIONS(CA_BASIC)}, "is of version 1, not 3"},
		{{.extensions = EXTENSIONS("basicConstraints=critical,CA:FALSE", SKI)},
		 "basicConstraints CA:TRUE is missing"},
		{{.extensions = EXTENSIONS(CA_BASIC, "keyUsage=critical,cRLSign", SKI)},
		 "lacks keyCertSign"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "extendedKeyUsage=clientAuth")},
		 "excludes serverAuth"},
		{{.extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI, "1.2.3.4.5=critical,DER:0500")},
		 "unknown critical extension"},
		{{.key = "RSA-1024"}, "weaker than 112 bits"},
		{{.digest = "SHA1"}, "or leave this root out of the upload"},
		{{.from_days = -20, .till_days = -1}, "has expired"},
		{{.from_days = 2}, "is not yet valid"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct recipe recipe = rows[i].recipe;
		X509 *top, *low;

		recipe.name = "Faulty top";
		top = fixture_certificate(&recipe);
		low = CERTIFICATE(.name = "Below", .issuer = top,
				  .extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI));
		refused(UPLOAD(low, top), rows[i].sentence, "\"CN=Faulty top\"");
	}
}

static void test_no_subject(void **state)
{
	(void)state;
	refused(UPLOAD(CERTIFICATE(.name = "", .issuer = root())), "has an empty subject", NULL);
}

static void test_bounds_of_validity(void **state)
{
	X509 *const certs[] = {CERTIFICATE(.name = "Edge", .till_days = 10)};
	_cleanup_chain_ struct chain first = {0}, last = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(check_at(certs, 1, NULL, NOW - DAY, &first, &err), 0);
	assert_int_equal(check_at(certs, 1, NULL, NOW + 10 * DAY - 1, &last, &err), 0);
	assert_int_equal(check_at(certs, 1, NULL, NOW - DAY - 1, &last, &err), -EKEYREJECTED);
	assert_int_equal(check_at(certs, 1, NULL, NOW + 10 * DAY + 1, &last, &err), -EKEYREJECTED);
}

/* ---- what does not belong together ---- */

static void test_nothing(void **state)
{
	struct chain chain = {0};
	struct error err = {0};

	(void)state;
	assert_int_equal(x509_check_chain(NULL, 0, NULL, NOW, &chain, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "there is no certificate"));
}

static void test_not_a_certificate(void **state)
{
	struct buffer junk = {0};
	struct chain chain = {0};
	struct error err = {0};

	(void)state;
	buffer_add_text(&junk, "0junk");
	assert_int_equal(x509_check_chain(&junk, 1, NULL, NOW, &chain, &err), -EKEYREJECTED);
	assert_non_null(strstr(err.text, "not valid DER"));
	buffer_clear(&junk);
}

static void test_key_of_none(void **state)
{
	static const uint8_t spki[FINGERPRINT_SIZE] = {1, 2, 3};

	(void)state;
	refused_key(UPLOAD(root()), spki, "matches none of the certificates", "\"CN=Root\"");
	refused_key(UPLOAD(intermediate(), root()), spki, "matches none of the certificates",
		    "and others");
}

static void test_two_signers(void **state)
{
	X509 *a = CERTIFICATE(.name = "Twin A", .issuer = root()),
	     *b = CERTIFICATE(.name = "Twin B", .issuer = root());
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	refused(UPLOAD(a, b, root()), "either of \"CN=Twin A\" and \"CN=Twin B\"", NULL);
	fixture_spki(a, spki);
	refused_key(UPLOAD(a, b, root()), spki, "is not used in the chain of \"CN=Twin A\"",
		    "\"CN=Twin B\"");
}

static void test_stranger(void **state)
{
	X509 *stranger = CERTIFICATE(.name = "Stranger");
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	fixture_spki(intermediate(), spki);
	refused_key(UPLOAD(intermediate(), root(), stranger), spki, "is not used in the chain",
		    "\"CN=Stranger\"");
	/* the certificate that the signing CA has issued */
	refused_key(UPLOAD(intermediate(), root(),
			   CERTIFICATE(.name = "Issued", .issuer = intermediate())),
		    spki, "is not used in the chain", "\"CN=Issued\"");
}

static void test_wrong_issuer_of_the_right_name(void **state)
{
	X509 *fake = CERTIFICATE(.name = "Root", .key = "P-256/fake");
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	fixture_spki(intermediate(), spki);
	refused_key(UPLOAD(intermediate(), fake), spki,
		    "\"CN=Intermediate\" was not signed by the key of certificate \"CN=Root\"",
		    NULL);
}

static void test_corrupt_self_signature(void **state)
{
	(void)state;
	refused(UPLOAD(CERTIFICATE(.name = "Forged", .signed_by = "P-256/forger")),
		"the self-signature of certificate", "\"CN=Forged\"");
}

static void test_key_identifier_mismatch(void **state)
{
	X509 *low =
		CERTIFICATE(.name = "Mismatched", .issuer = root(),
			    .extensions = EXTENSIONS(CA_BASIC, CA_USAGE, SKI,
						     "authorityKeyIdentifier=DER:30048002DEAD"));
	uint8_t spki[FINGERPRINT_SIZE];

	(void)state;
	fixture_spki(low, spki);
	refused_key(UPLOAD(low, root()), spki,
		    "the authorityKeyIdentifier of certificate \"CN=Mismatched\"", "\"CN=Root\"");
}

static void test_hostile_name(void **state)
{
	struct chain chain = {0};
	struct error err = {0};
	X509 *const certs[] = {
		CERTIFICATE(.name = "evil\nname\x1b[31m%s%n", .till_days = -1, .from_days = -3)};

	(void)state;
	assert_int_equal(check_at(certs, 1, NULL, NOW, &chain, &err), -EKEYREJECTED);
	for (const char *at = err.text; *at != '\0'; at++)
		assert_true((unsigned char)*at >= ' ');
	assert_non_null(strstr(err.text, "%s%n"));
}

/* ---- other questions ---- */

static void test_same_issuer(void **state)
{
	X509 *a = CERTIFICATE(.name = "Same", .key = "P-256/same"),
	     *b = CERTIFICATE(.name = "Same", .key = "P-256/same", .till_days = 5);
	X509 *name = CERTIFICATE(.name = "Other", .key = "P-256/same"),
	     *key = CERTIFICATE(.name = "Same", .key = "P-256/notsame");
	X509 *id = CERTIFICATE(.name = "Same", .key = "P-256/same",
			       .extensions = EXTENSIONS(CA_BASIC, CA_USAGE));
	struct buffer ders[] = {fixture_der(a), fixture_der(b), fixture_der(name), fixture_der(key),
				fixture_der(id)};

	(void)state;
	assert_true(x509_same_issuer(buffer_span(&ders[0]), buffer_span(&ders[1])));
	for (size_t i = 2; i < 5; i++)
		assert_false(x509_same_issuer(buffer_span(&ders[0]), buffer_span(&ders[i])));
	assert_true(x509_same_issuer(buffer_span(&ders[4]), buffer_span(&ders[4])));
	for (size_t i = 0; i < 5; i++)
		buffer_clear(&ders[i]);
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
		cmocka_unit_test(test_root_alone),
		cmocka_unit_test(test_any_order_and_duplicates),
		cmocka_unit_test(test_without_root),
		cmocka_unit_test(test_every_key_kind),
		cmocka_unit_test(test_picks_by_key),
		cmocka_unit_test(test_cross_signed),
		cmocka_unit_test(test_renewed_issuer_without_the_old),
		cmocka_unit_test(test_warns_of_lax_roots),
		cmocka_unit_test(test_refuses_lax_basic_constraints),
		cmocka_unit_test(test_crl_sign),
		cmocka_unit_test(test_extended_key_usage_that_allows),
		cmocka_unit_test(test_path_length_effective),
		cmocka_unit_test(test_path_length_self_issued),
		cmocka_unit_test(test_path_length_refused),
		cmocka_unit_test(test_faults_of_a_root),
		cmocka_unit_test(test_faults_above),
		cmocka_unit_test(test_no_subject),
		cmocka_unit_test(test_bounds_of_validity),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_not_a_certificate),
		cmocka_unit_test(test_key_of_none),
		cmocka_unit_test(test_two_signers),
		cmocka_unit_test(test_stranger),
		cmocka_unit_test(test_wrong_issuer_of_the_right_name),
		cmocka_unit_test(test_corrupt_self_signature),
		cmocka_unit_test(test_key_identifier_mismatch),
		cmocka_unit_test(test_hostile_name),
		cmocka_unit_test(test_same_issuer),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
