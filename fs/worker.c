/* The worker (worker.h). */
#include <linux/fuse.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "certfs/log.h"
#include "fs/channel.h"
#include "fs/daemonize.h"
#include "fs/ino.h"
#include "fs/pollers.h"
#include "fs/privilege.h"
#include "fs/tree.h"
#include "fs/worker.h"

/* Requests of ever other clients behind which more waited, less those that say the opposite: from when on there is a crowd, and the most that
 * is counted. */
enum { CROWD = 4, CROWD_MAX = 8 };

enum { RECEIVERS = 2, TICK_SECONDS = 2, WAKE_PAUSE_NS = 1000 * 1000, UNMOUNTED_MAX_SECONDS = 5 };

struct worker {
	struct fs *fs;
	pthread_t receivers[RECEIVERS];
	int started;          /* of receivers */
	atomic_int running;   /* of receivers */
	atomic_bool stopping; /* no receiver starts another read */
	atomic_bool broken;   /* the descriptor gave an error that is no unmount */
	atomic_bool ended;    /* a receiver has seen the end */
	sem_t help;           /* wakes the helpers, posted once for each time that called becomes true */
	atomic_bool called;
	atomic_int crowd;     /* see watch_queue */
	uint32_t client;      /* the thread whose request the first receiver had last */
	atomic_int busy;      /* receivers with a request that may take long */
};

/* ---- receiving ---- */

/* Uploaded keys and passwords pass through here. Best effort: under a small limit the secure heap comes first. */
static void buffer_protect(const struct fuse_buf *buffer)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t start = (uintptr_t)buffer->mem & ~(page - 1); /* so large a piece has pages of its own */
	const uintptr_t end = (uintptr_t)buffer->mem + malloc_usable_size(buffer->mem);

	(void)madvise((void *)start, end - start, MADV_DONTDUMP);
	if (mlock(buffer->mem, malloc_usable_size(buffer->mem)) < 0)
		log_about(LOG_DEBUG, LOG_SUBJECT(.error = errno), "the receiving buffer is not locked: %s", strerror(errno));
}

/* Two threads that sleep in read() are woken in turns, and a lone client pays for it with twice the time for each request. So there is one that
 * always receives; the others help while several clients' requests queue up, or while one is at work that may take long. */

static bool request_waits(const struct worker *worker)
{
	struct pollfd descriptor = {.fd = fuse_session_fd(worker->fs->session), .events = POLLIN};

	return poll(&descriptor, 1, 0) > 0;
}

static bool help_wanted(struct worker *worker)
{
	return atomic_load(&worker->busy) > 0 || atomic_load(&worker->crowd) >= CROWD;
}

static void call_help(struct worker *worker)
{
	if (!atomic_exchange(&worker->called, true))
		sem_post(&worker->help);
}

/* A lone client has two requests waiting all the time, the end of one reading and the begin of the next, where it shares a core with us. That is
 * no queue that two threads would shorten. The kernel's own requests, without a client, say nothing. */
static void watch_queue(struct worker *worker, const struct fuse_in_header *request)
{
	const uint32_t client = request->pid;
	const int crowd = atomic_load(&worker->crowd);

	if (client == 0)
		return;
	if (client != worker->client && request_waits(worker))
		atomic_store(&worker->crowd, crowd < CROWD_MAX ? crowd + 1 : crowd);
	else
		atomic_store(&worker->crowd, crowd > 0 ? crowd - 1 : 0);
	worker->client = client;
}

static bool is_looked_up_quickly(const struct fuse_in_header *request)
{
	const struct tree_row *row = tree_find(ino_decode(request->nodeid).kind, (const char *)(request + 1));

	return !row || row->flags & (TREE_VERSIONED | TREE_DIRECTORY); /* no row: a name of a project or app instance */
}

