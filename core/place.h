/* Files that appear under their name whole and durable, or not at all. Ground: knows nothing of certfs. */
#ifndef CORE_PLACE_H
#define CORE_PLACE_H

#include <stdbool.h>

#include "certfs/error.h"

/* Makes what was written under the name part durable, then gives it the name path in the same directory, durably. replace
 * false: EEXIST if path is there; nothing is ever overwritten, whoever makes it meanwhile. part stays where it was on failure. */
int place_file(const char *part, const char *path, bool replace, struct error *err);

/* fsync of a file, and of the directory that a path is in. */
int place_sync(const char *path, struct error *err);
int place_sync_directory(const char *path, struct error *err);

/* The directory of a path, opened; negative errno and the sentence. The caller closes it. */
int place_open_directory(const char *path, struct error *err);

#endif
