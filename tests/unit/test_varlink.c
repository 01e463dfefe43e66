/* SPDX-License-Identifier: MIT
 *
 * Frames and messages. The client has a file of its own.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "varlink/varlink.h"

static void frames(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	size_t scanned = 0, length = 42;

	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 0);
	assert_result(buffer_add(&b, "ab", 2), 0);
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 0);
	assert_int_equal(scanned, 2);
	assert_int_equal(length, 42);
	assert_result(buffer_add(&b, "c\0de\0\0f", 7), 0);
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 1);
	assert_int_equal(length, 3);
	buffer_consume(&b, length + 1);
	scanned = 0;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 1);
	assert_int_equal(length, 2);
	buffer_consume(&b, length + 1);
	scanned = 0;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 1);
	assert_int_equal(length, 0);
	buffer_consume(&b, length + 1);
	scanned = 0;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 0);
	assert_int_equal(b.length, 1);
}

static void frame_limit(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	size_t scanned = 0, length = 0;

	assert_non_null(buffer_reserve(&b, VARLINK_MESSAGE_MAX + 2));
	memset(b.data, 'x', VARLINK_MESSAGE_MAX + 2);
	b.length = VARLINK_MESSAGE_MAX;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 0);
	/* The end may still come in the very next byte … */
	b.data[VARLINK_MESSAGE_MAX] = '\0';
	b.length++;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), 1);
	assert_int_equal(length, VARLINK_MESSAGE_MAX);
	/* … and not later. */
	b.data[VARLINK_MESSAGE_MAX] = 'x';
	scanned = 0;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), -EMSGSIZE);
	b.data[VARLINK_MESSAGE_MAX + 1] = '\0';
	b.length++;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), -EMSGSIZE);
	scanned = 0;
	assert_int_equal(varlink_frame_next(&b, &scanned, &length), -EMSGSIZE);
}

static void calls(void **state)
{
	static const char text[] = "{\"method\":\"io.tenantd.Agent.WhoAmI\",\"parameters\":{\"a\":1},\"more\":true}";
	static const char *const good[] = {
		"{\"method\":\"a.B\"}",
		"{\"method\":\"a.B\",\"parameters\":null,\"more\":null,\"oneway\":false,\"upgrade\":false}",
		"{\"method\":\"a.A\"}",
		"{\"method\":\"z.Z0\"}",
		"{\"method\":\"a.B\",\"oneway\":true}",
		"{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}",
		"{\"method\":\"x-y.z9.Do\",\"upgrade\":true}",
	};
	static const char *const bad[] = {
		"",
		"{}",
		"[]",
		"1",
		"\"a.B\"",
		"null",
		"{\"method\":null}",
		"{\"method\":1}",
		"{\"method\":\"\"}",
		"{\"method\":\"B\"}",
		"{\"method\":\".B\"}",
		"{\"method\":\"a.\"}",
		"{\"method\":\"a.b\"}",
		"{\"method\":\"a..B\"}",
		"{\"method\":\"a.B \"}",
		"{\"method\":\"a.B\\n\"}",
		"{\"method\":\"a/.B\"}",
		"{\"method\":\"a.[\"}",
		"{\"method\":\"a.@\"}",
		"{\"method\":\"a.B_C\"}",
		"{\"method\":\"9a.B\"}",
		"{\"method\":\"a.\xC3\x84\"}",
		"{\"method\":\"a.B\",\"method\":\"a.B\"}",
		"{\"method\":\"a.B\",\"parameters\":[]}",
		"{\"method\":\"a.B\",\"parameters\":\"x\"}",
		"{\"method\":\"a.B\",\"more\":1}",
		"{\"method\":\"a.B\",\"more\":\"true\"}",
		"{\"method\":\"a.B\",\"more\":true,\"oneway\":true}",
		"{\"method\":\"a.B\",\"more\":true,\"upgrade\":true}",
		"{\"method\":\"a.B\",\"sudo\":true}",
		"{\"method\":\"a.B\",\"continues\":true}",
		"{\"error\":\"a.B\"}",
		"{\"method\":\"a.B\"} x",
		"{\"method\":\"a.B\"",
	};
	struct varlink_call call;

	assert_result(varlink_call_read(text, strlen(text), &call, NULL), 0);
	assert_string_equal(call.method, "io.tenantd.Agent.WhoAmI");
	assert_int_equal(json_integer_value(json_object_get(call.parameters, "a")), 1);
	assert_true(call.more);
	assert_false(call.oneway);
	varlink_call_finish(&call);
	assert_null(call.root);
	varlink_call_finish(&call);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct problem problem = {0};

		if (varlink_call_read(good[i], strlen(good[i]), &call, &problem) != 0)
			fail_msg("refused: %s: %s", good[i], problem.text);
		varlink_call_finish(&call);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct problem problem = {0};

		call = (struct varlink_call){.method = "untouched"};
		if (varlink_call_read(bad[i], strlen(bad[i]), &call, &problem) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_string_equal(call.method, "untouched");
		assert_int_not_equal(problem.text[0], 0);
	}
}

static void method_length(void **state)
{
	char text[300];

	for (size_t length = VARLINK_METHOD_MAX - 1; length <= VARLINK_METHOD_MAX + 1; length++) {
		struct varlink_call call = {0};
		char name[200];

		memset(name, 'B', sizeof(name));
		memcpy(name, "a.", 2);
		name[length] = '\0';
		(void)snprintf(text, sizeof(text), "{\"method\":\"%s\"}", name);
		assert_result(varlink_call_read(text, strlen(text), &call, NULL),
			      length <= VARLINK_METHOD_MAX ? 0 : -EBADMSG);
		varlink_call_finish(&call);
	}
}

