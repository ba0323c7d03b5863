/* pkcs11: URIs (RFC 7512): p11-kit reads them, but for the PIN. */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "cleanup.h"
#include "token_internal.h"

enum { URI_MAX = 4000, PIN_MAX = 256 };

void token_uri_clear(struct token_uri *uri)
{
	p11_kit_uri_free(uri->parsed);
	uri->parsed = NULL;
	buffer_clear(&uri->text);
	buffer_clear(&uri->pin);
}

static struct span trimmed(struct span text)
{
	while (text.size > 0 && isspace(text.data[text.size - 1]))
		text.size--;
	return text;
}

static bool has_space(struct span text)
{
	for (size_t i = 0; i < text.size; i++)
		if (isspace(text.data[i]))
			return true;
	return false;
}

/* ---- the PIN in the URI ---- */

/* Percent-encoded (RFC 3986, 2.1). */
static bool decode(struct span text, struct buffer *ret)
{
	for (size_t i = 0; i < text.size; i++) {
		uint8_t byte = text.data[i];

		if (byte == '%') {
			const int high = i + 2 < text.size ? OPENSSL_hexchar2int(text.data[i + 1]) : -1;
			const int low = high >= 0 ? OPENSSL_hexchar2int(text.data[i + 2]) : -1;

			if (low < 0)
				return false;
			byte = (uint8_t)(high << 4 | low);
			i += 2;
		}
		buffer_add(ret, &byte, 1);
	}
	return buffer_status(ret) == 0;
}

/* Where "pin-value=" stands in the query, up to the next attribute; an empty span: nowhere. */
static struct span find_pin_value(struct span text)
{
	static const char key[] = "pin-value=";
	const uint8_t *end = text.data + text.size;
	const uint8_t *query = memchr(text.data, '?', text.size);
	const uint8_t *at = query ? memmem(query, (size_t)(end - query), key, strlen(key)) : NULL;
	const uint8_t *next;

	if (!at || (at[-1] != '?' && at[-1] != '&'))
		return (struct span){0};
	next = memchr(at, '&', (size_t)(end - at));
	return (struct span){at, (size_t)((next ? next : end) - at)};
}

/* Puts the PIN aside, and the rest, which is no secret, into plain. */
static int split(struct span text, struct token_uri *uri, char plain[URI_MAX + 1], struct error *err)
{
	struct span pin = find_pin_value(text);
	const size_t head = pin.size ? (size_t)(pin.data - text.data) : text.size;
	size_t tail = head + pin.size;

	if (pin.size && !decode((struct span){pin.data + 10, pin.size - 10}, &uri->pin))
		return error_set(err, EINVAL, "the pkcs11: URI has a malformed pin-value: write %%25 for a percent sign");
	if (pin.size && tail < text.size)
		tail++; /* the & after it */
	memcpy(plain, text.data, head);
	memcpy(plain + head, text.data + tail, text.size - tail);
	plain[head + text.size - tail] = '\0';
	return 0;
}

/* ---- the rest ---- */

/* p11-kit takes a PIN also where and as a draft of the RFC had it (in the path, "pinfile="). What decides here who may name a file, and what
 * is a secret, must see the same as p11-kit: one way to write it is enough. */
static int check_spelling(const struct token_uri *uri, struct error *err)
{
	static const char source[] = "pin-source=";
	const bool hidden = p11_kit_uri_get_pin_source(uri->parsed) && !memmem(uri->text.data, uri->text.size, source, strlen(source));

	if (!hidden && !p11_kit_uri_get_pin_value(uri->parsed))
		return 0;
	return error_set(err, EINVAL, "%s: a PIN is given once, behind the ?, as pin-value=PIN or pin-source=file:/PATH", uri->name);
}

static int take_pin_source(struct token_uri *uri, struct error *err)
{
	const char *source = p11_kit_uri_get_pin_source(uri->parsed);

	if (!source)
		return 0;
	if (strncmp(source, "file:", 5) == 0)
		source += strncmp(source, "file:///", 8) == 0 ? 7 : 5;
	if (*source != '/' || strlen(source) >= sizeof(uri->pin_source))
		return error_set(err, EINVAL, "%s: pin-source names no file: write pin-source=file:/PATH", uri->name);
	snprintf(uri->pin_source, sizeof(uri->pin_source), "%s", source);
	return 0;
}

