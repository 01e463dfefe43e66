/* SPDX-License-Identifier: MIT */
#include "oidc/url.h"

#include <string.h>

#include "base/text.h"
#include "http/http.h"

bool oidc_url_is_good(const char *text, size_t size, bool allow_plain)
{
	size_t scheme = text_starts(text, "https://") ? 8 : allow_plain && text_starts(text, "http://") ? 7 : 0;

	/* libcurl mends "https:///host" and the like; others may mend it into something else. */
	if (scheme == 0 || strlen(text) >= size || !text[scheme] || strchr("/?:@.", text[scheme]))
		return false;
	for (const char *c = text; *c; c++)
		if (*c <= 0x20 || *c >= 0x7f || strchr("\"#<>\\^`{|}", *c))
			return false;
	return http_url_check(text, allow_plain, &(struct problem){0}) == 0;
}
