/* SPDX-License-Identifier: MIT
 *
 * What is kept of a feed: killed before each call that changes the disk, and with each of them failing. What is found
 * afterwards is the state before or the state after, never a mixture and never less than was reported as written.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macros.h"
#include "directory_fixture.h"
#include "feed/store.h"

/* The calls that change what is on disk: counted, and from the chosen one on the process is gone or the disk full. */
static enum { FAULT_NONE, FAULT_KILL, FAULT_FAIL } fault;
static int calls_left;

static int fault_due(void)
{
	if (fault == FAULT_NONE || calls_left-- > 0)
		return 0;
	if (fault == FAULT_KILL)
		_exit(9);
	errno = ENOSPC;
	return 1;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	/* Half of it arrives. */
	if (fault == FAULT_KILL && calls_left == 0 && n > 1)
		(void)syscall(SYS_write, fd, buf, n / 2);
	return fault_due() ? -1 : syscall(SYS_write, fd, buf, n);
}

int fsync(int fd)
{
	return fault_due() ? -1 : (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t length)
{
	return fault_due() ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

int renameat(int oldfd, const char *old, int newfd, const char *new)
{
	return fault_due() ? -1 : (int)syscall(SYS_renameat, oldfd, old, newfd, new);
}

int unlinkat(int fd, const char *name, int flag)
{
	return fault_due() ? -1 : (int)syscall(SYS_unlinkat, fd, name, flag);
}

static const struct seal_key key = {{1, 2, 3}};
static char *folder, path[128];

static int setup(void **state)
{
	folder = make_folder();
	(void)snprintf(path, sizeof(path), "%s/ten_1", folder);
	fault = FAULT_NONE;
	return 0;
}

static int teardown(void **state)
{
	remove_folder(folder);
	return 0;
}

/* A generation with a snapshot of two pieces, `deltas` of them, and a head that says so. */
static int save(struct feed_store *store, uint64_t generation, const char *head)
{
	struct feed_state_file state = {.generation = generation, .fresh_until = 42, .boot_id = "boot"};
	int r;

	(void)feed_state_file_add_trust(&state, "trust one\n", 10);
	(void)feed_state_file_add_trust(&state, "trust two\n", 10);
	(void)buffer_add_text(&state.head, head);
	(void)buffer_add_text(&state.snapshot, "snapshot\n");
	r = feed_store_save(store, &state);
	feed_state_file_finish(&state);
	return r;
}

static int write_generation(struct feed_store *store, uint64_t generation)
{
	char piece[64];
	int r = feed_store_begin(store, generation, 0);

	for (unsigned i = 0; r == 0 && i < 2; i++) {
		(void)snprintf(piece, sizeof(piece), "piece %u of %u;", i, (unsigned)generation);
		r = feed_store_add_piece(store, piece, strlen(piece));
	}
	return r == 0 ? feed_store_sync_snapshot(store) : r;
}

static int collect(void *context, const char *data, size_t length, uint64_t end)
{
	return buffer_add(context, data, length);
}

/* Everything that is found, as one text; "-" for nothing. */
static const char *found(struct feed_store *store, struct buffer *ret)
{
	struct feed_state_file state = {0};
	int r = feed_store_load(store, &state);

	buffer_clear(ret);
	if (r == -ENOENT)
		return "-";
	assert_result(r, 0);
	(void)buffer_printf(ret, "%u %s ", (unsigned)state.generation, buffer_text(&state.head));
	assert_result(feed_store_read_snapshot(store, state.generation, collect, ret), 0);
	(void)buffer_add_char(ret, ' ');
	assert_result(feed_store_read_deltas(store, state.generation, collect, ret), 0);
	feed_state_file_finish(&state);
	return buffer_text(ret);
}

/* Steps of a feed's life; each returns 0 when it is on disk. */
static int first(struct feed_store *store)
{
	int r = write_generation(store, 1);

	return r == 0 ? save(store, 1, "h1") : r;
}

static int deltas(struct feed_store *store)
{
	uint64_t end;
	int r = feed_store_add_delta(store, 1, 0, "d2;", 3, &end);

	if (r == 0)
		r = feed_store_add_delta(store, 1, end, "d3;", 3, &end);
	if (r == 0)
		r = feed_store_sync_deltas(store, 1);
	return r == 0 ? save(store, 1, "h3") : r;
}

static int second(struct feed_store *store)
{
	uint64_t end;
	int r = write_generation(store, 2);

	if (r == 0)
		r = feed_store_add_delta(store, 2, 0, "d5;", 3, &end);
	if (r == 0)
		r = feed_store_sync_deltas(store, 2);
	return r == 0 ? save(store, 2, "h5") : r;
}

static int (*const steps[])(struct feed_store *) = {first, deltas, second};
static const char *const texts[] = {"-", "1 h1 piece 0 of 1;piece 1 of 1; ", "1 h3 piece 0 of 1;piece 1 of 1; d2;d3;",
				    "2 h5 piece 0 of 2;piece 1 of 2; d5;"};

static bool is_before_or_after(const char *text, unsigned step)
{
	/* Deltas past the head count for nothing: what follow_load would not look at. */
	return strcmp(text, texts[step]) == 0 || strcmp(text, texts[step + 1]) == 0 ||
	       (step == 1 && strncmp(text, texts[1], strlen(texts[1])) == 0);
}

static void faults_at_every_call(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	for (unsigned step = 0; step < ARRAY_LEN(steps); step++)
		for (unsigned kind = FAULT_KILL; kind <= FAULT_FAIL; kind++) {
			bool done = false;
			unsigned faults = 0;

			for (int at = 0; !done; at++) {
				_cleanup_(feed_store_closep) struct feed_store *store = NULL;
				int status;
				pid_t pid;

				assert_true(at < 100);
				assert_result(feed_store_open(path, &key, &store), 0);
				for (unsigned i = 0; i < step; i++)
					assert_result(steps[i](store), 0);
				pid = fork();
				if (pid == 0) {
					int r;

					fault = kind;
					calls_left = at;
					r = steps[step](store);
					_exit(r < 0 ? 1 : calls_left < 0 ? 2 : 0);
				}
				assert_int_equal(waitpid(pid, &status, 0), pid);
				assert_true(WIFEXITED(status));
				done = WEXITSTATUS(status) == 0;
				faults += !done;
				if (!is_before_or_after(found(store, &text), step))
					fail_msg("step %u, call %d: %s", step, at, buffer_text(&text));
				if (done || WEXITSTATUS(status) == 2)
					assert_string_equal(found(store, &text), texts[step + 1]);
				/* And it goes on from there as if nothing had been. */
				for (unsigned i = step; i < ARRAY_LEN(steps); i++)
					assert_result(steps[i](store), 0);
				assert_string_equal(found(store, &text), texts[ARRAY_LEN(steps)]);
				assert_result(feed_store_wipe(store), 0);
			}
			assert_true(faults >= 6);
		}
}

static void reads_back(void **state)
{
	_cleanup_(feed_store_closep) struct feed_store *store = NULL, *other = NULL;
	const struct seal_key other_key = {{9}};
	struct feed_state_file read = {0};
	const char *note;
	size_t at = 0, length;
	struct stat st;

	assert_result(feed_store_open(path, &key, &store), 0);
	assert_result(feed_store_load(store, &read), -ENOENT);
	assert_result(first(store), 0);
	assert_result(feed_store_load(store, &read), 0);
	assert_int_equal(read.fresh_until, 42);
	assert_memory_equal(read.boot_id, "boot", 5);
	assert_true(feed_state_file_next_trust(&read, &at, &note, &length));
	assert_memory_equal(note, "trust one\n", length);
	assert_true(feed_state_file_next_trust(&read, &at, &note, &length));
	assert_memory_equal(note, "trust two\n", length);
	assert_false(feed_state_file_next_trust(&read, &at, &note, &length));
	feed_state_file_finish(&read);
	/* Another host's key opens nothing. */
	assert_result(feed_store_open(path, &other_key, &other), 0);
	assert_result(feed_store_load(other, &read), -EBADMSG);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_result(feed_store_wipe(store), 0);
	assert_int_equal(stat(path, &st), -1);
}

/* A head of the line in force is kept while the next one is being fetched. */
static void saved_meanwhile(void **state)
{
	_cleanup_(feed_store_closep) struct feed_store *store = NULL;
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	uint64_t end;

	assert_result(feed_store_open(path, &key, &store), 0);
	assert_result(first(store), 0);
	assert_result(write_generation(store, 2), 0);
	assert_result(deltas(store), 0);
	assert_string_equal(found(store, &text), texts[2]);
	assert_result(feed_store_add_delta(store, 2, 0, "d5;", 3, &end), 0);
	assert_result(save(store, 2, "h5"), 0);
	assert_string_equal(found(store, &text), texts[3]);
}

static void without_key(void **state)
{
	_cleanup_(feed_store_closep) struct feed_store *store = NULL;
	struct feed_state_file read;
	struct stat st;

	assert_result(feed_store_open(path, NULL, &store), 0);
	assert_result(first(store), 0);
	assert_result(deltas(store), 0);
	assert_result(feed_store_load(store, &read), -ENOENT);
	assert_int_equal(stat(path, &st), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_back, setup, teardown),
		cmocka_unit_test_setup_teardown(faults_at_every_call, setup, teardown),
		cmocka_unit_test_setup_teardown(saved_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(without_key, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
