/* SPDX-License-Identifier: MIT
 *
 * What providers answer: what goes to a terminal, what is waited for, and what is refused.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc/answers.h"
#include "unit.h"

/* ---- device authorization ---------------------------------------------------------------------- */
static json_t *device(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "device_code", "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
			 "user_code", "WDJB-MJHT", "verification_uri", "https://id.example/device",
			 "verification_uri_complete", "https://id.example/device?user_code=WDJB-MJHT", "expires_in",
			 1800, "interval", 7);
}

static json_t *with(json_t *answer, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(answer, name, value);
	else
		json_object_del(answer, name);
	return answer;
}

static int parse(unsigned status, json_t *answer, struct device_answer *ret, struct problem *problem)
{
	char *text = json_dumps(answer, 0);
	int r = device_answer_parse(status, text, strlen(text), ret, problem);

	free(text);
	json_decref(answer);
	return r;
}

static void refused(const char *name, json_t *value)
{
	struct device_answer answer = {.uri = "untouched"};
	struct problem problem = {0};
	char what[400], *text = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
	int r;

	snprintf(what, sizeof(what), "%s = %.300s", name, text ? text : "(none)");
	free(text);
	r = parse(200, with(device(), name, value), &answer, &problem);
	if (r != -EINVAL)
		fail_msg("%s: %d", what, r);
	if (!strstr(problem.text, name))
		fail_msg("%s: \"%s\"", what, problem.text);
	assert_string_equal(answer.uri, "untouched");
}

static void good_device_answers(void **state)
{
	struct device_answer answer;
	struct problem problem = {0};
	json_t *google;

	assert_result(parse(200, device(), &answer, &problem), 0);
	assert_string_equal(answer.device_code, "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS");
	assert_string_equal(answer.user_code, "WDJB-MJHT");
	assert_string_equal(answer.uri, "https://id.example/device");
	assert_string_equal(answer.uri_complete, "https://id.example/device?user_code=WDJB-MJHT");
	assert_int_equal(answer.expires_in, 1800);
	assert_int_equal(answer.interval, 7);
	/* As little as may be there, and what Google calls the address. */
	google = with(with(with(with(device(), "verification_uri", NULL), "verification_uri_complete", NULL),
			   "interval", NULL),
		      "verification_url", json_string("https://www.google.com/device"));
	assert_result(parse(200, google, &answer, &problem), 0);
	assert_string_equal(answer.uri, "https://www.google.com/device");
	assert_string_equal(answer.uri_complete, "");
	assert_int_equal(answer.interval, 5);
	assert_result(parse(200,
			    with(with(device(), "verification_uri_complete", json_null()), "message",
				 json_string("To sign in\n\x1b[2J open …")),
			    &answer, &problem),
		      0);
	assert_string_equal(answer.uri_complete, "");
	/* Numbers at their bounds. */
	assert_result(parse(200, with(device(), "interval", json_integer(0)), &answer, &problem), 0);
	assert_int_equal(answer.interval, 1);
	assert_result(parse(200, with(device(), "interval", json_integer(60)), &answer, &problem), 0);
	assert_int_equal(answer.interval, 60);
	assert_result(parse(200, with(device(), "interval", json_null()), &answer, &problem), 0);
	assert_int_equal(answer.interval, 5);
	assert_result(parse(200, with(device(), "expires_in", json_integer(1)), &answer, &problem), 0);
	assert_int_equal(answer.expires_in, 1);
	assert_result(parse(200, with(device(), "expires_in", json_integer(86400)), &answer, &problem), 0);
	assert_int_equal(answer.expires_in, 3600);
	assert_result(parse(200, with(device(), "expires_in", json_integer(INT64_MAX)), &answer, &problem), 0);
	assert_int_equal(answer.expires_in, 3600);
	assert_result(parse(200, with(device(), "user_code", json_string("123 456 789")), &answer, &problem), 0);
}

