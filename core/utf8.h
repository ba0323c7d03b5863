/* UTF-8 (RFC 3629), as far as free text of users needs it. Pure functions. */
#ifndef CORE_UTF8_H
#define CORE_UTF8_H

#include "certfs/buffer.h"

/* Valid UTF-8 and no control character (C0, DEL, C1). */
bool utf8_printable(struct span text);

/* The length of the longest beginning of text that has at most max bytes and does not end inside a character. */
size_t utf8_cut(struct span text, size_t max);

/* Puts '?' in the place of every control character and of every byte that is not part of a well-formed one. */
void utf8_clean(char *text);

/* Takes the character at the beginning of text off: its code point and its length. 0: not a well-formed one, nothing is taken. */
size_t utf8_take(struct span *text, uint32_t *ret);

#endif
