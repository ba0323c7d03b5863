/* Documents: the text form is YAML, its JSON twin has the same keys and values - as other people's parsers see it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "document.h"
#include "trigger.h"
#include "x509.h"
#include "x509_fixture.h"

enum { MORNING = 1795514400 }; /* 2026-11-24T10:00:00Z */

/* Exit status 0: both parse and are equal. Keys must be unique and in the same order. */
static const char comparison[] =
	"import datetime, json, sys\n"
	"try:\n"
	"    import yaml\n"
	"except ImportError:\n"
	"    sys.exit(77)\n"
	"def plain(value):\n"
	"    if isinstance(value, datetime.datetime):\n"
	"        return value.astimezone(datetime.timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')\n"
	"    if isinstance(value, list):\n"
	"        return [plain(v) for v in value]\n"
	"    if isinstance(value, dict):\n"
	"        return [(k, plain(v)) for k, v in value.items()]\n"
	"    return value\n"
	"def pairs(items):\n"
	"    assert len(dict(items)) == len(items), 'a key twice'\n"
	"    return dict(items)\n"
	"text = plain(yaml.safe_load(open(sys.argv[1], encoding='utf-8', newline='').read()))\n"
	"twin = plain(json.loads(open(sys.argv[2], encoding='utf-8', newline='').read(), object_pairs_hook=pairs))\n"
	"if text != twin:\n"
	"    print(text, twin, sep='\\n')\n"
	"sys.exit(text != twin)\n";

struct fixture {
	char directory[32], database[64], text[64], json[64];
	struct store *store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err;

	strcpy(f->directory, "/tmp/test_document.XXXXXX");
	if (!mkdtemp(f->directory))
		return -1;
	snprintf(f->database, sizeof(f->database), "%s/c.db", f->directory);
	snprintf(f->text, sizeof(f->text), "%s/status", f->directory);
	snprintf(f->json, sizeof(f->json), "%s/status.json", f->directory);
	*state = f;
	return store_open(f->database, STORE_CREATE, &f->store, &err);
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char path[80];
	int r;

	store_close(f->store);
	unlink(f->text);
	unlink(f->json);
	unlink(f->database);
	snprintf(path, sizeof(path), "%s-wal", f->database);
	unlink(path);
	snprintf(path, sizeof(path), "%s-shm", f->database);
	unlink(path);
	r = rmdir(f->directory);
	free(f);
	return r;
}

typedef void (*fill_fn)(struct document *document);

static void make(struct fixture *f, fill_fn fill, enum document_form form, struct buffer *out)
{
	struct document document;
	struct error err = {0};

	document_begin(&document, form, f->store, out, &err);
	fill(&document);
	if (document_end(&document) < 0)
		fail_msg("%s", err.text);
}

static void save(const char *path, const struct buffer *content)
{
	FILE *stream = fopen(path, "w");

	assert_non_null(stream);
	assert_int_equal(fwrite(content->data, 1, content->size, stream), content->size);
	assert_int_equal(fclose(stream), 0);
}

static int compare(const struct fixture *f)
{
	char *const argv[] = {(char *)"python3", (char *)"-c", (char *)(uintptr_t)comparison, (char *)(uintptr_t)f->text,
			      (char *)(uintptr_t)f->json, NULL};
	int status;
	pid_t pid;

	if (posix_spawnp(&pid, "python3", NULL, NULL, argv, environ) != 0)
		return 77;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Both forms parse, and say the same. */
static void check_twins(struct fixture *f, fill_fn fill)
{
	_cleanup_buffer_ struct buffer text = {0}, json = {0};
	int r;

	make(f, fill, DOCUMENT_TEXT, &text);
	make(f, fill, DOCUMENT_JSON, &json);
	assert_int_equal(text.data[text.size - 1], '\n');
	assert_int_equal(json.data[json.size - 1], '\n');
	save(f->text, &text);
	save(f->json, &json);
	r = compare(f);
	if (r == 77)
		skip(); /* there is no parser here */
	if (r != 0)
		fail_msg("these are not twins:\n%.*s%.*s", (int)text.size, text.data, (int)json.size, json.data);
}

/* ---- what is written ---- */

static void fill_status(struct document *d)
{
	static const struct notice notices[] = {
		{"DEVICE_CA_EXPIRING", "WARN", "EDGE_APP_INSTANCE", "UPDATEREQUIRED", "it ends soon: touch \"renew\""},
		{"ROOT_MISSING", "NOTICE", "PROJECT", "NONE", "a: b, {c} [d] # e"},
	};
	static const char *const words[] = {"cert", "key", "password"};

	document_word(d, "state", "EXPIRING");
	document_text(d, "message", "W\xc3\xa4rme: \"12\" days\\left\tor\nso");
	document_number(d, "generation", 3);
	document_number(d, "big", INT64_MAX);
	document_number(d, "negative", -7);
	document_time(d, "valid_till", MORNING);
	document_time(d, "never", 0);
	document_words(d, "missing", words, 3);
	document_words(d, "one", words, 1);
	document_words(d, "none", words, 0);
	document_notices(d, notices, 2);
	document_text(d, "after", "");
}

static void test_status(void **state)
{
	check_twins(*state, fill_status);
}

static void fill_small(struct document *d)
{
	static const struct notice notice = {"C", "WARN", "PROJECT", "NONE", "m"};
	static const char *const words[] = {"a", "b"};

	document_word(d, "state", "VALID");
	document_text(d, "message", "a \"b\"");
	document_number(d, "n", 3);
	document_time(d, "t", MORNING);
	document_time(d, "u", 0);
	document_words(d, "w", words, 2);
	document_notices(d, &notice, 1);
}

/* To the byte: people's scripts cut these lines. */
static void test_form(void **state)
{
	_cleanup_buffer_ struct buffer text = {0}, json = {0};

	make(*state, fill_small, DOCUMENT_TEXT, &text);
	assert_true(span_equal(buffer_span(&text),
			       span_text("state: VALID\n"
					 "message: \"a \\\"b\\\"\"\n"
					 "n: 3\n"
					 "t: 2026-11-24T10:00:00Z\n"
					 "u: null\n"
					 "w: [a, b]\n"
					 "notices:\n"
					 "- {cause: C, severity: WARN, scope: PROJECT, action: NONE, message: \"m\"}\n")));
	make(*state, fill_small, DOCUMENT_JSON, &json);
	assert_true(span_equal(buffer_span(&json),
			       span_text("{\n"
					 "  \"state\": \"VALID\",\n"
					 "  \"message\": \"a \\\"b\\\"\",\n"
					 "  \"n\": 3,\n"
					 "  \"t\": \"2026-11-24T10:00:00Z\",\n"
					 "  \"u\": null,\n"
					 "  \"w\": [\"a\", \"b\"],\n"
					 "  \"notices\": [\n"
					 "    {\"cause\": \"C\", \"severity\": \"WARN\", \"scope\": \"PROJECT\", \"action\": "
					 "\"NONE\", \"message\": \"m\"}\n"
					 "  ]\n"
					 "}\n")));
}

static void fill_nothing(struct document *d)
{
	document_notices(d, NULL, 0);
}

static void test_no_notices(void **state)
{
	check_twins(*state, fill_nothing);
}

/* Texts that bare YAML would take for something else. */
static void fill_deceptive(struct document *d)
{
	static const char *const texts[] = {"yes",  "no",   "null", "~",     "1",    "0x10", "1e3",  "2026-11-24", "- a", "a: b",
					    "# c",  "&a",   "*a",   "!t",    "%d",   "@x",   "`x",   "{",          "]",   "'",
					    "\"",   "\\",   " a ",  "a\\n",  "/",    "...",  "---",  "",           "|",   ">",
					    "12:30", "?",   "<<",   "=",     ".nan", "\\u0041"};
	static char keys[sizeof(texts) / sizeof(texts[0])][16];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(keys[i], sizeof(keys[i]), "key_%zu", i);
		document_text(d, keys[i], texts[i]);
	}
}

