/* A mount's life in the supervisor: mount, answer the kernel's first request, have workers serve, unmount. */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "certfs/config.h"
#include "certfs/error.h"
#include "fs/fs.h"

struct session_options {
	const char *mountpoint;   /* absolute, without links (mountpoint_resolve) */
	const char *source;       /* what the table of mounts shows as device; NULL or empty: certfs */
	const char *fuse_options; /* further -o options that the kernel or libfuse understands, comma-separated, or NULL */
	bool read_only;
	int connection;           /* the FUSE connection of a mount that is there already, the session's from here on; -1: to be made */
	bool background;          /* the worker leaves standard error too once it receives (daemonize.h) */

	/* Called once, in the supervisor, when the mount answers. */
	void (*ready)(const struct session_options *options, const struct config *config);

	/* SIGHUP, in the supervisor: changes what session_run was given as config, and returns 0; or logs why not, and returns -errno. NULL:
	 * nothing can be read again. */
	int (*reload)(const struct session_options *options);
	void *reload_context;

	/* SIGUSR2, in the supervisor: executes the program as it is on disk now, for a takeover (takeover.h). Returns only if that fails. */
	int (*execute)(const struct session_options *options, const struct takeover *takeover, struct error *err);
	const struct takeover *takeover; /* this process was executed for one; NULL: mounts anew */
	int lock;                        /* the store's, for the next program */
};

/* Mounts, or takes over, serves until unmounted or told to end by SIGTERM or SIGINT, unmounts. Returns 0, or -errno and the sentence.
 * With takeover->probe it only
 * finds out whether it could. The caller holds the store's lock and has called core_prepare. Must be called by a single-threaded process. */
int session_run(const struct session_options *options, const struct config *config, struct error *err);

/* Only mounts, and gives the connection to systemd (handover.h). The mount stays, and whoever comes waits for the process that
 * systemd gives it to. 0, or -errno and the sentence, and nothing is mounted. */
int session_hand_over(const struct session_options *options, const struct config *config, struct error *err);

#endif
