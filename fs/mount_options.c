/* The -o options (mount_options.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "certfs/log.h"
#include "fs/mount_options.h"

enum action { TAKE_SILENTLY, READ_ONLY, READ_WRITE, NEVER, SOURCE, TO_FUSE, REFUSE };

static const struct option_row {
	const char *name; /* one that ends in = or - stands for all that begin so */
	enum action action;
} option_rows[] = {
	{"ro", READ_ONLY},
	{"rw", READ_WRITE},
	{"fsname=", SOURCE},
	{"allow_other", TO_FUSE},
	{"context=", TO_FUSE},
	{"fscontext=", TO_FUSE},
	{"defcontext=", TO_FUSE},
	{"rootcontext=", TO_FUSE},
	{"suid", NEVER},
	{"dev", NEVER},
	{"exec", NEVER},
	{"remount", REFUSE},
	{"bind", REFUSE},
	{"nosuid", TAKE_SILENTLY},
	{"nodev", TAKE_SILENTLY},
	{"noexec", TAKE_SILENTLY},
	{"default_permissions", TAKE_SILENTLY},
	{"defaults", TAKE_SILENTLY},
	{"auto", TAKE_SILENTLY},
	{"noauto", TAKE_SILENTLY},
	{"user", TAKE_SILENTLY},
	{"user=", TAKE_SILENTLY},
	{"nouser", TAKE_SILENTLY},
	{"users", TAKE_SILENTLY},
	{"owner", TAKE_SILENTLY},
	{"group", TAKE_SILENTLY},
	{"nofail", TAKE_SILENTLY},
	{"_netdev", TAKE_SILENTLY},
	{"comment=", TAKE_SILENTLY},
	{"x-", TAKE_SILENTLY},
	{"X-", TAKE_SILENTLY},
	{"sync", TAKE_SILENTLY},
	{"async", TAKE_SILENTLY},
	{"dirsync", TAKE_SILENTLY},
	{"atime", TAKE_SILENTLY},
	{"noatime", TAKE_SILENTLY},
	{"diratime", TAKE_SILENTLY},
	{"nodiratime", TAKE_SILENTLY},
	{"relatime", TAKE_SILENTLY},
	{"norelatime", TAKE_SILENTLY},
	{"strictatime", TAKE_SILENTLY},
	{"nostrictatime", TAKE_SILENTLY},
	{"lazytime", TAKE_SILENTLY},
	{"nolazytime", TAKE_SILENTLY},
	{"silent", TAKE_SILENTLY},
	{"loud", TAKE_SILENTLY},
};

static bool row_matches(const struct option_row *row, const char *option)
{
	size_t length = strlen(row->name);
	char last = row->name[length - 1];

	return last == '=' || last == '-' ? strncmp(option, row->name, length) == 0 : strcmp(option, row->name) == 0;
}

static const struct option_row *row_find(const char *option)
{
	for (size_t i = 0; i < sizeof(option_rows) / sizeof(option_rows[0]); i++)
		if (row_matches(&option_rows[i], option))
			return &option_rows[i];
	return NULL;
}

static int pass_on(struct mount_options *options, const char *option, struct error *err)
{
	size_t used = strlen(options->fuse);
	size_t room = sizeof(options->fuse) - used;

	if (snprintf(options->fuse + used, room, "%s%s", used ? "," : "", option) < (int)room)
		return 0;
	options->fuse[used] = '\0';
	return error_set(err, EINVAL, "mount options are longer than %zu bytes", sizeof(options->fuse) - 1);
}

static int option_add(struct mount_options *options, const char *option, struct error *err)
{
	const struct option_row *row = row_find(option);

	if (!row || row->action == REFUSE)
		return error_set(err, EINVAL,
				 "certfs knows no mount option `%s`: it takes ro, rw, allow_other, fsname=NAME and those of fstab(5)",
				 option);
	switch (row->action) {
	case READ_ONLY:
	case READ_WRITE:
		options->read_only = row->action == READ_ONLY;
		return 0;
	case NEVER:
		log_write(LOG_WARNING, "mount option `%s` is ignored: certfs always mounts nosuid, nodev, noexec", option);
		return 0;
	case SOURCE:
		snprintf(options->source, sizeof(options->source), "%s", option + strlen(row->name));
		return 0;
	case TO_FUSE:
		return pass_on(options, option, err);
	default:
		return 0;
	}
}

int mount_options_add(struct mount_options *options, const char *list, struct error *err)
{
	char *copy = strdup(list);
	char *rest = copy;
	int r = copy ? 0 : error_set(err, ENOMEM, "out of memory");

	while (r == 0 && rest) {
		const char *option = strsep(&rest, ",");

		if (*option)
			r = option_add(options, option, err);
	}
	free(copy);
	return r;
}
