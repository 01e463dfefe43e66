/* SPDX-License-Identifier: MIT */
#include "oidc/requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "crypto/digest.h"
#include "jose/base64url.h"
#include "oidc/assertion.h"
#include "oidc/preset.h"

#define VERIFIER_BYTES 32
#define NONCE_BYTES 24
#define GRANT "urn:ietf:params:oauth:grant-type:device_code"
#define ASSERTION_TYPE "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_Static_assert(BASE64URL_CHARS(VERIFIER_BYTES) == PKCE_VERIFIER_CHARS, "a verifier fills its place");
_Static_assert(BASE64URL_CHARS(NONCE_BYTES) + 1 <= sizeof(((struct oidc_secrets *)0)->nonce), "and a nonce");

int oidc_secrets_make(const struct oidc_endpoints *endpoints, struct oidc_secrets *ret)
{
	uint8_t random[VERIFIER_BYTES + NONCE_BYTES];
	int r = random_bytes(random, sizeof(random));

	if (r < 0)
		return r;
	memset(ret, 0, sizeof(*ret));
	if (endpoints->pkce)
		base64url_encode(random, VERIFIER_BYTES, ret->verifier);
	if (endpoints->nonce)
		base64url_encode(random + VERIFIER_BYTES, NONCE_BYTES, ret->nonce);
	secret_wipe(random, sizeof(random));
	return 0;
}

/* ---- forms ------------------------------------------------------------------------------------- */
static void put_encoded(struct buffer *out, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		const char escaped[] = {'%', digits[c >> 4], digits[c & 15]};

		/* What RFC 3986 leaves as it is; a space as %20 is read alike by all. */
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c))
			(void)buffer_add_char(out, (char)c);
		else
			(void)buffer_add(out, escaped, sizeof(escaped));
	}
}

static void begin(struct buffer *body, const char *name)
{
	if (body->length > 0)
		(void)buffer_add_char(body, '&');
	(void)buffer_add_text(body, name);
	(void)buffer_add_char(body, '=');
}

static void put(struct buffer *body, const char *name, const char *value)
{
	begin(body, name);
	put_encoded(body, value);
}

static void put_list(struct buffer *body, const char *name, const char *first, const struct string_list *list)
{
	const char *space = *first ? "%20" : "";

	if (!*first && list->count == 0)
		return;
	begin(body, name);
	put_encoded(body, first);
	for (uint32_t i = 0; i < list->count; i++) {
		if (text_equal(list->items[i], first))
			continue;
		(void)buffer_add_text(body, space);
		put_encoded(body, list->items[i]);
		space = "%20";
	}
}

/* ---- who asks ---------------------------------------------------------------------------------- */
static int put_basic(const struct idp_record *record, struct oidc_form *form)
{
	_cleanup_(buffer_finish) struct buffer pair = {.wipe = true};
	_cleanup_(secret_free_heapp) char *encoded = NULL;
	const char *text;

	/* Encoded before they are joined (RFC 6749, 2.3.1), so that a ':' in either is none between them. */
	put_encoded(&pair, record->client_id);
	(void)buffer_add_char(&pair, ':');
	put_encoded(&pair, record->client_secret);
	text = buffer_text(&pair);
	encoded = text ? base64_encode(text, pair.length) : NULL;
	return encoded ? buffer_printf(&form->authorization, "Basic %s", encoded) : -ENOMEM;
}

static int put_assertion(const struct idp_record *record, const struct oidc_endpoints *endpoints, int64_t now,
			 struct oidc_form *form, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer assertion = {.wipe = true};
	/* The issuer is what the record says; an address is what the provider's document says, and one that named
	 * somebody else's would be sent an assertion that is good there. */
	const char *audience = oidc_preset(record->kind)->audience_is_token ? endpoints->token : record->issuer;
	int r = assertion_make(record->client_key, record->client_id, audience, now, &assertion, problem);

	if (r < 0)
		return r;
	put(&form->body, "client_assertion_type", ASSERTION_TYPE);
	put(&form->body, "client_assertion", buffer_text(&assertion));
	return 0;
}

