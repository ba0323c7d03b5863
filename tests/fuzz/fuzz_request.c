/* Whatever may come out of /dev/fuse: a session without a kernel is fed requests whose numbers and texts are anything, and each is
 * answered, once, with a message that a kernel would take. What the kernel guarantees and libfuse relies on is kept: the fixed part of
 * a request is there, names end with a NUL, sizes stay below what was agreed at FUSE_INIT.
 *
 * The input: requests, each of a byte that names the operation, one for the node, one of switches, two for the size of the rest, and
 * the rest. The store is made anew from time to time, so an input does not depend on many before it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#include <linux/fuse.h>

#include "certfs/log.h"
#include "fs/fs.h"
#include "fs/ino.h"
#include "fs/pollers.h"
#include "fs/tree.h"
#include "tests/fuzz/require.h"

enum { REST_MAX = 4096, SIZE_MAX_AGREED = 1 << 20, WAIT_SECONDS = 25, LIFE = 200, OPEN_MAX_HERE = 64, MADE_MAX = 64 };
enum { LAST_HANDLE = 1, RESENT = 2, OTHER_USER = 4, ROW_SHIFT = 3, ROW_MASK = 3, VERSION_SHIFT = 5 };
enum { LAST_NODE = 0x80, RAW_NODE = 0xff };

/* What stands before the names in a request, and how many names there are. */
static const struct operation {
	uint32_t opcode;
	size_t fixed;
} operations[] = {
	{FUSE_LOOKUP, 0},
	{FUSE_GETATTR, sizeof(struct fuse_getattr_in)},
	{FUSE_SETATTR, sizeof(struct fuse_setattr_in)},
	{FUSE_READLINK, 0},
	{FUSE_SYMLINK, 0},
	{FUSE_MKNOD, sizeof(struct fuse_mknod_in)},
	{FUSE_MKDIR, sizeof(struct fuse_mkdir_in)},
	{FUSE_UNLINK, 0},
	{FUSE_RMDIR, 0},
	{FUSE_RENAME, sizeof(struct fuse_rename_in)},
	{FUSE_LINK, sizeof(struct fuse_link_in)},
	{FUSE_OPEN, sizeof(struct fuse_open_in)},
	{FUSE_READ, sizeof(struct fuse_read_in)},
	{FUSE_WRITE, sizeof(struct fuse_write_in)},
	{FUSE_STATFS, 0},
	{FUSE_RELEASE, sizeof(struct fuse_release_in)},
	{FUSE_FSYNC, sizeof(struct fuse_fsync_in)},
	{FUSE_SETXATTR, sizeof(struct fuse_setxattr_in)},
	{FUSE_GETXATTR, sizeof(struct fuse_getxattr_in)},
	{FUSE_LISTXATTR, sizeof(struct fuse_getxattr_in)},
	{FUSE_REMOVEXATTR, 0},
	{FUSE_FLUSH, sizeof(struct fuse_flush_in)},
	{FUSE_OPENDIR, sizeof(struct fuse_open_in)},
	{FUSE_READDIR, sizeof(struct fuse_read_in)},
	{FUSE_RELEASEDIR, sizeof(struct fuse_release_in)},
	{FUSE_ACCESS, sizeof(struct fuse_access_in)},
	{FUSE_CREATE, sizeof(struct fuse_create_in)},
	{FUSE_POLL, sizeof(struct fuse_poll_in)},
	{FUSE_IOCTL, sizeof(struct fuse_ioctl_in)},
	{FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in)},
	{FUSE_READDIRPLUS, sizeof(struct fuse_read_in)},
	{FUSE_RENAME2, sizeof(struct fuse_rename2_in)},
	{FUSE_LSEEK, sizeof(struct fuse_lseek_in)},
	{FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in)},
	{FUSE_SYNCFS, sizeof(struct fuse_syncfs_in)},
	{FUSE_FORGET, sizeof(struct fuse_forget_in)},
};

static struct {
	char directory[PATH_MAX];
	char *upload; /* a signing CA: key and certificate */
	struct config config;
	struct fs fs;
	int age; /* inputs since the store was made */
	uint64_t unique;
	rowid project, app;
	struct opened {
		uint64_t node, handle;
	} opened[OPEN_MAX_HERE];
	size_t opened_count;
} state;

/* ---- answers ---- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t came;
	uint64_t awaited; /* 0: no answer is due */
	int error;
	uint64_t node, handle; /* of the last answer that gave one */
	uint32_t opcode;
} answer = {.lock = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};

