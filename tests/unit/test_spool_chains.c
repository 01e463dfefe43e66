/* SPDX-License-Identifier: MIT
 *
 * One chain that ends and another that begins, and threads that read, acknowledge and sign while the loop writes.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "directory_fixture.h"
#include "spool_fixture.h"

static void chain_now(char out[CHAIN_ID_CHARS + 1])
{
	struct spool_state now;

	spool_state(world.spool, &now);
	strcpy(out, now.chain);
}

static void begin_chain(void)
{
	unsigned before = world.found[SPOOL_CHAIN_BEGAN];

	assert_result(spool_begin_chain(world.spool, "another history"), 0);
	spool_world_turn();
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], before + 1);
	assert_string_equal(world.detail[SPOOL_CHAIN_BEGAN], "another history");
	world.durable = 0;
}

static void test_another_chain_begins_with_one(void **state)
{
	char before[CHAIN_ID_CHARS + 1], after[CHAIN_ID_CHARS + 1];
	struct chain_head head, start;
	struct note_key key;

	spool_world_start();
	spool_world_append(5);
	spool_world_wait();
	chain_now(before);
	begin_chain();
	chain_now(after);
	assert_string_not_equal(before, after);
	spool_head(world.spool, &key, &head);
	assert_string_equal(chain_of_key(&key), after);
	assert_result(chain_start(&key, &start), 0);
	assert_int_equal(head.sequence, 0);
	assert_memory_equal(head.hash.bytes, start.hash.bytes, SHA256_BYTES);
	assert_int_equal(spool_last(world.spool), 0);
	spool_world_append(2);
	spool_world_wait();
	assert_int_equal(spool_last(world.spool), 2);
	spool_world_stop();
	spool_world_start();
	chain_now(before);
	assert_string_equal(before, after);
	assert_int_equal(spool_last(world.spool), 2);
}

/* Whoever waits for a number of the old chain is told before numbers begin anew. */
static void test_the_old_chain_is_made_durable_first(void **state)
{
	world.options.durability = SPOOL_RELAXED; /* so that it would take a second */
	spool_world_start();
	spool_world_append(7);
	assert_int_equal(world.durable, 0);
	assert_result(spool_begin_chain(world.spool, "another history"), 0);
	spool_world_append(1); /* not yet in the loop's next turn: still the old one's */
	assert_int_equal(spool_last(world.spool), 8);
	for (unsigned i = 0; i < 100 && spool_last(world.spool) != 0; i++)
		(void)sd_event_run(world.event, 10000);
	assert_int_equal(world.durable, 8);
	assert_int_equal(spool_last(world.spool), 0);
}

static void test_what_waits_is_counted_over_all_chains(void **state)
{
	struct spool_reader *reader = NULL;
	struct spool_state now;

	spool_world_start();
	assert_result(spool_reader_open(world.spool, "sink", &reader), 0);
	spool_world_append(5);
	spool_world_wait();
	begin_chain();
	spool_world_append(3);
	spool_world_wait();
	spool_state(world.spool, &now);
	assert_int_equal(now.consumer[0].waiting, 8);
	assert_result(spool_acknowledge(reader, 4), 0);
	spool_state(world.spool, &now);
	assert_int_equal(now.consumer[0].waiting, 5);
	assert_result(spool_acknowledge(reader, 6), 0); /* and on to the next chain */
	spool_state(world.spool, &now);
	assert_int_equal(now.consumer[0].waiting, 3);
	assert_result(spool_acknowledge(reader, 4), 0);
	spool_state(world.spool, &now);
	assert_int_equal(now.consumer[0].waiting, 0);
	spool_reader_close(reader);
}

