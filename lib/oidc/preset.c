/* SPDX-License-Identifier: MIT */
#include "oidc/preset.h"

#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"

static const struct oidc_preset presets[] = {
	[IDP_OIDC] = {.scope = "openid email profile", .id_tokens = true, .extras = true, .proves_at_device = true},
	/* Its device endpoint takes a client and a list of scopes, and few of those; the secret goes to the token
	 * endpoint. */
	[IDP_GOOGLE] = {.scope = "openid email profile", .id_tokens = true},
	[IDP_MICROSOFT] = {.scope = "openid email profile", .id_tokens = true, .audience_is_token = true},
	[IDP_GITHUB] = {.scope = "user:email"},
	[IDP_TENANTD] =
		{.scope = "openid", .id_tokens = true, .extras = true, .proves_at_device = true, .needs_nonce = true},
};

const struct oidc_preset *oidc_preset(enum idp_kind kind)
{
	/* A kind that is not known gets the most cautious one: nothing that it says is believed. */
	static const struct oidc_preset unknown = {.scope = ""};

	return (unsigned)kind < ARRAY_LEN(presets) ? &presets[kind] : &unknown;
}

static bool is_guid(const char *text, size_t length)
{
	if (length != 36)
		return false;
	for (size_t i = 0; i < length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return true;
}

bool oidc_microsoft_directory(const char *issuer, const char **ret, size_t *ret_length)
{
	const char *host = strstr(issuer, "://"), *path = host ? strchr(host + 3, '/') : NULL,
		   *end = path ? strchr(path + 1, '/') : NULL;

	if (!end || !text_equal(end, "/v2.0") || !is_guid(path + 1, (size_t)(end - path) - 1))
		return false;
	*ret = path + 1;
	*ret_length = (size_t)(end - path) - 1;
	return true;
}
