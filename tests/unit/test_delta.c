/* SPDX-License-Identifier: MIT
 *
 * Deltas: what is written is read, and what is not of the form is refused with a reason.
 */
#include "unit.h"

#include <string.h>

#include "feed_fixture.h"

static enum feed_fault judge(const char *bytes, size_t length)
{
	struct delta delta = {.rev = 4242};
	struct problem problem = {0};
	enum feed_fault fault = delta_read(bytes, length, FEED_ORIGIN, &delta, &problem);

	if (fault == FEED_FINE) {
		delta_finish(&delta);
	} else {
		assert_string_not_equal(problem.text, "");
		assert_int_equal(delta.rev, 4242);
	}
	return fault;
}

static void written_and_read(void **state)
{
	static const char user[] = "{\"login\":\"alice\",\"uid\":1879048192}",
			  lost[] = "{\"at\":1790000000,\"reason\":\"lost\"}";
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct delta delta;

	delta_write_begin(&out, FEED_ORIGIN, 1, 41, 42);
	delta_write_add(&out, DELTA_PUT, "user", "usr_a", 3, user, strlen(user));
	delta_write_add(&out, DELTA_DEL, "member", "usr_a/prj_b", 4, NULL, 0);
	delta_write_add(&out, DELTA_REVOKE, "key", "key_c", 2, lost, strlen(lost));
	delta_write_add(&out, DELTA_REVOKE, "token", "tok_d", 1, lost, strlen(lost));
	delta_write_add(&out, DELTA_REVOKE, "host", "hst_e", 1, lost, strlen(lost));
	delta_write_add(&out, DELTA_REVOKE, "session", "Zk3", 1, lost, strlen(lost));
	delta_write_add(&out, DELTA_REVOKE, "sessions", "ord_f", 1, lost, strlen(lost));
	delta_write_end(&out);
	assert_string_equal(buffer_text(&out),
			    "{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":41,\"rev\":42,\"ops\":["
			    "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":3,\"body\":{\"login\":"
			    "\"alice\",\"uid\":1879048192}},"
			    "{\"op\":\"del\",\"kind\":\"member\",\"id\":\"usr_a/prj_b\",\"ver\":4},"
			    "{\"op\":\"revoke\",\"kind\":\"key\",\"id\":\"key_c\",\"ver\":2,\"body\":{\"at\":"
			    "1790000000,\"reason\":\"lost\"}},"
			    "{\"op\":\"revoke\",\"kind\":\"token\",\"id\":\"tok_d\",\"ver\":1,\"body\":{\"at\":"
			    "1790000000,\"reason\":\"lost\"}},"
			    "{\"op\":\"revoke\",\"kind\":\"host\",\"id\":\"hst_e\",\"ver\":1,\"body\":{\"at\":"
			    "1790000000,\"reason\":\"lost\"}},"
			    "{\"op\":\"revoke\",\"kind\":\"session\",\"id\":\"Zk3\",\"ver\":1,\"body\":{\"at\":"
			    "1790000000,\"reason\":\"lost\"}},"
			    "{\"op\":\"revoke\",\"kind\":\"sessions\",\"id\":\"ord_f\",\"ver\":1,\"body\":{\"at\":"
			    "1790000000,\"reason\":\"lost\"}}]}");
	assert_int_equal(delta_read(out.data, out.length, FEED_ORIGIN, &delta, NULL), FEED_FINE);
	assert_int_equal(delta.epoch, 1);
	assert_int_equal(delta.prev, 41);
	assert_int_equal(delta.rev, 42);
	assert_int_equal(delta.op_count, 7);
	assert_int_equal(delta.ops[0].op, DELTA_PUT);
	assert_int_equal(delta.ops[0].kind, RECORD_USER);
	assert_string_equal(delta.ops[0].id, "usr_a");
	assert_int_equal(delta.ops[0].version, 3);
	assert_string_equal(json_string_value(json_object_get(delta.ops[0].body, "login")), "alice");
	assert_int_equal(delta.ops[1].op, DELTA_DEL);
	assert_null(delta.ops[1].body);
	assert_int_equal(delta.ops[2].op, DELTA_REVOKE);
	assert_int_equal(delta.ops[2].kind, RECORD_KEY);
	assert_null(json_object_get(delta.ops[2].body, "of"));
	assert_int_equal(delta.ops[3].kind, RECORD_REVOCATION);
	assert_string_equal(json_string_value(json_object_get(delta.ops[3].body, "of")), "token");
	assert_string_equal(json_string_value(json_object_get(delta.ops[4].body, "of")), "host");
	assert_string_equal(json_string_value(json_object_get(delta.ops[5].body, "of")), "session");
	assert_int_equal(delta.ops[6].kind, RECORD_REVOCATION);
	assert_string_equal(json_string_value(json_object_get(delta.ops[6].body, "of")), "sessions");
	delta_finish(&delta);
	/* Cut anywhere. */
	for (size_t i = 0; i < out.length; i++)
		assert_int_equal(judge(out.data, i), FEED_MALFORMED);
	assert_result(buffer_add_char(&out, '\n'), 0);
	assert_int_equal(judge(out.data, out.length), FEED_MALFORMED);
}