/* What the caches answer, as a rule, and what only hands over to other threads. Whatever else is rendered may be large. */
static bool is_quick(const struct fuse_in_header *request)
{
	const struct tree_row *row = tree_row(ino_decode(request->nodeid).kind);

	switch (request->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_INTERRUPT:
		return true;
	case FUSE_LOOKUP:
		return is_looked_up_quickly(request);
	case FUSE_OPEN:
	case FUSE_READ:
	case FUSE_RELEASE:
		return row && row->flags & TREE_VERSIONED;
	case FUSE_GETATTR:
		return row && row->flags & (TREE_VERSIONED | TREE_DIRECTORY);
	default:
		return false;
	}
}

static void process(struct worker *worker, struct fuse_buf *buffer)
{
	const bool quick = is_quick(buffer->mem);

	if (!quick) {
		atomic_fetch_add(&worker->busy, 1);
		call_help(worker);
	}
	fuse_session_process_buf(worker->fs->session, buffer);
	if (!quick)
		atomic_fetch_sub(&worker->busy, 1);
}

/* False at the end of the connection. libfuse makes the buffer at the first call; it is used for all others. */
static bool receive_one(struct worker *worker, struct fuse_buf *buffer)
{
	struct fuse_session *session = worker->fs->session;
	const bool first = buffer->mem == NULL;
	const struct fuse_in_header *request;
	int r = fuse_session_receive_buf(session, buffer);

	if (first && buffer->mem)
		buffer_protect(buffer);
	if (r == -EINTR || r == -EAGAIN)
		return true;
	if (r < (int)sizeof(*request)) {
		atomic_store(&worker->broken, !fuse_session_exited(session));
		return false;
	}
	request = buffer->mem;
	channel_received(worker->fs->shared, request);
	fs_set_request(request->unique);
	pollers_request(request);
	process(worker, buffer);
	return true;
}

