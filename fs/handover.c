#include "fs/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

#define NAME "certfs-connection"

enum { BARRIER_US = 30 * 1000 * 1000 };

static int tell(const char *state, const int *fds, unsigned int count, struct error *err)
{
	int r = sd_pid_notify_with_fds(0, 0, state, fds, count);

	if (r > 0)
		r = sd_notify_barrier(0, BARRIER_US); /* it has been read, descriptors and all */
	if (r > 0)
		return 0;
	return r < 0 ? error_set(err, -r, "systemd does not take the connection: %s", strerror(-r)) :
		       error_set(err, ENOTSUP, "there is no systemd to hand the connection to: --hand-over is for its units");
}

int handover_forget(struct error *err)
{
	return tell("FDSTOREREMOVE=1\nFDNAME=" NAME, NULL, 0, err);
}

int handover_give(int fd, struct error *err)
{
	return tell("FDSTORE=1\nFDNAME=" NAME, &fd, 1, err);
}

int handover_take(void)
{
	char **names = NULL;
	const int count = sd_listen_fds_with_names(1, &names);
	struct error ignored;
	int found = -1;

	for (int i = 0; i < count; i++) {
		const int fd = SD_LISTEN_FDS_START + i;

		if (found < 0 && strcmp(names[i], NAME) == 0)
			found = fd;
		else
			close(fd);
		free(names[i]);
	}
	free(names);
	if (found >= 0)
		(void)handover_forget(&ignored);
	return found;
}

#else
static int not_built(struct error *err)
{
	return error_set(err, ENOTSUP, "this certfs was built without systemd: build it with libsystemd-dev and meson -Dsystemd=enabled");
}

int handover_forget(struct error *err)
{
	return not_built(err);
}

int handover_give(int fd, struct error *err)
{
	(void)fd;
	return not_built(err);
}

int handover_take(void)
{
	return -1;
}
#endif
