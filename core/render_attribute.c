/* Extended attributes of an app instance: what scripts want without parsing. */
#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "digest.h"
#include "render_internal.h"

static void attribute_state(const struct view *view, struct buffer *out)
{
	const struct situation situation = view_situation(view);

	buffer_add_text(out, state_name(device_ca_state(&situation)));
}

static void attribute_generation(const struct view *view, struct buffer *out)
{
	buffer_printf(out, "%" PRId64, view->generation.number);
}

static void attribute_serial(const struct view *view, struct buffer *out)
{
	char text[SERIAL_SIZE * 3];

	colon_hex((struct span){view->generation.serial, SERIAL_SIZE}, text, sizeof(text));
	buffer_add_text(out, text);
}

static void attribute_not_after(const struct view *view, struct buffer *out)
{
	char text[32];

	clock_format(view->generation.not_after, text);
	buffer_add_text(out, text);
}

static const struct {
	const char *name;
	bool of_certificate; /* nothing to say before the first issue */
	void (*add)(const struct view *view, struct buffer *out);
} attributes[] = {
	{"state", false, attribute_state},
	{"generation", false, attribute_generation},
	{"serial", true, attribute_serial},
	{"not_after", true, attribute_not_after},
};

const char *const view_attribute_names[] = {"state", "generation", "serial", "not_after", NULL};

int view_attribute(const struct view *view, const char *name, struct buffer *out, struct error *err)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		if (strcmp(attributes[i].name, name) != 0 || (attributes[i].of_certificate && !view->generation.id))
			continue;
		attributes[i].add(view, out);
		return buffer_status(out) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
	}
	return error_set(err, ENODATA, "there is no attribute user.certfs.%s", name);
}