static void take_wakes(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static bool is_over(const struct worker *worker)
{
	return atomic_load(&worker->stopping) || atomic_load(&worker->ended) || fuse_session_exited(worker->fs->session);
}

static void receiver_end(struct worker *worker, struct fuse_buf *buffer)
{
	if (buffer->mem)
		explicit_bzero(buffer->mem, malloc_usable_size(buffer->mem));
	free(buffer->mem);
	atomic_store(&worker->ended, true);
	sem_post(&worker->help);
	if (atomic_fetch_sub(&worker->running, 1) == 1)
		kill(getpid(), SIGUSR2);
}

static void *receiver_run(void *argument)
{
	struct worker *worker = argument;
	struct fuse_buf buffer = {0};

	prctl(PR_SET_NAME, "certfs-recv"); /* by itself: what other threads are called is in /proc, which is read only here */
	take_wakes();
	while (!is_over(worker) && receive_one(worker, &buffer)) {
		if (buffer.mem)
			watch_queue(worker, buffer.mem);
		if (help_wanted(worker))
			call_help(worker);
	}
	receiver_end(worker, &buffer);
	return NULL;
}

static void *helper_run(void *argument)
{
	struct worker *worker = argument;
	struct fuse_buf buffer = {0};
	bool connected = true;

	prctl(PR_SET_NAME, "certfs-help");
	take_wakes();
	while (connected && !is_over(worker)) {
		if (sem_wait(&worker->help) < 0) /* a signal: see receivers_stop */
			continue;
		atomic_store(&worker->called, false); /* before the look: who calls after it posts again */
		while (connected && !is_over(worker) && help_wanted(worker))
			connected = receive_one(worker, &buffer);
	}
	receiver_end(worker, &buffer);
	return NULL;
}

static int receivers_start(struct worker *worker, struct error *err)
{
	sem_init(&worker->help, 0, 0);
	atomic_store(&worker->running, RECEIVERS);
	for (int i = 0; i < RECEIVERS; i++) {
		int r = pthread_create(&worker->receivers[i], NULL, i == 0 ? receiver_run : helper_run, worker);

		if (r != 0)
			return error_system(err, r, "can't start a receiving thread");
		worker->started++;
	}
	return 0;
}

static void receivers_join(struct worker *worker)
{
	for (int i = 0; i < worker->started; i++)
		pthread_join(worker->receivers[i], NULL);
}

/* Again and again, since a signal that comes between the look at `stopping` and the read wakes nobody. */
static void receivers_stop(struct worker *worker)
{
	atomic_store(&worker->stopping, true);
	while (atomic_load(&worker->running) > 0) {
		for (int i = 0; i < worker->started; i++)
			pthread_kill(worker->receivers[i], SIGUSR1);
		nanosleep(&(struct timespec){.tv_nsec = WAKE_PAUSE_NS}, NULL);
	}
	receivers_join(worker);
}

/* ---- the main thread ---- */

static void wake(int signal)
{
	(void)signal;
}

static void main_signals(sigset_t *ret)
{
	sigemptyset(ret);
	sigaddset(ret, SIGTERM);
	sigaddset(ret, SIGHUP);
	sigaddset(ret, SIGUSR2);
}

/* Before any thread is made: all inherit the mask. */
static void signals_prepare(void)
{
	const struct sigaction action = {.sa_handler = wake}; /* without SA_RESTART: the read shall return */
	sigset_t set;

	sigaction(SIGUSR1, &action, NULL);
	main_signals(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_SETMASK, &set, NULL);
}

static int serve(struct worker *worker)
{
	const struct timespec tick = {.tv_sec = TICK_SECONDS};
	sigset_t set;

	main_signals(&set);
	for (;;) {
		switch (sigtimedwait(&set, NULL, &tick)) {
		case SIGTERM:
			receivers_stop(worker);
			return fuse_session_exited(worker->fs->session) ? (int)WORKER_UNMOUNTED : (int)WORKER_DRAINED;
		case SIGHUP:
			log_write(LOG_NOTICE, "SIGHUP is for the supervisor, process %d", (int)getppid());
			break;
		case SIGUSR2:
			if (atomic_load(&worker->running) > 0)
				break;
			receivers_join(worker);
			return atomic_load(&worker->broken) ? EXIT_FAILURE : (int)WORKER_UNMOUNTED;
		default:
			fs_tick(worker->fs);
		}
	}
}

static void end_unmounted(int signal)
{
	(void)signal;
	_exit(WORKER_UNMOUNTED);
}

/* Nobody waits for an answer any more, but the next mount may wait for the store. A hook that takes longer is ended, and run again by
 * that mount. */
static void limit_end(int status)
{
	const struct itimerval limit = {.it_value.tv_sec = UNMOUNTED_MAX_SECONDS};

	if (status != WORKER_UNMOUNTED)
		return;
	signal(SIGALRM, end_unmounted);
	setitimer(ITIMER_REAL, &limit, NULL); /* alarm() is a system call of its own on some architectures: confine_calls.c */
}

static int worker_open(struct fs *fs, struct error *err)
{
	int r = core_hooks_start(fs->config, err);

	if (r == 0)
		r = privilege_drop(fs->config, err);
	if (r == 0)
		r = core_memory_init(err);
	return r == 0 ? fs_start(fs, err) : r;
}

static void report(int fd, const void *bytes, size_t size)
{
	if (write(fd, bytes, size) < 0)
		log_about(LOG_WARNING, LOG_SUBJECT(.error = errno), "the supervisor does not listen: %s", strerror(errno));
	close(fd);
}

_Noreturn void worker_run(struct fs *fs, int report_fd, bool background)
{
	struct worker worker = {.fs = fs};
	struct error err = {0};
	int status;

	signals_prepare();
	log_forked();
	if (worker_open(fs, &err) < 0) {
		report(report_fd, err.text, strlen(err.text));
		_exit(WORKER_UNUSABLE);
	}
	if (atomic_load(&fs->shared->workers) > 1)
		pollers_wake(fs);
	if (receivers_start(&worker, &err) < 0) {
		report(report_fd, err.text, strlen(err.text));
		_exit(WORKER_UNUSABLE); /* what the first receiver may have read is resent */
	}
	if (background)
		daemonize_detach(fs->config->log_level);
	privilege_tell(fs->config);
	report(report_fd, "", 1);
	status = serve(&worker);
	limit_end(status);
	fs_stop(fs);
	log_tick(true);
	_exit(status);
}
