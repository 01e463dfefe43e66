/* SPDX-License-Identifier: MIT
 *
 * A form as browsers and OAuth clients send it, from its bytes to what the page and the endpoints make of it: decoder,
 * codes, sealed forms, and the pages on which it is shown again. No database, no network. Input: the body.
 */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "control_plane/http/router.h"
#include "control_plane/provider/form_seal.h"
#include "control_plane/provider/oauth.h"
#include "control_plane/provider/page.h"
#include "tests/fuzz/fuzz.h"

static int handle(struct request *request)
{
	return 0;
}

static const struct route form_route = {
	.method = HTTP_POST, .pattern = "/form", .flags = ROUTE_FORM, .handle = handle, .problem = oauth_problem};

static const char *header(const struct request *request, const char *name)
{
	return strcasecmp(name, "Content-Type") == 0 ? "application/x-www-form-urlencoded" : NULL;
}

/* Of a page's text what stands between two marks. */
static void check_between(const char *page, const char *open, const char *close)
{
	const char *at = strstr(page, open), *end = at ? strstr(at + strlen(open), close) : NULL;

	FUZZ_CHECK(end);
	for (at += strlen(open); at < end; at++)
		FUZZ_CHECK(*at != '<' && *at != '>' && *at != '\'');
}

static void check_page(struct buffer *page)
{
	const char *text = buffer_text(page);

	FUZZ_CHECK(text && text_starts(text, "<!DOCTYPE html>"));
	FUZZ_CHECK(!strstr(text, "<script") && !strstr(text, "<img"));
	FUZZ_CHECK(strstr(text, "</main></body></html>\n") && strlen(text) == page->length);
}

/* Whatever is put into pages: they hold as many tags as without it. */
static size_t count_tags(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '<';
	return count;
}

static size_t render(const char *value)
{
	_cleanup_(buffer_finish) struct buffer page = BUFFER_INIT;
	size_t tags;

	page_code(&page, &(struct page_code){.form = value, .code = value, .alert = value});
	check_page(&page);
	check_between(page.data, "id=\"code\"", "placeholder");
	tags = count_tags(page.data);
	buffer_clear(&page);
	page_decision(&page, &(struct page_decision){.form = value,
						     .alert = value,
						     .code = value,
						     .tenant = value,
						     .host = "h",
						     .source = value,
						     .ago = value,
						     .email = value});
	check_page(&page);
	tags += count_tags(page.data);
	buffer_clear(&page);
	page_end(&page, &(struct page_end){.title = value, .text = value, .link = value});
	check_page(&page);
	return tags + count_tags(page.data);
}

static void use(const char *value, size_t tags)
{
	static const struct seal_key key = {{1, 2, 3}};
	char code[USER_CODE_SIZE], again[USER_CODE_SIZE], shown[USER_CODE_SHOWN_SIZE];

	if (user_code_parse(value, code) == 0) {
		user_code_show(code, shown);
		FUZZ_CHECK(user_code_parse(shown, again) == 0 && strcmp(code, again) == 0);
	}
	/* Nobody guesses a sealed form. */
	FUZZ_CHECK(form_open(&key, FORM_CODE, value, 1000, code) < 0);
	FUZZ_CHECK(form_open(&key, FORM_DECISION, value, 1000, code) < 0);
	if (oauth_is_client(value))
		FUZZ_CHECK(text_is_id(value));
	(void)oauth_scope_has(value, "openid");
	FUZZ_CHECK(render(value) == tags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static size_t tags;
	struct request request;
	char *body = malloc(size + 1);
	const char *name;
	json_t *value;

	if (tags == 0)
		tags = render("x");
	FUZZ_CHECK(body && request_init(&request, NULL) == 0);
	memcpy(body, data, size);
	body[size] = '\0';
	request.method = HTTP_POST;
	request.route = &form_route;
	request.header = header;
	request.raw = body;
	request.raw_length = size;
	if (request_parse_body(&request)) {
		FUZZ_CHECK(request.response.status == 400 &&
			   strcmp(request.response.content_type, "application/json") == 0);
	} else {
		json_object_foreach(request.body, name, value)
		{
			FUZZ_CHECK(text_is_printable(name, strlen(name)) && *name && json_is_string(value));
			FUZZ_CHECK(strlen(json_string_value(value)) == json_string_length(value));
			use(json_string_value(value), tags);
			use(name, tags);
			FUZZ_CHECK(!oauth_field(&request, name) || *oauth_field(&request, name));
		}
	}
	request_finish(&request);
	free(body);
	return 0;
}
