/* SPDX-License-Identifier: MIT
 *
 * Discovery documents. Input: a digit for the kind of provider, its issuer, a line end, the document.
 */
#include <string.h>

#include "fuzz.h"
#include "jose/jws_verify.h"
#include "oidc/endpoints.h"

static void check_url(const char *url, bool may_miss)
{
	FUZZ_CHECK(strlen(url) < OIDC_URL_MAX);
	FUZZ_CHECK(may_miss ? !url[0] || strncmp(url, "https://", 8) == 0 : strncmp(url, "https://", 8) == 0);
	for (; *url; url++)
		FUZZ_CHECK(*url > 0x20 && *url < 0x7f && *url != '#' && *url != '"' && *url != '\\');
}

static void check(const struct oidc_endpoints *found, bool whole)
{
	check_url(found->discovery, true);
	check_url(found->device, !whole);
	check_url(found->token, !whole);
	check_url(found->keys, !whole);
	check_url(found->user, true);
	check_url(found->emails, true);
	FUZZ_CHECK((found->algorithms & ~JWS_ANY) == 0 && (!whole || found->algorithms));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line_end = size > 1 ? memchr(text, '\n', size) : NULL;
	char issuer[1024];
	struct idp_record idp = {.issuer = issuer};
	struct oidc_endpoints found = {0};
	struct problem problem = {0};
	size_t length;

	if (!line_end || text[0] < '0' || text[0] > '4')
		return 0;
	length = (size_t)(line_end - text) - 1;
	if (length >= sizeof(issuer) || memchr(text + 1, '\0', length))
		return 0;
	memcpy(issuer, text + 1, length);
	issuer[length] = '\0';
	idp.kind = (enum idp_kind)(text[0] - '0');
	if (oidc_endpoints_known(&idp, false, &found, &problem) == 0)
		check(&found, false);
	else
		FUZZ_CHECK(problem.text[0] && !found.discovery[0]);
	problem = (struct problem){0};
	found = (struct oidc_endpoints){0};
	if (oidc_endpoints_parse(&idp, line_end + 1, size - length - 2, false, &found, &problem) == 0)
		check(&found, true);
	else
		FUZZ_CHECK(problem.text[0] && !found.token[0]);
	return 0;
}