static void take_body(const uint8_t *body, size_t size)
{
	struct fuse_entry_out entry;
	struct fuse_open_out opened;
	const bool creates = answer.opcode == FUSE_CREATE;
	const bool names = creates || answer.opcode == FUSE_LOOKUP || answer.opcode == FUSE_MKDIR;

	if (names) {
		REQUIRE(size == sizeof(entry) + (creates ? sizeof(opened) : 0));
		memcpy(&entry, body, sizeof(entry));
		REQUIRE(entry.nodeid && entry.attr.mode && entry.attr.ino);
		answer.node = entry.nodeid;
	}
	if (creates || answer.opcode == FUSE_OPEN) {
		REQUIRE(size >= sizeof(opened));
		memcpy(&opened, body + size - sizeof(opened), sizeof(opened));
		answer.handle = opened.fh;
	}
}

/* A notification has unique 0 and its code in place of the error. */
static void take_answer(const uint8_t *bytes, size_t size)
{
	struct fuse_out_header header;

	REQUIRE(size >= sizeof(header));
	memcpy(&header, bytes, sizeof(header));
	REQUIRE(header.len == size);
	if (header.unique == 0)
		return;
	pthread_mutex_lock(&answer.lock);
	REQUIRE(header.unique == answer.awaited);
	REQUIRE(header.error <= 0 && header.error > -512);
	answer.error = header.error;
	if (header.error == 0)
		take_body(bytes + sizeof(header), size - sizeof(header));
	answer.awaited = 0;
	pthread_cond_signal(&answer.came);
	pthread_mutex_unlock(&answer.lock);
}

static ssize_t write_answer(int fd, struct iovec *parts, int count, void *userdata)
{
	static _Thread_local uint8_t bytes[SIZE_MAX_AGREED + 4096];
	size_t size = 0;

	(void)fd;
	(void)userdata;
	for (int i = 0; i < count; i++) {
		REQUIRE(parts[i].iov_len <= sizeof(bytes) - size);
		if (parts[i].iov_len)
			memcpy(bytes + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	take_answer(bytes, size);
	return (ssize_t)size;
}

static ssize_t read_nothing(int fd, void *buffer, size_t size, void *userdata)
{
	(void)fd;
	(void)buffer;
	(void)size;
	(void)userdata;
	return 0;
}

static void await_answer(void)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_SECONDS;
	pthread_mutex_lock(&answer.lock);
	while (answer.awaited)
		REQUIRE(pthread_cond_timedwait(&answer.came, &answer.lock, &end) == 0); /* else: never answered */
	pthread_mutex_unlock(&answer.lock);
}

/* ---- requests ---- */

/* Hands a request over as worker.c does, and waits for its answer. */
static int submit(struct fuse_in_header *request, uint64_t unique)
{
	const struct fuse_buf buffer = {.size = request->len, .mem = request};
	const bool answered = request->opcode != FUSE_FORGET;

	request->unique = unique;
	pthread_mutex_lock(&answer.lock);
	answer.awaited = answered ? unique : 0;
	answer.opcode = request->opcode;
	answer.error = 0;
	pthread_mutex_unlock(&answer.lock);
	fs_set_request(request->unique);
	pollers_request(request);
	fuse_session_process_buf(state.fs.session, &buffer);
	if (answered)
		await_answer();
	return answer.error;
}

/* In memory of exactly its size, so that reading beyond it is seen; with NULs at its end. The caller frees it. */
static struct fuse_in_header *request_new(const struct operation *operation, uint64_t node, const void *rest, size_t size)
{
	enum { END = 8 };
	const size_t body = size > operation->fixed ? size : operation->fixed;
	struct fuse_in_header *request = calloc(1, sizeof(*request) + body + END);

	REQUIRE(request);
	request->len = (uint32_t)(sizeof(*request) + body + END);
	request->opcode = operation->opcode;
	request->nodeid = node;
	if (size)
		memcpy(request + 1, rest, size);
	return request;
}

static const struct operation *operation_of(uint32_t opcode)
{
	const struct operation *operation = operations;

	while (operation->opcode != opcode)
		operation++;
	return operation;
}

static int ask(uint32_t opcode, uint64_t node, const void *rest, size_t size)
{
	struct fuse_in_header *request = request_new(operation_of(opcode), node, rest, size);
	const int error = submit(request, state.unique += 2);

	free(request);
	return error;
}

/* ---- the filesystem under test ---- */

static uint64_t file_node(int kind, rowid row, uint32_t version)
{
	return ino_encode((struct ino){.kind = kind, .row = row, .version = version});
}

/* The row of a directory, made if it is not there. */
static rowid directory(uint64_t parent, const char *name)
{
	uint8_t make[sizeof(struct fuse_mkdir_in) + 64] = {0};
	const struct fuse_mkdir_in in = {.mode = 0755};

	if (ask(FUSE_LOOKUP, parent, name, strlen(name)) < 0) {
		memcpy(make, &in, sizeof(in));
		strcpy((char *)make + sizeof(in), name);
		REQUIRE(ask(FUSE_MKDIR, parent, make, sizeof(in) + strlen(name)) == 0);
	}
	return ino_decode(answer.node).row;
}

static void upload_signing_ca(void)
{
	static uint8_t rest[sizeof(struct fuse_write_in) + 8192];
	const struct fuse_open_in open_in = {.flags = O_WRONLY | O_TRUNC};
	const uint64_t node = file_node(KIND_SIGNING_CA_CERT, state.project, 0);
	struct fuse_write_in in = {.size = (uint32_t)strlen(state.upload)};
	struct fuse_flush_in flush = {0};
	struct fuse_release_in release = {0};

	REQUIRE(ask(FUSE_OPEN, node, &open_in, sizeof(open_in)) == 0);
	in.fh = flush.fh = release.fh = answer.handle;
	memcpy(rest, &in, sizeof(in));
	memcpy(rest + sizeof(in), state.upload, in.size);
	REQUIRE(ask(FUSE_WRITE, node, rest, sizeof(in) + in.size) == 0);
	REQUIRE(ask(FUSE_FLUSH, node, &flush, sizeof(flush)) == 0);
	REQUIRE(ask(FUSE_RELEASE, node, &release, sizeof(release)) == 0);
}

static void remove_store(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", "-journal"};
	char path[PATH_MAX + 16];

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", state.config.store_path, suffixes[i]);
		unlink(path);
	}
	unlink(state.config.master_key + strlen("file:"));
}

