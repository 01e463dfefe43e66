/* SPDX-License-Identifier: MIT
 *
 * Snapshots: what is written is read, in pieces of any size; bombs, frames and lines that are not in order.
 */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <zstd.h>

#include "base/macros.h"
#include "feed_fixture.h"

struct seen {
	unsigned count;
	int result; /* of the callback */
	char ids[256];
};

static int see(void *context, enum record_kind kind, const char *id, uint64_t version, struct json_view body,
	       struct problem *problem)
{
	struct seen *seen = context;

	assert_true(body.flat || json_is_object(body.tree));
	assert_true(version > 0);
	if (++seen->count < 8)
		(void)snprintf(seen->ids + strlen(seen->ids), sizeof(seen->ids) - strlen(seen->ids), "%d:%s ",
			       (int)kind, id);
	if (seen->result < 0)
		return problem_set(problem, -seen->result, "not this one");
	return 0;
}

static enum feed_fault read_frame(const struct feed_snapshot *note, const void *data, size_t length, size_t step,
				  struct seen *seen)
{
	struct snapshot_reader *reader;
	struct problem problem = {0};
	enum feed_fault fault = FEED_FINE;

	*seen = (struct seen){.result = seen->result};
	assert_result(snapshot_reader_new(note, see, seen, &reader), 0);
	for (size_t i = 0; i < length && fault == FEED_FINE; i += step)
		fault = snapshot_reader_add(reader, (const char *)data + i, MIN_OF(step, length - i), &problem);
	if (fault == FEED_FINE)
		fault = snapshot_reader_end(reader, &problem);
	snapshot_reader_free(reader);
	assert_true((fault == FEED_FINE) == (problem.text[0] == '\0'));
	return fault;
}

static struct feed_snapshot note_of(uint64_t revision)
{
	return (struct feed_snapshot){.origin = FEED_ORIGIN, .epoch = 1, .revision = revision, .issued = FEED_NOW};
}

static const struct line_of some[] = {
	{"tenant", "ten_8fJ2kQpL0aZx4TyB", 1, "{\"slug\":\"acme\"}"},
	{"project", "prj_a", 1, "{}"},
	{"user", "usr_B", 3, "{\"login\":\"bob\"}"},
	{"user", "usr_a", 2, "{\"login\":\"alice\"}"},
	{"member", "usr_a/prj_a", 1, "{}"},
};

static void written_and_read(void **state)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42), read_back;
	struct seen seen = {0};

	assert_result(buffer_add_text(&frame, "before"), 0); /* what is there stays */
	feed_snapshot_of(&note, some, ARRAY_LEN(some), &frame);
	buffer_consume(&frame, 6);
	assert_int_equal(note.bytes, frame.length);
	assert_int_equal(ZSTD_getFrameContentSize(frame.data, frame.length), note.plain);
	assert_int_equal(ZSTD_findFrameCompressedSize(frame.data, frame.length), frame.length);
	read_back = note;
	for (size_t step = 1; step <= frame.length; step++) {
		assert_int_equal(read_frame(&note, frame.data, frame.length, step, &seen), FEED_FINE);
		assert_string_equal(seen.ids, "0:ten_8fJ2kQpL0aZx4TyB 1:prj_a 2:usr_B 2:usr_a 3:usr_a/prj_a ");
	}
	assert_memory_equal(&note, &read_back, sizeof(note));
}

static void empty(void **state)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(0);
	struct seen seen = {0};

	feed_snapshot_of(&note, NULL, 0, &frame);
	assert_int_equal(read_frame(&note, frame.data, frame.length, frame.length, &seen), FEED_FINE);
	assert_int_equal(seen.count, 0);
}

static void many(void **state)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct snapshot_writer *writer;
	struct seen seen = {0};
	char id[32], body[128];

	note.records = 50000;
	assert_result(snapshot_writer_new(&note, &frame, &writer), 0);
	for (unsigned i = 0; i < note.records; i++) {
		(void)snprintf(id, sizeof(id), "usr_%08u", i);
		(void)snprintf(body, sizeof(body), "{\"login\":\"u%u\",\"uid\":%u}", i * 2654435761U, i);
		assert_result(snapshot_writer_add(writer, "user", id, 1, body, strlen(body)), 0);
	}
	assert_result(snapshot_writer_end(writer), 0);
	snapshot_writer_free(writer);
	assert_true(note.plain > 2 * note.bytes);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 65536, &seen), FEED_FINE);
	assert_int_equal(seen.count, 50000);
	assert_int_equal(read_frame(&note, frame.data, frame.length, frame.length, &seen), FEED_FINE);
}

