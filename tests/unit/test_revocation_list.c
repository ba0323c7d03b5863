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

enum { LONG_LIST = 100000, ENTRY_MAX = 60 };

static const char *const signer_kinds[] = {"P-256/s",	 "P-384/s",   "P-521/s",
					   "RSA-2048/s", "ED25519/s", "ED448/s"};
enum { SIGNERS = sizeof(signer_kinds) / sizeof(signer_kinds[0]) };

static const enum crl_reason all_reasons[] = {CRL_UNSPECIFIED, CRL_CA_COMPROMISE, CRL_SUPERSEDED,
					      CRL_CESSATION_OF_OPERATION};
enum { REASONS = sizeof(all_reasons) / sizeof(all_reasons[0]) };

static unixtime now; /* when the tests began */

/* ---- a signing CA ---- */

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

static struct device_ca_order issue(const struct plant *plant, struct buffer *ret)
{
	struct device_ca_order order = {.common_name = "gw-01"};
	struct keypair *key = fixture_keypair(fixture_key("P-256/dev"));
	struct error err = {0};

	issuer_validity(plant->issuer, now, 365, &order.not_before, &order.not_after);
	assert_int_equal(x509_serial(order.serial, &err), 0);
	if (issuer_sign(plant->issuer, &order, key, ret, &err) != 0)
		fail_msg("%s", err.text);
	keypair_unref(key);
	return order;
}

/* ---- reading back ---- */

static struct buffer list_at(const struct plant *plant, uint64_t number, unixtime at,
			     const struct buffer *entries)
{
	struct buffer der = {0};
	struct error err = {0};

	assert_int_equal(buffer_status(entries), 0);
	if (crl_sign(plant->issuer, number, at, buffer_span(entries), &der, &err) != 0)
		fail_msg("%s", err.text);
	return der;
}

/* Nothing follows it, it is DER to the byte, and the signature is the signer's. */
static X509_CRL *parse(const struct plant *plant, const struct buffer *der)
{
	const uint8_t *at = der->data;
	X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der->size);
	uint8_t *again = NULL;

	assert_non_null(crl);
	assert_ptr_equal(at, der->data + der->size);
	X509_CRL_get0_by_serial(crl, &(X509_REVOKED *){NULL}, X509_get_serialNumber(plant->signer));
	crl->ex_flag_unused_guard;
	OPENSSL_free(again);
	return crl;
}
