/* The floor under issuing: a P-256 key, a certificate for it and both PEMs, on all cores, stored nowhere. A DER template is patched with
 * key and serial number, contexts are made once for each thread.
 *
 *   floor_openssl SECONDS      prints how many a second */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, POINT = 65, SERIAL = 16, TBS_MAX = 1024 };

static struct {
	unsigned char tbs[TBS_MAX];
	int size, point, serial; /* offsets of what is patched */
	EVP_PKEY *signer;
	double end;
} work;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void extension(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

static int offset_of(const void *what, int size)
{
	const unsigned char *at = memmem(work.tbs, (size_t)work.size, what, (size_t)size);

	return (int)(at - work.tbs);
}

static void make_template(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	unsigned char serial[SERIAL], point[POINT], *at = work.tbs;
	BIGNUM *number;
	size_t length;

	work.signer = EVP_EC_gen("P-256");
	memset(serial, 0x42, sizeof(serial));
	number = BN_bin2bn(serial, sizeof(serial), NULL);
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	X509_set_version(cert, X509_VERSION_3);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"gw-0000001.plant-7.ca",
				   -1, -1, 0);
	X509_NAME_add_entry_by_txt(X509_get_issuer_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"Plant 7", -1, -1, 0);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 365 * 86400);
	X509_set_pubkey(cert, key);
	extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
	extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
	X509_sign(cert, work.signer, EVP_sha256());
	work.size = i2d_re_X509_tbs(cert, NULL);
	if (work.size <= 0 || work.size > TBS_MAX)
		exit(EXIT_FAILURE);
	i2d_re_X509_tbs(cert, &at);
	EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof(point), &length);
	work.point = offset_of(point, POINT);
	work.serial = offset_of(serial, SERIAL);
	X509_free(cert);
	EVP_PKEY_free(key);
}

struct tools {
	EVP_PKEY_CTX *keygen;
	EVP_MD_CTX *sign;
	unsigned char tbs[TBS_MAX], signature[80], der[TBS_MAX + 128], pem[2 * TBS_MAX];
};

/* What wraps a signed certificate is 20 bytes or so: as good as copied. */
static void certificate(struct tools *t, EVP_PKEY *key)
{
	unsigned char point[POINT];
	size_t length = sizeof(t->signature);
	size_t got;

	EVP_PKEY_get_octet_string_param(key, "encoded-pub-key", point, sizeof(point), &got);
	memcpy(t->tbs + work.point, point, POINT);
	RAND_bytes(t->tbs + work.serial, SERIAL);
	EVP_DigestSignInit(t->sign, NULL, NULL, NULL, NULL);
	EVP_DigestSign(t->sign, t->signature, &length, t->tbs, (size_t)work.size);
	memcpy(t->der, t->tbs, (size_t)work.size);
	memcpy(t->der + work.size, t->signature, length);
	EVP_EncodeBlock(t->pem, t->der, work.size + (int)length + 20);
}

static void private_key(struct tools *t, EVP_PKEY *key)
{
	unsigned char pkcs8[138] = {0};
	BIGNUM *secret = NULL;

	EVP_PKEY_get_bn_param(key, "priv", &secret);
	BN_bn2binpad(secret, pkcs8 + 36, 32);
	EVP_EncodeBlock(t->pem, pkcs8, sizeof(pkcs8));
	BN_clear_free(secret);
}

static void *loop(void *argument)
{
	long *made = argument;
	struct tools t;

	memcpy(t.tbs, work.tbs, sizeof(t.tbs));
	t.keygen = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY_keygen_init(t.keygen);
	EVP_PKEY_CTX_set_ec_paramgen_curve_nid(t.keygen, NID_X9_62_prime256v1);
	t.sign = EVP_MD_CTX_new();
	EVP_DigestSignInit(t.sign, NULL, EVP_sha256(), NULL, work.signer);
	for (*made = 0; now() < work.end; ++*made) {
		EVP_PKEY *key = NULL;

		EVP_PKEY_keygen(t.keygen, &key);
		certificate(&t, key);
		private_key(&t, key);
		EVP_PKEY_free(key);
	}
	EVP_MD_CTX_free(t.sign);
	EVP_PKEY_CTX_free(t.keygen);
	return NULL;
}

int main(int argc, char **argv)
{
	const double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);
	const int threads = (int)(cores < THREADS_MAX ? cores : THREADS_MAX);
	pthread_t thread[THREADS_MAX];
	long made[THREADS_MAX], sum = 0;

	make_template();
	work.end = now() + seconds;
	for (int i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, loop, &made[i]) != 0)
			return EXIT_FAILURE;
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum += made[i];
	}
	printf("%.0f\n", (double)sum / seconds);
	return EXIT_SUCCESS;
}
