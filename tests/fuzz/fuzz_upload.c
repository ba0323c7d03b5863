/* Whatever is written to signing_ca/: it is read with and without a password, and what was read is judged as a chain and shown. */
#include <stdio.h>
#include <string.h>

#include "certfs/core.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

#include "x509.h"

enum { NOW = 1800000000 };

static void check_error(int r, const struct error *err)
{
	REQUIRE(r == -EKEYREJECTED || r == -ENOMEM);
	REQUIRE(err->code == -r);
	REQUIRE(err->text[0]);
	REQUIRE(utf8_printable(span_text(err->text)));
}

/* What `info` shows of any certificate that was taken. */
static void check_info(const struct buffer *cert)
{
	struct certificate_info info;
	struct error err = {0};
	int r = x509_info(buffer_span(cert), &info, &err);

	if (r < 0) {
		check_error(r, &err);
		return;
	}
	REQUIRE(utf8_printable(span_text(info.subject)));
	REQUIRE(utf8_printable(span_text(info.issuer)));
	REQUIRE(utf8_printable(span_text(info.serial_number)));
	REQUIRE(utf8_printable(span_text(info.signature_algorithm)));
	REQUIRE(utf8_printable(span_text(info.public_key_algorithm)));
	REQUIRE(utf8_printable(span_text(info.basic_constraints)));
	REQUIRE(utf8_printable(span_text(info.key_usage)));
	REQUIRE(strlen(info.sha256_fingerprint) == 95);
}

static void check_accepted(const struct chain *chain, const struct bag *bag)
{
	REQUIRE(chain->count >= 1 && chain->count <= bag->cert_count);
	REQUIRE(chain->not_before <= NOW && NOW < chain->not_after);
	REQUIRE(chain->path_length >= 1);
	REQUIRE(chain->pem.size > 0 && chain->pem.data[chain->pem.size - 1] == '\n');
	REQUIRE(memchr(chain->warning, '\0', sizeof(chain->warning)));
	REQUIRE(utf8_printable(span_text(chain->warning)));
}

static void check_chain(const struct bag *bag, const uint8_t *spki)
{
	_cleanup_chain_ struct chain chain = {0};
	struct error err = {0};
	int r = x509_check_chain(bag->certs, bag->cert_count, spki, NOW, &chain, &err);

	if (r == 0)
		check_accepted(&chain, bag);
	else
		check_error(r, &err);
}

static void check_bag(const struct bag *bag, const struct span *password)
{
	uint8_t spki[FINGERPRINT_SIZE];
	struct error err = {0};

	REQUIRE(bag->needs_password || !bag->key_only);
	if (bag->needs_password) {
		REQUIRE(!password && !bag->key && bag->cert_count == 0);
		return;
	}
	/* a PKCS#12 may hold neither: whoever asked says so */
	for (size_t i = 0; i < bag->cert_count; i++) {
		REQUIRE(bag->certs[i].size > 0);
		check_info(&bag->certs[i]);
	}
	if (bag->cert_count == 0)
		return;
	check_chain(bag, NULL);
	if (x509_spki(buffer_span(&bag->certs[bag->cert_count - 1]), spki, &err) == 0)
		check_chain(bag, spki);
}

static void read_with(struct span upload, const struct span *password)
{
	_cleanup_bag_ struct bag bag = {0};
	struct error err = {0};
	int r = x509_read(upload, password, &bag, &err);

	if (r == 0) {
		check_bag(&bag, password);
		return;
	}
	check_error(r, &err);
	REQUIRE(!bag.certs && !bag.key && bag.cert_count == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = {0};

	(void)argc;
	(void)argv;
	if (core_memory_init(&err) < 0)
		fprintf(stderr, "%s\n", err.text);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct span upload = {data, size}, password = span_text("secret"), empty = span_text("");

	read_with(upload, NULL);
	read_with(upload, &password);
	read_with(upload, &empty);
	return 0;
}
