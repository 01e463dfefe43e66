/* SPDX-License-Identifier: MIT
 *
 * The request target: path and query. Strict, since whoever stands in front of us (a balancer, a log) may read an
 * unusual spelling in another way: one path has one spelling here.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/http/percent.h"
#include "control_plane/http/request.h"

#define TARGET_MAX 4096U
#define QUERY_MEMBERS_MAX 32U

static int refuse(struct request *request, const char *why)
{
	respond_problem(request, PROBLEM_BAD_REQUEST, "%s", why);
	return 1;
}

/* What may stand in a path besides '%' (RFC 3986: pchar and '/'). */
static bool is_path_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~!$&'()*+,;=:@/%", c));
}

static const char *path_fault(const char *path, size_t length)
{
	if (length == 0 || path[0] != '/')
		return "the path begins with '/'";
	for (size_t i = 0; i < length; i++)
		if (!is_path_char(path[i]))
			return "the path has a character that does not belong there";
	for (size_t i = 0; i < length; i++) {
		size_t end = i + 1;

		if (path[i] != '/')
			continue;
		while (end < length && path[end] != '/')
			end++;
		if (end == i + 1 && length > 1)
			return "the path has an empty part";
		if ((end == i + 2 && path[i + 1] == '.') || (end == i + 3 && strncmp(path + i + 1, "..", 2) == 0))
			return "the path has '.' or '..' in it";
	}
	return NULL;
}

static int add_member(struct request *request, const char *text, size_t length)
{
	const char *equals = memchr(text, '=', length);
	size_t name_length = equals ? (size_t)(equals - text) : length;
	size_t value_length = equals ? length - name_length - 1 : 0;
	const char *name = percent_decode(&request->arena, text, name_length, PERCENT_PLUS_IS_SPACE);
	const char *value =
		percent_decode(&request->arena, equals ? equals + 1 : text, value_length, PERCENT_PLUS_IS_SPACE);

	if (!name || !name[0] || !value)
		return refuse(request, "the query is not well-formed");
	if (json_object_get(request->query, name))
		return refuse(request, "the query says the same thing twice");
	if (json_object_size(request->query) == QUERY_MEMBERS_MAX)
		return refuse(request, "the query has too many members");
	if (json_object_set_new(request->query, name, json_string(value)) < 0)
		return refuse(request, "the query is not well-formed");
	return 0;
}

int request_target(struct request *request, const char *target)
{
	const char *question = strchr(target, '?'), *at;
	size_t length = strlen(target), path_length = question ? (size_t)(question - target) : length;
	const char *fault;

	if (length > TARGET_MAX) {
		respond_problem(request, PROBLEM_URI_TOO_LONG, "at most %u bytes", TARGET_MAX);
		return 1;
	}
	fault = path_fault(target, path_length);
	if (fault)
		return refuse(request, fault);
	request->path = arena_strndup(&request->arena, target, path_length);
	if (!request->path)
		return refuse(request, "out of memory");
	for (at = question ? question + 1 : ""; *at;) {
		size_t member = strcspn(at, "&");

		if (member == 0)
			return refuse(request, "the query has an empty member");
		if (add_member(request, at, member))
			return 1;
		at += member;
		if (*at == '&' && at[1] == '\0')
			return refuse(request, "the query has an empty member");
		if (*at == '&')
			at++;
	}
	return 0;
}
