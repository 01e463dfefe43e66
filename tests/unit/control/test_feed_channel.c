/* SPDX-License-Identifier: MIT
 *
 * The events of a tenant in memory: what readers get, in which order, who is cut; and the small parts beside it.
 */
#include "../unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "control_plane/feed/announce.h"
#include "control_plane/feed/channel.h"
#include "control_plane/feed/pg_array.h"
#include "control_plane/feed/signer.h"

#define NOW 1000
#define LONG_LIFE (NOW + 300)

static _Atomic uint64_t total;
static unsigned woken;

static void wake(struct channel_reader *reader)
{
	woken++;
}

static struct channel *new_channel(uint64_t revision)
{
	struct channel *c = NULL;

	assert_result(channel_new("ten_A", &total, &c), 0);
	channel_reset(c, 1, revision);
	return c;
}

static void append(struct channel *c, uint64_t revision)
{
	char delta[32];
	int length = snprintf(delta, sizeof(delta), "{\"rev\":%llu}", (unsigned long long)revision);

	assert_result(channel_append(c, 1, revision, delta, (size_t)length), 0);
}

static void head(struct channel *c, uint64_t revision, int64_t issued)
{
	char note[48];
	int length = snprintf(note, sizeof(note), "head %llu\n%lld\n", (unsigned long long)revision, (long long)issued);

	assert_result(channel_head(c, 1, revision, issued, LONG_LIFE, note, (size_t)length), 0);
}

static void attach(struct channel *c, struct channel_reader *reader, uint64_t after)
{
	*reader = (struct channel_reader){.epoch = 1, .at = after, .wake = wake};
	assert_result(channel_attach(c, reader), 0);
}

/* The next event is this text; NULL: there is none. */
static void expect(struct channel_reader *reader, const char *text)
{
	struct frame *frame;
	bool is_head;

	assert_result(channel_next(reader, NOW, &frame, &is_head), 0);
	if (!text) {
		assert_null(frame);
		return;
	}
	assert_non_null(frame);
	assert_int_equal(frame->length, strlen(text));
	assert_memory_equal(frame->bytes, text, frame->length);
	assert_int_equal(is_head, strstr(text, "event: head") != NULL);
	frame_unref(frame);
}

static void expect_cut(struct channel_reader *reader)
{
	struct frame *frame;
	bool is_head;

	assert_result(channel_next(reader, NOW, &frame, &is_head), -ESTALE);
	assert_null(frame);
}

static void frames_are_events(void **state)
{
	static const char wanted[] = "id: 1.2\nevent: delta\ndata: {}\n\n", note[] = "event: head\ndata: a\ndata: \n"
										     "data: b\n\n";
	struct frame *frame = frame_new("delta", "1.2", "{}", 2);

	assert_int_equal(frame->length, sizeof(wanted) - 1);
	assert_memory_equal(frame->bytes, wanted, frame->length);
	frame_unref(frame);
	/* The last line end is left out, empty lines stay. */
	frame = frame_new("head", NULL, "a\n\nb\n", 5);
	assert_int_equal(frame->length, sizeof(note) - 1);
	assert_memory_equal(frame->bytes, note, frame->length);
	frame_unref(frame);
}

static void deltas_then_the_head_that_covers_them(void **state)
{
	struct channel *c = new_channel(4);
	struct channel_reader reader;

	head(c, 4, NOW);
	attach(c, &reader, 4);
	expect(&reader, "event: head\ndata: head 4\ndata: 1000\n\n");
	expect(&reader, NULL);
	append(c, 5);
	/* Its head is not there yet, and the one before does not cover it. */
	expect(&reader, "id: 1.5\nevent: delta\ndata: {\"rev\":5}\n\n");
	expect(&reader, NULL);
	append(c, 6);
	head(c, 6, NOW);
	expect(&reader, "id: 1.6\nevent: delta\ndata: {\"rev\":6}\n\n");
	expect(&reader, "event: head\ndata: head 6\ndata: 1000\n\n");
	expect(&reader, NULL);
	head(c, 6, NOW + 1);
	expect(&reader, "event: head\ndata: head 6\ndata: 1001\n\n");
	channel_detach(&reader);
	channel_unref(c);
}

