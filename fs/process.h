/* What a parent and its children say of each other's ends. */
#ifndef FS_PROCESS_H
#define FS_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/* In a child: SIGKILL when the parent ends, at once if it has already. A change of user takes the setting away: whoever makes one sets it
 * again. */
void process_die_with(pid_t parent);

/* A status of waitpid(2) in words. */
void process_describe_end(int status, char *text, size_t size);

#endif
