/* The floor under reads: the least that a FUSE filesystem can do. A directory of files a0000001, a0000002, …, all with the same text; below
 * d, d/d and so on are the same ones, for a path that is as long as that beside it.
 *
 *   floor_fuse MOUNTPOINT COUNT cached|uncached SIZE
 *
 * cached: the kernel keeps attributes and pages, only open reaches the server. uncached: it keeps nothing. In the foreground, until
 * it is unmounted. */
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	long count;
	bool cached;
	size_t size;
	char *text;
} floor_fs;

/* Node ids of d, d/d, …; those of the files are their numbers + 1. */
static const fuse_ino_t first_directory = 1ULL << 40;

static bool is_directory(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID || ino >= first_directory;
}

static double timeout(void)
{
	return floor_fs.cached ? 3600 : 0;
}

static struct stat attributes(fuse_ino_t ino)
{
	struct stat st = {.st_ino = ino, .st_mode = S_IFREG | 0444, .st_nlink = 1, .st_size = (off_t)floor_fs.size};

	if (is_directory(ino)) {
		st.st_mode = S_IFDIR | 0555;
		st.st_nlink = 2;
	}
	return st;
}

/* 0: there is no such name. */
static fuse_ino_t find(fuse_ino_t parent, const char *name)
{
	const long number = name[0] == 'a' ? strtol(name + 1, NULL, 10) : 0;
	const long depth = parent == FUSE_ROOT_ID ? 0 : (long)(parent - first_directory) + 1;

	if (strcmp(name, "d") == 0)
		return first_directory + (fuse_ino_t)depth;
	return number >= 1 && number <= floor_fs.count ? (fuse_ino_t)(depth * floor_fs.count + number) + 1 : 0;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = find(parent, name), .attr_timeout = timeout(), .entry_timeout = timeout()};

	if (entry.ino == 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	entry.attr = attributes(entry.ino);
	fuse_reply_entry(req, &entry);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct stat st = attributes(ino);

	(void)fi;
	fuse_reply_attr(req, &st, timeout());
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->keep_cache = floor_fs.cached;
	fi->noflush = true;
	fuse_reply_open(req, fi);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	const size_t at = (size_t)offset < floor_fs.size ? (size_t)offset : floor_fs.size;

	(void)ino;
	(void)fi;
	fuse_reply_buf(req, floor_fs.text + at, size < floor_fs.size - at ? size : floor_fs.size - at);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	char *buffer = malloc(size);
	size_t used = 0;

	(void)ino;
	(void)fi;
	for (long i = offset; buffer && i < floor_fs.count; i++) {
		const struct stat st = {.st_ino = (ino_t)i + 2, .st_mode = S_IFREG};
		char name[32];
		size_t need;

		snprintf(name, sizeof(name), "a%07ld", i + 1);
		need = fuse_add_direntry(req, buffer + used, size - used, name, &st, i + 1);
		if (need > size - used)
			break;
		used += need;
	}
	fuse_reply_buf(req, buffer, used);
	free(buffer);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = on_lookup,
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.readdir = on_readdir,
};

static int serve(const char *mountpoint)
{
	char *argv[] = {"floor_fuse", "-osubtype=floor", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(2, argv);
	struct fuse_session *session = fuse_session_new(&args, &ops, sizeof(ops), NULL);

	if (!session || fuse_session_mount(session, mountpoint) != 0)
		return EXIT_FAILURE;
	fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc != 5) {
		fprintf(stderr, "usage: floor_fuse MOUNTPOINT COUNT cached|uncached SIZE\n");
		return 2;
	}
	floor_fs.count = strtol(argv[2], NULL, 10);
	floor_fs.cached = strcmp(argv[3], "cached") == 0;
	floor_fs.size = (size_t)strtol(argv[4], NULL, 10);
	floor_fs.text = malloc(floor_fs.size);
	if (!floor_fs.text)
		return EXIT_FAILURE;
	memset(floor_fs.text, 'x', floor_fs.size);
	return serve(argv[1]);
}