static void an_older_head_never_follows_a_newer_delta(void **state)
{
	struct channel *c = new_channel(4);
	struct channel_reader reader;

	head(c, 4, NOW);
	append(c, 5);
	attach(c, &reader, 4);
	expect(&reader, "id: 1.5\nevent: delta\ndata: {\"rev\":5}\n\n");
	expect(&reader, NULL);
	assert_result(channel_head(c, 1, 4, NOW + 9, LONG_LIFE, "late\n", 5), -ESTALE);
	expect(&reader, NULL);
	channel_detach(&reader);
	channel_unref(c);
}

static void a_head_at_its_end_is_not_sent(void **state)
{
	struct channel *c = new_channel(4);
	struct channel_reader reader;

	assert_result(channel_head(c, 1, 4, NOW - 300, NOW + 5, "old\n", 4), 0);
	attach(c, &reader, 4);
	expect(&reader, NULL);
	channel_detach(&reader);
	channel_unref(c);
}

static void what_does_not_follow_is_refused(void **state)
{
	struct channel *c = new_channel(4), *fresh = NULL;
	struct channel_reader reader = {.epoch = 1, .wake = wake};

	assert_result(channel_append(c, 1, 6, "{}", 2), -ESTALE);
	assert_result(channel_append(c, 2, 5, "{}", 2), -ESTALE);
	append(c, 5);
	append(c, 5); /* again: nothing */
	assert_int_equal(channel_view(c).revision, 5);
	assert_result(channel_prepend(c, 1, 3, "{}", 2), -ESTALE);
	assert_result(channel_prepend(c, 2, 4, "{}", 2), -ESTALE);
	assert_result(channel_head(c, 2, 5, NOW, LONG_LIFE, "x\n", 2), -ESTALE);
	assert_result(channel_new("ten_B", &total, &fresh), 0);
	assert_result(channel_append(fresh, 0, 1, "{}", 2), -ESTALE);
	/* Readers of what is not here. */
	for (uint64_t after = 0; after < 8; after++) {
		reader.at = after;
		if (after == 4 || after == 5)
			continue;
		assert_result(channel_attach(c, &reader), -ESTALE);
	}
	reader.at = 5;
	reader.epoch = 2;
	assert_result(channel_attach(c, &reader), -ESTALE);
	assert_result(channel_attach(fresh, &reader), -ESTALE);
	channel_unref(c);
	channel_unref(fresh);
}

static void older_deltas_are_put_in_front(void **state)
{
	struct channel *c = new_channel(40);
	struct channel_reader reader;

	append(c, 41);
	for (uint64_t revision = 40; revision > 0; revision--) {
		char delta[32];
		int length = snprintf(delta, sizeof(delta), "{\"rev\":%llu}", (unsigned long long)revision);

		assert_result(channel_prepend(c, 1, revision, delta, (size_t)length), 0);
	}
	assert_int_equal(channel_view(c).first, 1);
	attach(c, &reader, 0);
	for (unsigned revision = 1; revision <= 41; revision++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "id: 1.%u\nevent: delta\ndata: {\"rev\":%u}\n\n", revision,
			       revision);
		expect(&reader, text);
	}
	channel_detach(&reader);
	channel_unref(c);
}

