#include "upload_judge.h"

#include <string.h>

void candidate_clear(struct candidate *candidate)
{
	chain_clear(&candidate->chain);
	keypair_unref(candidate->key);
	candidate->key = NULL;
}

static const char *const part_names[UPLOAD_PART_COUNT] = {
	[UPLOAD_CERT] = "cert.pem",
	[UPLOAD_KEY] = "key.pem",
	[UPLOAD_PASSWORD] = "password",
};

/* What was found in cert.pem and key.pem. */
struct finding {
	struct bag bag[2]; /* by UPLOAD_CERT, UPLOAD_KEY */
};

static void finding_clear(struct finding *finding)
{
	bag_clear(&finding->bag[UPLOAD_CERT]);
	bag_clear(&finding->bag[UPLOAD_KEY]);
}

/* A part is read with the password if there is one. */
static int part_read(const struct buffer *parts, enum upload_part part, struct bag *ret, struct error *err)
{
	const struct buffer *password = &parts[UPLOAD_PASSWORD];
	const struct span secret = buffer_span(password);
	int r;

	if (parts[part].size == 0)
		return 0;
	r = x509_read(buffer_span(&parts[part]), password->data ? &secret : NULL, ret, err);
	return r < 0 && r != -ENOMEM ? error_prefix(err, "%s", part_names[part]) : r;
}

/* The part that was just written must hold what its name says. */
static int part_fits(const struct bag *bag, enum upload_part part, struct error *err)
{
	if (bag->needs_password && !(part == UPLOAD_CERT && bag->key_only))
		return 0;
	if (part == UPLOAD_CERT && bag->cert_count == 0)
		return error_set(err, EKEYREJECTED,
				 "cert.pem: it holds no certificate: write the signing certificate and its upstream chain");
	if (part == UPLOAD_KEY && !bag->key)
		return error_set(err, EKEYREJECTED,
				 "key.pem: it holds no private key: write the private key of the signing certificate");
	return 0;
}

static int finding_read(const struct buffer *parts, enum upload_part written, struct finding *ret, struct error *err)
{
	int r = part_read(parts, UPLOAD_CERT, &ret->bag[UPLOAD_CERT], err);

	if (r == 0)
		r = part_read(parts, UPLOAD_KEY, &ret->bag[UPLOAD_KEY], err);
	if (r == 0 && written != UPLOAD_PASSWORD)
		r = part_fits(&ret->bag[written], written, err);
	return r;
}

/* The bag with the certificates, the bag with the key. What was just written comes first: one file may hold everything. */
static const struct bag *bag_with_certs(const struct finding *finding, enum upload_part written)
{
	const struct bag *first = &finding->bag[written == UPLOAD_KEY && finding->bag[UPLOAD_KEY].cert_count > 0 ?
							UPLOAD_KEY :
							UPLOAD_CERT];

	return first->cert_count > 0 ? first : &finding->bag[UPLOAD_KEY];
}

static struct keypair *key_found(const struct finding *finding, enum upload_part written)
{
	const enum upload_part first =
		written == UPLOAD_CERT && finding->bag[UPLOAD_CERT].key ? UPLOAD_CERT : UPLOAD_KEY;

	return finding->bag[first].key ? finding->bag[first].key : finding->bag[UPLOAD_CERT].key;
}

static int judge_with_key(const struct bag *certs, struct keypair *key, unixtime now, struct candidate *ret,
			  struct error *err)
{
	uint8_t spki[FINGERPRINT_SIZE];
	int r;

	keypair_spki(key, spki);
	r = x509_check_chain(certs->certs, certs->cert_count, spki, now, &ret->chain, err);
	if (r < 0)
		return r;
	ret->key = keypair_ref(key);
	return JUDGED_COMPLETE;
}

/* Certificates without a key: for a key that the project has, they complete each other; else they wait. Faults show at once. That of an
 * issuer may be there, too, of a project that moves from its root to an intermediate: only a whole chain tells whom it is for. */
static int judge_without_key(const struct bag *certs, unixtime now, knows_key knows, void *context,
			     struct candidate *ret, struct error *err)
{
	uint8_t spki[FINGERPRINT_SIZE];
	_cleanup_chain_ struct chain chain = {0};
	int r;

	for (size_t i = 0; i < certs->cert_count; i++) {
		r = x509_spki(buffer_span(&certs->certs[i]), spki, err);
		if (r == 0)
			r = knows(context, spki, err);
		if (r == 0)
			continue;
		if (r > 0)
			r = x509_check_chain(certs->certs, certs->cert_count, spki, now, &ret->chain, err);
		if (r != -EKEYREJECTED)
			return r < 0 ? r : JUDGED_COMPLETE;
	}
	r = x509_check_chain(certs->certs, certs->cert_count, NULL, now, &chain, err);
	return r < 0 ? r : JUDGED_WAITS;
}

/* A key alone waits for its certificate; one that is there already has nothing to wait for, and would spoil the next upload. */
static int judge_key_alone(const struct keypair *key, knows_key knows, void *context, struct error *err)
{
	uint8_t spki[FINGERPRINT_SIZE];
	int r;

	keypair_spki(key, spki);
	r = knows(context, spki, err);
	return r < 0 ? r : r ? JUDGED_KNOWN : JUDGED_WAITS;
}

int upload_judge(const struct buffer parts[UPLOAD_PART_COUNT], enum upload_part written, unixtime now, knows_key knows,
		 void *context, struct candidate *ret, struct error *err)
{
	__attribute__((cleanup(finding_clear))) struct finding finding = {0};
	struct candidate candidate = {0};
	const struct bag *certs;
	struct keypair *key;
	int r = finding_read(parts, written, &finding, err);

	if (r < 0)
		return r;
	if (finding.bag[UPLOAD_CERT].needs_password || finding.bag[UPLOAD_KEY].needs_password)
		return JUDGED_WAITS_FOR_PASSWORD;
	certs = bag_with_certs(&finding, written);
	key = key_found(&finding, written);
	if (certs->cert_count == 0)
		return key ? judge_key_alone(key, knows, context, err) : JUDGED_WAITS;
	r = key ? judge_with_key(certs, key, now, &candidate, err) :
		  judge_without_key(certs, now, knows, context, &candidate, err);
	if (r == JUDGED_COMPLETE)
		*ret = candidate;
	else
		candidate_clear(&candidate);
	return r;
}
