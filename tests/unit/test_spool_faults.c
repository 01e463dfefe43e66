/* SPDX-License-Identifier: MIT
 *
 * The audit spool on a disk that refuses, and in a process that is killed: what was told to be durable is there
 * afterwards, nothing has a hole, and nothing is there twice.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "directory_fixture.h"
#include "spool_fixture.h"

/* ---- the calls that change what is on disk ------------------------------------------------------ */
/* Counted; from the chosen one on, as many as said, the process is gone or the call fails. */
enum { FAULT_NONE, FAULT_KILL, FAULT_FAIL };
static atomic_int fault;
static atomic_int calls_left, calls_fail;
static int fault_errno;
static bool fault_short; /* half of a write arrives first */
static atomic_bool stall;
static pthread_mutex_t stalled = PTHREAD_MUTEX_INITIALIZER;

static int fault_due(void)
{
	if (fault == FAULT_NONE || atomic_fetch_sub(&calls_left, 1) > 0)
		return 0;
	if (fault == FAULT_KILL)
		_exit(9);
	if (atomic_fetch_sub(&calls_fail, 1) <= 0)
		return 0;
	errno = fault_errno;
	return 1;
}

ssize_t pwritev(int fd, const struct iovec *iovec, int count, off_t offset)
{
	if (fault != FAULT_NONE && fault_short && atomic_load(&calls_left) == 0 && iovec[0].iov_len > 1)
		(void)syscall(SYS_pwrite64, fd, iovec[0].iov_base, iovec[0].iov_len / 2, offset);
	return fault_due() ? -1 : syscall(SYS_pwritev, fd, iovec, count, offset, 0);
}

int fdatasync(int fildes)
{
	if (atomic_load(&stall)) {
		pthread_mutex_lock(&stalled);
		pthread_mutex_unlock(&stalled);
	}
	return fault_due() ? -1 : (int)syscall(SYS_fdatasync, fildes);
}

int fsync(int fd)
{
	return fault_due() ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t length)
{
	return fault_due() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int unlinkat(int fd, const char *name, int flag)
{
	return fault_due() ? -1 : (int)syscall(SYS_unlinkat, fd, name, flag);
}

int renameat(int oldfd, const char *old, int newfd, const char *new)
{
	return fault_due() ? -1 : (int)syscall(SYS_renameat, oldfd, old, newfd, new);
}

int linkat(int fromfd, const char *from, int tofd, const char *to, int flags)
{
	return fault_due() ? -1 : (int)syscall(SYS_linkat, fromfd, from, tofd, to, flags);
}

static void break_disk(int error, int after, int times, bool half)
{
	fault_errno = error;
	fault_short = half;
	atomic_store(&calls_left, after);
	atomic_store(&calls_fail, times);
	fault = FAULT_FAIL;
}

static int setup(void **state)
{
	fault = FAULT_NONE;
	spool_world_make();
	return 0;
}

static int teardown(void **state)
{
	fault = FAULT_NONE;
	spool_world_end();
	return 0;
}

static void expect_all(uint64_t to)
{
	struct spool_reader *reader;

	assert_result(spool_reader_open(world.spool, "all", &reader), 0);
	spool_world_expect(reader, spool_reader_next(reader), to);
	assert_int_equal(spool_reader_next(reader), 1);
	spool_reader_close(reader);
}

static void wait_for(enum spool_finding finding, unsigned count)
{
	for (unsigned i = 0; i < 500 && world.found[finding] < count; i++)
		(void)sd_event_run(world.event, 10000);
	assert_int_equal(world.found[finding], count);
}

/* ---- a disk that refuses ------------------------------------------------------------------------ */
/* Every call of a group's way to the disk fails once, in turn, with each kind of error. */
static void test_what_failed_is_written_later(void **state)
{
	static const int errors[] = {ENOSPC, EIO, EDQUOT};
	unsigned said = 0;
	uint64_t events = 1;

	spool_world_start();
	spool_world_append(1);
	spool_world_wait();
	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		for (int after = 0; after < 2; after++) {
			break_disk(errors[i], after, 1, true);
			spool_world_append(1);
			events++;
			wait_for(SPOOL_BROKEN, ++said);
			assert_non_null(strstr(world.detail[SPOOL_BROKEN], strerror(errors[i])));
			/* Meanwhile nothing is taken, and who asks how it is hears why. */
			if (world.found[SPOOL_WHOLE] < said) {
				struct spool_state now;

				spool_state(world.spool, &now);
				assert_true(now.problem[0] != '\0' || now.durable == now.last);
			}
			spool_world_wait();
			wait_for(SPOOL_WHOLE, said);
			fault = FAULT_NONE;
		}
	}
	expect_all(events);
	spool_world_stop();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(spool_last(world.spool), events);
	expect_all(events);
}