static void wrong_codes(void **state)
{
	static const char *const names[] = {"device_code", "user_code"};
	static const char *const bad[] = {
		"",
		" ",
		" A",
		"A ",
		"A\nB",
		"A\rB",
		"A\tB",
		"\x1b[2JA",
		"A\x7f",
		"A\xc2\x9b",
		"\xd0\x90",
		"A\xe2\x80\xaeZ",
		"\xf0\x9f\x98\x80",
		"A\xc2\xa0Z",
	};
	char longest[OIDC_DEVICE_CODE_MAX + 1];
	struct device_answer answer;
	struct problem problem = {0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t size = i == 0 ? OIDC_DEVICE_CODE_MAX : sizeof(((struct device_answer *)0)->user_code);

		for (size_t j = 0; j < ARRAY_LEN(bad); j++)
			refused(names[i], json_string(bad[j]));
		refused(names[i], NULL);
		refused(names[i], json_null());
		refused(names[i], json_integer(12345678));
		refused(names[i], json_pack("[s]", "A"));
		memset(longest, 'A', sizeof(longest));
		longest[size] = '\0';
		refused(names[i], json_string(longest));
		longest[size - 1] = '\0';
		assert_result(parse(200, with(device(), names[i], json_string(longest)), &answer, &problem), 0);
	}
	refused("device_code", json_string("A B"));
}

static void wrong_addresses(void **state)
{
	static const char *const names[] = {"verification_uri", "verification_uri_complete"};
	static const char *const bad[] = {
		"",
		"javascript:alert(1)",
		"http://id.example/device",
		"http://127.0.0.1/device",
		"HTTPS://id.example/device",
		"data:text/html,hello",
		"file:///etc/passwd",
		"/device",
		"//id.example",
		"id.example/device",
		"https://",
		"https:///device",
		"https://id.example/device\n",
		"https://id.example/\x1b[2J",
		"https://id.example/de vice",
		"https://id.example/\x7f",
		"https://id.example/\"><script>",
		"https://id.example\\device",
		"https://accounts.example@evil.example/",
		"https://id.example/#code",
		"https://id.exampl\xd0\xb5/device",
		"https://id.example/\xe2\x80\xae",
	};
	char longest[700] = "https://id.example/";
	struct device_answer answer;
	struct problem problem = {0};

	memset(longest + strlen(longest), 'a', sizeof(longest) - 1 - strlen(longest));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t size = i == 0 ? sizeof(answer.uri) : sizeof(answer.uri_complete);

		for (size_t j = 0; j < ARRAY_LEN(bad); j++)
			refused(names[i], json_string(bad[j]));
		refused(names[i], json_integer(1));
		longest[size] = '\0';
		refused(names[i], json_string(longest));
		longest[size - 1] = '\0';
		assert_result(parse(200, with(device(), names[i], json_string(longest)), &answer, &problem), 0);
		memset(longest + strlen("https://id.example/"), 'a',
		       sizeof(longest) - 1 - strlen("https://id.example/"));
	}
	refused("verification_uri", NULL);
	/* One is good and the other is not. */
	assert_result(parse(200, with(device(), "verification_url", json_string("javascript:1")), &answer, &problem),
		      0);
	assert_string_equal(answer.uri, "https://id.example/device");
}

