/* The other side: what reads, lists and stats. One number on stdout.
 *
 *   load hot FILE COUNT                          microseconds for one open+read+close
 *   load first DIR FILE THREADS FROM COUNT       reads of DIR/aNUMBER/FILE (DIR/aNUMBER where FILE is -) a second
 *   load stat DIR FILE THREADS FROM COUNT        the same with stat
 *   load mkdir DIR - THREADS FROM COUNT          microseconds for one mkdir of DIR/aNUMBER
 *   load touch DIR FILE THREADS FROM COUNT       microseconds for one touch of DIR/aNUMBER/FILE
 *   load list DIR                                microseconds for one entry, as `ls -f`, 100,000 entries at least
 *   load longest FILE SECONDS                    the longest time between two successful reads, in milliseconds */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, LISTED_MIN = 100000 };

static struct {
	const char *directory, *file;
	int (*call)(const char *path); /* negative: the run fails */
	long end;
	atomic_long next;
} many;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int read_file(const char *path)
{
	static _Thread_local char buffer[65536];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	while (fd >= 0 && (got = read(fd, buffer, sizeof(buffer))) > 0)
		;
	if (got < 0) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	return close(fd);
}

static int stat_file(const char *path)
{
	struct stat st;

	return stat(path, &st);
}

static int make_directory(const char *path)
{
	return mkdir(path, 0755);
}

static int touch_file(const char *path)
{
	return utimensat(AT_FDCWD, path, NULL, 0);
}

static void *many_run(void *argument)
{
	char path[4096];
	long i;

	while ((i = atomic_fetch_add(&many.next, 1)) < many.end) {
		snprintf(path, sizeof(path), "%s/a%07ld%s%s", many.directory, i, *many.file == '-' ? "" : "/",
			 *many.file == '-' ? "" : many.file);
		if (many.call(path) < 0) {
			perror(path);
			exit(EXIT_FAILURE);
		}
	}
	return argument;
}

static double run_many(char **arguments, int (*call)(const char *path))
{
	const int threads = atoi(arguments[2]);
	const long from = atol(arguments[3]), count = atol(arguments[4]);
	const double begin = now();
	pthread_t thread[THREADS_MAX];

	many.directory = arguments[0];
	many.file = arguments[1];
	many.call = call;
	many.next = from;
	many.end = from + count;
	for (int i = 0; i < threads && i < THREADS_MAX; i++)
		pthread_create(&thread[i], NULL, many_run, NULL);
	for (int i = 0; i < threads && i < THREADS_MAX; i++)
		pthread_join(thread[i], NULL);
	return (double)count / (now() - begin);
}

static double run_first(char **arguments)
{
	return run_many(arguments, read_file);
}

static double run_stat(char **arguments)
{
	return run_many(arguments, stat_file);
}

static double run_mkdir(char **arguments)
{
	return 1e6 / run_many(arguments, make_directory);
}

static double run_touch(char **arguments)
{
	return 1e6 / run_many(arguments, touch_file);
}

static double run_hot(char **arguments)
{
	const long count = atol(arguments[1]);
	double begin;

	read_file(arguments[0]);
	begin = now();
	for (long i = 0; i < count; i++)
		read_file(arguments[0]);
	return (now() - begin) / (double)count * 1e6;
}

static long list(const char *path)
{
	DIR *directory = opendir(path);
	long count = 0;

	while (directory && readdir(directory))
		count++;
	if (count == 0)
		exit(EXIT_FAILURE);
	closedir(directory);
	return count;
}

static double run_list(char **arguments)
{
	const double begin = now();
	long count = 0;

	while (count < LISTED_MIN)
		count += list(arguments[0]);
	return (now() - begin) / (double)count * 1e6;
}

static double run_longest(char **arguments)
{
	const double end = now() + atof(arguments[1]);
	double longest = 0;

	for (double last = now(), t; (t = now()) < end; last = t) {
		read_file(arguments[0]);
		t = now() - last;
		longest = t > longest ? t : longest;
		t = now();
	}
	return longest * 1e3;
}

static const struct {
	const char *name;
	int arguments;
	double (*run)(char **arguments);
} modes[] = {
	{"hot", 2, run_hot},   {"first", 5, run_first},     {"stat", 5, run_stat},   {"mkdir", 5, run_mkdir},
	{"list", 1, run_list}, {"longest", 2, run_longest}, {"touch", 5, run_touch},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(argv[1], modes[i].name) != 0 || argc != modes[i].arguments + 2)
			continue;
		printf("%.4f\n", modes[i].run(argv + 2));
		return EXIT_SUCCESS;
	}
	fprintf(stderr, "usage: see load.c\n");
	return 2;
}
