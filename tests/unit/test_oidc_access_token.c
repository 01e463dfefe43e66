/* SPDX-License-Identifier: MIT
 *
 * A provider's access tokens as a credential: for this fleet, and of no other kind.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "oidc_fixture.h"

static void one(const char *name, json_t *value, enum token_fault wanted)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	char what[300], *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

	snprintf(what, sizeof(what), "%s = %.200s", name, text ? text : "(none)");
	free(text);
	access_expect(what, &rules, oidc_with(oidc_access_claims(&idp), name, value), wanted);
}

static void good_one(void **state)
{
	const struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);
	json_t *claims = oidc_with(oidc_access_claims(&idp), "jti", json_string("at-1"));
	char token[JWS_TEXT_SIZE], *text;
	struct oidc_identity who;
	enum jws_fault jws;

	one("scope", json_string("openid fleet"), TOKEN_FINE);
	one("scp", json_pack("[s]", "fleet"), TOKEN_FINE);
	one("azp", json_string("another-client"), TOKEN_FINE); /* for whom, not by whom, is what counts */
	one("aud", json_pack("[s,s]", "account", OIDC_AUDIENCE), TOKEN_FINE);
	one("typ", json_string("Bearer"), TOKEN_FINE);
	one("token_use", json_string("access"), TOKEN_FINE);
	text = json_dumps(claims, 0);
	make_token(token, test_keys[RSA_A], JWS_RS256, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"JWT\"}", text);
	assert_int_equal(access_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_FINE);
	assert_string_equal(who.issuer, OIDC_ISSUER);
	assert_string_equal(who.subject, "alice");
	assert_string_equal(who.token_id, "at-1");
	assert_int_equal(who.issued, OIDC_NOW - 10);
	/* It says what it is. */
	make_token(token, test_keys[RSA_A], JWS_RS256, "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", text);
	assert_int_equal(access_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_BAD_TYPE);
	make_token(token, test_keys[RSA_A], JWS_RS256, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"dpop+jwt\"}",
		   text);
	assert_int_equal(access_token_check(token, strlen(token), &rules, &who, &jws), TOKEN_SIGNED_BADLY);
	assert_int_equal(jws, JWS_BAD_TYPE);
	free(text);
	json_decref(claims);
}

static void id_tokens_are_no_access_tokens(void **state)
{
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);

	access_expect("an ID token", &rules, oidc_claims(&idp), TOKEN_OTHER_AUDIENCE);
	one("nonce", json_string(OIDC_NONCE), TOKEN_KIND);
	one("nonce", json_null(), TOKEN_KIND);
	one("at_hash", json_string(oidc_at_hash(EVP_sha256())), TOKEN_KIND);
	one("c_hash", json_string("LDktKdoQak3Pk0cnXxCltA"), TOKEN_KIND);
	one("s_hash", json_string("LDktKdoQak3Pk0cnXxCltA"), TOKEN_KIND);
	one("events", json_object(), TOKEN_KIND);
	one("typ", json_string("ID"), TOKEN_KIND);
	one("typ", json_string("Refresh"), TOKEN_KIND);
	one("typ", json_string("Offline"), TOKEN_KIND);
	one("token_use", json_string("id"), TOKEN_KIND);
	/* The client's own id as the fleet's audience: nothing tells one from the other then. */
	idp.token_audience = OIDC_CLIENT;
	access_expect("the client's own id", &rules, oidc_access_claims(&idp), TOKEN_KIND);
	access_expect("in a list", &rules, oidc_with(oidc_access_claims(&idp), "aud", json_pack("[s]", OIDC_CLIENT)),
		      TOKEN_KIND);
	access_expect("with another", &rules,
		      oidc_with(oidc_access_claims(&idp), "aud", json_pack("[s,s]", OIDC_CLIENT, "api")), TOKEN_FINE);
}