static void changed_bytes(void **state)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct seen seen = {0};

	feed_snapshot_of(&note, some, ARRAY_LEN(some), &frame);
	for (size_t i = 0; i < frame.length; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			frame.data[i] = (char)(frame.data[i] ^ 1 << bit);
			if (read_frame(&note, frame.data, frame.length, 7, &seen) == FEED_FINE)
				fail_msg("bit %u of byte %zu may change", bit, i);
			frame.data[i] = (char)(frame.data[i] ^ 1 << bit);
		}
	for (size_t i = 0; i < frame.length; i++)
		assert_int_equal(read_frame(&note, frame.data, i, 7, &seen), FEED_MALFORMED);
	assert_result(buffer_add_char(&frame, '\0'), 0);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 7, &seen), FEED_TOO_LARGE);
	note.sha256[0] ^= 1;
	assert_int_equal(read_frame(&note, frame.data, frame.length - 1, 7, &seen), FEED_BAD_DIGEST);
}

/* A frame of any text, with a note that is right about it. */
static void frame_of(const char *text, size_t length, int window, bool checksum, bool size, struct feed_snapshot *note,
		     struct buffer *ret)
{
	size_t room = ZSTD_compressBound(length), written;
	ZSTD_CCtx *context = ZSTD_createCCtx();
	char *out;

	buffer_clear(ret);
	out = buffer_reserve(ret, room);
	assert_non_null(context);
	assert_non_null(out);
	if (window > 0)
		(void)ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum);
	(void)ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, size);
	written = ZSTD_compress2(context, out, room, text, length);
	assert_false(ZSTD_isError(written));
	ZSTD_freeCCtx(context);
	ret->length = written;
	note->bytes = written;
	note->plain = length;
	assert_result(sha256(ret->data, ret->length, note->sha256), 0);
}

#define FIRST(n) "{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"revision\":42,\"records\":" #n "}\n"
#define USER "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}\n"

static void frames(void **state)
{
	static const char text[] = FIRST(1) USER;
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT, big = BUFFER_INIT;
	struct feed_snapshot note = note_of(42), lie;
	struct seen seen = {0};
	size_t one;

	note.records = 1;
	frame_of(text, strlen(text), 0, true, true, &note, &frame);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 5, &seen), FEED_FINE);
	frame_of(text, strlen(text), 0, false, true, &note, &frame);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 5, &seen), FEED_MALFORMED);
	frame_of(text, strlen(text), 0, true, false, &note, &frame);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 5, &seen), FEED_MALFORMED);
	/* The note says less, or more, than the frame; bytes and hash are right. */
	frame_of(text, strlen(text), 0, true, true, &note, &frame);
	lie = note;
	lie.plain--;
	assert_int_equal(read_frame(&lie, frame.data, frame.length, 5, &seen), FEED_TOO_LARGE);
	lie.plain += 2;
	assert_int_equal(read_frame(&lie, frame.data, frame.length, 5, &seen), FEED_MALFORMED);
	assert_int_equal(seen.count, 0); /* nothing was inflated */
	/* A second frame, a skippable frame, plain bytes behind it. */
	one = frame.length;
	assert_non_null(buffer_reserve(&frame, one)); /* so that what is added does not move */
	assert_result(buffer_add(&frame, frame.data, one), 0);
	note.bytes = frame.length;
	assert_result(sha256(frame.data, frame.length, note.sha256), 0);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 5, &seen), FEED_MALFORMED);
	assert_int_equal(read_frame(&note, frame.data, frame.length, one, &seen), FEED_MALFORMED);
	frame.length = one;
	assert_result(buffer_add(&frame, "\x50\x2A\x4D\x18\x01\0\0\0x", 9), 0);
	note.bytes = frame.length;
	assert_result(sha256(frame.data, frame.length, note.sha256), 0);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 5, &seen), FEED_MALFORMED);
	/* A skippable frame before it, and no frame at all. */
	assert_int_equal(read_frame(&note, frame.data + one, 9, 9, &seen), FEED_MALFORMED);
	assert_int_equal(read_frame(&note, text, strlen(text), 9, &seen), FEED_MALFORMED);
	/* A window that would take more memory than we give. */
	assert_non_null(buffer_reserve(&big, (size_t)40 << 20));
	memset(big.data, ' ', (size_t)40 << 20);
	big.length = (size_t)40 << 20;
	frame_of(big.data, big.length, 25, true, true, &note, &frame);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 4096, &seen), FEED_TOO_LARGE);
}

