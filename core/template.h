/* user_data.in to user_data: variables are replaced by what they stand for, everything else stays as it is, byte for
 * byte. Pure functions.
 *
 * The variables are the three that the policy names, and $details.NAME:
 *   policy.variable_required   true or false: the policy's `attach`
 *   policy.variable_cert       the device CA and its upstream chain, PEM; empty while `attach` is no
 *   policy.variable_key        its private key, PEM; empty while `attach` is no
 *   $details.NAME              a value of `details`
 *
 * Where a variable ends. The letters, digits, and . _ - behind a $ belong together: with the variable $a.cert, $a.cert2 and
 * $a.cert.pem are other ones. But a . or - that ends such a word is punctuation ("$a.cert." is $a.cert and a full
 * stop), unless the variable's own name has it. Of several variables that fit the longest is meant. A name whose last
 * character is none of these, as ${cert}, may be followed by anything.
 *
 * Filters. A variable is inserted as it is; a PEM so ends with its newline. Directly behind it may stand
 *   |base64     in base64, one line; the final newline of a PEM is in it, so a file written from it is the PEM file
 *   |indent:N   N spaces (0 to 64) before every line but the first, and no final newline: for a block scalar of YAML whose
 *               first line is indented by the template. |indent:0 is the value without its final newline.
 * A | before anything else than a letter is no filter ($x || y). Any other filter, and a second one, is an error: it would be a
 * private key in the wrong form. Who wants a | and a letter behind a variable puts a space before it.
 *
 * An unknown variable stays as written, with its filter. A value is never looked through for variables. There is no way
 * to write the name of a variable literally: the policy can give it another one.
 */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include "certfs/buffer.h"
#include "certfs/error.h"
#include "details.h"
#include "policy.h"

enum { TEMPLATE_SIZE_MAX = 768 << 10 }; /* of a template, and of what becomes of it */
enum { TEMPLATE_INDENT_MAX = 64 };

/* All borrowed. */
struct template_values {
	const struct policy *policy;   /* the names, and `attach` */
	struct span cert, key;         /* not looked at while policy->attach is no */
	const struct details *details; /* NULL: none */
};

/* Appends the result to out, which must be secret if the key is; out is untouched on any failure but ENOMEM. EINVAL with
 * "line N: …" for a filter, EFBIG for a template or a result above TEMPLATE_SIZE_MAX. */
int template_render(struct span template, const struct template_values *values, struct buffer *out,
		    struct error *err);

/* How long the result will be, exactly, with the same failures as template_render; nothing is written. It depends on cert
 * and key by their lengths and by how many newlines they have (|indent), not by what else is in them: for a certificate to
 * come, pass placeholders, as pem_add_certificate and pem_add_pkcs8 make them of that many zero bytes of DER. */
int template_size(struct span template, const struct template_values *values, size_t *ret, struct error *err);

/* Whether a template may be taken, before there are values: EINVAL and EFBIG as above. Every $details.NAME counts as
 * known, since the details may come later: what this takes is never EINVAL for template_render with the same policy. */
int template_check(struct span template, const struct policy *policy, struct error *err);

#endif
