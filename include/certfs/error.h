/* An error is a code and a sentence, made where it is known and carried up unchanged.
 *
 * Every fallible call of certfs returns 0 (or a count) on success and a negative errno on failure,
 * and fills the struct error that its caller passed. Outputs named ret_* are untouched on failure.
 * The sentence names the object, the cause and the remedy; it never holds key material.
 * A struct error belongs to one thread at a time.
 */
#ifndef CERTFS_ERROR_H
#define CERTFS_ERROR_H

#include <errno.h>
#include <stdarg.h>

struct error {
	int code;       /* positive errno, 0: no error */
	char text[512]; /* one sentence, no newline; truncated, never overrun */
};

/* Sets err (never NULL) to code (positive errno) and the formatted sentence.
 * Control characters in the result, and what is not UTF-8, become '?'. Returns -code, so that a caller can `return error_set(…)`. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A system call has failed with code: the formatted sentence ("can't open PATH"), what the system says, and what helps against that. */
int error_system(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts a context in front of the sentence: "context: sentence". Returns -err->code. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What a count in a sentence does to its noun: "1 certificate", "2 certificates". */
static inline const char *plural(long long count)
{
	return count == 1 ? "" : "s";
}

#endif
