/* Templates of user data: where a variable ends, what filters do, that the size told is the size that comes, and that a YAML
 * parser finds in a rendered #cloud-config what was put into it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "digest.h"
#include "template.h"

#define CERT "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\nWFla\n-----END PRIVATE KEY-----\n"

#define V_REQUIRED "$webhook.azure.device_ca.required"
#define V_CERT     "$webhook.azure.device_ca.cert"
#define V_KEY      "$webhook.azure.device_ca.key"

struct fixture {
	struct policy policy;
	struct details *details;
	struct template_values values;
};

static void fixture_free(struct fixture *fixture)
{
	details_free(fixture->details);
}

#define _cleanup_fixture_ __attribute__((cleanup(fixture_free)))

/* In place: values point into it. */
static void fixture_fill(struct fixture *fixture, const char *cert, const char *key, const char *details)
{
	struct error err = {0};

	fixture->details = NULL;
	policy_default(&fixture->policy);
	if (details && details_parse(span_text(details), &fixture->details, &err) < 0)
		fail_msg("%s", err.text);
	fixture->values = (struct template_values){
		.policy = &fixture->policy,
		.cert = span_text(cert),
		.key = span_text(key),
		.details = fixture->details,
	};
}

/* The variables that short cases are written with. */
static void fixture_rename(struct fixture *fixture, const char *required, const char *cert, const char *key)
{
	strcpy(fixture->policy.variable_required, required);
	strcpy(fixture->policy.variable_cert, cert);
	strcpy(fixture->policy.variable_key, key);
}

/* Size, render and check agree; behind what the buffer had already. */
static void render(const struct fixture *fixture, struct span template, struct buffer *out)
{
	struct error err = {0};
	size_t size = 0, before = out->size;

	if (template_size(template, &fixture->values, &size, &err) < 0 ||
	    template_render(template, &fixture->values, out, &err) < 0)
		fail_msg("'%.*s': %s", (int)template.size, (const char *)template.data, err.text);
	assert_int_equal(out->size - before, size);
}

static void assert_renders(const struct fixture *fixture, const char *template, const char *result)
{
	_cleanup_buffer_ struct buffer out = BUFFER_SECRET;

	render(fixture, span_text(template), &out);
	if (!span_equal(buffer_span(&out), span_text(result)))
		fail_msg("'%s' gives '%.*s' instead of '%s'", template, (int)out.size, (const char *)out.data,
			 result);
}

/* ---- variables ---- */

static const struct {
	const char *template, *result;
} names[] = {
	{"", ""},
	{"no variable\n", "no variable\n"},
	{"$a", "true"},
	{"$a$a", "truetrue"},
	{"$a.cert", "C"},
	{"$a.cert2", "K"},
	{"<$a.cert>", "<C>"},
	{"\"$a.cert\",'$a'", "\"C\",'true'"},
	{"$a.cert\n$a.cert2\n", "C\nK\n"},
	/* a longer word is another variable */
	{"$a.cert3", "$a.cert3"},
	{"$a.cert22", "$a.cert22"},
	{"$a.cert_", "$a.cert_"},
	{"$a.cert.pem", "$a.cert.pem"},
	{"$a.cert-x", "$a.cert-x"},
	{"$a.cert..x", "$a.cert..x"},
	{"$a.cer", "$a.cer"},
	{"$ab", "$ab"},
	{"$a.x", "$a.x"},
	{"$A", "$A"},
	/* . and - at its end are punctuation */
	{"$a.", "true."},
	{"$a.cert.", "C."},
	{"$a.cert. Next", "C. Next"},
	{"$a.cert...", "C..."},
	{"$a.cert-", "C-"},
	{"-$a.cert--", "-C--"},
	{"$a.cert.-.\n", "C.-.\n"},
	/* what is no letter of a name ends it */
	{"$a.cert\xc3\xa4", "C\xc3\xa4"},
	{"$a.cert/x:y", "C/x:y"},
	{"$a.cert$a.cert2", "CK"},
	{"$a.cert|", "C|"},
	/* unknown ones stay */
	{"$", "$"},
	{"$$", "$$"},
	{"$$a", "$true"},
	{"$ a", "$ a"},
	{"$b|base64 $a", "$b|base64 true"},
	{"$b$a", "$btrue"},
	{"$webhook.azure.dps.shared_key|nothing", "$webhook.azure.dps.shared_key|nothing"},
	{"${a}", "${a}"},
	{"$(a) $1 $? $details $details. $details.|x", "$(a) $1 $? $details $details. $details.|x"},
	/* a | that is no filter */
	{"$a||true", "true||true"},
	{"$a| base64", "true| base64"},
	{"$a |base64", "true |base64"},
	{"$a|$a", "true|true"},
	{"$a|4", "true|4"},
	{"$a.|base64", "true.|base64"},
	/* details */
	{"$details.host", "gw"},
	{"$details.host.", "gw."},
	{"$details.host.name", "gw.example"},
	{"$details.host.name2", "$details.host.name2"},
	{"$details.empty|", "|"},
	{"$details.nothing", "$details.nothing"},
	{"$details.nothing|base99", "$details.nothing|base99"},
	{"$details.nothing|base64", "$details.nothing|base64"},
	{"$details.ends.", "full stop"},
	{"$details.ends..", "full stop."},
	{"$details.ends", "$details.ends"},
	{"$details.ends.|base64", "ZnVsbCBzdG9w"},
	{"x$details.host|base64y", NULL}, /* EINVAL */
	{"$details.host|base64", "Z3c="},
	{"$detailsx.host", "$detailsx.host"},
	{"$Details.host", "$Details.host"},
	/* a value is not looked through */
	{"$details.loop", "$a $details.loop"},
	{"$details.dollar" "a", "$details.dollara"},
	{"$details.dollar" "\xc3\xa4", "$\xc3\xa4"},
};