static void test_deceptive(void **state)
{
	check_twins(*state, fill_deceptive);
}

/* Every control character of ASCII that a sentence could hold. */
static void fill_controls(struct document *d)
{
	static char keys[32][16];

	for (int c = 1; c < 32; c++) {
		const char text[] = {'a', (char)c, 'b', '\0'};

		snprintf(keys[c], sizeof(keys[c]), "key_%d", c);
		document_text(d, keys[c], text);
	}
}

static void test_controls(void **state)
{
	check_twins(*state, fill_controls);
}

/* ---- what others wrote ---- */

/* Texts that JSON takes as they are and YAML does not: C1 controls, Unicode's line ends, noncharacters. */
static const char *const hostile[] = {"a\xc2\x9b" "b", "a \xc2\x85 b", "a\x7f" "b", "a \xe2\x80\xa8 b",
				      "a \xe2\x80\xa9 b", "a\xef\xbf\xbe" "b", "a\xef\xbf\xbf" "b"};

enum { HOSTILE = sizeof(hostile) / sizeof(hostile[0]) };

static char shown[HOSTILE][512];
static char hostile_keys[HOSTILE][16];

static void fill_shown(struct document *d)
{
	for (size_t i = 0; i < HOSTILE; i++) {
		snprintf(hostile_keys[i], sizeof(hostile_keys[i]), "key_%zu", i);
		document_text(d, hostile_keys[i], shown[i]);
	}
}

/* A reason is refused, or can be shown. */
static void test_reasons(void **state)
{
	for (size_t i = 0; i < HOSTILE; i++) {
		char reason[REASON_SIZE] = "";
		struct error err;

		(void)trigger_reason(span_text(hostile[i]), reason, &err);
		strcpy(shown[i], reason);
	}
	check_twins(*state, fill_shown);
}

/* A certificate's subject is whatever its maker wrote. */
static void test_subjects(void **state)
{
	for (size_t i = 0; i < HOSTILE; i++) {
		const struct recipe recipe = {.name = hostile[i]};
		X509 *cert = fixture_certificate(&recipe);
		struct buffer der = fixture_der(cert);
		struct certificate_info info;
		struct error err = {0};

		assert_int_equal(x509_info(buffer_span(&der), &info, &err), 0);
		strcpy(shown[i], info.subject);
		buffer_clear(&der);
		X509_free(cert);
	}
	check_twins(*state, fill_shown);
}

/* The rest of Unicode, and a text as long as the longest message. */
static void fill_unicode(struct document *d)
{
	static char longest[640];

	memset(longest, 'x', sizeof(longest) - 1);
	document_text(d, "latin", "\xc2\xa0|\xc3\xbf");
	document_text(d, "bmp", "\xe2\x82\xac|\xed\x9f\xbf|\xee\x80\x80|\xef\xbf\xbd|\xef\xbb\xbf");
	document_text(d, "beyond", "\xf0\x9f\x94\x91|\xf4\x8f\xbf\xbd");
	document_text(d, "longest", longest);
}

static void test_unicode(void **state)
{
	check_twins(*state, fill_unicode);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status),   TEST(test_form),       TEST(test_no_notices),    TEST(test_deceptive),
		TEST(test_controls), TEST(test_unicode),    TEST(test_reasons),       TEST(test_subjects),
	};

	int r = cmocka_run_group_tests(tests, NULL, NULL);

	fixture_end();
	return r;
}