static void test_readers_go_from_chain_to_chain(void **state)
{
	char first[CHAIN_ID_CHARS + 1], second[CHAIN_ID_CHARS + 1];
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct spool_reader *sink, *control;
	struct chain_head head;
	struct note_key key;
	uint64_t next = 0;

	spool_world_start();
	control = spool_world_reader("control plane");
	sink = spool_world_reader("sink");
	spool_world_append(5);
	spool_world_wait();
	chain_now(first);
	assert_result(spool_acknowledge(sink, 3), 0);
	begin_chain();
	chain_now(second);
	spool_world_append(4);
	spool_world_wait();

	/* Each is in the chain that it has not read to its end. */
	spool_reader_head(sink, &key, &head);
	assert_string_equal(chain_of_key(&key), first);
	assert_int_equal(head.sequence, 5);
	spool_world_expect(sink, 3, 5);
	assert_result(spool_read(sink, 6, 1000, &buffer, &next), 1);
	assert_result(spool_acknowledge(sink, 7), -EINVAL);
	spool_reader_rest(sink);
	assert_result(spool_acknowledge(sink, 6), 0);
	/* Woken, since nothing else will. */
	assert_int_equal(poll(&(struct pollfd){.fd = spool_reader_fd(sink), .events = POLLIN}, 1, 0), 1);
	assert_int_equal(spool_reader_next(sink), 1);
	spool_reader_head(sink, &key, &head);
	assert_string_equal(chain_of_key(&key), second);
	spool_world_expect(sink, 1, 4);

	/* What the control plane gives up it need not have read. */
	spool_reader_head(control, &key, &head);
	assert_result(spool_acknowledge(control, head.sequence + 1), 0);
	spool_world_expect(control, 1, 4);
	assert_int_equal(spool_world_files(first), 0); /* all have it: it is gone */
	spool_reader_close(sink);
	spool_reader_close(control);
}

static void test_old_chains_are_read_after_a_restart(void **state)
{
	struct spool_reader *reader;
	struct note_key key;
	struct chain_head head;
	char chains[3][CHAIN_ID_CHARS + 1];

	spool_world_start();
	reader = spool_world_reader("control plane");
	for (unsigned i = 0; i < 3; i++) {
		if (i > 0)
			begin_chain();
		chain_now(chains[i]);
		spool_world_append(3 + i);
		spool_world_wait();
	}
	spool_reader_close(reader);
	spool_world_stop();
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
	reader = spool_world_reader("control plane");
	for (unsigned i = 0; i < 3; i++) {
		spool_reader_head(reader, &key, &head);
		assert_string_equal(chain_of_key(&key), chains[i]);
		assert_int_equal(spool_reader_next(reader), 1);
		spool_world_expect(reader, 1, 3 + i);
		assert_result(spool_acknowledge(reader, 4 + i), 0);
	}
	assert_int_equal(spool_reader_next(reader), 6);
	spool_reader_close(reader);
}

static void test_a_chain_that_nobody_wrote_to(void **state)
{
	struct spool_reader *reader;

	spool_world_start();
	reader = spool_world_reader("control plane");
	begin_chain();
	begin_chain();
	spool_world_append(2);
	spool_world_wait();
	spool_world_expect(reader, spool_reader_next(reader), 2);
	assert_result(spool_acknowledge(reader, 3), 0);
	spool_reader_close(reader);
	assert_int_equal(spool_world_files("-0000"), 1);
}

/* Killed after the new chain's first file and before its key. */
static void test_a_chain_that_was_never_begun(void **state)
{
	_cleanup_(buffer_finish) struct buffer old_key = BUFFER_INIT;
	char path[512], chain[CHAIN_ID_CHARS + 1], now[CHAIN_ID_CHARS + 1];

	spool_world_start();
	spool_world_append(3);
	spool_world_wait();
	chain_now(chain);
	(void)snprintf(path, sizeof(path), "%s/key", world.directory);
	assert_result(file_read(AT_FDCWD, path, 4096, FILE_TRUST_ANY, 0, &old_key, NULL), 0);
	begin_chain();
	spool_world_stop();
	assert_result(file_replace(AT_FDCWD, path, old_key.data, old_key.length, 0600, NULL), 0);
	spool_world_start();
	chain_now(now);
	assert_string_equal(now, chain);
	assert_int_equal(world.found[SPOOL_CHAIN_BEGAN], 0);
	assert_int_equal(spool_last(world.spool), 3);
	assert_null(spool_world_segment(1));
}

static void test_ended_before_the_loop_went_on(void **state)
{
	spool_world_start();
	spool_world_append(3);
	assert_result(spool_begin_chain(world.spool, "another history"), 0);
	spool_world_stop(); /* no turn of the loop */
	spool_world_start();
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
	assert_int_equal(spool_last(world.spool), 0);
}

