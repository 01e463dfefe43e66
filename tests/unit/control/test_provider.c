/* SPDX-License-Identifier: MIT
 *
 * The pure parts of the provider: codes, sealed forms, the words of OAuth, and pages with whatever is put into them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "base/text.h"
#include "control_plane/provider/form_seal.h"
#include "control_plane/provider/oauth.h"
#include "control_plane/provider/page.h"

#define CODE "WDJBMJHT"
#define NOW 1800000000
#define WITH_SHARP_S "\xC3\x9F\104JBMJHT" /* D in octal: it would be a digit of the escape before it */

/* ---- codes -------------------------------------------------------------------------------------------------- */
static void codes_are_random_consonants(void **state)
{
	static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";
	unsigned counts[256] = {0}, all = 0;

	for (int i = 0; i < 2000; i++) {
		char code[USER_CODE_SIZE];

		assert_result(user_code_make(code), 0);
		assert_int_equal(strlen(code), USER_CODE_CHARS);
		assert_int_equal(strspn(code, letters), USER_CODE_CHARS);
		for (size_t j = 0; j < USER_CODE_CHARS; j++, all++)
			counts[(unsigned char)code[j]]++;
	}
	/* 800 of each: one that is left out or twice as likely is no accident. */
	for (size_t i = 0; i < sizeof(letters) - 1; i++) {
		assert_true(counts[(unsigned char)letters[i]] > 600);
		assert_true(counts[(unsigned char)letters[i]] < 1000);
	}
}

static void codes_are_read_as_people_type_them(void **state)
{
	static const char *const good[] = {CODE,        "WDJB-MJHT",         "wdjb-mjht",
					   "wdjb mjht", " w-d-j-b-m-j-h-t ", "WdJb--MjHt"};
	static const char *const bad[] = {"",         "-",          "WDJBMJH",    "WDJBMJHTT", "WDJB_MJHT", "ADJBMJHT",
					  "WDJBMJH1", "WDJB\tMJHT", "WDJB-MJH\n", "WDJBMJHT'", WITH_SHARP_S};
	char code[USER_CODE_SIZE], shown[USER_CODE_SHOWN_SIZE];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_result(user_code_parse(good[i], code), 0);
		assert_string_equal(code, CODE);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(code, sizeof(code), "%s", "untouch");
		assert_result(user_code_parse(bad[i], code), -EINVAL);
		assert_string_equal(code, "untouch");
	}
	user_code_show(CODE, shown);
	assert_string_equal(shown, "WDJB-MJHT");
}

/* ---- sealed forms --------------------------------------------------------------------------------------------- */
static const struct seal_key key = {{7}}, other_key = {{8}};

static void forms_come_back(void **state)
{
	struct arena arena;
	const char *first, *second;
	char code[USER_CODE_SIZE] = "";

	arena_init(&arena);
	first = form_seal(&key, &arena, FORM_CODE, NULL, NOW);
	second = form_seal(&key, &arena, FORM_DECISION, CODE, NOW);
	assert_non_null(first);
	assert_non_null(second);
	assert_result(form_open(&key, FORM_CODE, first, NOW, code), 0);
	assert_string_equal(code, "");
	assert_result(form_open(&key, FORM_DECISION, second, NOW + FORM_SECONDS, code), 0);
	assert_string_equal(code, CODE);
	/* Another replica's clock may be a little behind. */
	assert_result(form_open(&key, FORM_CODE, first, NOW - 60, code), 0);
	/* The same form is never the same text. */
	assert_string_not_equal(first, form_seal(&key, &arena, FORM_CODE, NULL, NOW));
	/* It says nothing to those who read it. */
	assert_null(strstr(second, CODE));
	arena_finish(&arena);
}

