/* SPDX-License-Identifier: MIT
 *
 * From a path to its route. Parts that are written out stand above parameters, from left to right, so the order of the
 * tables means nothing.
 */
#include "control_plane/http/router.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/auth/gate.h"
#include "control_plane/http/percent.h"

#define PATTERN_MAX 128U
#define PARAM_MAX 128U
#define REST_PARAM "path" /* {path}: at the end of a pattern alone, it is what is left of the path */

/* Parameters that patterns may name. What each may look like beyond its length is the handler's or the gate's to say.
 */
static const char *const known_params[] = {
	"tenant",    "project", "user",    "key",    "host",     "operator", "grant",  "role", "rule",
	"connector", "token",   "version", "sha256", "provider", "session",  "person", "log",  REST_PARAM,
};

static const char *const method_names[HTTP_METHOD_COUNT] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

const char *http_method_name(enum http_method method)
{
	return method_names[method];
}

struct part {
	const char *text;
	size_t length;
};

/* The next part of a path or pattern, after its '/'. */
static bool next_part(const char **at, struct part *ret)
{
	if (**at != '/')
		return false;
	ret->text = *at + 1;
	ret->length = strcspn(ret->text, "/");
	*at = ret->text + ret->length;
	return true;
}

static bool is_param(const struct part *part)
{
	return part->length > 2 && part->text[0] == '{' && part->text[part->length - 1] == '}';
}

static bool is_rest(const struct part *part)
{
	return part->length == strlen("{" REST_PARAM "}") && strncmp(part->text, "{" REST_PARAM "}", part->length) == 0;
}

/* Does the pattern match? Then *ret_rank is larger the more its first parts are written out. */
static bool matches(const char *pattern, const char *path, uint32_t *ret_rank)
{
	uint32_t rank = 0;
	struct part wanted, given;
	unsigned depth = 0;

	while (next_part(&pattern, &wanted)) {
		if (!next_part(&path, &given))
			return false;
		depth++;
		if (is_rest(&wanted))
			path += strlen(path);
		if (is_param(&wanted))
			continue;
		if (wanted.length != given.length || memcmp(wanted.text, given.text, wanted.length) != 0)
			return false;
		rank |= UINT32_C(1) << (31 - MIN_OF(depth, 31U));
	}
	*ret_rank = rank;
	return *path == '\0';
}

static bool take_params(const struct route *route, const char *path, struct request *request)
{
	const char *pattern = route->pattern;
	struct part wanted, given;
	size_t count = 0;

	while (next_part(&pattern, &wanted) && next_part(&path, &given)) {
		const char *value;

		if (!is_param(&wanted))
			continue;
		if (is_rest(&wanted)) {
			given.length += strlen(path);
			path += strlen(path);
		}
		value = percent_decode(&request->arena, given.text, given.length, false);
		if (!value || !value[0] || strlen(value) > PARAM_MAX || (strchr(value, '/') && !is_rest(&wanted)))
			return false;
		request->params[count++] = value;
	}
	return true;
}

const struct route *routes_find(const struct route_table *const *tables, size_t count, enum http_method method,
				const char *path, struct request *request, unsigned *ret_methods)
{
	const struct route *best = NULL;
	uint32_t best_rank = 0, rank;
	unsigned methods = 0;

	for (size_t t = 0; t < count; t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct route *route = &tables[t]->routes[i];

			if (!matches(route->pattern, path, &rank))
				continue;
			/* Whether these are there is told to those who have the secret. */
			if (route->access != ROUTE_INTERNAL)
				methods |= 1U << route->method;
			if (route->method == method && (!best || rank > best_rank)) {
				best = route;
				best_rank = rank;
			}
		}
	}
	*ret_methods = methods;
	if (best && !take_params(best, path, request)) {
		*ret_methods = 0;
		return NULL;
	}
	return best;
}

static bool same_path(const char *a, const char *b)
{
	struct part one, two;

	while (next_part(&a, &one)) {
		if (!next_part(&b, &two) || is_param(&one) != is_param(&two))
			return false;
		if (!is_param(&one) && (one.length != two.length || memcmp(one.text, two.text, one.length) != 0))
			return false;
	}
	return *b == '\0';
}

static const char *known_param(const struct part *part)
{
	for (size_t i = 0; i < ARRAY_LEN(known_params); i++)
		if (strlen(known_params[i]) == part->length - 2 &&
		    strncmp(known_params[i], part->text + 1, part->length - 2) == 0)
			return known_params[i];
	return NULL;
}

static int check_pattern(const struct route *route, struct problem *problem)
{
	const char *at = route->pattern, *params[REQUEST_PARAMS_MAX] = {NULL};
	struct part part;
	size_t count = 0;

	if (strlen(route->pattern) > PATTERN_MAX)
		return problem_set(problem, EINVAL, "route %s: the pattern is too long", route->pattern);
	while (next_part(&at, &part)) {
		if (!is_param(&part)) {
			if (part.length == 0 ||
			    strspn(part.text, "abcdefghijklmnopqrstuvwxyz0123456789-._") < part.length)
				return problem_set(problem, EINVAL, "route %s: a part is not plain", route->pattern);
			continue;
		}
		if (count == REQUEST_PARAMS_MAX)
			return problem_set(problem, EINVAL, "route %s: too many parameters", route->pattern);
		if (is_rest(&part) && *at)
			return problem_set(problem, EINVAL, "route %s: {" REST_PARAM "} comes last", route->pattern);
		params[count] = known_param(&part);
		if (!params[count++])
			return problem_set(problem, EINVAL, "route %s: an unknown parameter", route->pattern);
	}
	if (*at)
		return problem_set(problem, EINVAL, "route %s: a pattern begins with '/'", route->pattern);
	if ((route->access == ROUTE_TENANT || route->access == ROUTE_PROJECT) && !text_equal(params[0], "tenant"))
		return problem_set(problem, EINVAL, "route %s: {tenant} comes first", route->pattern);
	if (route->access == ROUTE_PROJECT && !text_equal(params[1], "project"))
		return problem_set(problem, EINVAL, "route %s: {project} comes second", route->pattern);
	return 0;
}

static int check_route(const struct route *route, struct problem *problem)
{
	if (!route->pattern || !route->handle || route->method >= HTTP_METHOD_COUNT)
		return problem_set(problem, EINVAL, "a route has no pattern, method or handler");
	if (!route->action || !gate_knows_action(route->access, route->action))
		return problem_set(problem, EINVAL, "route %s %s: action '%s' is none", method_names[route->method],
				   route->pattern, route->action ? route->action : "");
	if ((route->flags & ROUTE_WRITES) && (route->flags & ROUTE_NO_TX))
		return problem_set(problem, EINVAL, "route %s: writes, but has no transaction", route->pattern);
	if ((route->flags & ROUTE_WRITES) && route->method == HTTP_GET)
		return problem_set(problem, EINVAL, "route %s: GET does not write", route->pattern);
	return check_pattern(route, problem);
}

int routes_check(const struct route_table *const *tables, size_t count, struct problem *problem)
{
	for (size_t t = 0; t < count; t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct route *route = &tables[t]->routes[i];
			int result = check_route(route, problem);

			if (result < 0)
				return result;
			for (size_t u = 0; u <= t; u++) {
				for (size_t j = 0; j < (u == t ? i : tables[u]->count); j++) {
					const struct route *other = &tables[u]->routes[j];

					if (other->method == route->method && same_path(other->pattern, route->pattern))
						return problem_set(problem, EINVAL, "two routes answer to %s %s",
								   method_names[route->method], route->pattern);
				}
			}
		}
	}
	return 0;
}