#define START "{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":41,\"rev\":42,\"ops\":["
#define FINE "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}"

static void forms(void **state)
{
	static const char *const good[] = {
		START FINE "]}",
		START FINE ",{\"op\":\"del\",\"kind\":\"key\",\"id\":\"usr_a\",\"ver\":1}]}", /* one id, two kinds */
	};
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"{}",
		START "]}", /* nothing is no change */
		START "{}]}",
		START "null]}",
		START FINE "],\"more\":1}",
		START FINE "],\"epoch\":1}", /* a key twice */
		START FINE "]} ]",
		START FINE "," FINE "]}", /* a record twice */
		START FINE ",{\"op\":\"del\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":2}]}",
		START "{\"op\":\"revoke\",\"kind\":\"host\",\"id\":\"hst_a\",\"ver\":1,\"body\":{\"at\":1}},"
		      "{\"op\":\"put\",\"kind\":\"revocation\",\"id\":\"hst_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":null}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":[]}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{},\"x\":1}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{\"a\":1,\"a\":2}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":0,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":-1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1.0,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr\\na\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"user\",\"id\":\"usr\\u0000a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"users\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"put\",\"kind\":\"token\",\"id\":\"tok_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"PUT\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"clear\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"del\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"revoke\",\"kind\":\"user\",\"id\":\"usr_a\",\"ver\":1,\"body\":{\"at\":1}}]}",
		START "{\"op\":\"revoke\",\"kind\":\"grant\",\"id\":\"grt_a\",\"ver\":1,\"body\":{\"at\":1}}]}",
		START "{\"op\":\"revoke\",\"kind\":\"Session\",\"id\":\"a\",\"ver\":1,\"body\":{\"at\":1}}]}",
		START "{\"op\":\"revoke\",\"kind\":\"key\",\"id\":\"key_a\",\"ver\":1}]}",
		START "{\"op\":\"revoke\",\"kind\":\"key\",\"id\":\"key_a\",\"ver\":1,\"body\":{}}]}",
		START "{\"op\":\"revoke\",\"kind\":\"key\",\"id\":\"key_a\",\"ver\":1,\"body\":{\"at\":0}}]}",
		START
		"{\"op\":\"revoke\",\"kind\":\"key\",\"id\":\"key_a\",\"ver\":1,\"body\":{\"at\":1,\"of\":\"key\"}}]}",
		START
		"{\"op\":\"revoke\",\"kind\":\"token\",\"id\":\"t\",\"ver\":1,\"body\":{\"of\":\"host\",\"at\":1}}]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":42,\"rev\":42,\"ops\":[" FINE "]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":40,\"rev\":42,\"ops\":[" FINE "]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":0,\"rev\":0,\"ops\":[" FINE "]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":0,\"prev\":41,\"rev\":42,\"ops\":[" FINE "]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"rev\":42,\"ops\":[" FINE "]}",
		"{\"feed\":\"" FEED_ORIGIN "\",\"epoch\":1,\"prev\":41,\"rev\":9223372036854775808,\"ops\":[" FINE "]}",
		START FINE "\n]}",
		START FINE "\r]}",
		START FINE "]}\r\n",
	};
	static const char nul[] = START FINE "]}\0";

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(judge(good[i], strlen(good[i])), FEED_FINE);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (judge(bad[i], strlen(bad[i])) != FEED_MALFORMED)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(judge(nul, sizeof(nul) - 1), FEED_MALFORMED);
}

static void other_feed(void **state)
{
	static const char other[] =
		"{\"feed\":\"control.example.org/feed/ten_other\",\"epoch\":1,\"prev\":41,\"rev\":42,\"ops\":[" FINE
		"]}";

	assert_int_equal(judge(other, strlen(other)), FEED_OTHER_ORIGIN);
}

static void limits(void **state)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	char id[32];

	delta_write_begin(&out, FEED_ORIGIN, 1, 0, 1);
	for (unsigned i = 0; out.length < FEED_DELTA_BYTES_MAX - 200; i++) {
		(void)snprintf(id, sizeof(id), "usr_%08u", 99999999 - i);
		delta_write_add(&out, DELTA_PUT, "user", id, 1, "{}", 2);
	}
	delta_write_end(&out);
	assert_int_equal(judge(out.data, out.length), FEED_FINE);
	while (out.length <= FEED_DELTA_BYTES_MAX)
		assert_result(buffer_add_char(&out, ' '), 0);
	assert_int_equal(judge(out.data, out.length), FEED_TOO_LARGE);
	buffer_clear(&out);
	for (unsigned i = 0; i < 1000000; i++)
		assert_result(buffer_add_char(&out, '['), 0);
	assert_int_equal(judge(out.data, out.length), FEED_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_and_read),
		cmocka_unit_test(forms),
		cmocka_unit_test(other_feed),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
