/* Whatever stands in a template, and in the names of the policy: the size told beforehand is the size that comes, what the check
 * takes is never refused later, what has no variable stays as it is, and a variable that is there is filled in.
 *
 * The input: a byte of switches, the three names and the details, each ended by a NUL, then the template. */
#include <string.h>

#include "template.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

#define CERT "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\nWFla\n-----END PRIVATE KEY-----\n"

enum { ATTACH = 1, OWN_NAMES = 2, LARGE = 4 };

/* Up to the next NUL. */
static struct span take_field(struct span *rest)
{
	const uint8_t *end = rest->size > 0 ? memchr(rest->data, '\0', rest->size) : NULL;
	const struct span field = {rest->data, end ? (size_t)(end - rest->data) : 0};

	if (end) {
		rest->data += field.size + 1;
		rest->size -= field.size + 1;
	}
	return field;
}

/* A name as policy_parse would take it; else the default stays. */
static void take_name(char name[POLICY_TEXT], struct span field)
{
	if (field.size < 2 || field.size >= POLICY_TEXT || field.data[0] != '$' || !utf8_printable(field) ||
	    memchr(field.data, ' ', field.size) || memchr(field.data, '|', field.size))
		return;
	memcpy(name, field.data, field.size);
	name[field.size] = '\0';
}

static void check_error(int r, const struct error *err)
{
	REQUIRE(err->code == -r);
	REQUIRE(r == -EINVAL || r == -EFBIG);
	REQUIRE(utf8_printable(span_text(err->text)));
	REQUIRE(strncmp(err->text, "line ", 5) == 0 || r == -EFBIG);
}

static void check_result(struct span template, const struct template_values *values, const struct buffer *out)
{
	REQUIRE(out->size <= TEMPLATE_SIZE_MAX);
	if (template.size == 0 || !memchr(template.data, '$', template.size))
		REQUIRE(span_equal(buffer_span(out), template));
	if (!values->policy->attach && out->size > 0) /* a template that spells a certificate out may */
		REQUIRE(!memmem(out->data, out->size, CERT, strlen(CERT)) || memchr(template.data, '-', template.size));
}

static void check_template(struct span template, const struct template_values *values)
{
	_cleanup_buffer_ struct buffer out = {0};
	struct error checked = {0}, sized = {0}, rendered = {0};
	const int c = template_check(template, values->policy, &checked);
	size_t size = 0;
	const int s = template_size(template, values, &size, &sized);
	const int r = template_render(template, values, &out, &rendered);

	REQUIRE(r == s);
	REQUIRE(c == 0 || c == -EFBIG || c == -EINVAL);
	REQUIRE(c != 0 || r != -EINVAL);
	if (c < 0)
		check_error(c, &checked);
	if (r < 0) {
		check_error(r, &rendered);
		REQUIRE(strcmp(rendered.text, sized.text) == 0);
		REQUIRE(out.size == 0);
		return;
	}
	REQUIRE(out.size == size);
	check_result(template, values, &out);
}

/* A variable of the template that nothing but white space touches is filled in. */
static void check_filled(const struct template_values *values, const char *name, struct span value)
{
	_cleanup_buffer_ struct buffer template = {0}, out = {0}, expected = {0};
	struct error err = {0};

	buffer_printf(&template, " %s ", name);
	buffer_add_text(&expected, " ");
	buffer_add_span(&expected, value);
	buffer_add_text(&expected, " ");
	REQUIRE(template_render(buffer_span(&template), values, &out, &err) == 0 || err.code == EFBIG);
	REQUIRE(err.code || span_equal(buffer_span(&out), buffer_span(&expected)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t large[TEMPLATE_SIZE_MAX / 2];
	_cleanup_details_ struct details *details = NULL;
	struct template_values values = {.cert = span_text(CERT), .key = span_text(KEY)};
	const int switches = size > 0 ? data[0] : 0;
	struct span rest = {data + (size > 0), size - (size > 0)}, text;
	struct error err = {0};
	struct policy policy;

	policy_default(&policy);
	policy.attach = switches & ATTACH;
	strcpy(policy.variable_required, "$r");
	strcpy(policy.variable_cert, "$c");
	strcpy(policy.variable_key, "$k");
	if (switches & OWN_NAMES) {
		take_name(policy.variable_required, take_field(&rest));
		take_name(policy.variable_cert, take_field(&rest));
		take_name(policy.variable_key, take_field(&rest));
	}
	if (switches & LARGE)
		values.cert = (struct span){large, sizeof(large)};
	text = take_field(&rest);
	if (details_parse(text, &details, &err) < 0)
		REQUIRE(!details);
	values.policy = &policy;
	values.details = details;
	check_template(rest, &values);
	if (!(switches & OWN_NAMES)) {
		check_filled(&values, "$r", span_text(policy.attach ? "true" : "false"));
		check_filled(&values, "$c", policy.attach ? values.cert : span_text(""));
		check_filled(&values, "$k", policy.attach ? values.key : span_text(""));
	}
	return 0;
}