/* Frames that state one size and hold another: the header is changed by hand. */
static void bombs(void **state)
{
	_cleanup_(buffer_finish) struct buffer plain = BUFFER_INIT, frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct seen seen = {0};
	size_t length = (size_t)8 << 20;

	note.records = 1;
	assert_result(buffer_add_text(&plain, FIRST(1)), 0);
	assert_non_null(buffer_reserve(&plain, length));
	memset(plain.data + plain.length, '\n', length - plain.length);
	plain.length = length;
	frame_of(plain.data, plain.length, 20, true, true, &note, &frame);
	assert_true(snapshot_limits(&note, NULL) == FEED_TOO_LARGE); /* an honest note shows the ratio */
	note.plain = 4096;
	assert_int_equal(snapshot_limits(&note, NULL), FEED_FINE);
	assert_int_equal(read_frame(&note, frame.data, frame.length, 4096, &seen), FEED_TOO_LARGE);
	/* Four bytes of content size from byte 6 on: the window is smaller than the content. */
	assert_int_equal((unsigned char)frame.data[4] >> 6, 2);
	memcpy(frame.data + 6, "\x00\x10\x00\x00", 4);
	assert_result(sha256(frame.data, frame.length, note.sha256), 0);
	assert_int_not_equal(read_frame(&note, frame.data, frame.length, 4096, &seen), FEED_FINE);
	assert_int_equal(seen.count, 0);
}

static void lines(void **state)
{
	static const struct {
		const char *text;
		unsigned records;
		enum feed_fault fault;
	} table[] = {
		{FIRST(1) USER, 1, FEED_FINE},
		{FIRST(1) USER, 2, FEED_MALFORMED},
		{FIRST(2) USER, 2, FEED_MALFORMED},
		{FIRST(0) USER, 0, FEED_MALFORMED},
		{FIRST(1), 1, FEED_MALFORMED},
		{"\n" FIRST(1) USER, 1, FEED_MALFORMED},
		{FIRST(1) "\n" USER, 1, FEED_MALFORMED},
		{FIRST(1) USER "\n", 1, FEED_MALFORMED},
		{FIRST(1) USER " ", 1, FEED_MALFORMED},
		{USER, 0, FEED_MALFORMED},
		{FIRST(2) USER USER, 2, FEED_MALFORMED},
		{FIRST(2) USER "{\"kind\":\"user\",\"id\":\"usr_B\",\"ver\":1,\"body\":{}}\n", 2, FEED_MALFORMED},
		{FIRST(2) USER "{\"kind\":\"project\",\"id\":\"prj_a\",\"ver\":1,\"body\":{}}\n", 2, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}\r\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":0,\"body\":{}}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr a\",\"ver\":1,\"body\":{}}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"\",\"ver\":1,\"body\":{}}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"token\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":null}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{},\"x\":1}\n", 1, FEED_MALFORMED},
		{FIRST(1) "{\"kind\":\"user\",\"id\":\"usr_a\",\"id\":\"usr_b\",\"ver\":1,\"body\":{}}\n", 1,
		 FEED_MALFORMED},
		{"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"revision\":41,\"records\":1}\n" USER, 1, FEED_MALFORMED},
		{"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":2,\"revision\":42,\"records\":1}\n" USER, 1,
		 FEED_OTHER_EPOCH},
		{"{\"feed\":\"a.example/feed/ten_1\",\"epoch\":1,\"revision\":42,\"records\":1}\n" USER, 1,
		 FEED_OTHER_ORIGIN},
		{"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"revision\":42}\n" USER, 1, FEED_MALFORMED},
	};
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct seen seen = {0};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		for (size_t step = 1; step < 100; step += 33) {
			note.records = table[i].records;
			frame_of(table[i].text, strlen(table[i].text), 0, true, true, &note, &frame);
			if (read_frame(&note, frame.data, frame.length, step, &seen) != table[i].fault)
				fail_msg("lines %zu", i);
		}
	/* What the callee says. */
	note.records = 1;
	frame_of(table[0].text, strlen(table[0].text), 0, true, true, &note, &frame);
	seen.result = -EINVAL;
	assert_int_equal(read_frame(&note, frame.data, frame.length, 99, &seen), FEED_BAD_RECORD);
	seen.result = -ENOMEM;
	assert_int_equal(read_frame(&note, frame.data, frame.length, 99, &seen), FEED_TOO_LARGE);
}

