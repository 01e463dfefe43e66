/* SPDX-License-Identifier: MIT
 *
 * Which route answers to which path, and which tables of routes do not start.
 */
#include <string.h>

#include "../unit.h"
#include "control_plane/api/routes.h"
#include "control_plane/http/router.h"

static int one(struct request *request)
{
	return 1;
}

static int two(struct request *request)
{
	return 2;
}

static const struct route good[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}", ROUTE_TENANT, "project.view", 0, one),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, one),
	ROUTE(HTTP_GET, "/v1/hosts/{host}", ROUTE_OPERATOR, "host.view", 0, one),
	ROUTE(HTTP_GET, "/v1/hosts/self", ROUTE_HOST, "host", 0, two),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/users/{user}", ROUTE_TENANT, "project.view", 0, one),
	ROUTE(HTTP_GET, "/metrics", ROUTE_INTERNAL, "internal", ROUTE_NO_TX, one),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/tile/{path}", ROUTE_TENANT, "project.view", 0, two),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/tile/newest", ROUTE_TENANT, "project.view", 0, one),
	ROUTE(HTTP_GET, "/", ROUTE_PUBLIC, "public", ROUTE_NO_TX, one),
};
static const struct route_table table = {good, ARRAY_LEN(good)};
static const struct route_table *const tables[] = {&table};

static const struct route *find(enum http_method method, const char *path, struct request *request, unsigned *methods)
{
	assert_int_equal(request_init(request, NULL), 0);
	return routes_find(tables, 1, method, path, request, methods);
}

static void finds_and_fills(void **state)
{
	struct request request;
	unsigned methods;
	const struct route *route = find(HTTP_GET, "/v1/tenants/ten_1/users/a%2Db", &request, &methods);

	assert_non_null(route);
	assert_string_equal(route->pattern, "/v1/tenants/{tenant}/users/{user}");
	assert_string_equal(request.params[0], "ten_1");
	assert_string_equal(request.params[1], "a-b");
	assert_int_equal(methods, 1U << HTTP_GET);
	request_finish(&request);
}

static void plain_parts_win(void **state)
{
	struct request request;
	unsigned methods;
	const struct route *route = find(HTTP_GET, "/v1/hosts/self", &request, &methods);

	assert_ptr_equal(route->handle, two);
	request_finish(&request);
	route = find(HTTP_GET, "/v1/hosts/selfish", &request, &methods);
	assert_ptr_equal(route->handle, one);
	request_finish(&request);
}

static void the_rest_of_a_path_is_one_parameter(void **state)
{
	static const struct {
		const char *path, *rest;
	} fine[] = {
		{"/v1/tenants/ten_1/tile/0/x001/002.p/3", "0/x001/002.p/3"},
		{"/v1/tenants/ten_1/tile/0", "0"},
		{"/v1/tenants/ten_1/tile/newest/0", "newest/0"},
		{"/v1/tenants/ten_1/tile/a/%62", "a/b"},
	};
	static const char *const none[] = {"/v1/tenants/ten_1/tile", "/v1/tenants/ten_1/tile/",
					   "/v1/tenants/ten_1/tile/a%00/b"};
	struct request request;
	unsigned methods;

	for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
		const struct route *route = find(HTTP_GET, fine[i].path, &request, &methods);

		assert_non_null(route);
		assert_ptr_equal(route->handle, two);
		assert_string_equal(request.params[0], "ten_1");
		assert_string_equal(request.params[1], fine[i].rest);
		request_finish(&request);
	}
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		assert_null(find(HTTP_GET, none[i], &request, &methods));
		request_finish(&request);
	}
	assert_ptr_equal(find(HTTP_GET, "/v1/tenants/ten_1/tile/newest", &request, &methods)->handle, one);
	request_finish(&request);
}

static void says_other_methods(void **state)
{
	struct request request;
	unsigned methods;

	assert_null(find(HTTP_DELETE, "/v1/tenants/ten_1", &request, &methods));
	assert_int_equal(methods, 1U << HTTP_GET | 1U << HTTP_PATCH);
	request_finish(&request);
	/* What only the secret's holders may know of is not told by its methods. */
	assert_null(find(HTTP_POST, "/metrics", &request, &methods));
	assert_int_equal(methods, 0);
	request_finish(&request);
}