static void wrong_numbers(void **state)
{
	static const int64_t bad_interval[] = {-1, 61, 3600, INT64_MAX, INT64_MIN}, bad_expiry[] = {0, -1, INT64_MIN};

	for (size_t i = 0; i < ARRAY_LEN(bad_interval); i++)
		refused("interval", json_integer(bad_interval[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad_expiry); i++)
		refused("expires_in", json_integer(bad_expiry[i]));
	refused("expires_in", NULL);
	refused("expires_in", json_null());
	refused("expires_in", json_string("1800"));
	refused("expires_in", json_real(1800.0));
	refused("interval", json_string("5"));
	refused("interval", json_real(5.0));
	refused("interval", json_true());
}

static void device_refusals(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
		int result;
		const char *reason;
	} table[] = {
		{400, "{\"error\":\"invalid_scope\"}", -EACCES, "refuses this client: invalid_scope"},
		{401, "{\"error\":\"invalid_client\",\"error_description\":\"Unknown client\"}", -EACCES,
		 "invalid_client: Unknown client"},
		{403, "{\"error\":\"access_denied\"}", -EACCES, "access_denied"},
		/* GitHub says no with 200. */
		{200,
		 "{\"error\":\"device_flow_disabled\",\"error_description\":\"Device Flow must be explicitly "
		 "enabled\"}",
		 -EACCES, "device_flow_disabled"},
		{400, "{\"error\":\"a\\u001b[2Jb\"}", -EACCES, "a\\x1b[2Jb"},
		{400, "{\"error\":\"a\",\"error_description\":\"line\\nline\"}", -EACCES, "line\\x0aline"},
		{400, "{\"error\":17}", -EACCES, "unreadable"},
		{400, "{\"error\":\"\"}", -EACCES, "unreadable"},
		{400, "{\"error\":null}", -EINVAL, "status 400"},
		{400, "{}", -EINVAL, "status 400"},
		{404, "<html>", -EINVAL, "status 404 and no JSON"},
		/* Its trouble, not its word about the client. */
		{500, "{\"error\":\"server_error\"}", -EINVAL, "status 500"},
		{503, "{\"error\":\"temporarily_unavailable\"}", -EINVAL, "status 503"},
		{429, "{\"error\":\"rate_limit_exceeded\"}", -EINVAL, "status 429"},
		{302, "{}", -EINVAL, "status 302"},
		{204, "", -EINVAL, "status 204"},
		{0, "{}", -EINVAL, "status 0"},
		{200, "", -EINVAL, "no JSON"},
		{200, "[]", -EINVAL, "no JSON object"},
		{200, "null", -EINVAL, "no JSON object"},
		{200, "device_code=1&user_code=2", -EINVAL, "no JSON"}, /* GitHub without "Accept" */
		{200, "{\"device_code\":\"a\",\"device_code\":\"b\"}", -EINVAL, "no JSON"},
	};
	static char large[OIDC_ANSWER_MAX + 2];
	struct device_answer answer;
	struct problem problem;
	json_t *good = device();
	char *text = json_dumps(good, 0), *good_text = text;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		problem = (struct problem){0};
		assert_result(
			device_answer_parse(table[i].status, table[i].text, strlen(table[i].text), &answer, &problem),
			table[i].result);
		if (!strstr(problem.text, table[i].reason))
			fail_msg("%s: %s", table[i].text, problem.text);
	}
	/* All that is needed, but not as an answer to what was asked. */
	assert_result(device_answer_parse(201, text, strlen(text), &answer, &problem), -EINVAL);
	assert_result(device_answer_parse(400, text, strlen(text), &answer, &problem), -EINVAL);
	memset(large, ' ', sizeof(large) - 1);
	memcpy(large, good_text, strlen(good_text));
	assert_result(device_answer_parse(200, large, OIDC_ANSWER_MAX, &answer, &problem), 0);
	assert_result(device_answer_parse(200, large, OIDC_ANSWER_MAX + 1, &answer, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "larger than"));
	free(text);
	json_decref(good);
}

/* ---- tokens ------------------------------------------------------------------------------------ */
static enum token_outcome outcome(unsigned status, const char *text)
{
	static struct token_answer answer;

	token_answer_parse(status, text, strlen(text), &answer);
	/* Only what was granted brings tokens along. */
	if (answer.outcome != TOKEN_GRANTED) {
		assert_string_equal(answer.access_token, "");
		assert_string_equal(answer.id_token, "");
	}
	return answer.outcome;
}

