#include <openssl/x509v3.h>
#include <string.h>

#include "x509_internal.h"

static bool serial_is(const X509 *cert, const uint8_t serial[SERIAL_SIZE])
{
	const ASN1_INTEGER *number = X509_get0_serialNumber(cert);

	return ASN1_STRING_length(number) == SERIAL_SIZE &&
	       memcmp(ASN1_STRING_get0_data(number), serial, SERIAL_SIZE) == 0;
}

int x509_check_issued(struct span cert, struct span signer, const uint8_t serial[SERIAL_SIZE],
		      const uint8_t spki[FINGERPRINT_SIZE], struct error *err)
{
	_cleanup_x509_ X509 *subject = NULL;
	_cleanup_x509_ X509 *issuer = NULL;
	uint8_t found[FINGERPRINT_SIZE];
	int r = certificate_parse(cert, &subject, err);

	if (r == 0)
		r = certificate_parse(signer, &issuer, err);
	if (r == 0)
		r = certificate_spki(subject, found, err);
	if (r < 0)
		return error_set(err, EUCLEAN, "the certificate can't be parsed");
	if (memcmp(found, spki, FINGERPRINT_SIZE) != 0)
		return error_set(err, EUCLEAN,
				 "the certificate is for another key than the store says");
	if (!serial_is(subject, serial))
		return error_set(err, EUCLEAN,
				 "the certificate has another serial number than the store says");
	if (X509_check_issued(issuer, subject) != X509_V_OK ||
	    X509_verify(subject, X509_get0_pubkey(issuer)) != 1) {
		(void)x509_reject(err, "%s", "");
		return error_set(err, EUCLEAN, "the certificate was not signed by its signing CA");
	}
	return 0;
}
