#include "fs/ino.h"

#include "fs/tree.h"

enum { VERSION_BITS = 26, ROW_BITS = 31, KIND_SHIFT = VERSION_BITS + ROW_BITS, REVISION_BITS = 8 };

fuse_ino_t ino_encode(struct ino ino)
{
	if (ino.kind == KIND_ROOT)
		return FUSE_ROOT_ID;
	if (ino.row < 0 || ino.row >= (rowid)1 << ROW_BITS)
		return 0;
	return (fuse_ino_t)ino.kind << KIND_SHIFT | (fuse_ino_t)ino.row << VERSION_BITS | ino.version;
}

struct ino ino_decode(fuse_ino_t id)
{
	if (id == FUSE_ROOT_ID)
		return (struct ino){.kind = KIND_ROOT};
	return (struct ino){
		.kind = (int)(id >> KIND_SHIFT),
		.row = (rowid)(id >> VERSION_BITS & (((fuse_ino_t)1 << ROW_BITS) - 1)),
		.version = (uint32_t)(id & (((fuse_ino_t)1 << VERSION_BITS) - 1)),
	};
}

uint32_t ino_version(int64_t number, int64_t revision)
{
	const uint32_t low = ((uint32_t)number << REVISION_BITS) | ((uint32_t)revision & ((1U << REVISION_BITS) - 1));

	return low & ((1U << VERSION_BITS) - 1);
}

int64_t ino_number(uint32_t version, int64_t newest)
{
	const int64_t low = version >> REVISION_BITS;
	const int64_t span = (int64_t)1 << (VERSION_BITS - REVISION_BITS);

	return newest - ((newest - low) & (span - 1));
}