static void tokens_granted(void **state)
{
	static struct token_answer answer;
	static char text[3 * JWS_BYTES_MAX], token[JWS_BYTES_MAX + 2];
	static const char good[] = "{\"access_token\":\"at\",\"id_token\":\"a.b.c\",\"token_type\":\"Bearer\","
				   "\"expires_in\":3600,\"refresh_token\":\"rt\",\"scope\":\"openid\"}";

	token_answer_parse(200, good, strlen(good), &answer);
	assert_int_equal(answer.outcome, TOKEN_GRANTED);
	assert_string_equal(answer.access_token, "at");
	assert_string_equal(answer.id_token, "a.b.c");
	assert_string_equal(answer.error, "");
	assert_int_equal(outcome(200, "{\"access_token\":\"at\",\"token_type\":\"bearer\"}"), TOKEN_GRANTED);
	assert_int_equal(
		outcome(200, "{\"access_token\":\"at\",\"token_type\":\"BEARER\",\"id_token\":null,\"error\":null}"),
		TOKEN_GRANTED);
	/* Of the longest, and longer. */
	memset(token, 'a', JWS_BYTES_MAX + 1);
	for (size_t length = JWS_BYTES_MAX; length <= JWS_BYTES_MAX + 1; length++) {
		token[length] = '\0';
		snprintf(text, sizeof(text), "{\"access_token\":\"%s\",\"token_type\":\"Bearer\"}", token);
		assert_int_equal(outcome(200, text), length == JWS_BYTES_MAX ? TOKEN_GRANTED : TOKEN_UNREADABLE);
		snprintf(text, sizeof(text), "{\"access_token\":\"a\",\"id_token\":\"%s\",\"token_type\":\"Bearer\"}",
			 token);
		assert_int_equal(outcome(200, text), length == JWS_BYTES_MAX ? TOKEN_GRANTED : TOKEN_UNREADABLE);
		memset(token, 'a', JWS_BYTES_MAX + 1);
	}
}