static void test_names(void **state)
{
	_cleanup_fixture_ struct fixture fixture;
	struct error err = {0};

	(void)state;
	fixture_fill(&fixture, "C", "K",
		     "host=gw\nhost.name=gw.example\nempty=\nends.=full stop\nloop=$a $details.loop\ndollar=$");
	fixture_rename(&fixture, "$a", "$a.cert", "$a.cert2");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		_cleanup_buffer_ struct buffer out = BUFFER_SECRET;

		if (names[i].result)
			assert_renders(&fixture, names[i].template, names[i].result);
		else
			assert_int_equal(template_render(span_text(names[i].template), &fixture.values, &out, &err),
					 -EINVAL);
	}
}

/* Names of a policy that are no words, and ones that lie in each other. */
static void test_odd_names(void **state)
{
	_cleanup_fixture_ struct fixture fixture;

	(void)state;
	fixture_fill(&fixture, "C", "K", "cert=detail\ncert.more=more");
	fixture_rename(&fixture, "${flag}", "$###CERT###", "$details.cert");
	assert_renders(&fixture, "${flag}x$###CERT###y", "truexCy");
	assert_renders(&fixture, "${flag}|base64.", "dHJ1ZQ==.");
	assert_renders(&fixture, "$details.cert $details.cert.more", "K more");
	fixture_rename(&fixture, "$$", "$a.", "$a$details.cert");
	assert_renders(&fixture, "$ $$ $$$", "$ true true$");
	assert_renders(&fixture, "$a.|$a..|$a", "C|C.|$a");
	assert_renders(&fixture, "$a$details.cert$a$details.cert", "KK");
	fixture_rename(&fixture, "$x-", "$x", "$x--");
	assert_renders(&fixture, "$x $x- $x-- $x--- $x-y", "C true K K- $x-y");
}

/* The longest name that a policy may have. */
static void test_long_name(void **state)
{
	_cleanup_fixture_ struct fixture fixture;
	char name[POLICY_TEXT], longer[POLICY_TEXT + 1];

	(void)state;
	fixture_fill(&fixture, "C", "K", NULL);
	memset(name, 'n', sizeof(name));
	name[0] = '$';
	name[sizeof(name) - 1] = '\0';
	fixture_rename(&fixture, "$r", name, "$k");
	assert_renders(&fixture, name, "C");
	snprintf(longer, sizeof(longer), "%sn", name);
	assert_renders(&fixture, longer, longer);
	name[sizeof(name) - 2] = '\0';
	assert_renders(&fixture, name, name);
}

