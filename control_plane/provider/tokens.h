/* SPDX-License-Identifier: MIT
 *
 * What somebody who was approved gets: an ID token (OpenID Connect Core 1.0, section 2) for the tenant as the client,
 * and an access token that is good for UserInfo and nothing else: whoever has it, a host for example, can do nothing in
 * that person's name.
 */
#pragma once

#include "control_plane/http/request.h"

#define PROVIDER_TOKEN_SECONDS 300
#define PROVIDER_USERINFO_PATH "/oauth2/userinfo"

struct grant_person;
struct provider_tokens {
	const char *id_token, *access_token; /* secret; the request's arena */
	const char *token_id;                /* the ID token's jti */
};
/* 0; -EAGAIN, -errno. */
int provider_tokens_make(struct request *request, const char *tenant_id, const struct grant_person *person,
			 struct provider_tokens *ret);
