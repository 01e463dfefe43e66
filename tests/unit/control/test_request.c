/* SPDX-License-Identifier: MIT
 *
 * Targets, bodies, answers, conditions and pages, without a server.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../unit.h"
#include "control_plane/http/router.h"
#include "json/json_read.h"

/* The one header that a test's request has. */
static const char *header_name, *header_value;

static const char *header(const struct request *request, const char *name)
{
	return header_name && strcasecmp(name, header_name) == 0 ? header_value : NULL;
}

static void make(struct request *request, enum http_method method)
{
	assert_int_equal(request_init(request, NULL), 0);
	request->method = method;
	request->header = header;
	header_name = header_value = NULL;
}

static const char *body_text(struct request *request)
{
	return buffer_text(&request->response.body);
}

static void takes_targets(void **state)
{
	struct request request;

	make(&request, HTTP_GET);
	assert_int_equal(request_target(&request, "/v1/users?limit=5&cursor=a%20b+c&empty="), 0);
	assert_string_equal(request.path, "/v1/users");
	assert_string_equal(request_query(&request, "limit"), "5");
	assert_string_equal(request_query(&request, "cursor"), "a b c");
	assert_string_equal(request_query(&request, "empty"), "");
	assert_null(request_query(&request, "none"));
	request_finish(&request);
}

static void refuses_targets(void **state)
{
	static const char *const targets[] = {
		"",
		"*",
		"a",
		"http://a/b",
		"//a",
		"/a//b",
		"/a/",
		"/a/./b",
		"/a/../b",
		"/..",
		"/.",
		"/a b",
		"/a#b",
		"/a\tb",
		"/a\\b",
		"/a\"b",
		"/a<b>",
		"/a\x7F",
		"/\xC3\xA4",
		"/a?b=1&b=2",
		"/a?b&b",
		"/a?b=%00",
		"/a?b=%0A",
		"/a?b=%",
		"/a?b=%f",
		"/a?b=%ff",
		"/a?=1",
		"/a?&",
		"/a?b=1&",
		"/a?b=1&&c=2",
		"/a?b=\x01",
		"/a?%62=1&b=2",
		("/a?1=&2=&3=&4=&5=&6=&7=&8=&9=&10=&11=&12=&13=&14=&15=&16=&17=&18=&19=&20=&21=&22=&23=&24=&25=&26=&27="
		 "&28=&29=&30=&31=&32=&33="),
	};

	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		struct request request;

		make(&request, HTTP_GET);
		if (request_target(&request, targets[i]) != 1 || request.response.status != 400)
			fail_msg("'%s' was taken", targets[i]);
		request_finish(&request);
	}
}

static void refuses_long_targets(void **state)
{
	struct request request;
	char target[4200];

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[4097] = '\0';
	make(&request, HTTP_GET);
	assert_int_equal(request_target(&request, target), 1);
	assert_int_equal(request.response.status, 414);
	target[4096] = '\0';
	assert_int_equal(request_target(&request, target), 0);
	request_finish(&request);
}

static int never(struct request *request)
{
	return 0;
}

static unsigned parse(enum http_method method, unsigned flags, const char *type, const char *text)
{
	const struct route route = {.method = method,
				    .pattern = "/",
				    .access = ROUTE_PUBLIC,
				    .action = "public",
				    .flags = flags,
				    .handle = never};
	struct request request;
	unsigned status;

	make(&request, method);
	header_name = "content-type";
	header_value = type;
	request.route = &route;
	request.raw = text;
	request.raw_length = strlen(text);
	status = request_parse_body(&request) ? request.response.status : 0;
	if (status == 0 && (flags & ROUTE_FORM))
		assert_string_equal(json_string_value(json_object_get(request.body, "a")), "1 2");
	request_finish(&request);
	return status;
}