static void test_values(void **state)
{
	_cleanup_fixture_ struct fixture fixture;

	(void)state;
	fixture_fill(&fixture, CERT, KEY, NULL);
	assert_renders(&fixture, V_CERT, CERT);
	assert_renders(&fixture, V_KEY V_REQUIRED "\n", KEY "true\n");
	fixture.policy.attach = false;
	assert_renders(&fixture, V_REQUIRED "," V_CERT "," V_KEY "," V_KEY "|base64," V_KEY "|indent:4,",
		       "false,,,,,");
}

static void test_binary_template(void **state)
{
	static const uint8_t template[] = "\x1f\x8b\0$a\0\xff$a", result[] = "\x1f\x8b\0true\0\xfftrue";
	_cleanup_buffer_ struct buffer out = BUFFER_SECRET;
	_cleanup_fixture_ struct fixture fixture;

	(void)state;
	fixture_fill(&fixture, CERT, KEY, NULL);
	fixture_rename(&fixture, "$a", "$b", "$c");
	buffer_add_text(&out, "before");
	render(&fixture, (struct span){template, sizeof(template) - 1}, &out);
	assert_int_equal(out.size, 6 + sizeof(result) - 1);
	assert_memory_equal(out.data, "before", 6);
	assert_memory_equal(out.data + 6, result, sizeof(result) - 1);
}

/* ---- filters ---- */

static void test_base64(void **state)
{
	/* RFC 4648, section 10 */
	static const char *const vectors[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
						 {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
						 {"foobar", "Zm9vYmFy"}};
	static const uint8_t high[] = {0xfb, 0xff, 0xbf};

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		_cleanup_buffer_ struct buffer out = {0};

		base64_add(&out, span_text(vectors[i][0]));
		base64_add(&out, (struct span){high, sizeof(high)});
		assert_int_equal(buffer_status(&out), 0);
		assert_int_equal(out.size, base64_size(strlen(vectors[i][0])) + 4);
		assert_memory_equal(out.data, vectors[i][1], out.size - 4);
		assert_memory_equal(out.data + out.size - 4, "+/+/", 4);
	}
}

static const struct {
	const char *value, *template, *result;
} filters[] = {
	{"foobar", "<$c|base64>", "<Zm9vYmFy>"},
	{"fo\n", "$c|base64", "Zm8K"},
	{"", "<$c|base64>", "<>"},
	{"a\nb\n", "    $c|indent:4\n", "    a\n    b\n"},
	{"a\nb\n", "$c|indent:0", "a\nb"},
	{"a\nb\n", "$c|indent:1.", "a\n b."},
	{"a\nb", "$c|indent:2", "a\n  b"},
	{"a\n\nb\n", "$c|indent:2", "a\n  \n  b"},
	{"a\n\n", "$c|indent:2", "a\n  "},
	{"\n", "<$c|indent:2>", "<>"},
	{"", "<$c|indent:2>", "<>"},
	{"a", "<$c|indent:2>", "<a>"},
	{"a\nb\n", "$c|indent:02", "a\n  b"},
	{"a\nb\n", "$c|indent:64",
	 "a\n                                                                b"},
	{"a\nb\n", "$c|indent:2:x", "a\n  b:x"},
	{"ab\n", "$c|base64:x", "YWIK:x"},
	{"ab\n", "$c|base64|4", "YWIK|4"},
	{"ab\n", "$c|base64||x", "YWIK||x"},
	{"ab\n", "$c|base64$c|indent:3$c", "YWIKabab\n"},
};

static void test_filters(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		_cleanup_fixture_ struct fixture fixture;

		fixture_fill(&fixture, filters[i].value, KEY, NULL);
		fixture_rename(&fixture, "$r", "$c", "$k");
		assert_renders(&fixture, filters[i].template, filters[i].result);
	}
}