static void check(int r, const struct error *err)
{
	if (r < 0)
		fprintf(stderr, "%s\n", err->text);
	REQUIRE(r == 0);
}

static void stop(void)
{
	if (state.fs.core)
		fs_stop(&state.fs);
	remove_store();
}

static void start(void)
{
	struct error err = {0};

	stop();
	check(core_prepare(&state.config, false, &err), &err);
	check(fs_start(&state.fs, &err), &err);
	state.age = 0;
	state.project = directory(file_node(KIND_PROJECTS, 0, 0), "p");
	upload_signing_ca();
}

/* What an earlier input may have removed. */
static void restore(void)
{
	state.project = directory(file_node(KIND_PROJECTS, 0, 0), "p");
	state.app = directory(file_node(KIND_APPS, state.project, 0), "gw");
}

static void finish(void)
{
	stop();
	rmdir(state.directory);
}

/* ---- the session ---- */

static void session_start(void)
{
	static const struct fuse_custom_io io = {.writev = write_answer, .read = read_nothing};
	const struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .flags = ~0U & ~(unsigned)FUSE_INIT_EXT};
	static const struct operation init = {FUSE_INIT, sizeof(struct fuse_init_in)};
	struct fuse_in_header *request = request_new(&init, 0, &in, sizeof(in));
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

	REQUIRE(fuse_opt_add_arg(&args, "fuzz") == 0);
	state.fs.session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), &state.fs);
	fuse_opt_free_args(&args);
	REQUIRE(state.fs.session);
	REQUIRE(fuse_session_custom_io(state.fs.session, &io, open("/dev/null", O_RDWR | O_CLOEXEC)) == 0);
	request->len = sizeof(*request) + sizeof(in);
	REQUIRE(submit(request, state.unique += 2) == 0);
	free(request);
}

/* By the command that everyone has: keys are not kept with the sources. */
static void make_signing_ca(void)
{
	static char pem[8192];
	FILE *openssl = popen("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout - -days 36500 -subj /CN=Fuzz "
			      "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,digitalSignature,keyCertSign,cRLSign "
			      "2>/dev/null",
			      "r");

	REQUIRE(openssl && fread(pem, 1, sizeof(pem) - 1, openssl) > 0);
	pclose(openssl);
	state.upload = pem;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *base = getenv("TEST_TMP");
	struct error err = {0};
	int shared_fd;

	(void)argc;
	(void)argv;
	snprintf(state.directory, sizeof(state.directory) - 32, "%s/fuzz.XXXXXX", base ? base : "/dev/shm");
	REQUIRE(mkdtemp(state.directory));
	config_default(&state.config);
	snprintf(state.config.store_path, sizeof(state.config.store_path), "%.4000s/s", state.directory);
	snprintf(state.config.master_key, sizeof(state.config.master_key), "file:%.4000s/k", state.directory);
	state.config.limit_projects = 8;
	state.config.limit_apps_per_project = 64;
	state.config.limit_events = 1000;
	log_open(false, LOG_EMERG);
	check(core_memory_init(&err), &err);
	state.fs.config = &state.config;
	state.fs.shared = shared_create(&shared_fd);
	REQUIRE(state.fs.shared);
	make_signing_ca();
	session_start();
	start();
	atexit(finish);
	return 0;
}

