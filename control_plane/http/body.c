/* SPDX-License-Identifier: MIT
 *
 * The body, by what its route takes: a JSON object, a form, any bytes, or nothing.
 */
#include <string.h>
#include <strings.h>

#include "control_plane/http/percent.h"
#include "control_plane/http/router.h"
#include "json/json_read.h"

#define FORM_MEMBERS_MAX 32U

/* "application/json; charset=utf-8" is `type`; parameters other than that charset are not. */
static bool is_media_type(const char *header, const char *type)
{
	size_t length = strlen(type);

	if (!header || strncasecmp(header, type, length) != 0)
		return false;
	header += length;
	header += strspn(header, " \t");
	if (!*header)
		return true;
	if (*header++ != ';')
		return false;
	header += strspn(header, " \t");
	return strcasecmp(header, "charset=utf-8") == 0 || strcasecmp(header, "charset=\"utf-8\"") == 0;
}

static int refuse(struct request *request, enum problem_type type, const char *why)
{
	respond_problem(request, type, "%s", why);
	return 1;
}

static int parse_json(struct request *request)
{
	struct problem problem = {0};
	int result;

	result = json_read(request->raw, request->raw_length, &request->body, &problem);
	if (result < 0) {
		respond_problem(request, PROBLEM_BAD_REQUEST, "%s", problem.text);
		return 1;
	}
	if (!json_is_object(request->body))
		return refuse(request, PROBLEM_BAD_REQUEST, "the body is a JSON object");
	return 0;
}

static int parse_form(struct request *request)
{
	const char *at = request->raw, *end = request->raw + request->raw_length;

	request->body = json_object();
	if (!request->body)
		return refuse(request, PROBLEM_BROKEN, "out of memory");
	while (at < end) {
		const char *stop = memchr(at, '&', (size_t)(end - at)), *equals, *name, *value;

		stop = stop ? stop : end;
		equals = memchr(at, '=', (size_t)(stop - at));
		name = equals ? percent_decode(&request->arena, at, (size_t)(equals - at), PERCENT_PLUS_IS_SPACE)
			      : NULL;
		value = equals ? percent_decode(&request->arena, equals + 1, (size_t)(stop - equals - 1),
						PERCENT_PLUS_IS_SPACE)
			       : NULL;
		if (!name || !name[0] || !value || json_object_get(request->body, name) ||
		    json_object_size(request->body) == FORM_MEMBERS_MAX ||
		    json_object_set_new(request->body, name, json_string(value)) < 0)
			return refuse(request, PROBLEM_BAD_REQUEST, "the form is not well-formed");
		at = stop < end ? stop + 1 : end;
	}
	return 0;
}

int request_parse_body(struct request *request)
{
	const struct route *route = request->route;
	const char *type = request_header(request, "Content-Type");
	bool none = request->method == HTTP_GET || request->method == HTTP_DELETE || (route->flags & ROUTE_NO_BODY);

	if (none) {
		if (request->raw_length > 0)
			return refuse(request, PROBLEM_BAD_REQUEST, "no body is taken here");
		return 0;
	}
	if (request->body || (route->flags & ROUTE_RAW))
		return 0; /* the command line brings its own */
	if (route->flags & ROUTE_FORM) {
		if (!is_media_type(type, "application/x-www-form-urlencoded"))
			return refuse(request, PROBLEM_UNSUPPORTED_MEDIA,
				      "send it as application/x-www-form-urlencoded");
		return parse_form(request);
	}
	if (!is_media_type(type, "application/json") &&
	    !(request->method == HTTP_PATCH && is_media_type(type, "application/merge-patch+json")))
		return refuse(request, PROBLEM_UNSUPPORTED_MEDIA, "send it as application/json");
	return parse_json(request);
}