static void forms_are_for_their_step_and_time(void **state)
{
	struct arena arena;
	const char *first, *second;
	char code[USER_CODE_SIZE] = "", changed[512];

	arena_init(&arena);
	first = form_seal(&key, &arena, FORM_CODE, NULL, NOW);
	second = form_seal(&key, &arena, FORM_DECISION, CODE, NOW);
	assert_result(form_open(&key, FORM_DECISION, first, NOW, code), -EBADMSG);
	assert_result(form_open(&key, FORM_CODE, second, NOW, code), -EBADMSG);
	assert_result(form_open(&other_key, FORM_CODE, first, NOW, code), -EBADMSG);
	assert_result(form_open(&key, FORM_CODE, first, NOW + FORM_SECONDS + 1, code), -ESTALE);
	assert_result(form_open(&key, FORM_DECISION, second, NOW + FORM_SECONDS + 1, code), -ESTALE);
	assert_result(form_open(&key, FORM_CODE, first, NOW - 61, code), -ESTALE);
	for (size_t i = 0; first[i]; i++) {
		(void)snprintf(changed, sizeof(changed), "%s", first);
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_result(form_open(&key, FORM_CODE, changed, NOW, code), -EBADMSG);
		changed[i] = '\0';
		assert_result(form_open(&key, FORM_CODE, changed, NOW, code), -EBADMSG);
	}
	memset(changed, 'A', sizeof(changed) - 1);
	changed[sizeof(changed) - 1] = '\0';
	assert_result(form_open(&key, FORM_CODE, changed, NOW, code), -EBADMSG);
	arena_finish(&arena);
}

/* What the same key has sealed for other things is no form. */
static void other_seals_are_no_forms(void **state)
{
	_cleanup_(buffer_finish) struct buffer sealed = BUFFER_INIT;
	char code[USER_CODE_SIZE], text[512];
	static const char plain[] = "code 1800000000 ";

	assert_result(seal(&key, "idempotency", plain, strlen(plain), &sealed), 0);
	text_to_hex(sealed.data, sealed.length, text);
	assert_result(form_open(&key, FORM_CODE, text, NOW, code), -EBADMSG);
}

