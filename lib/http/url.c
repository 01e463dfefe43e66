/* SPDX-License-Identifier: MIT
 *
 * What may be connected to.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "http/http.h"

static bool is_loopback(const char *host)
{
	char text[64];
	struct in_addr v4;
	struct in6_addr v6;
	size_t length = strlen(host);

	if (text_equal(host, "localhost"))
		return true;
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	if (length < 3 || length >= sizeof(text) || host[0] != '[')
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)length - 2, host + 1);
	return inet_pton(AF_INET6, text, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

int http_url_check(const char *url, bool allow_plain, struct problem *problem)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL, *host = NULL;
	int result = 0;

	if (!parsed)
		return -ENOMEM;
	if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		problem_remedy(problem, "give it as https://host or https://host:port");
		result = problem_set(problem, EINVAL, "this is not a URL that can be used");
	} else if (!text_equal(scheme, "https") && !(allow_plain && text_equal(scheme, "http") && is_loopback(host))) {
		problem_remedy(problem, "give it as https://host or https://host:port");
		result = problem_set(problem, EINVAL, "only https can be used");
	}
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(parsed);
	return result;
}
