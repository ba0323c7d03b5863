/* What this mount counts of its own work, for `metrics`. */
#ifndef FS_SERVING_H
#define FS_SERVING_H

#include "certfs/metrics.h"
#include "fs/fs.h"

/* context: struct fs. Any thread. */
void serving_get(void *context, struct serving *ret);

#endif