static void test_a_disk_that_stays_broken(void **state)
{
	struct spool_state now;

	spool_world_start();
	spool_world_append(2);
	spool_world_wait();
	break_disk(ENOSPC, 0, INT32_MAX, false);
	spool_world_append(1);
	wait_for(SPOOL_BROKEN, 1);
	assert_int_equal(spool_durable(world.spool), 2);
	assert_int_equal(spool_world_append_one(), -ENOSPC);
	assert_int_equal(spool_world_append_one(), -ENOSPC);
	spool_state(world.spool, &now);
	assert_int_equal(now.dropped_untold, 2);
	assert_true(spool_admits(world.spool));
	spool_set_policy(world.spool, world.options.max_bytes, SPOOL_GROUP, SPOOL_REFUSE);
	assert_false(spool_admits(world.spool));
	/* More than one attempt, one word. */
	for (unsigned i = 0; i < 25; i++)
		(void)sd_event_run(world.event, 100000);
	assert_int_equal(world.found[SPOOL_BROKEN], 1);
	assert_int_equal(world.found[SPOOL_WHOLE], 0);
	fault = FAULT_NONE;
	spool_world_wait(); /* by itself */
	wait_for(SPOOL_WHOLE, 1);
	assert_true(spool_admits(world.spool));
	spool_world_append(1);
	spool_world_wait();
	expect_all(4);
}

static void test_ended_on_a_broken_disk(void **state)
{
	spool_world_start();
	spool_world_append(2);
	spool_world_wait();
	break_disk(EIO, 0, INT32_MAX, true);
	spool_world_append(1);
	spool_world_stop(); /* does not wait for ever */
	fault = FAULT_NONE;
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(spool_last(world.spool), 2);
	spool_world_append(1);
	spool_world_wait();
	expect_all(3);
}

/* What the kernel could not sync it may have forgotten, and a second sync may say that all is well. */
static void test_a_sync_that_failed_is_not_believed_later(void **state)
{
	const char *first;

	spool_world_start();
	spool_world_append(1);
	spool_world_wait();
	break_disk(EIO, 1, 1, false); /* the write is fine, the sync is not */
	spool_world_append(1);
	wait_for(SPOOL_BROKEN, 1);
	fault = FAULT_NONE;
	spool_world_wait();
	assert_non_null(spool_world_segment(1)); /* elsewhere */
	first = spool_world_segment(0);
	assert_non_null(first);
	expect_all(2);
	spool_world_stop();
	spool_world_start();
	for (unsigned i = 0; i < 10; i++)
		(void)sd_event_run(world.event, 10000);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	expect_all(2);
}

