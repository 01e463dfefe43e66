/* SPDX-License-Identifier: MIT */
#include "control_plane/provider/tokens.h"

#include <errno.h>
#include <string.h>

#include "control_plane/app.h"
#include "control_plane/auth/access_token.h"
#include "control_plane/auth/token_keys.h"
#include "control_plane/provider/grants.h"
#include "control_plane/provider/oauth.h"
#include "crypto/api_key.h"
#include "crypto/digest.h"
#include "jose/base64url.h"

static int sign(struct request *request, const char *type, json_t *claims, const char **ret)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	int r = claims ? token_keys_sign(request->app->token_keys, request->now, type, claims, &text) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = arena_strndup(&request->arena, text.data, text.length);
	return *ret ? 0 : -ENOMEM;
}

/* Of another type and for another audience than the API's own tokens, and hosts'. */
static int make_access(struct request *request, const char *tenant_id, const struct grant_person *person,
		       int64_t issued, const char **ret)
{
	const char *url = request->app->config->url;
	const char *audience = request_text(request, "%s" PROVIDER_USERINFO_PATH, url);
	_cleanup_(json_decrefp) json_t *claims = NULL;
	char id[ACCESS_TOKEN_ID_CHARS + 1];
	int r = audience ? base62_random(id, ACCESS_TOKEN_ID_CHARS) : -ENOMEM;

	if (r < 0)
		return r;
	claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "iss", url, "aud", audience, "sub",
			   person->user_id, "client_id", tenant_id, "tenant", tenant_id, "scope", person->scope, "jti",
			   id, "iat", (json_int_t)issued, "exp", (json_int_t)issued + PROVIDER_TOKEN_SECONDS);
	return sign(request, "at+jwt", claims, ret);
}

/* The left half of the access token's digest (Core, 3.1.3.6). */
static int half_digest(const char *token, char out[BASE64URL_CHARS(SHA256_BYTES / 2) + 1])
{
	uint8_t digest[SHA256_BYTES];
	int r = sha256(token, strlen(token), digest);

	if (r == 0)
		base64url_encode(digest, SHA256_BYTES / 2, out);
	return r;
}

static int put(json_t *claims, const char *name, const char *value)
{
	return *value && json_object_set_new(claims, name, json_string(value)) < 0 ? -ENOMEM : 0;
}

/* What the scopes ask for. Nobody here has looked whether an address is the person's: it is what the tenant says. */
static int put_about(json_t *claims, const struct grant_person *person)
{
	int r = 0;

	if (oauth_scope_has(person->scope, "profile")) {
		r = put(claims, "name", person->name);
		if (r == 0)
			r = put(claims, "preferred_username", person->login);
	}
	if (r == 0 && oauth_scope_has(person->scope, "email") && *person->email) {
		r = put(claims, "email", person->email);
		if (r == 0 && json_object_set_new(claims, "email_verified", json_false()) < 0)
			r = -ENOMEM;
	}
	return r;
}

int provider_tokens_make(struct request *request, const char *tenant_id, const struct grant_person *person,
			 struct provider_tokens *ret)
{
	/* As with the API's tokens: not before the second in which an end of all sessions is over. */
	int64_t issued = MAX_OF(request->now, person->valid_from);
	_cleanup_(json_decrefp) json_t *claims = NULL;
	char id[ACCESS_TOKEN_ID_CHARS + 1], half[BASE64URL_CHARS(SHA256_BYTES / 2) + 1];
	int r = make_access(request, tenant_id, person, issued, &ret->access_token);

	if (r == 0)
		r = half_digest(ret->access_token, half);
	if (r == 0)
		r = base62_random(id, ACCESS_TOKEN_ID_CHARS);
	if (r < 0)
		return r;
	claims = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:[s], s:s}", "iss", request->app->config->url,
			   "aud", tenant_id, "sub", person->user_id, "tenant", tenant_id, "jti", id, "iat",
			   (json_int_t)issued, "exp", (json_int_t)issued + PROVIDER_TOKEN_SECONDS, "auth_time",
			   (json_int_t)person->approved_at, "amr", "pwd", "at_hash", half);
	r = claims ? put_about(claims, person) : -ENOMEM;
	if (r == 0)
		r = put(claims, "nonce", person->nonce);
	ret->token_id = request_copy(request, id);
	if (r == 0 && !ret->token_id)
		r = -ENOMEM;
	return r == 0 ? sign(request, "JWT", claims, &ret->id_token) : r;
}
