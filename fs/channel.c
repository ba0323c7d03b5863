/* What passes the FUSE descriptor, seen beside libfuse (channel.h). */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/channel.h"

enum { NOTIFY_RESEND = 7 }; /* FUSE_NOTIFY_RESEND, in linux/fuse.h since Linux 6.9 */

/* ---- replies ---- */

static void note_answer(struct shared *shared, const struct iovec *first)
{
	struct fuse_out_header header;

	if (first->iov_len < sizeof(header))
		return;
	memcpy(&header, first->iov_base, sizeof(header));
	if (header.unique == 0)
		return; /* a notification */
	atomic_fetch_add_explicit(&shared->answered, 1, memory_order_relaxed);
	if (!shared->kernel_resends)
		shared_in_flight_clear(shared, header.unique);
}

/* Noted after the write: a worker that dies in between answers twice, which the kernel ignores. The other way round a client
 * would wait for ever. */
static ssize_t write_reply(int fd, struct iovec *parts, int count, void *userdata)
{
	struct fs *fs = userdata;
	ssize_t n = writev(fd, parts, count);
	int saved = errno;

	if (count > 0)
		note_answer(fs->shared, &parts[0]);
	errno = saved;
	return n;
}

static ssize_t read_request(int fd, void *buffer, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buffer, size);
}

int channel_watch(struct fuse_session *session, struct error *err)
{
	static const struct fuse_custom_io io = {.writev = write_reply, .read = read_request};
	int r = fuse_session_custom_io(session, &io, fuse_session_fd(session));

	return r == 0 ? 0 : error_set(err, ENOMEM, "libfuse refuses to hand its replies over: %s", strerror(r > 0 ? r : -r));
}

/* ---- requests ---- */

static bool wants_answer(const struct fuse_in_header *request)
{
	return request->opcode != FUSE_FORGET && request->opcode != FUSE_BATCH_FORGET &&
	       request->opcode != FUSE_INTERRUPT;
}

void channel_received(struct shared *shared, const struct fuse_in_header *request)
{
	if (!shared->kernel_resends && wants_answer(request))
		shared_in_flight_set(shared, request->unique);
}

/* ---- what a dead worker left ---- */

int channel_resend(int fd)
{
	const struct fuse_out_header notification = {.len = sizeof(notification), .error = NOTIFY_RESEND};

	return write(fd, &notification, sizeof(notification)) < 0 ? -errno : 0;
}

/* The kernel's ENOENT says that the request was answered or given up meanwhile. */
static bool answer_lost(int fd, uint64_t unique)
{
	const struct fuse_out_header reply = {.len = sizeof(reply), .error = -EIO, .unique = unique};

	return write(fd, &reply, sizeof(reply)) == (ssize_t)sizeof(reply);
}

static int answer_all_lost(int fd, struct shared *shared)
{
	int answered = 0;

	for (unsigned int slot = 0; slot < SHARED_IN_FLIGHT_SLOTS; slot++) {
		uint64_t unique = atomic_load(&shared->in_flight[slot]);

		if (unique && answer_lost(fd, unique))
			answered++;
		atomic_store(&shared->in_flight[slot], 0);
	}
	return answered;
}

int channel_take_over(int fd, struct shared *shared)
{
	if (!shared->kernel_resends)
		return answer_all_lost(fd, shared);
	channel_resend(fd); /* fails only with the connection, which the first read reports */
	return 0;
}
