/* As much of DER as certfs needs beside OpenSSL: lengths and headers to write, outer shapes to
 * read. Pure functions. */
#ifndef CORE_DER_H
#define CORE_DER_H

#include "certfs/buffer.h"

enum {
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8 = 0x0c,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
	DER_CONTEXT_0_PRIMITIVE = 0x80,
	DER_CONTEXT_0 = 0xa0,
	DER_CONTEXT_3 = 0xa3,
};

/* Size of an element, header and all, whose content has size bytes. */
size_t der_size(size_t size);

/* Appends tag and length. */
void der_add_header(struct buffer *out, uint8_t tag, size_t size);

/* One element as it stands in a row of them. */
struct der_element {
	uint8_t tag;
	struct span content; /* of an indefinite length (BER): all that is left */
	bool indefinite;
};

/* Takes the first element off in. False where there is none, or it is longer than in; then nothing
 * is taken. */
bool der_take(struct span *in, struct der_element *ret);

#endif
