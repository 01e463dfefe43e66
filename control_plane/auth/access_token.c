/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/access_token.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/auth/token_cache.h"
#include "control_plane/auth/token_keys.h"
#include "crypto/api_key.h"

static const struct {
	const char *word, *prefix;
} kinds[] = {
	[ACCESS_USER] = {"user", "usr_"},
	[ACCESS_OPERATOR] = {"operator", "opr_"},
	[ACCESS_HOST] = {"host", "hst_"},
};

int access_token_issue(struct request *request, enum access_kind kind, const char *subject, const char *tenant_id,
		       int64_t valid_from, const char **ret_text, struct access_token *ret)
{
	const struct config *config = request->app->config;
	uint32_t lifetime = kind == ACCESS_HOST ? config->host_token_sec : config->access_token_sec;
	/* A change of the password ends tokens up to the end of its second; the one that follows it is of the next. */
	int64_t issued = MAX_OF(request->now, valid_from), expires = issued + MIN_OF(lifetime, TOKEN_LIFETIME_MOST);
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	_cleanup_(json_decrefp) json_t *claims = NULL;
	char id[ACCESS_TOKEN_ID_CHARS + 1];
	int r = base62_random(id, ACCESS_TOKEN_ID_CHARS);

	if (r < 0)
		return r;
	claims = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:s, s:I, s:I}", "iss", config->url, "aud", config->url, "sub",
			   subject, "kind", kinds[kind].word, "tenant", tenant_id, "jti", id, "iat", (json_int_t)issued,
			   "exp", (json_int_t)expires);
	if (!claims)
		return -ENOMEM;
	r = token_keys_sign(request->app->token_keys, request->now, "at+jwt", claims, &text);
	if (r < 0)
		return r;
	*ret_text = request_copy(request, buffer_text(&text));
	*ret = (struct access_token){
		.kind = kind,
		.id = request_copy(request, id),
		.subject = subject,
		.tenant_id = tenant_id,
		.issued = issued,
		.expires = expires,
	};
	return *ret_text && ret->id ? 0 : -ENOMEM;
}

int access_token_answer(struct request *request, const char *text, const struct access_token *token)
{
	request->response.secret = true;
	respond_header(request, "Cache-Control", "no-store");
	return respond_json(request, 200,
			    json_pack("{s:s, s:s, s:I}", "access_token", text, "token_type", "Bearer", "expires_in",
				      (json_int_t)(token->expires - token->issued)));
}

static const char *claim(struct request *request, const json_t *claims, const char *name)
{
	return request_copy(request, json_string_value(json_object_get(claims, name)));
}

/* Of one that was verified before, what may have changed since is its time alone. */
static enum jwt_fault judge_cached(struct request *request, const struct cached_token *cached, struct access_token *ret)
{
	if (request->now >= cached->expires + JWT_LEEWAY_SEC)
		return JWT_EXPIRED;
	if (cached->issued > request->now + JWT_LEEWAY_SEC)
		return JWT_NOT_YET;
	*ret = (struct access_token){
		.kind = cached->kind,
		.id = request_copy(request, cached->id),
		.subject = request_copy(request, cached->subject),
		.tenant_id = *cached->tenant_id ? request_copy(request, cached->tenant_id) : NULL,
		.issued = cached->issued,
		.expires = cached->expires,
	};
	if (!ret->id || !ret->subject || (*cached->tenant_id && !ret->tenant_id))
		return JWT_BAD_CLAIMS;
	return JWT_FINE;
}

static bool fill(char out[TOKEN_CACHE_TEXT], const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length >= TOKEN_CACHE_TEXT)
		return false;
	memcpy(out, text ? text : "", length + 1);
	return true;
}

static enum jwt_fault verify(struct request *request, const char *text, size_t length, struct access_token *ret)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	enum jwt_fault fault = token_keys_verify(request->app->token_keys, request->now, request->app->config->url,
						 text, length, &claims);
	const char *word;
	unsigned kind = 0;

	if (fault != JWT_FINE)
		return fault;
	word = json_string_value(json_object_get(claims, "kind"));
	while (kind < ARRAY_LEN(kinds) && !text_equal(kinds[kind].word, word))
		kind++;
	if (kind == ARRAY_LEN(kinds))
		return JWT_BAD_CLAIMS;
	*ret = (struct access_token){
		.kind = kind,
		.id = claim(request, claims, "jti"),
		.subject = claim(request, claims, "sub"),
		.tenant_id = claim(request, claims, "tenant"),
		.issued = json_integer_value(json_object_get(claims, "iat")),
		.expires = json_integer_value(json_object_get(claims, "exp")),
	};
	if (!ret->id || !ret->subject || !text_starts(ret->subject, kinds[kind].prefix) ||
	    (kind == ACCESS_USER) != (ret->tenant_id != NULL))
		return JWT_BAD_CLAIMS;
	return JWT_FINE;
}

enum jwt_fault access_token_verify(struct request *request, const char *text, size_t length, struct access_token *ret)
{
	struct token_cache *cache = token_keys_cache(request->app->token_keys);
	uint64_t generation = token_cache_generation(cache);
	struct cached_token cached = {0};
	uint8_t digest[SHA256_BYTES];
	enum jwt_fault fault;

	if (sha256(text, length, digest) < 0)
		return verify(request, text, length, ret);
	if (token_cache_find(cache, digest, &cached))
		return judge_cached(request, &cached, ret);
	fault = verify(request, text, length, ret);
	if (fault != JWT_FINE)
		return fault;
	cached.kind = ret->kind;
	cached.issued = ret->issued;
	cached.expires = ret->expires;
	if (fill(cached.id, ret->id) && fill(cached.subject, ret->subject) && fill(cached.tenant_id, ret->tenant_id))
		token_cache_put(cache, generation, digest, &cached);
	return JWT_FINE;
}