static void who_does_not_read_is_cut_and_memory_is_bounded(void **state)
{
	const size_t length = 1024 * 1024;
	char *delta = malloc(length);
	struct channel *c = new_channel(0);
	struct channel_reader slow, quick;
	struct frame *frame;
	bool is_head;

	memset(delta, 'x', length);
	attach(c, &slow, 0);
	attach(c, &quick, 0);
	for (uint64_t revision = 1; revision <= 100; revision++) {
		assert_result(channel_append(c, 1, revision, delta, length), 0);
		assert_result(channel_next(&quick, NOW, &frame, &is_head), 0);
		assert_non_null(frame);
		frame_unref(frame);
		assert_true(atomic_load(&total) <= 17 * length);
	}
	expect_cut(&slow);
	channel_detach(&slow);
	channel_detach(&quick);
	channel_unref(c);
	assert_int_equal(atomic_load(&total), 0);
	free(delta);
}

static void too_many_old_deltas_are_not_taken_in(void **state)
{
	const size_t length = 1024 * 1024;
	char *delta = malloc(length);
	struct channel *c = new_channel(100);
	uint64_t revision = 100;
	int r;

	memset(delta, 'x', length);
	while ((r = channel_prepend(c, 1, revision, delta, length)) == 0)
		revision--;
	assert_result(r, -ENOSPC);
	assert_true(revision > 80 && revision < 95);
	channel_unref(c);
	free(delta);
}

static void a_new_epoch_comes_with_its_trust_and_cuts(void **state)
{
	struct channel *c = new_channel(4);
	struct channel_reader reader;

	assert_result(channel_trust(c, 7, NULL, 0), 0);
	attach(c, &reader, 4);
	expect(&reader, NULL);
	assert_result(channel_trust(c, 6, "older\n", 6), 0);
	expect(&reader, NULL);
	assert_result(channel_trust(c, 8, "newer\n", 6), 0);
	channel_reset(c, 2, 0);
	expect(&reader, "event: trust\ndata: newer\n\n");
	expect_cut(&reader);
	channel_detach(&reader);
	channel_unref(c);
}

static void quiet_readers_wait_for_something_new(void **state)
{
	struct channel *c = new_channel(4);
	struct channel_reader reader;

	head(c, 4, NOW);
	attach(c, &reader, 4);
	reader.quiet = true;
	expect(&reader, NULL);
	append(c, 5);
	head(c, 5, NOW);
	expect(&reader, "id: 1.5\nevent: delta\ndata: {\"rev\":5}\n\n");
	expect(&reader, "event: head\ndata: head 5\ndata: 1000\n\n");
	channel_detach(&reader);
	channel_unref(c);
}

static void everybody_is_woken(void **state)
{
	struct channel *c = new_channel(0);
	struct channel_reader readers[200];

	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		attach(c, &readers[i], 0);
	channel_detach(&readers[3]);
	channel_detach(&readers[199]);
	woken = 0;
	channel_wake(c);
	assert_int_equal(woken, ARRAY_LEN(readers) - 2);
	for (size_t i = 0; i < ARRAY_LEN(readers); i++)
		channel_detach(&readers[i]);
	assert_int_equal(channel_view(c).readers, 0);
	channel_unref(c);
}

static void note_tenant(void *context, const char *tenant_id, uint64_t epoch, uint64_t revision)
{
	(void)buffer_printf(context, "[%s %llu %llu]", tenant_id, (unsigned long long)epoch,
			    (unsigned long long)revision);
}

