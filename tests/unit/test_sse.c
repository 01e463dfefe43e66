/* SPDX-License-Identifier: MIT
 *
 * Server-sent events as they come: in any pieces, with any line ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "http/sse.h"
#include "unit.h"

static int note(void *context, const struct sse_event *event)
{
	struct buffer *seen = context;

	buffer_printf(seen, "%s/%s=", event->name, event->id);
	buffer_add(seen, event->data, event->length);
	assert_int_equal(event->data[event->length], '\0');
	return buffer_add_char(seen, ';');
}

/* Every way to cut it in two, and byte by byte. */
static void expect_of(const char *stream, size_t length, const char *expected)
{
	for (size_t cut = 0; cut <= length; cut++) {
		_cleanup_(buffer_finish) struct buffer seen = BUFFER_INIT;
		struct sse_reader reader;

		sse_reader_init(&reader, note, &seen);
		if (cut < length) {
			assert_int_equal(sse_reader_add(&reader, stream, cut), 0);
			assert_int_equal(sse_reader_add(&reader, stream + cut, length - cut), 0);
		} else {
			for (size_t i = 0; i < length; i++)
				assert_int_equal(sse_reader_add(&reader, stream + i, 1), 0);
		}
		assert_string_equal(buffer_text(&seen), expected);
		sse_reader_finish(&reader);
	}
}
#define EXPECT(stream, expected) expect_of(stream, sizeof(stream) - 1, expected)

static void test_fields(void **state)
{
	EXPECT("event: delta\nid: 1.2\ndata: {\"a\":1}\n\n", "delta/1.2={\"a\":1};");
	EXPECT("data: a\ndata: b\n\n", "message/=a\nb;");
	EXPECT("data:no space\n\ndata:  two\n\n", "message/=no space;message/= two;");
	EXPECT("data\n\n", "message/=;");
	EXPECT("data: a: b\n\n", "message/=a: b;");
	/* Neither name nor id stays for the next event. */
	EXPECT("event: x\nid: 7\ndata: 1\n\ndata: 2\n\n", "x/7=1;message/=2;");
}

static void test_line_ends(void **state)
{
	EXPECT("data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", "message/=a\nb;message/=c;");
	EXPECT("data: a\rdata: b\r\rdata: c\r\r", "message/=a\nb;message/=c;");
	EXPECT("data: a\r\n\ndata: b\n\r\n", "message/=a;message/=b;");
}

static void test_what_is_no_event(void **state)
{
	EXPECT(": a comment\n\n", "");
	EXPECT(":\n\n:\n\n", "");
	EXPECT("event: empty\nid: 1\n\ndata: x\n\n", "message/=x;");
	EXPECT("retry: 100\nother: y\ndatax: z\nDATA: z\n\n", "");
	EXPECT("data: never ended\n", "");
	EXPECT("data: never ended", "");
	EXPECT("id: a\0b\ndata: x\n\n", "message/=x;");
}

static void test_byte_order_mark(void **state)
{
	EXPECT("\xef\xbb\xbf"
	       "data: x\n\n",
	       "message/=x;");
	EXPECT("\xef\xbb\xbf\ndata: x\n\n", "message/=x;");
	/* Only at the very beginning. */
	EXPECT("\n\xef\xbb\xbf"
	       "data: x\n\n",
	       "");
}

static int count_bytes(void *context, const struct sse_event *event)
{
	*(size_t *)context = event->length;
	return 0;
}

static void test_limits(void **state)
{
	static char line[1024 * 1024 + 7];
	struct sse_reader reader;
	size_t seen = 0;
	int result = 0;

	memset(line, 'x', sizeof(line));
	memcpy(line, "data: ", 6);
	line[sizeof(line) - 1] = '\n';
	sse_reader_init(&reader, count_bytes, &seen);
	for (int i = 0; i < 4; i++)
		assert_int_equal(sse_reader_add(&reader, line, sizeof(line)), 0);
	assert_int_equal(sse_reader_add(&reader, "\n", 1), 0);
	assert_int_equal(seen, 4 * (1024 * 1024 + 1) - 1);
	/* Many lines of one event, and one line without an end. */
	for (int i = 0; i < 6 && result == 0; i++)
		result = sse_reader_add(&reader, line, sizeof(line));
	assert_int_equal(result, -EMSGSIZE);
	sse_reader_finish(&reader);

	sse_reader_init(&reader, count_bytes, &seen);
	result = 0;
	for (int i = 0; i < 6 && result == 0; i++)
		result = sse_reader_add(&reader, line, sizeof(line) - 1);
	assert_int_equal(result, -EMSGSIZE);
	sse_reader_finish(&reader);
}

static int stop(void *context, const struct sse_event *event)
{
	++*(int *)context;
	return -ECANCELED;
}

static void test_callback_stops(void **state)
{
	struct sse_reader reader;
	int calls = 0;

	sse_reader_init(&reader, stop, &calls);
	assert_int_equal(sse_reader_add(&reader, "data: a\n\ndata: b\n\n", 18), -ECANCELED);
	assert_int_equal(calls, 1);
	sse_reader_finish(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),           cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_what_is_no_event), cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_limits),           cmocka_unit_test(test_callback_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