static const struct {
	const char *template;
	const char *begin; /* of the sentence */
	const char *cause; /* in it */
} bad[] = {
	{"$c|base65", "line 1: ", "|base65"},
	{"$c|Base64", "line 1: ", "|Base64"},
	{"$c|base64x", "line 1: ", "|base64x"},
	{"$c|base64-x", "line 1: ", "|base64-x"},
	{"$c|b", "line 1: ", "|base64 and |indent:N"},
	{"\n\n\n x: $c|tee /x\n", "line 4: ", "space before"},
	{"$c|base64\n$c\n\n$r|upper\n$c|x", "line 4: ", "|upper"},
	{"$c|indent", "line 1: ", "0 to 64"},
	{"$c|indent:", "line 1: ", "0 to 64"},
	{"$c|indent: 4", "line 1: ", "0 to 64"},
	{"$c|indent:65", "line 1: ", "0 to 64"},
	{"$c|indent:100", "line 1: ", "0 to 64"},
	{"$c|indent:004", "line 1: ", "0 to 64"},
	{"$c|indent:99999999999999999999", "line 1: ", "0 to 64"},
	{"$c|indent:-1", "line 1: ", "0 to 64"},
	{"$c|indent:4x", "line 1: ", "0 to 64"},
	{"$c|indent:4|base64", "line 1: ", "one filter"},
	{"$c|base64|indent:4", "line 1: ", "one filter"},
	{"$details.host|trim", "line 1: ", "|trim"},
};

static void test_bad_filters(void **state)
{
	_cleanup_fixture_ struct fixture fixture;

	(void)state;
	fixture_fill(&fixture, CERT, KEY, "host=gw");
	fixture_rename(&fixture, "$r", "$c", "$k");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const struct span template = span_text(bad[i].template);
		_cleanup_buffer_ struct buffer out = BUFFER_SECRET;
		struct error err = {0}, checked = {0};
		size_t size = 4711;

		if (template_render(template, &fixture.values, &out, &err) != -EINVAL)
			fail_msg("'%s' was taken", bad[i].template);
		assert_int_equal(out.size, 0);
		if (strncmp(err.text, bad[i].begin, strlen(bad[i].begin)) != 0 ||
		    !strstr(err.text, bad[i].cause))
			fail_msg("'%s': '%s'", bad[i].template, err.text);
		assert_int_equal(template_check(template, &fixture.policy, &checked), -EINVAL);
		assert_string_equal(checked.text, err.text);
		assert_int_equal(template_size(template, &fixture.values, &size, &err), -EINVAL);
		assert_int_equal(size, 4711);
	}
}

/* Before there are details each of them counts as known; other unknown variables have no filters to be judged. */
static void test_check(void **state)
{
	struct policy policy;
	struct error err = {0};

	(void)state;
	policy_default(&policy);
	assert_int_equal(template_check(span_text(""), &policy, &err), 0);
	assert_int_equal(template_check(span_text("$other|tee $details.x|base64 " V_KEY "|indent:8"), &policy, &err),
			 0);
	assert_int_equal(template_check(span_text("$details.1x|tee"), &policy, &err), 0);
	assert_int_equal(template_check(span_text("$details.x|tee"), &policy, &err), -EINVAL);
	assert_int_equal(template_check(span_text("$details.x.|tee"), &policy, &err), -EINVAL);
	policy.attach = false;
	assert_int_equal(template_check(span_text(V_CERT "|tee"), &policy, &err), -EINVAL);
}

/* ---- bounds ---- */

static char *filled(size_t size)
{
	char *text = malloc(size + 1);

	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	return text;
}

static void test_template_too_large(void **state)
{
	char *text = filled(TEMPLATE_SIZE_MAX + 1);
	_cleanup_fixture_ struct fixture fixture;
	_cleanup_buffer_ struct buffer out = {0};
	struct span template = {(uint8_t *)text, TEMPLATE_SIZE_MAX};
	struct error err = {0};

	(void)state;
	fixture_fill(&fixture, CERT, KEY, NULL);
	render(&fixture, template, &out);
	assert_int_equal(out.size, TEMPLATE_SIZE_MAX);
	assert_int_equal(template_check(template, &fixture.policy, &err), 0);
	template.size++;
	assert_int_equal(template_render(template, &fixture.values, &out, &err), -EFBIG);
	assert_int_equal(template_check(template, &fixture.policy, &err), -EFBIG);
	assert_int_equal(out.size, TEMPLATE_SIZE_MAX);
	free(text);
}

/* With the template's own byte the result has exactly the size that is allowed, and one more. */
static void assert_largest(const char *template, size_t value_size)
{
	char *value = filled(value_size + 1);
	_cleanup_fixture_ struct fixture fixture;
	_cleanup_buffer_ struct buffer out = {0};
	struct error err = {0};
	size_t size = 0;

	value[value_size] = '\0';
	fixture_fill(&fixture, value, KEY, NULL);
	fixture_rename(&fixture, "$r", "$c", "$k");
	render(&fixture, span_text(template), &out);
	assert_int_equal(out.size, TEMPLATE_SIZE_MAX);
	buffer_clear(&out);
	value[value_size] = 'x';
	fixture.values.cert.size++;
	assert_int_equal(template_render(span_text(template), &fixture.values, &out, &err), -EFBIG);
	assert_int_equal(out.size, 0);
	assert_int_equal(template_size(span_text(template), &fixture.values, &size, &err), -EFBIG);
	assert_int_equal(size, 0);
	free(value);
}