static void replies(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"error\":\"x\"}",
		"{\"error\":1}",
		"{\"error\":\"a.B\",\"continues\":true}",
		"{\"parameters\":[]}",
		"{\"continues\":1}",
		"{\"parameters\":{},\"extra\":1}",
		"{\"method\":\"a.B\"}",
	};
	struct varlink_reply reply;

	assert_result(varlink_reply_read("{}", 2, &reply, NULL), 0);
	assert_null(reply.error);
	assert_null(reply.parameters);
	assert_false(reply.continues);
	varlink_reply_finish(&reply);
	assert_result(varlink_reply_read("{\"parameters\":{},\"continues\":true}", 34, &reply, NULL), 0);
	assert_true(reply.continues);
	assert_non_null(reply.parameters);
	varlink_reply_finish(&reply);
	assert_result(varlink_reply_read("{\"error\":\"a.B\",\"parameters\":{}}", 31, &reply, NULL), 0);
	assert_string_equal(reply.error, "a.B");
	varlink_reply_finish(&reply);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reply = (struct varlink_reply){.error = "untouched"};
		if (varlink_reply_read(bad[i], strlen(bad[i]), &reply, NULL) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_string_equal(reply.error, "untouched");
	}
}

static void writes(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
	struct varlink_writer w;
	const char *p;

	varlink_call_begin(&w, &b, "a.B", false, false);
	assert_result(varlink_end(&w, false), 0);
	varlink_call_begin(&w, &b, "a.B", true, false);
	json_put_u64(&w.json, "n", 1);
	assert_result(varlink_end(&w, false), 0);
	varlink_call_begin(&w, &b, "a.B", false, true);
	json_put_u64(&w.json, "n", 1);
	json_put_u64(&w.json, "m", 2);
	assert_result(varlink_end(&w, false), 0);
	varlink_reply_begin(&w, &b);
	assert_result(varlink_end(&w, false), 0);
	varlink_reply_begin(&w, &b);
	json_put_bool(&w.json, "x", true);
	assert_result(varlink_end(&w, true), 0);
	varlink_error_begin(&w, &b, VARLINK_ERROR_METHOD_NOT_FOUND);
	json_put_string(&w.json, "method", "a.C");
	assert_result(varlink_end(&w, false), 0);
	p = b.data;
	for (size_t i = 0; i < 6; i++) {
		static const char *const expected[] = {
			"{\"method\":\"a.B\",\"parameters\":{}}",
			"{\"method\":\"a.B\",\"more\":true,\"parameters\":{\"n\":1}}",
			"{\"method\":\"a.B\",\"oneway\":true,\"parameters\":{\"n\":1,\"m\":2}}",
			"{\"parameters\":{}}",
			"{\"parameters\":{\"x\":true},\"continues\":true}",
			"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"a.C\"}}",
		};

		assert_string_equal(p, expected[i]);
		p += strlen(p) + 1;
	}
	assert_ptr_equal(p, b.data + b.length);
}

/* Too long a reply leaves no trace, so that an error can be sent in its place. */
static void taken_back(void **state)
{
	_cleanup_(buffer_finish) struct buffer b = {.limit = 60};
	struct varlink_writer w;

	varlink_reply_begin(&w, &b);
	json_put_string(&w.json, "a", "first");
	assert_result(varlink_end(&w, false), 0);
	for (int i = 0; i < 3; i++) {
		size_t before = b.length;

		varlink_reply_begin(&w, &b);
		json_put_string(&w.json, "a", "much too long for what is left of the buffer's limit");
		json_put_string(&w.json, "b", "x"); /* would fit by itself */
		assert_result(varlink_end(&w, false), -EMSGSIZE);
		assert_int_equal(b.length, before);
		assert_false(b.failed);
	}
	varlink_reply_begin(&w, &b);
	assert_result(varlink_end(&w, false), 0);
	assert_string_equal(b.data, "{\"parameters\":{\"a\":\"first\"}}");
	assert_string_equal(b.data + strlen(b.data) + 1, "{\"parameters\":{}}");
}

/* What the other side would refuse is not sent, limit or no limit. */
static void message_limit(void **state)
{
	static char large[VARLINK_MESSAGE_MAX];
	const size_t around = strlen("{\"parameters\":{\"a\":\"\"}}");

	memset(large, 'x', sizeof(large));
	for (size_t extra = 0; extra < 2; extra++) {
		_cleanup_(buffer_finish) struct buffer b = BUFFER_INIT;
		struct varlink_reply reply = {0};
		struct varlink_writer w;

		varlink_reply_begin(&w, &b);
		json_put_string_n(&w.json, "a", large, sizeof(large) - around + extra);
		assert_result(varlink_end(&w, false), extra ? -EMSGSIZE : 0);
		assert_int_equal(b.length, extra ? 0 : VARLINK_MESSAGE_MAX + 1);
		if (!extra)
			assert_result(varlink_reply_read(b.data, b.length - 1, &reply, NULL), 0);
		varlink_reply_finish(&reply);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames),        cmocka_unit_test(frame_limit),   cmocka_unit_test(calls),
		cmocka_unit_test(method_length), cmocka_unit_test(replies),       cmocka_unit_test(writes),
		cmocka_unit_test(taken_back),    cmocka_unit_test(message_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
