#include "audit.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "utf8.h"

/* The name is the process's own word for itself: a hint, not a proof. */
static void command_name(pid_t pid, char ret[17])
{
	char path[32];
	FILE *file;

	ret[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	file = pid > 0 ? fopen(path, "re") : NULL;
	if (!file)
		return;
	if (!fgets(ret, 17, file))
		ret[0] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	utf8_clean(ret); /* any bytes, and cut anywhere */
	fclose(file);
}

struct audit_row audit_record(const struct caller *caller, const char *action, const char *object)
{
	struct audit_row row = {
		.time = clock_now(),
		.uid = caller->uid,
		.gid = caller->gid,
		.pid = caller->pid,
	};

	command_name(caller->pid, row.command);
	snprintf(row.action, sizeof(row.action), "%s", action);
	snprintf(row.object, sizeof(row.object), "%s", object);
	return row;
}

int audit_trigger(struct store *store, const struct caller *caller, const char *name, const struct project_row *project,
		  const struct app_row *app, struct error *err)
{
	char object[192];
	struct audit_row row;

	snprintf(object, sizeof(object), "projects/%s%s%s", project->name, app ? "/apps/" : "", app ? app->name : "");
	row = audit_record(caller, name, object);
	row.app = app ? app->id : 0;
	row.generation = app ? app->last_number : 0;
	return audit_insert(store, &row, err);
}
