/* The way into the background and the words with whoever started us: the terminal, or systemd.
 *
 * Until the background process is ready its standard error is a pipe to the command in the foreground, which passes on whatever
 * is written there; so a failure reaches the terminal by the log, like any other line.
 */
#ifndef FS_DAEMONIZE_H
#define FS_DAEMONIZE_H

#include "certfs/error.h"

/* Forks. Returns 0 in the child, a session leader. Returns 1 in the parent, once the child is ready (*ret_status 0) or has
 * ended (*ret_status is its exit status, 1 if a signal ended it). Single-threaded processes only. */
int daemonize(int *ret_status, struct error *err);

/* Child: the parent may return now. Once; then output goes as daemonize_detach says. */
void daemonize_ready(int log_level);

/* Log to syslog, standard input, output and error to nowhere. For a process that shares the pipe, too. */
void daemonize_detach(int log_level);

/* sd_notify(3); nothing where systemd did not start us, or without libsystemd. */
void service_notify(const char *state);

#endif