static void refuses_paths(void **state)
{
	static const char *const paths[] = {
		"",
		"/v1",
		"/v1/tenants",
		"/v1/tenants/",
		"/v1/tenants/ten_1/",
		"/v1/tenants/ten_1/users",
		"/v1/tenants/ten_1/users/",
		"/v1/tenants/ten_1/users/a/b",
		"/v1/tenants/a%2Fb",
		"/v1/tenants/a%00",
		"/v1/tenants/a%0A",
		"/v1/tenants/a%",
		"/v1/tenants/a%4",
		"/v1/tenants/a%zz",
		"/v1/tenants/%FF",
		"/v1/tenants/%C0%80",
		"/V1/tenants/ten_1",
		"/v1/%74enants/ten_1",
		"/v1/hosts/self/",
		"//",
		"/metrics/x",
	};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct request request;
		unsigned methods;

		if (find(HTTP_GET, paths[i], &request, &methods) || methods != 0)
			fail_msg("'%s' has a route", paths[i]);
		request_finish(&request);
	}
}

static void refuses_long_parameters(void **state)
{
	char path[256] = "/v1/tenants/";
	struct request request;
	unsigned methods;

	memset(path + strlen(path), 'a', 128);
	assert_non_null(find(HTTP_GET, path, &request, &methods));
	request_finish(&request);
	path[strlen(path)] = 'a';
	assert_null(find(HTTP_GET, path, &request, &methods));
	request_finish(&request);
}

static void checks_tables(void **state)
{
	static const struct {
		struct route routes[2];
		const char *text;
	} cases[] = {
		{{ROUTE(HTTP_GET, "/a", ROUTE_TENANT, "project.view", 0, one)}, "{tenant} comes first"},
		{{ROUTE(HTTP_GET, "/{user}/{tenant}", ROUTE_TENANT, "project.view", 0, one)}, "{tenant} comes first"},
		{{ROUTE(HTTP_GET, "/{tenant}", ROUTE_PROJECT, "project.view", 0, one)}, "{project} comes second"},
		{{ROUTE(HTTP_GET, "/{tenant}", ROUTE_TENANT, "no.such.action", 0, one)}, "is none"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_PUBLIC, "internal", 0, one)}, "is none"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_INTERNAL, "public", 0, one)}, "is none"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_OPERATOR, "public", 0, one)}, "is none"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_HOST, "public", 0, one)}, "is none"},
		{{ROUTE(HTTP_GET, "/{path}/a", ROUTE_PUBLIC, "public", 0, one)}, "comes last"},
		{{ROUTE(HTTP_GET, "/{what}", ROUTE_PUBLIC, "public", 0, one)}, "unknown parameter"},
		{{ROUTE(HTTP_GET, "a", ROUTE_PUBLIC, "public", 0, one)}, "begins with '/'"},
		{{ROUTE(HTTP_GET, "/A", ROUTE_PUBLIC, "public", 0, one)}, "not plain"},
		{{ROUTE(HTTP_GET, "/a//b", ROUTE_PUBLIC, "public", 0, one)}, "not plain"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_PUBLIC, "public", 0, NULL)}, "no pattern, method or handler"},
		{{ROUTE(HTTP_GET, "/a", ROUTE_PUBLIC, "public", ROUTE_WRITES, one)}, "GET does not write"},
		{{ROUTE(HTTP_POST, "/a", ROUTE_PUBLIC, "public", ROUTE_WRITES | ROUTE_NO_TX, one)}, "no transaction"},
		{{ROUTE(HTTP_GET, "/{user}/{user}/{user}/{user}/{user}", ROUTE_PUBLIC, "public", 0, one)}, "too many"},
		{{ROUTE(HTTP_GET, "/a/{user}", ROUTE_PUBLIC, "public", 0, one),
		  ROUTE(HTTP_GET, "/a/{key}", ROUTE_PUBLIC, "public", 0, two)},
		 "two routes"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct route_table bad = {cases[i].routes, cases[i].routes[1].pattern ? 2 : 1};
		const struct route_table *const list[] = {&bad};
		struct problem problem = {0};

		if (routes_check(list, 1, &problem) == 0 || !strstr(problem.text, cases[i].text))
			fail_msg("case %zu: '%s'", i, problem.text);
	}
}

static void api_is_good(void **state)
{
	struct problem problem = {0};

	if (routes_check(api_routes, api_route_tables, &problem) < 0)
		fail_msg("%s", problem.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_and_fills),
		cmocka_unit_test(plain_parts_win),
		cmocka_unit_test(the_rest_of_a_path_is_one_parameter),
		cmocka_unit_test(says_other_methods),
		cmocka_unit_test(refuses_paths),
		cmocka_unit_test(refuses_long_parameters),
		cmocka_unit_test(checks_tables),
		cmocka_unit_test(api_is_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
