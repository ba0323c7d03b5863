/* Another program in the supervisor's place (SIGUSR2, takeover.h): the one on disk is asked first whether it could take over, then executed. */
#ifndef FS_PROGRAM_H
#define FS_PROGRAM_H

#include "fs/fs.h"
#include "fs/session.h"

/* One that was asked. Zeroed: none. */
struct program {
	pid_t pid;        /* 0: none runs */
	int64_t deadline; /* clock_monotonic: it should have said by then */
};

/* Starts the program on disk, to say whether it could; nothing, if one is being asked. What prevents that is logged. */
void program_ask(struct program *program, const struct fs *fs, const struct session_options *options);

/* True once, when it has ended: *ret_could is what it said. Does not wait. */
bool program_has_ended(struct program *program, bool *ret_could);

bool program_is_late(const struct program *program);
void program_end(struct program *program); /* it is told of when it has ended, like any other */

/* Executes it in this process's place. Returns only if that fails. */
int program_execute(const struct fs *fs, const struct session_options *options, struct error *err);

#endif