static void test_a_sync_and_the_truncation_fail(void **state)
{
	spool_world_start();
	spool_world_append(1);
	spool_world_wait();
	break_disk(EIO, 1, 2, false); /* so the old bytes stay behind in the first file */
	spool_world_append(1);
	wait_for(SPOOL_BROKEN, 1);
	fault = FAULT_NONE;
	spool_world_wait();
	spool_world_append(2);
	spool_world_wait();
	spool_world_stop();
	for (unsigned i = 0; i < 2; i++) {
		spool_world_start();
		for (unsigned turn = 0; turn < 10; turn++)
			(void)sd_event_run(world.event, 10000);
		assert_int_equal(world.found[SPOOL_DAMAGED], 0);
		assert_int_equal(spool_last(world.spool), 4);
		expect_all(4);
		spool_world_stop();
	}
	spool_world_start();
}

static void test_a_disk_that_hangs(void **state)
{
	static char big[60000];
	struct leaf_link link;
	uint64_t taken = 0;
	int r;

	memset(big, 'p', sizeof(big));
	spool_world_start();
	pthread_mutex_lock(&stalled);
	atomic_store(&stall, true);
	/* The loop is never held up, and memory has an end. */
	while ((r = spool_next(world.spool, &link)) == 0 && taken < 5000) {
		assert_result(spool_append(world.spool, "{}", 2, big, 40000), 0);
		taken++;
	}
	assert_int_equal(r, -ENOSPC);
	assert_in_range(taken, 500, 900); /* 32 MiB */
	assert_true(spool_durable(world.spool) < taken);
	atomic_store(&stall, false);
	pthread_mutex_unlock(&stalled);
	spool_world_wait();
	assert_int_equal(spool_last(world.spool), taken);
	wait_for(SPOOL_WHOLE, 1);
	assert_result(spool_next(world.spool, &link), 0);
}

static void test_places_that_cannot_be_kept(void **state)
{
	struct spool_reader *reader, *other;

	world.options.max_bytes = 1024U * 1024;
	world.leaf_bytes = 4000;
	spool_world_start();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	for (unsigned i = 0; i < 10; i++) {
		spool_world_append(10);
		spool_world_wait();
	}
	break_disk(ENOSPC, 0, INT32_MAX, false);
	assert_result(spool_acknowledge(reader, 101), -ENOSPC);
	assert_result(spool_reader_open(world.spool, "another", &other), -ENOSPC);
	fault = FAULT_NONE;
	/* Nothing went that the file does not say it has. */
	assert_non_null(spool_world_segment(3));
	assert_int_equal(spool_reader_next(reader), 101);
	spool_world_append(1);
	spool_world_wait();
	assert_result(spool_acknowledge(reader, 102), 0);
	assert_null(spool_world_segment(1));
	spool_reader_close(reader);
	spool_world_stop();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
}

/* A real file system without room, not one that we only say is full. */
static void test_a_full_file_system(void **state)
{
	struct spool_reader *reader;
	struct spool_state now;
	char filler[512], block[4096] = "";
	uint64_t before;
	int fd;

	assert_int_equal(mkdir(world.directory, 0700), 0);
	if (mount("tmpfs", world.directory, "tmpfs", 0, "size=2m,mode=0700") < 0)
		skip(); /* not root, or in a container that may not */
	world.leaf_bytes = 4000;
	spool_world_start();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	spool_world_append(10);
	spool_world_wait();
	(void)snprintf(filler, sizeof(filler), "%s/filler", world.directory);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	while (spool_world_append_one() == 0)
		(void)sd_event_run(world.event, 1000);
	wait_for(SPOOL_BROKEN, 1);
	before = spool_durable(world.spool);
	assert_in_range(before, 10, 30);
	/* What is there is read, and a restart does not need room. */
	spool_world_expect(reader, 1, before);
	spool_reader_close(reader);
	spool_world_stop();
	spool_world_start();
	spool_state(world.spool, &now);
	assert_int_equal(now.durable, before);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(unlink(filler), 0);
	(void)close(fd);
	spool_world_append(2);
	spool_world_wait();
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	spool_world_expect(reader, 1, before + 2);
	spool_reader_close(reader);
	spool_world_stop();
	assert_int_equal(umount2(world.directory, MNT_DETACH), 0);
}