static int put_client(const struct idp_record *record, const struct oidc_endpoints *endpoints, bool prove, int64_t now,
		      struct oidc_form *form, struct problem *problem)
{
	put(&form->body, "client_id", record->client_id);
	if (!prove)
		return 0;
	switch (record->client_auth) {
	case IDP_CLIENT_NONE:
		return 0;
	case IDP_CLIENT_SECRET_BASIC:
		return put_basic(record, form);
	case IDP_CLIENT_SECRET_POST:
		put(&form->body, "client_secret", record->client_secret);
		return 0;
	case IDP_CLIENT_PRIVATE_KEY_JWT:
		return put_assertion(record, endpoints, now, form, problem);
	}
	return problem_set(problem, EINVAL, "the client does not say how it proves itself");
}

static void form_init(struct oidc_form *form)
{
	*form = (struct oidc_form){.body = {.wipe = true}, .authorization = {.wipe = true}};
}

void oidc_form_finish(struct oidc_form *form)
{
	buffer_finish(&form->body);
	buffer_finish(&form->authorization);
}

/* Hands the form over when all of it is there. */
static int finish(int r, struct oidc_form *form, struct oidc_form *ret)
{
	if (r == 0 && (form->body.failed || form->authorization.failed || !buffer_text(&form->body) ||
		       !buffer_text(&form->authorization)))
		r = -ENOMEM;
	if (r < 0) {
		oidc_form_finish(form);
		return r;
	}
	*ret = *form;
	return 0;
}

/* ---- requests ---------------------------------------------------------------------------------- */
static int put_challenge(struct buffer *body, const char *verifier)
{
	char challenge[BASE64URL_CHARS(SHA256_BYTES) + 1];
	uint8_t digest[SHA256_BYTES];
	int r;

	if (!verifier[0])
		return 0;
	r = sha256(verifier, strlen(verifier), digest);
	if (r < 0)
		return r;
	base64url_encode(digest, sizeof(digest), challenge);
	put(body, "code_challenge", challenge);
	put(body, "code_challenge_method", "S256");
	return 0;
}

static void put_scope(struct buffer *body, const struct idp_record *record, const struct oidc_preset *preset)
{
	static const struct string_list none;

	if (record->scopes.count > 0)
		put_list(body, "scope", preset->id_tokens ? "openid" : "", &record->scopes);
	else if (preset->id_tokens || record->bind == IDP_BIND_VERIFIED_EMAIL) /* GitHub's is for the addresses alone */
		put_list(body, "scope", preset->scope, &none);
}

int oidc_device_form(const struct oidc_client *client, const struct oidc_endpoints *endpoints,
		     const struct oidc_secrets *secrets, int64_t now, struct oidc_form *ret, struct problem *problem)
{
	const struct idp_record *record = &client->record;
	const struct oidc_preset *preset = oidc_preset(record->kind);
	struct oidc_form form;
	char seconds[16];
	int r;

	form_init(&form);
	r = put_client(record, endpoints, preset->proves_at_device, now, &form, problem);
	put_scope(&form.body, record, preset);
	if (r == 0)
		r = put_challenge(&form.body, secrets->verifier);
	if (secrets->nonce[0])
		put(&form.body, "nonce", secrets->nonce);
	if (preset->extras) {
		put_list(&form.body, "acr_values", "", &record->acr);
		if (record->max_age_sec > 0) {
			snprintf(seconds, sizeof(seconds), "%u", record->max_age_sec);
			put(&form.body, "max_age", seconds);
		}
	}
	return finish(r, &form, ret);
}

int oidc_token_form(const struct oidc_client *client, const struct oidc_endpoints *endpoints,
		    const struct oidc_secrets *secrets, const char *device_code, int64_t now, struct oidc_form *ret,
		    struct problem *problem)
{
	struct oidc_form form;
	int r;

	form_init(&form);
	put(&form.body, "grant_type", GRANT);
	put(&form.body, "device_code", device_code);
	r = put_client(&client->record, endpoints, true, now, &form, problem);
	if (secrets->verifier[0])
		put(&form.body, "code_verifier", secrets->verifier);
	return finish(r, &form, ret);
}