/* ---- the input ---- */

static uint64_t input_node(uint8_t which, uint8_t switches, const uint8_t **rest, size_t *size)
{
	const rowid other = switches >> ROW_SHIFT & ROW_MASK;
	const struct tree_row *row = tree_row(which);
	uint64_t node = answer.node;

	if (which == RAW_NODE && *size >= sizeof(node)) {
		memcpy(&node, *rest, sizeof(node));
		*rest += sizeof(node);
		*size -= sizeof(node);
	}
	if (which >= LAST_NODE || !row)
		return node;
	return file_node(which, (row->scope == SCOPE_FLEET ? 0 : row->scope == SCOPE_PROJECT ? state.project : state.app) + other,
			 (uint32_t)(switches >> VERSION_SHIFT) << 8);
}

/* A number in the fixed part: the offset of a field of that type. */
static uint32_t *field32(struct fuse_in_header *request, size_t offset)
{
	return (uint32_t *)((uint8_t *)(request + 1) + offset);
}

static void clamp(uint32_t *number, size_t most)
{
	if (*number > most)
		*number = (uint32_t)most;
}

/* What the kernel never sends, and libfuse does not look at. */
static void as_the_kernel(struct fuse_in_header *request, const struct operation *operation)
{
	const size_t rest = request->len - sizeof(*request) - operation->fixed;

	switch (request->opcode) {
	case FUSE_WRITE:
		clamp(field32(request, offsetof(struct fuse_write_in, size)), rest);
		break;
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		clamp(field32(request, offsetof(struct fuse_read_in, size)), SIZE_MAX_AGREED);
		break;
	case FUSE_IOCTL:
		clamp(field32(request, offsetof(struct fuse_ioctl_in, in_size)), 0);
		break;
	}
}

/* All requests that name a handle have it first, but for two. */
static void name_handle(struct fuse_in_header *request)
{
	uint8_t *body = (uint8_t *)(request + 1);
	size_t offset = 0;

	switch (request->opcode) {
	case FUSE_GETATTR:
		offset = offsetof(struct fuse_getattr_in, fh);
		break;
	case FUSE_SETATTR:
		offset = offsetof(struct fuse_setattr_in, fh);
		break;
	case FUSE_READ:
	case FUSE_WRITE:
	case FUSE_RELEASE:
	case FUSE_FLUSH:
	case FUSE_POLL:
	case FUSE_FSYNC:
		break;
	default:
		return;
	}
	memcpy(body + offset, &answer.handle, sizeof(answer.handle));
}

static void remember_open(uint64_t node, uint32_t opcode, int error)
{
	if (error == 0 && (opcode == FUSE_OPEN || opcode == FUSE_CREATE) && state.opened_count < OPEN_MAX_HERE)
		state.opened[state.opened_count++] = (struct opened){opcode == FUSE_OPEN ? node : answer.node, answer.handle};
}

static void close_all(void)
{
	while (state.opened_count > 0) {
		const struct opened *opened = &state.opened[--state.opened_count];
		const struct fuse_release_in in = {.fh = opened->handle};

		ask(FUSE_RELEASE, opened->node, &in, sizeof(in));
	}
}

static void run_request(const struct operation *operation, uint64_t node, uint8_t switches, const uint8_t *rest, size_t size)
{
	static const uint64_t resent = UINT64_C(1) << 63;
	struct fuse_in_header *request = request_new(operation, node, rest, size);
	uint64_t unique = switches & RESENT ? state.unique | resent : (state.unique += 2);

	if (switches & OTHER_USER)
		request->uid = request->gid = 65534;
	if (switches & LAST_HANDLE)
		name_handle(request);
	as_the_kernel(request, operation);
	remember_open(node, operation->opcode, submit(request, unique));
	free(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { HEAD = 5 };

	if (++state.age > LIFE)
		start();
	restore();
	while (size >= HEAD) {
		const struct operation *operation = &operations[data[0] % (sizeof(operations) / sizeof(operations[0]))];
		const size_t wanted = (size_t)data[3] | (size_t)data[4] << 8;
		const uint8_t *rest = data + HEAD;
		size_t used = size - HEAD < wanted ? size - HEAD : wanted, length;
		uint64_t node;

		used = used < REST_MAX ? used : REST_MAX;
		length = used;
		node = input_node(data[1], data[2], &rest, &length);
		run_request(operation, node, data[2], rest, length);
		data += HEAD + used;
		size -= HEAD + used;
	}
	close_all();
	return 0;
}