static void test_result_too_large(void **state)
{
	(void)state;
	assert_largest("$c", TEMPLATE_SIZE_MAX);
	assert_largest("$c\n", TEMPLATE_SIZE_MAX - 1);
	assert_largest("$c$c", TEMPLATE_SIZE_MAX / 2);
	assert_largest("$c|base64", TEMPLATE_SIZE_MAX / 4 * 3);
	assert_largest("$c|indent:4", TEMPLATE_SIZE_MAX);
}

/* ---- the size of what is to come ---- */

/* A block of PEM with lines of 64 columns, by its base64's length, of one letter. */
static char *pem_of(char letter, size_t columns)
{
	_cleanup_buffer_ struct buffer pem = {0};
	char *text;

	buffer_add_text(&pem, "-----BEGIN PRIVATE KEY-----\n");
	for (size_t i = 0; i < columns; i++) {
		buffer_add(&pem, &letter, 1);
		if (i % 64 == 63 || i == columns - 1)
			buffer_add_text(&pem, "\n");
	}
	buffer_add_text(&pem, "-----END PRIVATE KEY-----\n");
	buffer_add(&pem, "", 1);
	text = strdup((const char *)pem.data);
	assert_non_null(text);
	return text;
}

static void test_size_of_placeholder(void **state)
{
	static const char template[] = V_CERT V_KEY "\n" V_CERT "|base64 " V_KEY "|base64\n" V_CERT
					      "|indent:6\n" V_KEY "|indent:13" V_REQUIRED;

	(void)state;
	for (size_t columns = 4; columns < 400; columns += 4) {
		char *to_come = pem_of('A', columns), *cert = pem_of('x', columns), *key = pem_of('z', columns);
		_cleanup_fixture_ struct fixture before, after;
		_cleanup_buffer_ struct buffer out = {0};
		struct error err = {0};
		size_t size = 0;

		fixture_fill(&before, to_come, to_come, NULL);
		fixture_fill(&after, cert, key, NULL);
		assert_int_equal(template_size(span_text(template), &before.values, &size, &err), 0);
		render(&after, span_text(template), &out);
		assert_int_equal(out.size, size);
		free(to_come);
		free(cert);
		free(key);
	}
}

/* ---- YAML ---- */

/* The directory of the sources, from this file's own name. */
static void source_path(char *ret, size_t room, const char *name)
{
	static const char me[] = "tests/unit/test_template.c";

	assert_true(strlen(__FILE__) >= strlen(me));
	snprintf(ret, room, "%.*s%s", (int)(strlen(__FILE__) - strlen(me)), __FILE__, name);
}

static void read_stream(FILE *stream, struct buffer *out)
{
	char bytes[4096];
	size_t size;

	assert_non_null(stream);
	while ((size = fread(bytes, 1, sizeof(bytes), stream)) > 0)
		buffer_add(out, bytes, size);
	assert_int_equal(buffer_status(out), 0);
}

static bool have_yaml(void)
{
	return system("python3 -c 'import yaml' >/dev/null 2>&1") == 0;
}

/* What print gives for the document that text is; its variable is `d`. */
static void ask_yaml(struct span text, const char *print, struct buffer *out)
{
	char path[] = "/tmp/test_template.XXXXXX", command[1024];
	const int fd = mkstemp(path);
	FILE *python;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.data, text.size), text.size);
	close(fd);
	snprintf(command, sizeof(command),
		 "python3 -c 'import base64, sys, yaml; d = yaml.safe_load(open(\"%s\")); "
		 "f = {i[\"path\"].rpartition(\"/\")[2]: base64.b64decode(i[\"content\"]).decode() "
		 "if i.get(\"encoding\") == \"b64\" else i[\"content\"] for i in d[\"write_files\"]}; "
		 "sys.stdout.write(%s)'",
		 path, print);
	python = popen(command, "r");
	read_stream(python, out);
	assert_int_equal(pclose(python), 0);
	unlink(path);
}

