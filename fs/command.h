/* The subcommands. Each gets its own arguments, argv[0] being its name, and returns the exit status. */
#ifndef FS_COMMAND_H
#define FS_COMMAND_H

#include "certfs/config.h"
#include "certfs/error.h"

enum { STATUS_OK = 0, STATUS_FAILURE = 1, STATUS_USAGE = 2 };

/* The rest of the line behind `certfs NAME`, as the usage shows it. */
#define COMMAND_MOUNT_USAGE "[-f] [-c FILE] [-o OPTION,…] MOUNTPOINT"
#define COMMAND_CHECK_USAGE "[-c FILE]"
#define COMMAND_BACKUP_USAGE "[-c FILE] DEST"
#define COMMAND_RESTORE_USAGE "[-c FILE] SRC"
#define COMMAND_REKEY_USAGE "[-c FILE]"

#define COMMAND_STATUS_USAGE "[--json] [--watch] [--check PROJECT/APP [--min-days DAYS]] [MOUNTPOINT]"
#define COMMAND_WAIT_USAGE "PROJECT [MOUNTPOINT]"

int command_mount(int argc, char **argv);
int command_check(int argc, char **argv);
int command_status(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_backup(int argc, char **argv);
int command_restore(int argc, char **argv);
int command_rekey(int argc, char **argv);

/* mount(8)'s helper: mount.certfs CONFIG MOUNTPOINT [-sfnv] [-o OPTION,…]. Goes on as `certfs mount …`, by exec, so that
 * the process list shows it like any other. */
int command_mount_helper(int argc, char **argv);

/* The configuration of a command: path, or /etc/certfs/certfs.conf if there is one, or the defaults if path is NULL. */
int command_config(const char *path, struct config *ret, struct error *err);

/* Print a line for the terminal, return the exit status. */
int command_failed(const struct error *err);
int command_misused(const char *name, const char *usage);

#endif