static void announcements(void **state)
{
	static const struct {
		const char *payload, *heard;
	} cases[] = {
		{"ten_A:1.42", "[ten_A 1 42]"},
		{"ten_A:1.42 ten_B:2.7", "[ten_A 1 42][ten_B 2 7]"},
		{"", ""},
		{"  ", ""},
		{"ten_A", ""},
		{"ten_A:1", ""},
		{"ten_A:x.1 ten_B:1.1", "[ten_B 1 1]"},
		{"ten_A:1.-1", ""},
		{"ten_A:99999999999999999999999.1", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buffer heard = BUFFER_INIT;

		announce_parse(cases[i].payload, note_tenant, &heard);
		assert_string_equal(heard.length ? buffer_text(&heard) : "", cases[i].heard);
		buffer_finish(&heard);
	}
}

static void arrays(void **state)
{
	struct buffer array = BUFFER_INIT;

	assert_string_equal(pg_array_end(&array), "{}");
	buffer_clear(&array);
	pg_array_add(&array, "a");
	pg_array_add(&array, "");
	pg_array_add(&array, "b\"c\\d,{}");
	assert_string_equal(pg_array_end(&array), "{\"a\",\"\",\"b\\\"c\\\\d,{}\"}");
	buffer_clear(&array);
	pg_array_add_u64(&array, 1);
	pg_array_add_u64(&array, UINT64_MAX);
	assert_string_equal(pg_array_end(&array), "{1,18446744073709551615}");
	buffer_finish(&array);
}

static void keys_stay_with_their_seal(void **state)
{
	const struct seal_key one = {{1}}, other = {{2}};
	struct signer *signer = NULL, *again = NULL, *stranger = NULL;
	struct buffer stored = BUFFER_INIT, spoiled = BUFFER_INIT, note = BUFFER_INIT;
	struct note_key key, unknown;
	struct problem problem;
	uint8_t signature[ED25519_SIGNATURE_BYTES];
	uint32_t signers;
	size_t length;

	assert_result(signer_sealed_create(&one, &signer), 0);
	assert_result(signer->class->make(signer, "a.example/feed/ten_A", &key, &stored), 0);
	assert_result(signer->class->sign(signer, &key, "x", 1, signature), 0);
	assert_result(ed25519_verify(key.public, "x", 1, signature), 0);

	assert_result(signer_sealed_create(&one, &again), 0);
	assert_result(again->class->sign(again, &key, "x", 1, signature), -ENOKEY);
	assert_result(again->class->load(again, &key, stored.data, stored.length), 0);
	assert_result(again->class->load(again, &key, stored.data, stored.length), 0);
	(void)buffer_add_text(&note, "text\n");
	assert_result(signer_sign_note(again, &key, &note), 0);
	assert_result(note_verify(note.data, note.length, &key, 1, &length, &signers, &problem), 0);

	/* Another seal key, another public half, and bytes that were changed. */
	assert_result(signer_sealed_create(&other, &stranger), 0);
	assert_result(stranger->class->load(stranger, &key, stored.data, stored.length), -EBADMSG);
	unknown = key;
	unknown.public[0] ^= 1;
	assert_result(again->class->load(again, &unknown, stored.data, stored.length), -EBADMSG);
	(void)buffer_add(&spoiled, stored.data, stored.length);
	spoiled.data[spoiled.length - 1] ^= 1;
	signer_destroy(again);
	assert_result(signer_sealed_create(&one, &again), 0);
	assert_result(again->class->load(again, &key, spoiled.data, spoiled.length), -EBADMSG);
	assert_result(again->class->load(again, &key, stored.data, 10), -EBADMSG);
	signer_destroy(signer);
	signer_destroy(again);
	signer_destroy(stranger);
	buffer_finish(&stored);
	buffer_finish(&spoiled);
	buffer_finish(&note);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_events),
		cmocka_unit_test(deltas_then_the_head_that_covers_them),
		cmocka_unit_test(an_older_head_never_follows_a_newer_delta),
		cmocka_unit_test(a_head_at_its_end_is_not_sent),
		cmocka_unit_test(what_does_not_follow_is_refused),
		cmocka_unit_test(older_deltas_are_put_in_front),
		cmocka_unit_test(who_does_not_read_is_cut_and_memory_is_bounded),
		cmocka_unit_test(too_many_old_deltas_are_not_taken_in),
		cmocka_unit_test(a_new_epoch_comes_with_its_trust_and_cuts),
		cmocka_unit_test(quiet_readers_wait_for_something_new),
		cmocka_unit_test(everybody_is_woken),
		cmocka_unit_test(announcements),
		cmocka_unit_test(arrays),
		cmocka_unit_test(keys_stay_with_their_seal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
