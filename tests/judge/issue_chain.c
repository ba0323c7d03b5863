/* Writes a chain down to a server certificate for other verifiers to judge: a signing CA made with
 * OpenSSL, a device CA issued by certfs, and under it the certificate that edgeHub would get.
 *
 *   issue_chain KIND ROOT|INTERMEDIATE DIRECTORY
 *
 * Files: root.pem, int.pem (intermediate only), dev.pem, srv.pem, mids.pem (dev and int), chain.pem
 * (srv, dev, int, root). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "keypair.h"
#include "x509.h"

static void die(const char *what)
{
	fprintf(stderr, "issue_chain: %s\n", what);
	exit(1);
}

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *key;

	if (strncmp(kind, "RSA-", 4) == 0)
		key = EVP_RSA_gen((unsigned int)atoi(kind + 4));
	else if (strcmp(kind, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else
		key = EVP_EC_gen(kind);
	if (key == NULL)
		die("no key");
	return key;
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (extension == NULL || !X509_add_ext(cert, extension, -1))
		die("no extension");
	X509_EXTENSION_free(extension);
}

static void add_ca_extensions(X509 *cert, X509 *issuer)
{
	add_extension(cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
}

static void add_server_extensions(X509 *cert, X509 *issuer)
{
	add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature");
	add_extension(cert, issuer, NID_ext_key_usage, "serverAuth");
	add_extension(cert, issuer, NID_subject_alt_name, "DNS:gw.example");
}

/* issuer NULL: self-signed. */
static X509 *make_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key,
			      void (*add_extensions)(X509 *cert, X509 *issuer))
{
	X509 *cert = X509_new();
	static long serial = 4000;

	issuer = issuer != NULL ? issuer : cert;
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(issuer));
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 90 * 86400L);
	X509_set_pubkey(cert, key);
	add_extension(cert, issuer, NID_subject_key_identifier, "hash");
	add_extension(cert, issuer, NID_authority_key_identifier, "keyid");
	add_extensions(cert, issuer);
	if (X509_sign(cert, issuer_key,
		      EVP_PKEY_is_a(issuer_key, "ED25519") ? NULL : EVP_sha256()) <= 0)
		die("not signed");
	return cert;
}

static struct buffer to_der(X509 *cert)
{
	struct buffer out = {0};
	unsigned char *at;

	if (buffer_resize(&out, (size_t)i2d_X509(cert, NULL)) < 0)
		die("no memory");
	at = out.data;
	i2d_X509(cert, &at);
	return out;
}

static struct keypair *to_keypair(EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	unsigned char *der = NULL;
	int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	struct keypair *pair = NULL;
	struct error err;

	if (size <= 0 || keypair_from_pkcs8((struct span){der, (size_t)size}, &pair, &err) < 0)
		die("no keypair");
	OPENSSL_free(der);
	PKCS8_PRIV_KEY_INFO_free(info);
	return pair;
}

/* The part that is judged. */
static X509 *issue_device_ca(X509 *const *chain, size_t count, EVP_PKEY *signer_key,
			     const struct keypair *device_key)
{
	struct buffer ders[2] = {0}, der = {0};
	struct chain checked = {0};
	struct device_ca_order order = {.common_name = "gw-01.plant-7.ca", .path_length = 0};
	struct keypair *key = to_keypair(signer_key);
	struct issuer *issuer = NULL;
	struct error err;
	const unsigned char *at;
	X509 *cert;

	for (size_t i = 0; i < count; i++)
		ders[i] = to_der(chain[i]);
	if (x509_check_chain(ders, count, NULL, time(NULL), &checked, &err) < 0 ||
	    issuer_new(&checked, key, &issuer, &err) < 0 || x509_serial(order.serial, &err) < 0)
		die(err.text);
	issuer_validity(issuer, time(NULL), 60, &order.not_before, &order.not_after);
	if (issuer_prove(issuer, &checked, &order, device_key, time(NULL), &err) < 0 ||
	    issuer_sign(issuer, &order, device_key, &der, &err) < 0)
		die(err.text);
	at = der.data;
	cert = d2i_X509(NULL, &at, (long)der.size);
	if (cert == NULL)
		die("the issued certificate can't be parsed");
	issuer_free(issuer);
	keypair_unref(key);
	chain_clear(&checked);
	buffer_clear(&der);
	for (size_t i = 0; i < count; i++)
		buffer_clear(&ders[i]);
	return cert;
}

static void write_pem(const char *directory, const char *name, X509 *const *certs, size_t count)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (file == NULL)
		die("can't write");
	for (size_t i = 0; i < count; i++)
		if (!PEM_write_X509(file, certs[i]))
			die("can't write");
	if (fclose(file) != 0)
		die("can't write");
}

static EVP_PKEY *to_pkey(const struct keypair *key)
{
	_cleanup_buffer_ struct buffer der = BUFFER_SECRET;
	struct error err;
	const unsigned char *at;
	EVP_PKEY *pkey;

	if (keypair_to_pkcs8(key, &der, &err) < 0)
		die(err.text);
	at = der.data;
	pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.size);
	if (pkey == NULL)
		die("the device's key can't be parsed");
	return pkey;
}

int main(int argc, char **argv)
{
	bool low = argc == 4 && strcmp(argv[2], "INTERMEDIATE") == 0;
	EVP_PKEY *root_key, *signer_key, *device_pkey, *server_key;
	struct keypair *device_key = NULL;
	X509 *all[4]; /* server, device, intermediate, root */
	size_t top = low ? 3 : 2;
	struct error err;

	if (argc != 4)
		die("usage: issue_chain KIND ROOT|INTERMEDIATE DIRECTORY");
	root_key = make_key(argv[1]);
	signer_key = low ? make_key(argv[1]) : root_key;
	if (keypair_generate(KEY_EC_P256, &device_key, &err) < 0)
		die(err.text);
	device_pkey = to_pkey(device_key);
	server_key = make_key("P-256");
	all[top] = make_certificate("Judged root", root_key, NULL, root_key, add_ca_extensions);
	if (low)
		all[2] = make_certificate("Judged intermediate", signer_key, all[3], root_key,
					  add_ca_extensions);
	all[1] = issue_device_ca(all + 2, top - 1, signer_key, device_key);
	all[0] = make_certificate("gw.example", server_key, all[1], device_pkey,
				  add_server_extensions);
	write_pem(argv[3], "root.pem", all + top, 1);
	write_pem(argv[3], "srv.pem", all, 1);
	write_pem(argv[3], "dev.pem", all + 1, 1);
	if (low)
		write_pem(argv[3], "int.pem", all + 2, 1);
	write_pem(argv[3], "mids.pem", all + 1, top - 1);
	write_pem(argv[3], "chain.pem", all, top + 1);
	for (size_t i = 0; i <= top; i++)
		X509_free(all[i]);
	EVP_PKEY_free(root_key);
	if (low)
		EVP_PKEY_free(signer_key);
	EVP_PKEY_free(device_pkey);
	EVP_PKEY_free(server_key);
	keypair_unref(device_key);
	return 0;
}