static void judges_bodies(void **state)
{
	static const struct {
		enum http_method method;
		unsigned flags;
		const char *type, *text;
		unsigned status;
	} cases[] = {
		{HTTP_POST, 0, "application/json", "{}", 0},
		{HTTP_POST, 0, "application/json;charset=UTF-8", "{}", 0},
		{HTTP_POST, 0, "Application/JSON ; charset=\"utf-8\"", "{}", 0},
		{HTTP_PATCH, 0, "application/merge-patch+json", "{}", 0},
		{HTTP_POST, 0, "application/merge-patch+json", "{}", 415},
		{HTTP_POST, 0, "application/json; charset=latin1", "{}", 415},
		{HTTP_POST, 0, "application/jsonx", "{}", 415},
		{HTTP_POST, 0, "text/plain", "{}", 415},
		{HTTP_POST, 0, NULL, "{}", 415},
		{HTTP_POST, 0, "application/json", "", 400},
		{HTTP_POST, 0, "application/json", "[]", 400},
		{HTTP_POST, 0, "application/json", "null", 400},
		{HTTP_POST, 0, "application/json", "{\"a\":1,\"a\":2}", 400},
		{HTTP_POST, 0, "application/json", "{\"a\":{\"b\":1,\"b\":2}}", 400},
		{HTTP_POST, 0, "application/json", "{} {}", 400},
		{HTTP_POST, 0, "application/json", "{\"a\":\"\\u0000\"}", 400},
		{HTTP_POST, 0, "application/json", "{\"a\":\"\xFF\"}", 400},
		{HTTP_POST, 0, "application/json", "{\"a\":1e999}", 400},
		{HTTP_GET, 0, NULL, "", 0},
		{HTTP_GET, 0, "application/json", "{}", 400},
		{HTTP_DELETE, 0, "application/json", "{}", 400},
		{HTTP_POST, ROUTE_NO_BODY, NULL, "", 0},
		{HTTP_POST, ROUTE_NO_BODY, "application/json", "{}", 400},
		{HTTP_POST, ROUTE_RAW, "text/plain", "anything", 0},
		{HTTP_POST, ROUTE_FORM, "application/x-www-form-urlencoded", "a=1+2&b=", 0},
		{HTTP_POST, ROUTE_FORM, "application/json", "a=1+2", 415},
		{HTTP_POST, ROUTE_FORM, "application/x-www-form-urlencoded", "a=1&a=2", 400},
		{HTTP_POST, ROUTE_FORM, "application/x-www-form-urlencoded", "a", 400},
		{HTTP_POST, ROUTE_FORM, "application/x-www-form-urlencoded", "a=%00", 400},
		{HTTP_POST, ROUTE_FORM, "application/x-www-form-urlencoded", "=b", 400},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned status = parse(cases[i].method, cases[i].flags, cases[i].type, cases[i].text);

		if (status != cases[i].status)
			fail_msg("case %zu ('%s'): %u", i, cases[i].text, status);
	}
}

static void refuses_deep_json(void **state)
{
	char text[256] = "{\"a\":";

	memset(text + strlen(text), '[', 100);
	assert_int_equal(parse(HTTP_POST, 0, "application/json", text), 400);
}

static void makes_problems(void **state)
{
	_cleanup_(json_decrefp) json_t *body = NULL;
	struct problem problem = {0};
	struct request request;

	for (int type = 0; type < PROBLEM_TYPE_COUNT; type++) {
		assert_non_null(problem_kind(type)->name);
		assert_true(problem_kind(type)->status >= 400 && problem_kind(type)->status < 600);
	}
	make(&request, HTTP_POST);
	respond_header(&request, "ETag", "\"1\"");
	respond_json(&request, 200, json_pack("{s:s}", "key", "secret"));
	respond_invalid(&request, "login", "not \"good\"\n");
	assert_int_equal(request.response.status, 400);
	assert_string_equal(request.response.content_type, "application/problem+json");
	assert_int_equal(request.response.header_count, 0);
	assert_null(strstr(body_text(&request), "secret"));
	assert_int_equal(json_read(body_text(&request), request.response.body.length, &body, &problem), 0);
	assert_string_equal(json_string_value(json_object_get(body, "type")), "urn:tenantd:problem:invalid-field");
	assert_string_equal(json_string_value(json_object_get(body, "field")), "login");
	assert_string_equal(json_string_value(json_object_get(body, "detail")), "not \"good\"\n");
	assert_string_equal(json_string_value(json_object_get(body, "request_id")), request.id);
	respond_retry(&request, PROBLEM_UNAVAILABLE, 7, NULL);
	assert_int_equal(request.response.status, 503);
	assert_string_equal(request.response.headers[0].name, "Retry-After");
	assert_string_equal(request.response.headers[0].value, "7");
	request_finish(&request);
}

static int match(enum http_method method, const char *value)
{
	struct request request;
	int status;

	make(&request, method);
	header_name = "If-Match";
	header_value = value;
	status = request_if_match(&request, 7) ? (int)request.response.status : 0;
	request_finish(&request);
	return status;
}

