/* What passes the FUSE descriptor, seen beside libfuse (channel.h). */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/channel.h"

enum { NOTIFY_RESEND = 7 }; /* FUSE_NOTIFY_RESEND, in linux/fuse.h since Linux 6.9 */

/* Requests that a dead worker may have held, counted from the newest that it is known to have had: one that waited while as many
 * others came and went, and those that came while it died. Some 20 ms of tries. */
enum { TRIED_BEFORE = 1 << 15, TRIED_AFTER = 1 << 10 };

/* ---- replies ---- */

static void count_answer(struct shared *shared, const struct iovec *first)
{
	struct fuse_out_header header;

	if (first->iov_len < sizeof(header))
		return;
	memcpy(&header, first->iov_base, sizeof(header));
	if (header.unique != 0) /* else a notification */
		atomic_fetch_add_explicit(&shared->answered, 1, memory_order_relaxed);
}

/* A flag of FUSE_INIT that libfuse 3.14 does not know (Linux 6.6): files that are read past the kernel's pages, as all are whose content
 * changes, can be mapped nevertheless. A kernel that doesn't know it ignores it. */
static void allow_mmap(struct iovec *parts, int count)
{
	static const uint64_t direct_io_allow_mmap = 1ULL << 36;
	struct fuse_init_out *init = count == 2 ? parts[1].iov_base : NULL;

	if (!init || parts[1].iov_len < sizeof(*init))
		return;
	init->flags |= FUSE_INIT_EXT;
	init->flags2 |= (uint32_t)(direct_io_allow_mmap >> 32);
}

/* The first answer, in the supervisor: is kept for the next program, or compared with that of the last one. Returns its size. */
static ssize_t init_reply(struct fs *fs, const struct iovec *parts, int count)
{
	struct takeover *takeover = &fs->takeover;
	uint8_t reply[TAKEOVER_INIT_MAX];
	size_t size = 0;

	for (int i = 0; i < count && parts[i].iov_len <= sizeof(reply) - size; i++) {
		memcpy(reply + size, parts[i].iov_base, parts[i].iov_len);
		size += parts[i].iov_len;
	}
	if (fs->taken_over) {
		fs->init_differs = size != takeover->reply_size || memcmp(reply, takeover->reply, size) != 0;
		return (ssize_t)size;
	}
	memcpy(takeover->reply, reply, size);
	takeover->reply_size = (uint32_t)size;
	return (ssize_t)size;
}

static ssize_t write_reply(int fd, struct iovec *parts, int count, void *userdata)
{
	struct fs *fs = userdata;
	ssize_t n;
	int saved;

	if (!fs->init_answered) {
		allow_mmap(parts, count);
		fs->init_answered = true;
		n = init_reply(fs, parts, count);
		if (fs->taken_over)
			return n;
	}
	n = writev(fd, parts, count);
	saved = errno;

	if (count > 0)
		count_answer(fs->shared, &parts[0]);
	errno = saved;
	return n;
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buffer, size);
}

int channel_watch(struct fuse_session *session, int fd, struct error *err)
{
	static const struct fuse_custom_io io = {.writev = write_reply, .read = read_request};
	int r = fuse_session_custom_io(session, &io, fd);

	return r == 0 ? 0 : error_set(err, ENOMEM, "libfuse refuses to hand its replies over: %s: certfs needs libfuse 3.14 or later", strerror(r > 0 ? r : -r));
}

/* ---- requests ---- */

void channel_received(struct shared *shared, const struct fuse_in_header *request)
{
	const uint32_t kind = request->opcode < REQUEST_KINDS_MAX ? request->opcode : 0;

	atomic_fetch_add_explicit(&shared->requests[kind], 1, memory_order_relaxed);
	if (!shared->kernel_resends &&
	    request->unique > atomic_load_explicit(&shared->newest_request, memory_order_relaxed))
		atomic_store_explicit(&shared->newest_request, request->unique, memory_order_relaxed);
}

/* ---- what a dead worker left ---- */

int channel_resend(int fd)
{
	const struct fuse_out_header notification = {.len = sizeof(notification), .error = NOTIFY_RESEND};

	return write(fd, &notification, sizeof(notification)) < 0 ? -errno : 0;
}

static bool answer_lost(int fd, uint64_t unique)
{
	const struct fuse_out_header reply = {.len = sizeof(reply), .error = -EIO, .unique = unique};

	return write(fd, &reply, sizeof(reply)) == (ssize_t)sizeof(reply);
}

/* Which requests the dead worker held can't be written down without a gap: it may have died between the kernel's handing over and
 * its first instruction. But ids are consecutive even numbers, and while nobody reads the kernel takes an answer for those that
 * were handed over and for no other (ENOENT). So all that can be are answered. */
static int answer_all_lost(int fd, struct shared *shared)
{
	const uint64_t newest = atomic_load(&shared->newest_request) & ~UINT64_C(1);
	uint64_t unique = newest > 2 * TRIED_BEFORE ? newest - 2 * TRIED_BEFORE : 2;
	int answered = 0;

	for (; unique <= newest + 2 * TRIED_AFTER; unique += 2)
		if (answer_lost(fd, unique))
			answered++;
	return answered;
}

int channel_take_over(int fd, struct shared *shared)
{
	if (!shared->kernel_resends)
		return answer_all_lost(fd, shared);
	channel_resend(fd); /* fails only with the connection, which the first read reports */
	return 0;
}