static void assert_yaml(struct span text, const char *print, const char *result)
{
	_cleanup_buffer_ struct buffer out = {0};

	ask_yaml(text, print, &out);
	if (!span_equal(buffer_span(&out), span_text(result)))
		fail_msg("%s: '%.*s' instead of '%s'", print, (int)out.size, (const char *)out.data, result);
}

static const char cloud_config[] = "#cloud-config\n"
				   "hostname: $details.hostname\n"
				   "write_files:\n"
				   "- path: /a/cert.pem\n"
				   "  content: |\n"
				   "    " V_CERT "|indent:4\n"
				   "- path: /a/key.pem\n"
				   "  permissions: '0600'\n"
				   "  encoding: b64\n"
				   "  content: " V_KEY "|base64\n"
				   "- path: /a/inline\n"
				   "  content: \"device_certs_required=" V_REQUIRED "\"\n"
				   "runcmd:\n"
				   "- echo \"$HOME\" | wc\n";

static void test_yaml(void **state)
{
	char *cert = pem_of('C', 1234), *key = pem_of('K', 184);
	_cleanup_fixture_ struct fixture fixture;
	_cleanup_buffer_ struct buffer out = {0};

	(void)state;
	if (!have_yaml()) {
		free(cert);
		free(key);
		skip();
	}
	fixture_fill(&fixture, cert, key, "hostname=gw-01.plant-7.example");
	render(&fixture, span_text(cloud_config), &out);
	assert_memory_equal(out.data, "#cloud-config\n", 14);
	assert_yaml(buffer_span(&out), "d[\"hostname\"]", "gw-01.plant-7.example");
	assert_yaml(buffer_span(&out), "f[\"cert.pem\"]", cert);
	assert_yaml(buffer_span(&out), "f[\"key.pem\"]", key);
	assert_yaml(buffer_span(&out), "f[\"inline\"]", "device_certs_required=true");
	assert_yaml(buffer_span(&out), "d[\"runcmd\"][0]", "echo \"$HOME\" | wc");
	free(cert);
	free(key);
}

static void assert_sample_yaml(struct span with, struct span without)
{
	assert_yaml(with, "f[\"device_ca.pem\"]", CERT CERT);
	assert_yaml(with, "f[\"device_ca.key\"]", KEY);
	assert_yaml(with, "str(\"[ \\\"true\\\" = true ]\" in f[\"setup\"])", "True");
	assert_yaml(with, "f[\"config.toml\"]",
		    "hostname = \"gw\"\n\n[provisioning]\nsource = \"manual\"\n"
		    "connection_string = \"HostName=h;SharedAccessKey=a==\"\n");
	assert_yaml(without, "f[\"device_ca.pem\"] + f[\"device_ca.key\"]", "");
	assert_yaml(without, "str(\"[ \\\"false\\\" = true ]\" in f[\"setup\"])", "True");
}

/* conf/user_data.sample, with a certificate and without one. */
static void test_sample(void **state)
{
	_cleanup_buffer_ struct buffer template = {0}, with = {0}, without = {0};
	_cleanup_fixture_ struct fixture fixture;
	struct error err = {0};
	char path[4096];
	FILE *file;

	(void)state;
	source_path(path, sizeof(path), "conf/user_data.sample");
	file = fopen(path, "re");
	read_stream(file, &template);
	fclose(file);
	fixture_fill(&fixture, CERT CERT, KEY, "hostname=gw\nconnection_string=HostName=h;SharedAccessKey=a==\n");
	assert_int_equal(template_check(buffer_span(&template), &fixture.policy, &err), 0);
	render(&fixture, buffer_span(&template), &with);
	fixture.policy.attach = false;
	render(&fixture, buffer_span(&template), &without);
	assert_memory_equal(with.data, "#cloud-config\n", 14);
	assert_null(memmem(with.data, with.size, "$webhook", 8));
	assert_null(memmem(with.data, with.size, "$details", 8));
	if (have_yaml())
		assert_sample_yaml(buffer_span(&with), buffer_span(&without));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_binary_template),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_bad_filters),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_template_too_large),
		cmocka_unit_test(test_result_too_large),
		cmocka_unit_test(test_size_of_placeholder),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_sample),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
