/* What is left of a dead worker's requests, and the memory that outlives it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "fs/channel.h"
#include "fs/shared.h"

struct fixture {
	int ends[2]; /* [0]: in the kernel's place, [1]: the FUSE descriptor */
	struct shared *shared;
};

static int setup(void **state)
{
	static struct fixture fixture;
	int shared_fd;

	fixture.shared = shared_create(&shared_fd);
	*state = &fixture;
	return fixture.shared ? socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fixture.ends) : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->ends[0]);
	close(f->ends[1]);
	shared_free(f->shared);
	return 0;
}

static void receive(struct fixture *f, uint64_t unique)
{
	channel_received(f->shared, &(struct fuse_in_header){.opcode = FUSE_OPEN, .unique = unique});
}

static void *answer_slowly(void *argument)
{
	struct fixture *f = argument;

	channel_take_over(f->ends[1], f->shared);
	shutdown(f->ends[1], SHUT_WR);
	return NULL;
}

/* Without FUSE_NOTIFY_RESEND every id that the dead worker may have held gets EIO, whether it was seen or not. */
static void test_old_kernel_answers_all(void **state)
{
	struct fixture *f = *state;
	struct fuse_out_header reply;
	bool seen = false, one_later = false, much_older = false;
	pthread_t thread;

	f->shared->kernel_resends = false;
	receive(f, 100000);
	receive(f, 99990);
	pthread_create(&thread, NULL, answer_slowly, f);
	while (read(f->ends[0], &reply, sizeof(reply)) == (ssize_t)sizeof(reply)) {
		assert_int_equal(reply.len, sizeof(reply));
		assert_int_equal(reply.error, -EIO);
		assert_int_equal(reply.unique % 2, 0);
		seen |= reply.unique == 100000;
		one_later |= reply.unique == 100002;
		much_older |= reply.unique == 40000;
	}
	pthread_join(thread, NULL);
	assert_true(seen);
	assert_true(one_later);
	assert_true(much_older);
}

static void test_resend_is_one_notification(void **state)
{
	struct fixture *f = *state;
	struct fuse_out_header sent[2];

	f->shared->kernel_resends = true;
	receive(f, 100);
	assert_int_equal(channel_take_over(f->ends[1], f->shared), 0);
	shutdown(f->ends[1], SHUT_WR);
	assert_int_equal(read(f->ends[0], sent, sizeof(sent)), 16);
	assert_int_equal(sent[0].len, 16);
	assert_int_equal(sent[0].error, 7);
	assert_int_equal(sent[0].unique, 0);
	assert_int_equal(read(f->ends[0], sent, sizeof(sent)), 0);
}

static void test_handles_never_repeat(void **state)
{
	struct fixture *f = *state;
	uint64_t first = shared_handle(f->shared);

	assert_int_not_equal(first, 0);
	assert_int_not_equal(shared_handle(f->shared), first);
	assert_int_not_equal(f->shared->connection, 0);
}

/* Handles that share a slot are kept apart, also when the one in front goes first. */
static void test_mark_collision(void **state)
{
	struct fixture *f = *state;
	const uint64_t a = 5, b = a + SHARED_MARKS, c = b + SHARED_MARKS;

	assert_true(shared_mark(f->shared, a, MARK_NONE, MARK_DIRTY));
	assert_true(shared_mark(f->shared, b, MARK_NONE, MARK_DIRTY));
	assert_int_equal(shared_mark_of(f->shared, c), MARK_NONE);
	assert_true(shared_mark(f->shared, a, MARK_DIRTY, MARK_NONE));
	assert_int_equal(shared_mark_of(f->shared, a), MARK_NONE);
	assert_true(shared_mark(f->shared, b, MARK_DIRTY, MARK_TAKEN));
	assert_int_equal(shared_mark_of(f->shared, b), MARK_TAKEN);
	assert_false(shared_mark(f->shared, b, MARK_DIRTY, MARK_TAKEN));
	assert_true(shared_mark(f->shared, b, MARK_TAKEN, MARK_NONE));
	assert_int_equal(shared_mark_of(f->shared, b), MARK_NONE);
}

static void test_marks_full(void **state)
{
	struct fixture *f = *state;

	for (uint64_t handle = 1; handle <= SHARED_MARKS; handle++)
		assert_true(shared_mark(f->shared, handle, MARK_NONE, MARK_DIRTY));
	assert_false(shared_mark(f->shared, SHARED_MARKS + 1, MARK_NONE, MARK_DIRTY));
	assert_true(shared_mark(f->shared, 77, MARK_DIRTY, MARK_NONE));
	assert_true(shared_mark(f->shared, SHARED_MARKS + 1, MARK_NONE, MARK_DIRTY));
	assert_int_equal(shared_mark_of(f->shared, SHARED_MARKS + 1), MARK_DIRTY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_old_kernel_answers_all, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resend_is_one_notification, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handles_never_repeat, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mark_collision, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks_full, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
