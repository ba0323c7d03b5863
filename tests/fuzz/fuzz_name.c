/* Whatever is given as a name: it is taken if and only if SPEC 1 allows it, refused with one clean sentence, and a common name made of
 * those taken fits into a certificate.
 *
 * The input: the name, the project's and the policy's subject, each ended by a NUL. */
#include <errno.h>
#include <string.h>

#include "name.h"
#include "policy.h"
#include "tests/fuzz/require.h"
#include "utf8.h"

enum { NAME_BYTES = 64, COMMON_NAME_ROOM = 65 };

/* The next text, with a NUL behind it, cut to size. */
static void take_text(const uint8_t **data, size_t *size, char *ret, size_t room)
{
	const uint8_t *end = *size > 0 ? memchr(*data, '\0', *size) : NULL;
	const size_t length = end ? (size_t)(end - *data) : *size, kept = length < room ? length : room - 1;

	memcpy(ret, *data, kept);
	ret[kept] = '\0';
	*data += length + (end ? 1 : 0);
	*size -= length + (end ? 1 : 0);
}

static bool allowed(const char *name)
{
	for (const char *c = name; *c; c++)
		if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') && *c != '_' &&
		    *c != '-' && *c != '.')
			return false;
	return *name && *name != '.' && *name != '-';
}

static bool check_name(const char *name)
{
	struct error err = {0};
	const int r = name_check(name, &err);

	if (strlen(name) > NAME_BYTES)
		REQUIRE(r == -ENAMETOOLONG);
	else
		REQUIRE(r == (allowed(name) ? 0 : -EINVAL));
	if (r < 0) {
		REQUIRE(err.code == -r && *err.text);
		REQUIRE(utf8_printable(span_text(err.text)));
	}
	return r == 0;
}

/* The subject is one that a policy takes. */
static void check_common_name(const char *subject, const char *app, const char *project)
{
	char name[COMMON_NAME_ROOM], again[COMMON_NAME_ROOM], ini[2 * POLICY_TEXT];
	struct error err = {0};
	struct policy policy;

	snprintf(ini, sizeof(ini), "[certificate]\nsubject = %s\n", subject);
	if (policy_parse(span_text(ini), &policy, &err) < 0)
		return;
	name_common_name(policy.subject, app, project, name);
	name_common_name(policy.subject, app, project, again);
	REQUIRE(*name && memchr(name, '\0', sizeof(name)));
	REQUIRE(utf8_printable(span_text(name)));
	REQUIRE(strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char app[256], project[256], subject[POLICY_TEXT];
	bool good;

	if (size == 0)
		return 0;
	take_text(&data, &size, app, sizeof(app));
	take_text(&data, &size, project, sizeof(project));
	take_text(&data, &size, subject, sizeof(subject));
	good = check_name(app);
	good = check_name(project) && good;
	if (good)
		check_common_name(subject, app, project);
	return 0;
}