static void judges_if_match(void **state)
{
	assert_int_equal(match(HTTP_PATCH, "\"7\""), 0);
	assert_int_equal(match(HTTP_PATCH, "\"6\", \"7\""), 0);
	assert_int_equal(match(HTTP_PATCH, "*"), 0);
	assert_int_equal(match(HTTP_DELETE, NULL), 0);
	assert_int_equal(match(HTTP_PATCH, NULL), 428);
	assert_int_equal(match(HTTP_PUT, NULL), 428);
	assert_int_equal(match(HTTP_PATCH, "\"6\""), 412);
	assert_int_equal(match(HTTP_DELETE, "\"6\""), 412);
	assert_int_equal(match(HTTP_PATCH, "W/\"7\""), 412);
	assert_int_equal(match(HTTP_PATCH, "7"), 412);
	assert_int_equal(match(HTTP_PATCH, "\"7"), 412);
	assert_int_equal(match(HTTP_PATCH, "\"77\""), 412);
	assert_int_equal(match(HTTP_PATCH, ""), 412);
	assert_int_equal(match(HTTP_PATCH, "**"), 412);
}

static unsigned read_record(const char *none_match)
{
	struct request request;
	unsigned status;

	make(&request, HTTP_GET);
	header_name = "If-None-Match";
	header_value = none_match;
	respond_record(&request, 200, 7, json_pack("{}"));
	assert_string_equal(request.response.headers[0].value, "\"7\"");
	status = request.response.status;
	assert_int_equal(request.response.body.length, status == 304 ? 0 : 2);
	request_finish(&request);
	return status;
}

static void answers_not_modified(void **state)
{
	assert_int_equal(read_record("\"7\""), 304);
	assert_int_equal(read_record("W/\"7\""), 304);
	assert_int_equal(read_record("*"), 304);
	assert_int_equal(read_record("\"6\""), 200);
	assert_int_equal(read_record("7"), 200);
	assert_int_equal(read_record(NULL), 200);
}

static unsigned page(const char *target, struct page *ret)
{
	struct request request;
	unsigned status;

	make(&request, HTTP_GET);
	assert_int_equal(request_target(&request, target), 0);
	status = request_page(&request, ret) ? request.response.status : 0;
	request_finish(&request);
	return status;
}

static void judges_pages(void **state)
{
	struct page got;
	char long_cursor[400];

	assert_int_equal(page("/a", &got), 0);
	assert_int_equal(got.limit, 100);
	assert_int_equal(page("/a?limit=1000", &got), 0);
	assert_int_equal(got.limit, 1000);
	assert_int_equal(page("/a?limit=0", &got), 400);
	assert_int_equal(page("/a?limit=1001", &got), 400);
	assert_int_equal(page("/a?limit=-1", &got), 400);
	assert_int_equal(page("/a?limit=", &got), 400);
	assert_int_equal(page("/a?limit=ten", &got), 400);
	snprintf(long_cursor, sizeof(long_cursor), "/a?cursor=%0300d", 1);
	assert_int_equal(page(long_cursor, &got), 400);
}

static void renders_pages(void **state)
{
	struct request request;

	make(&request, HTTP_GET);
	respond_page(&request, json_pack("[s]", "a"), "a");
	assert_string_equal(body_text(&request), "{\"items\":[\"a\"],\"next\":\"a\"}");
	respond_page(&request, json_array(), NULL);
	assert_string_equal(body_text(&request), "{\"items\":[],\"next\":null}");
	request_finish(&request);
}

static void fills_fields(void **state)
{
	struct {
		const char *name;
		uint32_t count;
	} out = {NULL, 3};
	const struct json_field fields[] = {
		{"name", JSON_FIELD_STRING, 0, JSON_FIELD_REQUIRED},
		{"count", JSON_FIELD_U32, offsetof(__typeof__(out), count), 0},
	};
	struct request request;

	make(&request, HTTP_POST);
	request.body = json_pack("{s:s}", "name", "a");
	assert_int_equal(request_fields(&request, fields, 2, &out), 0);
	assert_string_equal(out.name, "a");
	assert_int_equal(out.count, 3);
	json_object_set_new(request.body, "more", json_true());
	assert_int_equal(request_fields(&request, fields, 2, &out), 1);
	assert_int_equal(request.response.status, 400);
	assert_non_null(strstr(body_text(&request), "\"field\":\"more\""));
	request_finish(&request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_targets),        cmocka_unit_test(refuses_targets),
		cmocka_unit_test(refuses_long_targets), cmocka_unit_test(judges_bodies),
		cmocka_unit_test(refuses_deep_json),    cmocka_unit_test(makes_problems),
		cmocka_unit_test(judges_if_match),      cmocka_unit_test(answers_not_modified),
		cmocka_unit_test(judges_pages),         cmocka_unit_test(renders_pages),
		cmocka_unit_test(fills_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
