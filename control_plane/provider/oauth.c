/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/oauth.h"

#include <string.h>

#include "base/text.h"
#include "json/json_write.h"

#define CLIENT_PREFIX "ten_"
#define CLIENT_DIGITS 16U

const char *oauth_field(const struct request *request, const char *name)
{
	const char *value = json_string_value(json_object_get(request->body, name));

	return value && *value ? value : NULL;
}

static void write_error(struct request *request, const char *error, const char *description)
{
	struct response *response = &request->response;
	struct json_writer w;

	response->content_type = "application/json";
	respond_header(request, "Cache-Control", "no-store");
	buffer_clear(&response->body);
	w = json_writer(&response->body);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "error", error);
	json_put_string_if(&w, "error_description", description);
	json_end(&w, '}');
}

int oauth_refuse(struct request *request, unsigned status, const char *error, const char *description)
{
	request->response.header_count = 0;
	request->response.status = status;
	if (status == 401)
		respond_header(request, "WWW-Authenticate", "Bearer");
	write_error(request, error, description);
	return 0;
}

void oauth_problem(struct request *request, const struct problem_kind *kind, const char *detail, uint32_t seconds)
{
	/* A poll that comes too often is one thing (RFC 8628, section 3.5), a source that does another: it is told by
	 * its status and Retry-After. */
	const char *error = seconds && kind->status != 500 ? "temporarily_unavailable"
			    : kind->status >= 500          ? "server_error"
							   : "invalid_request";

	if (kind->status == 415)
		request->response.status = 400;
	write_error(request, error, detail ? detail : kind->title);
}

bool oauth_is_client(const char *text)
{
	size_t digits;

	if (!text_starts(text, CLIENT_PREFIX))
		return false;
	digits = strspn(text + strlen(CLIENT_PREFIX), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	return digits == CLIENT_DIGITS && text[strlen(CLIENT_PREFIX) + digits] == '\0';
}

bool oauth_scope_has(const char *scope, const char *word)
{
	while (scope && *scope) {
		size_t length = strcspn(scope, " ");

		if (length == strlen(word) && strncmp(scope, word, length) == 0)
			return true;
		scope += length;
		scope += strspn(scope, " ");
	}
	return false;
}