/* ---- OAuth ---------------------------------------------------------------------------------------------------- */
static void clients_and_scopes(void **state)
{
	static const char *const bad[] = {"",
					  "ten_",
					  "ten_AAAAAAAAAAAAAAA",
					  "ten_AAAAAAAAAAAAAAAAA",
					  "ten_AAAAAAAAAAAAAAA-",
					  "usr_AAAAAAAAAAAAAAAA",
					  "TEN_AAAAAAAAAAAAAAAA",
					  " ten_AAAAAAAAAAAAAAAA"};

	assert_true(oauth_is_client("ten_0aZ9AAAAAAAAAAAA"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(oauth_is_client(bad[i]));
	assert_true(oauth_scope_has("openid", "openid"));
	assert_true(oauth_scope_has("email openid", "openid"));
	assert_true(oauth_scope_has(" email  openid ", "openid"));
	assert_false(oauth_scope_has("openid2", "openid"));
	assert_false(oauth_scope_has("xopenid", "openid"));
	assert_false(oauth_scope_has("", "openid"));
	assert_false(oauth_scope_has(NULL, "openid"));
}

static int nothing(struct request *request)
{
	return 0;
}

static void problems_in_oauths_words(void **state)
{
	static const struct {
		enum problem_type type;
		unsigned status;
		const char *error;
	} cases[] = {
		{PROBLEM_BAD_REQUEST, 400, "invalid_request"},
		{PROBLEM_UNSUPPORTED_MEDIA, 400, "invalid_request"},
		{PROBLEM_BROKEN, 500, "server_error"},
		{PROBLEM_TOO_MANY, 429, "temporarily_unavailable"},
		{PROBLEM_UNAVAILABLE, 503, "temporarily_unavailable"},
	};
	static const struct route route = {
		.method = HTTP_POST, .pattern = "/x", .handle = nothing, .problem = oauth_problem};
	struct request request;

	assert_result(request_init(&request, NULL), 0);
	request.route = &route;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool wait = cases[i].type == PROBLEM_TOO_MANY || cases[i].type == PROBLEM_UNAVAILABLE;
		char expected[128];

		respond_header(&request, "ETag", "\"1\"");
		if (wait)
			respond_retry(&request, cases[i].type, 7, "%s", "\"why\"");
		else
			respond_problem(&request, cases[i].type, "%s", "\"why\"");
		(void)snprintf(expected, sizeof(expected), "{\"error\":\"%s\",\"error_description\":\"\\\"why\\\"\"}",
			       cases[i].error);
		assert_string_equal(buffer_text(&request.response.body), expected);
		assert_int_equal(request.response.status, cases[i].status);
		assert_string_equal(request.response.content_type, "application/json");
		/* What was there before does not show through. */
		for (uint32_t j = 0; j < request.response.header_count; j++)
			assert_string_not_equal(request.response.headers[j].name, "ETag");
		assert_int_equal(request.response.header_count, wait ? 2 : 1);
	}
	request_finish(&request);
}

/* ---- pages ---------------------------------------------------------------------------------------------------- */
#define HOSTILE "<script>alert('1')</script>\" onfocus=\"alert(2)&amp;\xC3\xA4"
#define ESCAPED "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onfocus=&quot;alert(2)&amp;amp;\xC3\xA4"

static size_t count(const char *text, const char *word)
{
	size_t found = 0;

	for (; (text = strstr(text, word)); text += strlen(word))
		found++;
	return found;
}

static void everything_is_escaped(void **state)
{
	_cleanup_(buffer_finish) struct buffer page = BUFFER_INIT;

	page_escape(&page, HOSTILE);
	assert_string_equal(buffer_text(&page), ESCAPED);
	buffer_clear(&page);
	page_code(&page, &(struct page_code){.form = HOSTILE, .code = HOSTILE, .alert = HOSTILE});
	assert_int_equal(count(buffer_text(&page), ESCAPED), 3);
	assert_null(strstr(page.data, "<script"));
	buffer_clear(&page);
	page_decision(&page, &(struct page_decision){.form = HOSTILE,
						     .alert = HOSTILE,
						     .code = HOSTILE,
						     .tenant = HOSTILE,
						     .host = HOSTILE,
						     .source = HOSTILE,
						     .ago = HOSTILE,
						     .email = HOSTILE});
	assert_int_equal(count(buffer_text(&page), ESCAPED), 8);
	assert_null(strstr(page.data, "<script"));
	buffer_clear(&page);
	page_end(&page, &(struct page_end){.title = HOSTILE, .text = HOSTILE, .link = HOSTILE});
	assert_int_equal(count(buffer_text(&page), ESCAPED), 4); /* the title is a heading, too */
	assert_null(strstr(page.data, "<script"));
}

static void what_is_not_known_is_left_out(void **state)
{
	_cleanup_(buffer_finish) struct buffer page = BUFFER_INIT;

	page_decision(
		&page,
		&(struct page_decision){
			.form = "f", .code = "c", .tenant = "t", .host = "", .source = "s", .ago = "a", .email = ""});
	assert_null(strstr(buffer_text(&page), ">Host<"));
	assert_null(strstr(page.data, "role=\"alert\""));
	assert_non_null(strstr(page.data, "formnovalidate"));
	/* Who presses Enter in the password's field approves: the first button does it. */
	assert_true(strstr(page.data, "value=\"approve\"") < strstr(page.data, "value=\"deny\""));
}

static void the_policy_lets_nothing_in(void **state)
{
	char policy[PAGE_POLICY_SIZE];

	assert_result(page_policy(policy), 0);
	assert_true(text_starts(policy, "default-src 'none'; style-src 'sha256-"));
	assert_non_null(strstr(policy, "frame-ancestors 'none'"));
	assert_null(strstr(policy, "unsafe"));
	assert_true(strlen(policy) + 1 < sizeof(policy));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(codes_are_random_consonants),
		cmocka_unit_test(codes_are_read_as_people_type_them),
		cmocka_unit_test(forms_come_back),
		cmocka_unit_test(forms_are_for_their_step_and_time),
		cmocka_unit_test(other_seals_are_no_forms),
		cmocka_unit_test(clients_and_scopes),
		cmocka_unit_test(problems_in_oauths_words),
		cmocka_unit_test(everything_is_escaped),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(the_policy_lets_nothing_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
