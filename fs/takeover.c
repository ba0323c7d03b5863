#include "fs/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char variable[] = "CERTFS_TAKEOVER";

bool takeover_asked(void)
{
	return getenv(variable) != NULL;
}

static int keep_over_exec(const struct takeover *takeover, bool keep)
{
	const int fds[] = {takeover->fuse, takeover->shared, takeover->lock};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fcntl(fds[i], F_SETFD, keep ? 0 : FD_CLOEXEC) < 0)
			return -errno;
	return 0;
}

static int differs(struct error *err)
{
	return error_set(err, ENOTSUP, "this program can't take a mount over from the one that runs, their versions differ too much: unmount, and "
				       "mount again");
}

int takeover_receive(struct takeover *ret, struct error *err)
{
	const char *text = getenv(variable);
	const int fd = text ? (int)strtol(text, NULL, 10) : -1;
	ssize_t n;

	unsetenv(variable);
	if (fd < 0)
		return differs(err);
	n = pread(fd, ret, sizeof(*ret), 0);
	close(fd);
	if (n != (ssize_t)sizeof(*ret) || ret->layout != TAKEOVER_LAYOUT || ret->request_size > TAKEOVER_INIT_MAX ||
	    ret->reply_size > TAKEOVER_INIT_MAX)
		return differs(err);
	return keep_over_exec(ret, false) == 0 ? 0 : error_set(err, errno, "can't take over the descriptors of a mount: %s", strerror(errno));
}

/* Not close-on-exec. */
static int memory_of(const struct takeover *takeover)
{
	const int fd = memfd_create("certfs-takeover", 0);

	if (fd < 0 || pwrite(fd, takeover, sizeof(*takeover), 0) == (ssize_t)sizeof(*takeover))
		return fd;
	close(fd);
	return -1;
}

int takeover_execute(const struct takeover *takeover, const char *program, char *const argv[], struct error *err)
{
	const int fd = memory_of(takeover);
	char number[16];

	snprintf(number, sizeof(number), "%d", fd);
	if (fd >= 0 && setenv(variable, number, 1) == 0 && keep_over_exec(takeover, true) == 0)
		execv(program, argv);
	error_set(err, errno, "can't execute %s: %s", program, strerror(errno));
	unsetenv(variable);
	(void)keep_over_exec(takeover, false);
	if (fd >= 0)
		close(fd);
	return -err->code;
}