static int check(struct token_uri *uri, enum token_trust trust, struct error *err)
{
	int r = check_spelling(uri, err);

	if (r < 0)
		return r;
	if (p11_kit_uri_any_unrecognized(uri->parsed))
		return error_set(err, EINVAL, "%s: the URI has an attribute that is not known: look at RFC 7512", uri->name);
	if (trust == TOKEN_OF_UPLOAD &&
	    (p11_kit_uri_get_module_path(uri->parsed) || p11_kit_uri_get_module_name(uri->parsed)))
		return error_set(err, EINVAL, "%s: an upload may not name a module: configure it in p11-kit (pkcs11.conf(5))",
				 uri->name);
	return take_pin_source(uri, err);
}

/* The path is no secret, unless somebody puts a PIN into it, where it does not belong. */
static void take_name(const char *plain, struct token_uri *uri)
{
	const size_t path = strcspn(plain, "?");
	const char *pin = memmem(plain, path, ";pin", 4);

	snprintf(uri->name, sizeof(uri->name), "%.*s", (int)(pin ? (size_t)(pin - plain) : path), plain);
}

static int parse(struct span text, enum token_trust trust, struct token_uri *uri, struct error *err)
{
	char plain[URI_MAX + 1];
	int r;

	buffer_add_span(&uri->text, text);
	uri->parsed = p11_kit_uri_new();
	if (buffer_status(&uri->text) < 0 || !uri->parsed)
		return error_set(err, ENOMEM, "out of memory");
	r = split(text, uri, plain, err);
	if (r < 0)
		return r;
	take_name(plain, uri);
	r = p11_kit_uri_parse(plain, P11_KIT_URI_FOR_ANY, uri->parsed);
	if (r != P11_KIT_URI_OK)
		return error_set(err, EINVAL, "%s: the URI is malformed (%s): look at RFC 7512", uri->name, p11_kit_uri_message(r));
	return check(uri, trust, err);
}

int token_uri_parse(struct span text, enum token_trust trust, struct token_uri *ret, struct error *err)
{
	struct token_uri uri = {.text = BUFFER_SECRET, .pin = BUFFER_SECRET};
	int r;

	text = trimmed(text);
	if (text.size > URI_MAX)
		return error_set(err, EINVAL, "the pkcs11: URI is longer than %d bytes: shorten it", URI_MAX);
	if (memchr(text.data, '\n', text.size) || memchr(text.data, '\0', text.size))
		return error_set(err, EINVAL, "the pkcs11: URI is not one line: write one URI and nothing else");
	if (has_space(text)) /* p11-kit leaves it out, and would see other names than what is looked for here */
		return error_set(err, EINVAL, "the pkcs11: URI has white space in it: write %%20 for a space");
	r = parse(text, trust, &uri, err);
	if (r < 0) {
		token_uri_clear(&uri);
		return r;
	}
	*ret = uri;
	return 0;
}

/* ---- the PIN ---- */

static int read_pin(const struct token_uri *uri, struct buffer *pin, struct error *err)
{
	_cleanup_close_ int fd = open(uri->pin_source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	ssize_t n;

	if (buffer_resize(pin, PIN_MAX) < 0)
		return error_set(err, ENOMEM, "out of memory");
	n = fd < 0 ? -1 : read(fd, pin->data, PIN_MAX);
	if (n < 0)
		return error_set(err, EKEYREJECTED, "%s: the file of its PIN, %s, can't be read: %s: correct pin-source, or the file's mode",
				 uri->name, uri->pin_source, strerror(errno));
	for (ssize_t i = 0; i < n; i++)
		if (pin->data[i] == '\n')
			n = i;
	(void)buffer_resize(pin, (size_t)n);
	return 0;
}

int token_uri_pin(const struct token_uri *uri, struct buffer *ret, struct error *err)
{
	_cleanup_buffer_ struct buffer pin = BUFFER_SECRET;
	int r = 0;

	if (*uri->pin_source)
		r = read_pin(uri, &pin, err);
	else
		buffer_add_span(&pin, buffer_span(&uri->pin));
	if (r < 0)
		return r;
	if (buffer_status(&pin) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (pin.size == 0)
		return error_set(err, EKEYREJECTED,
				 "%s: the token asks for a PIN: add ?pin-source=file:/PATH or ?pin-value=PIN to the URI", uri->name);
	buffer_clear(ret);
	*ret = buffer_take(&pin);
	return 0;
}