/* ---- a process that is killed ------------------------------------------------------------------- */
/* What the child was told, where the parent sees it. */
struct told {
	_Atomic uint64_t durable;
	_Atomic uint64_t acknowledged;
	_Atomic uint64_t rounds;
};

/* Writes, reads and acknowledges until it is killed. */
static void live(struct told *told)
{
	struct spool_reader *reader;

	/* A loop of its own: the parent's does not work here. */
	if (sd_event_new(&world.event) < 0 || spool_world_try(NULL) < 0 ||
	    spool_reader_open(world.spool, "control plane", &reader) < 0)
		_exit(3);
	for (;;) {
		_cleanup_(buffer_finish) struct buffer groups = BUFFER_INIT;
		uint64_t next = 0;

		for (unsigned i = 0; i < 5; i++)
			(void)spool_world_append_one();
		(void)sd_event_run(world.event, 500);
		if (world.durable > atomic_load(&told->durable))
			atomic_store(&told->durable, world.durable);
		if (spool_read(reader, spool_reader_next(reader), 20000, &groups, &next) == 0 &&
		    spool_acknowledge(reader, next) == 0)
			atomic_store(&told->acknowledged, next - 1);
		atomic_fetch_add(&told->rounds, 1);
	}
}

/* After a life: the chain goes on, nothing that was told is gone, all that is left follows. */
static void judge_life(const struct told *told, const char *chain)
{
	struct spool_reader *reader;
	struct spool_state now;
	uint64_t next;

	spool_world_start();
	spool_state(world.spool, &now);
	if (chain[0])
		assert_string_equal(now.chain, chain);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_true(spool_last(world.spool) >= told->durable);
	assert_result(spool_reader_open(world.spool, "control plane", &reader), 0);
	next = spool_reader_next(reader);
	assert_true(next >= told->acknowledged + 1 || told->acknowledged == 0);
	spool_world_expect(reader, next, spool_last(world.spool));
	spool_reader_close(reader);
}

static struct told *share(void)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(told != MAP_FAILED);
	return told;
}

static void test_killed_at_any_time(void **state)
{
	struct told *told = share();
	char chain[CHAIN_ID_CHARS + 1] = "";
	uint64_t random = 88172645463325252ULL;

	world.options.max_bytes = 1024U * 1024;
	world.leaf_bytes = 2000;
	for (unsigned i = 0; i < 40; i++) {
		pid_t child;
		int status;

		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			live(told);
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		usleep((useconds_t)(1000 + random % 30000));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		if (atomic_load(&told->rounds) == 0)
			continue; /* it had not even begun */
		judge_life(told, chain);
		if (chain[0] == '\0') {
			struct spool_state now;

			spool_state(world.spool, &now);
			strcpy(chain, now.chain);
		}
		spool_world_stop();
	}
	assert_true(atomic_load(&told->durable) > 100);
	assert_int_equal(munmap(told, sizeof(*told)), 0);
}

/* Before each single call that changes the disk, from the first one of an empty directory on. */
static void test_killed_before_each_call(void **state)
{
	struct told *told = share();

	world.options.max_bytes = 1024U * 1024;
	world.leaf_bytes = 12000;
	for (int calls = 0; calls < 120; calls++) {
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0) {
			fault = FAULT_KILL;
			fault_short = true;
			atomic_store(&calls_left, calls % 40);
			live(told);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
		judge_life(told, "");
		spool_world_stop();
	}
	assert_int_equal(munmap(told, sizeof(*told)), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_failed_is_written_later),
		TEST(test_a_disk_that_stays_broken),
		TEST(test_ended_on_a_broken_disk),
		TEST(test_a_sync_that_failed_is_not_believed_later),
		TEST(test_a_sync_and_the_truncation_fail),
		TEST(test_a_disk_that_hangs),
		TEST(test_places_that_cannot_be_kept),
		TEST(test_a_full_file_system),
		TEST(test_killed_at_any_time),
		TEST(test_killed_before_each_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