/* ---- many threads ------------------------------------------------------------------------------- */
struct reading {
	pthread_t thread;
	const char *name;
	uint64_t read, acknowledged;
	bool wrong;
};
static atomic_bool over;

static void *read_along(void *context)
{
	struct reading *reading = context;
	struct spool_reader *reader;
	uint64_t next;

	if (spool_reader_open(world.spool, reading->name, &reader) < 0) {
		reading->wrong = true;
		return NULL;
	}
	next = spool_reader_next(reader);
	for (;;) {
		_cleanup_(buffer_finish) struct buffer groups = BUFFER_INIT;
		bool last = atomic_load(&over);
		uint64_t from = next;
		int r = spool_read(reader, from, 50000, &groups, &next);

		if (r == 1) {
			if (last)
				break;
			(void)poll(&(struct pollfd){.fd = spool_reader_fd(reader), .events = POLLIN}, 1, 20);
			spool_reader_rest(reader);
			continue;
		}
		/* Not one is left out, not one comes twice. */
		if (r != 0 || next <= from || groups.length == 0 || memcmp(groups.data, "group ", 6) != 0)
			reading->wrong = true;
		if (reading->wrong)
			break;
		reading->read += next - from;
		if (spool_acknowledge(reader, next) < 0)
			reading->wrong = true;
		reading->acknowledged = next - 1;
	}
	spool_reader_close(reader);
	return NULL;
}

static void *ask_along(void *context)
{
	bool *wrong = context;

	while (!atomic_load(&over)) {
		uint8_t signature[ED25519_SIGNATURE_BYTES];
		struct spool_state state;
		struct chain_head head;
		struct note_key key;

		spool_state(world.spool, &state);
		spool_head(world.spool, &key, &head);
		if (state.durable > state.last || state.bytes > state.max_bytes || head.sequence < state.durable ||
		    spool_sign(world.spool, "x", 1, signature) < 0 || ed25519_verify(key.public, "x", 1, signature) < 0)
			*wrong = true;
	}
	return NULL;
}

static void test_readers_while_writing(void **state)
{
	struct reading readings[3] = {{.name = "control plane"}, {.name = "sink 1"}, {.name = "sink 2"}};
	struct spool_state now;
	bool wrong = false;
	pthread_t asking;
	unsigned written = 0;

	world.options.max_bytes = 2U * 1024 * 1024;
	world.leaf_bytes = 1200;
	atomic_store(&over, false);
	spool_world_start();
	for (size_t i = 0; i < ARRAY_LEN(readings); i++)
		assert_int_equal(pthread_create(&readings[i].thread, NULL, read_along, &readings[i]), 0);
	assert_int_equal(pthread_create(&asking, NULL, ask_along, &wrong), 0);
	/* Before the first event: nothing is to be overwritten because nobody wants it yet. */
	do {
		usleep(1000);
		spool_state(world.spool, &now);
	} while (now.consumers < ARRAY_LEN(readings));
	while (written < 20000) {
		if (spool_world_append_one() == 0)
			written++;
		else
			(void)sd_event_run(world.event, 1000); /* full until they have read on */
	}
	spool_world_wait();
	atomic_store(&over, true);
	for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
		assert_int_equal(pthread_join(readings[i].thread, NULL), 0);
		assert_false(readings[i].wrong);
		assert_int_equal(readings[i].acknowledged, 20000);
		assert_int_equal(readings[i].read, 20000);
	}
	assert_int_equal(pthread_join(asking, NULL), 0);
	assert_false(wrong);
	assert_int_equal(world.found[SPOOL_DAMAGED], 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, spool_world_setup, spool_world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_another_chain_begins_with_one),
		TEST(test_the_old_chain_is_made_durable_first),
		TEST(test_what_waits_is_counted_over_all_chains),
		TEST(test_readers_go_from_chain_to_chain),
		TEST(test_old_chains_are_read_after_a_restart),
		TEST(test_a_chain_that_nobody_wrote_to),
		TEST(test_a_chain_that_was_never_begun),
		TEST(test_ended_before_the_loop_went_on),
		TEST(test_readers_while_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