static void long_lines(void **state)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT, frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct seen seen = {0};

	for (unsigned more = 0; more < 2; more++) {
		size_t start;

		buffer_clear(&text);
		assert_result(buffer_add_text(&text, FIRST(1)), 0);
		start = text.length;
		assert_result(
			buffer_add_text(&text, "{\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{\"a\":\""), 0);
		while (text.length - start < SNAPSHOT_LINE_MAX + more - 3)
			assert_result(buffer_add_char(&text, 'x'), 0);
		assert_result(buffer_add_text(&text, "\"}}\n"), 0);
		note.records = 1;
		frame_of(text.data, text.length, 0, true, true, &note, &frame);
		assert_int_equal(read_frame(&note, frame.data, frame.length, 4096, &seen),
				 more ? FEED_TOO_LARGE : FEED_FINE);
	}
}

static int write_two(const struct line_of *first, const struct line_of *second, uint64_t records)
{
	_cleanup_(buffer_finish) struct buffer frame = BUFFER_INIT;
	struct feed_snapshot note = note_of(42);
	struct snapshot_writer *writer;
	int r;

	note.records = records;
	assert_result(snapshot_writer_new(&note, &frame, &writer), 0);
	r = snapshot_writer_add(writer, first->kind, first->id, first->version, first->body, strlen(first->body));
	if (r == 0 && second)
		r = snapshot_writer_add(writer, second->kind, second->id, second->version, second->body,
					strlen(second->body));
	if (r == 0)
		r = snapshot_writer_end(writer);
	else
		assert_result(snapshot_writer_end(writer), -EINVAL);
	snapshot_writer_free(writer);
	return r;
}

/* Nothing is written that a reader would refuse. */
static void refused_writing(void **state)
{
	static const struct line_of user = {"user", "usr_b", 1, "{}"}, less = {"user", "usr_a", 1, "{}"},
				    kind = {"tenant", "x", 1, "{}"}, unknown = {"users", "usr_c", 1, "{}"},
				    more = {"user", "usr_c", 1, "{}"}, spaced = {"user", "usr c", 1, "{}"},
				    zero = {"user", "usr_c", 0, "{}"}, broken = {"user", "usr_c", 1, "{\n}"};
	static char large[SNAPSHOT_LINE_MAX];
	struct line_of huge = {"user", "usr_c", 1, large};

	memset(large, ' ', sizeof(large) - 1);
	assert_result(write_two(&user, &more, 2), 0);
	assert_result(write_two(&user, &user, 2), -EINVAL);
	assert_result(write_two(&user, &less, 2), -EINVAL);
	assert_result(write_two(&user, &kind, 2), -EINVAL);
	assert_result(write_two(&user, &unknown, 2), -EINVAL);
	assert_result(write_two(&user, &spaced, 2), -EINVAL);
	assert_result(write_two(&user, &zero, 2), -EINVAL);
	assert_result(write_two(&user, &broken, 2), -EINVAL);
	assert_result(write_two(&user, &huge, 2), -EMSGSIZE);
	assert_result(write_two(&user, &more, 3), -EINVAL);
	assert_result(write_two(&user, NULL, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(empty),
		cmocka_unit_test(many),
		cmocka_unit_test(changed_bytes),
		cmocka_unit_test(frames),
		cmocka_unit_test(bombs),
		cmocka_unit_test(lines),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(refused_writing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