static void tokens_not_granted(void **state)
{
	static const struct {
		unsigned status;
		const char *text;
		enum token_outcome outcome;
	} table[] = {
		{400, "{\"error\":\"authorization_pending\"}", TOKEN_PENDING},
		{428, "{\"error\":\"authorization_pending\"}", TOKEN_PENDING},                     /* Google */
		{200, "{\"error\":\"authorization_pending\",\"error_uri\":\"x\"}", TOKEN_PENDING}, /* GitHub */
		{400, "{\"error\":\"slow_down\"}", TOKEN_SLOW_DOWN},
		{403, "{\"error\":\"slow_down\"}", TOKEN_SLOW_DOWN},
		{200, "{\"error\":\"slow_down\",\"interval\":10}", TOKEN_SLOW_DOWN},
		{400, "{\"error\":\"access_denied\"}", TOKEN_DENIED},
		{403, "{\"error\":\"access_denied\"}", TOKEN_DENIED},
		{400, "{\"error\":\"authorization_declined\"}", TOKEN_DENIED}, /* Microsoft */
		{400, "{\"error\":\"expired_token\"}", TOKEN_EXPIRED},
		{200, "{\"error\":\"token_expired\"}", TOKEN_EXPIRED},
		{400, "{\"error\":\"invalid_grant\"}", TOKEN_REFUSED},
		{401, "{\"error\":\"invalid_client\"}", TOKEN_REFUSED},
		{200, "{\"error\":\"incorrect_device_code\"}", TOKEN_REFUSED},
		{400, "{\"error\":\"bad_verification_code\"}", TOKEN_REFUSED},
		{400, "{\"error\":\"Authorization_Pending\"}", TOKEN_REFUSED},
		{400, "{\"error\":17}", TOKEN_REFUSED},
		{400, "{\"error\":\"temporarily_unavailable\"}", TOKEN_AGAIN},
		{400, "{\"error\":\"server_error\"}", TOKEN_AGAIN},
		/* Its trouble: whatever else it says. */
		{429, "{\"error\":\"access_denied\"}", TOKEN_AGAIN},
		{500, "{\"error\":\"access_denied\"}", TOKEN_AGAIN},
		{502, "<html>", TOKEN_AGAIN},
		{503, "", TOKEN_AGAIN},
		{599, "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", TOKEN_AGAIN},
		{600, "{}", TOKEN_UNREADABLE},
		{200, "", TOKEN_UNREADABLE},
		{200, "{}", TOKEN_UNREADABLE},
		{200, "null", TOKEN_UNREADABLE},
		{200, "[{\"access_token\":\"at\",\"token_type\":\"Bearer\"}]", TOKEN_UNREADABLE},
		{200, "access_token=at&token_type=bearer", TOKEN_UNREADABLE},
		{400, "{}", TOKEN_UNREADABLE},
		{404, "Not found", TOKEN_UNREADABLE},
		{302, "", TOKEN_UNREADABLE},
		/* Granted by the wrong status, without a type, of another type, without a token. */
		{201, "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{400, "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"id_token\":\"a.b.c\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"token_type\":\"DPoP\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"token_type\":\"mac\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"token_type\":[\"Bearer\"]}", TOKEN_UNREADABLE},
		{200, "{\"id_token\":\"a.b.c\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":17,\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"id_token\":17,\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"id_token\":\"\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"id_token\":[\"a.b.c\"],\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		/* What would break out of a header. */
		{200, "{\"access_token\":\"at\\r\\nX-Evil: 1\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"a t\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"\\u00e9\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\\u0000\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		{200, "{\"access_token\":\"at\",\"access_token\":\"at2\",\"token_type\":\"Bearer\"}", TOKEN_UNREADABLE},
		/* Both: it said no. */
		{200, "{\"access_token\":\"at\",\"token_type\":\"Bearer\",\"error\":\"access_denied\"}", TOKEN_DENIED},
		{200, "{\"access_token\":\"at\",\"token_type\":\"Bearer\",\"error\":\"\"}", TOKEN_REFUSED},
	};
	static char large[OIDC_ANSWER_MAX + 2];
	static const char small[] = "{\"access_token\":\"at\",\"token_type\":\"Bearer\"}";
	static struct token_answer answer;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (outcome(table[i].status, table[i].text) != table[i].outcome)
			fail_msg("%u %s: %d", table[i].status, table[i].text,
				 (int)outcome(table[i].status, table[i].text));
	memset(large, ' ', sizeof(large) - 1);
	memcpy(large, small, strlen(small));
	token_answer_parse(200, large, OIDC_ANSWER_MAX, &answer);
	assert_int_equal(answer.outcome, TOKEN_GRANTED);
	token_answer_parse(200, large, OIDC_ANSWER_MAX + 1, &answer);
	assert_int_equal(answer.outcome, TOKEN_UNREADABLE);
	assert_string_equal(answer.access_token, "");
}

/* What is said about an error goes to logs and people. */
static void errors_can_be_shown(void **state)
{
	static struct token_answer answer;
	static char text[OIDC_ANSWER_MAX];
	static const char bad[] = "{\"error\":\"a\\u001b[31m\\n\",\"error_description\":\"x\\u202ey\\u0007\"}";

	token_answer_parse(400, bad, strlen(bad), &answer);
	assert_int_equal(answer.outcome, TOKEN_REFUSED);
	assert_string_equal(answer.error, "a\\x1b[31m\\x0a");
	assert_null(strchr(answer.description, 7));
	assert_null(strstr(answer.description, "\xe2\x80\xae"));
	snprintf(text, sizeof(text), "{\"error\":\"%*s\",\"error_description\":\"%*s\"}", 3000, "e", 3000, "d");
	token_answer_parse(400, text, strlen(text), &answer);
	assert_int_equal(answer.outcome, TOKEN_REFUSED);
	assert_true(strlen(answer.error) < sizeof(answer.error));
	assert_true(strlen(answer.description) < sizeof(answer.description));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_device_answers), cmocka_unit_test(wrong_codes),
		cmocka_unit_test(wrong_addresses),     cmocka_unit_test(wrong_numbers),
		cmocka_unit_test(device_refusals),     cmocka_unit_test(tokens_granted),
		cmocka_unit_test(tokens_not_granted),  cmocka_unit_test(errors_can_be_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
