/* SPDX-License-Identifier: MIT
 *
 * A request from its target to its parsed body: path, query, route, headers, JSON and forms; no database, no network.
 * Input: "METHOD TARGET\n", headers "Name: value\n", an empty line, the body.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control_plane/api/routes.h"
#include "control_plane/http/router.h"
#include "control_plane/http/source.h"
#include "tests/fuzz/fuzz.h"
#include "json/json_read.h"

#define HEADERS_MAX 16U

struct input {
	char *text, *body;
	size_t body_length;
	const char *method, *target;
	struct {
		const char *name, *value;
	} headers[HEADERS_MAX];
	size_t header_count;
};

static const char *header(const struct request *request, const char *name)
{
	const struct input *input = request->transport;

	for (size_t i = 0; i < input->header_count; i++)
		if (strcasecmp(input->headers[i].name, name) == 0)
			return input->headers[i].value;
	return NULL;
}

/* Cuts the next line off. NULL: there is none. */
static char *next_line(char **at, const char *end)
{
	char *line = *at, *stop = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;

	if (!stop)
		return NULL;
	*stop = '\0';
	*at = stop + 1;
	return line;
}

static bool split(struct input *input, const uint8_t *data, size_t size)
{
	char *at = input->text = malloc(size + 1), *line, *end = at + size;

	FUZZ_CHECK(at);
	memcpy(at, data, size);
	at[size] = '\0';
	line = next_line(&at, end);
	if (!line)
		return false;
	input->method = line;
	line += strcspn(line, " ");
	if (*line)
		*line++ = '\0';
	input->target = line;
	while ((line = next_line(&at, end)) && *line) {
		char *colon = strstr(line, ": ");

		if (!colon || input->header_count == HEADERS_MAX)
			return false;
		*colon = '\0';
		input->headers[input->header_count].name = line;
		input->headers[input->header_count++].value = colon + 2;
	}
	input->body = at;
	input->body_length = (size_t)(end - at);
	return true;
}

static void check_refusal(struct request *request)
{
	struct problem problem = {0};
	json_t *body = NULL;

	FUZZ_CHECK(request->response.status >= 400 && request->response.status < 500);
	if (text_starts(request->response.content_type, "text/html"))
		return; /* a page (fuzz_control_form.c) */
	FUZZ_CHECK(json_read(request->response.body.data, request->response.body.length, &body, &problem) == 0);
	json_decref(body);
}

static void check_params(const struct request *request)
{
	for (size_t i = 0; i < REQUEST_PARAMS_MAX && request->params[i]; i++) {
		const char *param = request->params[i];

		FUZZ_CHECK(param[0] && !strchr(param, '/') && text_is_printable(param, strlen(param)));
	}
}

static void run(struct request *request, struct input *input)
{
	struct in6_addr peer = IN6ADDR_ANY_INIT;
	struct cidr all = {.prefix = 0};
	const struct cidr_list anybody = {.items = &all, .count = 1};
	struct page page;
	unsigned methods;

	request->transport = input;
	request->header = header;
	request->raw = input->body;
	request->raw_length = input->body_length;
	for (enum http_method m = 0; m < HTTP_METHOD_COUNT; m++)
		if (strcmp(http_method_name(m), input->method) == 0)
			request->method = m;
	(void)source_find(&peer, &anybody, header(request, "X-Forwarded-For"));
	if (request_target(request, input->target)) {
		check_refusal(request);
		return;
	}
	if (request_page(request, &page))
		check_refusal(request);
	else
		FUZZ_CHECK(page.limit >= 1 && page.limit <= 1000 && text_is_printable(page.after, strlen(page.after)));
	if (request_if_match(request, 7))
		check_refusal(request);
	request->route = routes_find(api_routes, api_route_tables, request->method, request->path, request, &methods);
	if (!request->route)
		return;
	FUZZ_CHECK(methods & 1U << request->method || request->route->access == ROUTE_INTERNAL);
	check_params(request);
	if (request_parse_body(request))
		check_refusal(request);
	else
		FUZZ_CHECK(!request->body || json_is_object(request->body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {0};
	struct request request;

	if (split(&input, data, size)) {
		FUZZ_CHECK(request_init(&request, NULL) == 0);
		run(&request, &input);
		request_finish(&request);
	}
	free(input.text);
	return 0;
}
