/* FUSE node ids without memory: a node id says by itself what it is, so nothing is remembered for the kernel, `forget` is nothing, and
 * a new worker can serve an old mount.
 *
 *   63    57 56                     26 25                    0
 *   +-------+-------------------------+-----------------------+
 *   | kind  | row of the store        | version               |
 *   +-------+-------------------------+-----------------------+
 *
 * kind: which row of the tree's table (tree.h). row: project, app instance or generation; ids are never used again. version: names the
 * bytes of a file that the kernel caches, 0 for all others: the low 18 bits of the generation's number and the low 8 of the
 * project's revision. Whatever changes a file's bytes changes its version, so pages that the kernel keeps are always right.
 *
 * What it can't do: rows beyond 2^31 - 1 (ino_encode refuses them), and telling apart two versions that are 2^18
 * generations of one app instance, or 256 revisions of one project, apart - while the kernel still holds a node of the older
 * one. st_ino is the node id with version 0: it stays the same for a name.
 */
#ifndef FS_INO_H
#define FS_INO_H

#include "certfs/types.h"
#include "fs/fs.h"

struct ino {
	int kind; /* enum kind */
	rowid row;
	uint32_t version;
};

/* 0 if it can't be encoded. The root is FUSE_ROOT_ID. */
fuse_ino_t ino_encode(struct ino ino);
struct ino ino_decode(fuse_ino_t id);

uint32_t ino_version(int64_t number, int64_t revision);

/* The number of the generation that a version names, given the newest number: the last one before it, or it, that fits. */
int64_t ino_number(uint32_t version, int64_t newest);

#endif
