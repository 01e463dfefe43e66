/* SPDX-License-Identifier: MIT
 *
 * Tokens of identity providers. Input with a line end is a header and claims, which are signed by a key that is
 * trusted, so that what lies behind the signature is reached, too; any other input is a token as it came.
 */
#include <jansson.h>
#include <jose/jws.h>
#include <string.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/text.h"
#include "fuzz.h"
#include "jose/base64url.h"
#include "jose/jws_verify.h"
#include "oidc/email.h"
#include "oidc/id_token.h"

#define NOW 1800000000
#define INPUT_MAX 9000U
#define MICROSOFT "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0"

/* The key of RFC 7515, A.3, which everybody has, and a second one without a name. */
static const char keys_text[] =
	"{\"keys\":["
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"ec\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"
	"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}";
static const char private_text[] =
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
	"\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}";

static const struct jwks *trusted(void)
{
	static struct jwks *keys;

	if (!keys)
		FUZZ_CHECK(jwks_parse(keys_text, strlen(keys_text), &keys, &(struct problem){0}) == 0);
	return keys;
}

/* What must hold of everybody who comes out of a token. */
static void check_identity(const struct idp_record *idp, const struct oidc_identity *who)
{
	FUZZ_CHECK(strcmp(who->issuer, idp->issuer) == 0);
	FUZZ_CHECK(who->subject[0] && text_is_printable(who->subject, strlen(who->subject)));
	FUZZ_CHECK(!who->email[0] || oidc_email_is_plain(who->email));
	FUZZ_CHECK(who->email[0] || !who->email_verified);
	FUZZ_CHECK(text_is_printable(who->name, strlen(who->name)));
	FUZZ_CHECK(text_is_printable(who->token_id, strlen(who->token_id)));
	FUZZ_CHECK(who->expires > who->issued && who->expires - who->issued <= 86400);
	FUZZ_CHECK(who->expires + OIDC_LEEWAY_SEC >= NOW && who->issued - OIDC_LEEWAY_SEC <= NOW);
}

static void check_as(enum idp_kind kind, const char *issuer, const char *token, size_t length)
{
	static const char *acr_items[] = {"mfa"};
	const struct idp_record idp = {
		.tenant_id = "ten_a",
		.issuer = issuer,
		.kind = kind,
		.client_id = kind == IDP_TENANTD ? "ten_a" : "client-1",
		.hosted_domain = kind == IDP_GOOGLE ? "acme.example" : "",
		.token_audience = "https://fleet.example",
		.acr = {acr_items, kind == IDP_MICROSOFT ? 1 : 0},
	};
	const struct id_token_rules rules = {
		.idp = &idp,
		.keys = trusted(),
		.algorithms = JWS_ANY,
		.nonce = kind == IDP_TENANTD ? "n-1" : "",
		.access_token = "at",
		.now = NOW,
	};
	struct oidc_identity who = {0};
	enum jws_fault jws = JWS_FAULT_COUNT;
	enum token_fault fault = id_token_check(token, length, &rules, &who, &jws);

	FUZZ_CHECK((fault == TOKEN_SIGNED_BADLY) == (jws != JWS_FINE));
	if (fault == TOKEN_FINE)
		check_identity(&idp, &who);
	else
		FUZZ_CHECK(!who.subject[0]);
	who = (struct oidc_identity){0};
	if (access_token_check(token, length, &rules, &who, NULL) == TOKEN_FINE)
		check_identity(&idp, &who);
	else
		FUZZ_CHECK(!who.subject[0]);
}

static void check(const char *token, size_t length)
{
	const struct jws_rules rules = {.keys = trusted(), .algorithms = JWS_ANY};
	_cleanup_(json_decrefp) json_t *claims = NULL;
	enum jws_fault fault = jws_verify(token, length, &rules, &claims, NULL);
	struct jws_claimed claimed;

	FUZZ_CHECK((fault == JWS_FINE) == (claims != NULL));
	if (jws_peek(token, length, &claimed) == 0)
		FUZZ_CHECK(strlen(claimed.kid) < sizeof(claimed.kid) &&
			   strlen(claimed.issuer) < sizeof(claimed.issuer));
	check_as(IDP_OIDC, "https://id.example", token, length);
	if (fault != JWS_FINE)
		return;
	check_as(IDP_GOOGLE, "https://accounts.google.com", token, length);
	check_as(IDP_MICROSOFT, MICROSOFT, token, length);
	check_as(IDP_TENANTD, "https://control.example", token, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *line_end = size > 0 ? memchr(text, '\n', size) : NULL;
	_cleanup_(json_decrefp) json_t *key = NULL, *jws = NULL, *header = NULL;
	_cleanup_(buffer_finish) struct buffer token = BUFFER_INIT;
	char encoded[BASE64URL_CHARS(INPUT_MAX) + 1];
	size_t header_length;

	if (size > INPUT_MAX)
		return 0;
	if (!line_end) {
		check(text, size);
		return 0;
	}
	header_length = (size_t)(line_end - text);
	base64url_encode(text, header_length, encoded);
	header = json_pack("{s:s}", "protected", encoded);
	(void)buffer_printf(&token, "%s.", encoded);
	base64url_encode(line_end + 1, size - header_length - 1, encoded);
	jws = json_pack("{s:s}", "payload", encoded);
	key = json_loads(private_text, 0, NULL);
	FUZZ_CHECK(header && jws && key);
	if (!jose_jws_sig(NULL, jws, header, key))
		return 0; /* a header for another algorithm, or none */
	(void)buffer_printf(&token, "%s.%s", encoded, json_string_value(json_object_get(jws, "signature")));
	FUZZ_CHECK(!token.failed);
	check(token.data, token.length);
	return 0;
}