static void audiences(void **state)
{
	struct idp_record idp = oidc_idp();
	const struct id_token_rules rules = oidc_rules(&idp);

	one("aud", json_string("https://other-fleet.example"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("https://fleet.example/"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("account"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string("00000003-0000-0000-c000-000000000000"), TOKEN_OTHER_AUDIENCE); /* Microsoft Graph */
	one("aud", json_string("*"), TOKEN_OTHER_AUDIENCE);
	one("aud", json_string(""), TOKEN_NO_CLAIM);
	one("aud", NULL, TOKEN_NO_CLAIM);
	one("aud", json_pack("[s,i]", OIDC_AUDIENCE, 1), TOKEN_NO_CLAIM);
	/* A tenant that takes none. */
	idp.token_audience = "";
	access_expect("no audience", &rules, oidc_with(oidc_claims(&idp), "aud", json_string(OIDC_CLIENT)),
		      TOKEN_OTHER_AUDIENCE);
	access_expect("no audience, empty", &rules, oidc_with(oidc_claims(&idp), "aud", json_pack("[s]", "")),
		      TOKEN_NO_CLAIM);
}

/* Good only together with a key that its holder proves: whoever stole it cannot use it elsewhere, so not here either.
 */
static void bound_tokens(void **state)
{
	one("cnf", json_pack("{s:s}", "jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"), TOKEN_BOUND);
	one("cnf", json_pack("{s:s}", "x5t#S256", "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"), TOKEN_BOUND);
	one("cnf", json_null(), TOKEN_BOUND);
}

static void the_rest_as_of_id_tokens(void **state)
{
	static const char *const wanted[] = {"mfa"};
	struct idp_record idp = oidc_idp(), microsoft = oidc_idp_of(IDP_MICROSOFT), google = oidc_idp_of(IDP_GOOGLE);
	const struct id_token_rules rules = oidc_rules(&idp), of_microsoft = oidc_rules(&microsoft),
				    of_google = oidc_rules(&google);
	char longest[200];

	one("iss", json_string("https://id.example/"), TOKEN_OTHER_ISSUER);
	one("iss", NULL, TOKEN_NO_CLAIM);
	one("sub", NULL, TOKEN_NO_CLAIM);
	one("sub", json_string("al\nice"), TOKEN_SUBJECT);
	one("exp", json_integer(OIDC_NOW - OIDC_LEEWAY_SEC), TOKEN_TOO_LONG); /* before iat */
	one("exp", NULL, TOKEN_NO_CLAIM);
	one("iat", NULL, TOKEN_NO_CLAIM);
	one("iat", json_integer(OIDC_NOW + OIDC_LEEWAY_SEC + 1), TOKEN_FROM_FUTURE);
	one("iat", json_integer(OIDC_NOW - 90000), TOKEN_TOO_LONG);
	one("nbf", json_integer(OIDC_NOW + OIDC_LEEWAY_SEC + 1), TOKEN_TOO_EARLY);
	access_expect("over", &rules,
		      oidc_with(oidc_with(oidc_access_claims(&idp), "iat", json_integer(OIDC_NOW - 600)), "exp",
				json_integer(OIDC_NOW - OIDC_LEEWAY_SEC - 1)),
		      TOKEN_OVER);
	access_expect("at the bound", &rules,
		      oidc_with(oidc_with(oidc_access_claims(&idp), "iat", json_integer(OIDC_NOW - 600)), "exp",
				json_integer(OIDC_NOW - OIDC_LEEWAY_SEC)),
		      TOKEN_FINE);
	/* One whose id cannot be kept could not be revoked by it. */
	memset(longest, 'x', 128);
	longest[128] = '\0';
	one("jti", json_string(longest), TOKEN_NO_CLAIM);
	one("jti", json_string(longest + 1), TOKEN_FINE);
	one("jti", json_integer(1), TOKEN_NO_CLAIM);
	one("jti", json_string(""), TOKEN_NO_CLAIM);
	one("jti", json_string("a\nb"), TOKEN_NO_CLAIM);
	/* What the tenant wants of a sign-in holds for tokens, too. */
	idp.acr = (struct string_list){(const char **)(uintptr_t)wanted, 1};
	access_expect("acr", &rules, oidc_access_claims(&idp), TOKEN_ACR);
	access_expect("acr, said", &rules, oidc_with(oidc_access_claims(&idp), "acr", json_string("mfa")), TOKEN_FINE);
	idp.acr.count = 0;
	idp.max_age_sec = 60;
	access_expect("auth_time", &rules, oidc_access_claims(&idp), TOKEN_AUTH_TIME);
	google.hosted_domain = "acme.example";
	access_expect("hd", &of_google, oidc_access_claims(&google), TOKEN_HOSTED_DOMAIN);
	access_expect("tid", &of_microsoft, oidc_with(oidc_access_claims(&microsoft), "tid", NULL), TOKEN_DIRECTORY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_one),
		cmocka_unit_test(id_tokens_are_no_access_tokens),
		cmocka_unit_test(audiences),
		cmocka_unit_test(bound_tokens),
		cmocka_unit_test(the_rest_as_of_id_tokens),
	};

	return cmocka_run_group_tests(tests, oidc_set_up, oidc_tear_down);
}
