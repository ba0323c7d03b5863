#include "fs/pollers.h"

#include <unistd.h>

/* The kernel's number of who polls, of the request that this receiving thread is handling. */
static _Thread_local uint64_t current_poller;

void pollers_request(const struct fuse_in_header *request)
{
	const struct fuse_poll_in *poll = (const struct fuse_poll_in *)(request + 1);

	if (request->opcode == FUSE_POLL && request->len >= sizeof(*request) + sizeof(*poll))
		current_poller = poll->kh;
}

static void wake(struct fs *fs, uint64_t poller)
{
	struct {
		struct fuse_out_header header;
		struct fuse_notify_poll_wakeup_out wakeup;
	} message = {
		.header = {.len = sizeof(message), .error = FUSE_NOTIFY_POLL},
		.wakeup = {.kh = poller},
	};

	/* ENOENT: whoever waited has gone. */
	if (write(fuse_session_fd(fs->session), &message, sizeof(message)) < 0)
		return;
}

void pollers_add(struct fs *fs, struct fuse_pollhandle *ph)
{
	const uint64_t poller = current_poller;
	uint64_t other = atomic_exchange(&fs->shared->poller[poller % SHARED_POLLERS], poller);

	fuse_pollhandle_destroy(ph);
	if (other && other != poller)
		wake(fs, other);
}

void pollers_wake(struct fs *fs)
{
	for (size_t slot = 0; slot < SHARED_POLLERS; slot++) {
		const uint64_t poller = atomic_exchange(&fs->shared->poller[slot], 0);

		if (poller)
			wake(fs, poller);
	}
}
