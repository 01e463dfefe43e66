/* SPDX-License-Identifier: MIT
 *
 * Where providers are asked: what is known in advance, and discovery documents.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "jose/jws_verify.h"
#include "oidc/endpoints.h"
#include "unit.h"

#define TID "72f988bf-86f1-41af-91ab-2d7cd011db47"

static struct idp_record provider(enum idp_kind kind, const char *issuer)
{
	return (struct idp_record){.kind = kind, .issuer = issuer, .tenant_id = "ten_a", .client_id = "c"};
}

/* ---- known in advance -------------------------------------------------------------------------- */
static void known(enum idp_kind kind, const char *issuer, const char *discovery)
{
	const struct idp_record idp = provider(kind, issuer);
	struct oidc_endpoints found;
	struct problem problem = {0};

	assert_result(oidc_endpoints_known(&idp, false, &found, &problem), 0);
	assert_string_equal(found.discovery, discovery);
	assert_string_equal(found.device, "");
	assert_string_equal(found.keys, "");
}

static void unknown(enum idp_kind kind, const char *issuer, bool allow_plain)
{
	const struct idp_record idp = provider(kind, issuer);
	struct oidc_endpoints found = {.device = "untouched"};
	struct problem problem = {0};

	if (oidc_endpoints_known(&idp, allow_plain, &found, &problem) != -EINVAL)
		fail_msg("%s was taken", issuer);
	assert_string_equal(found.device, "untouched");
	assert_string_not_equal(problem.text, "");
	assert_string_not_equal(problem.remedy, "");
}

static void issuers(void **state)
{
	static const char *const bad[] = {
		"",
		"id.example",
		"https://",
		"https:///id.example",
		"https:/id.example",
		"HTTPS://id.example",
		"http://id.example",
		"ftp://id.example",
		"file:///etc/passwd",
		"javascript:alert(1)",
		"https://user@id.example",
		"https://user:secret@id.example",
		"https://id.example?tenant=1",
		"https://id.example#top",
		"https://id.example/ path",
		"https://id.example/\tpath",
		"https://id.example\n",
		" https://id.example",
		"https://id.example\\@evil.example",
		"https://id.exampl\xd0\xb5",
		"https://id.example/\"",
		"https://:443",
		"https://?x",
		"https://@id.example",
		"https://.example/..",
		"https://id.example:99999",
	};
	char longest[600] = "https://id.example/";

	known(IDP_OIDC, "https://id.example", "https://id.example/.well-known/openid-configuration");
	known(IDP_OIDC, "https://id.example/", "https://id.example/.well-known/openid-configuration");
	known(IDP_OIDC, "https://id.example/realms/acme",
	      "https://id.example/realms/acme/.well-known/openid-configuration");
	known(IDP_OIDC, "https://id.example:8443/a/", "https://id.example:8443/a/.well-known/openid-configuration");
	known(IDP_OIDC, "https://[2001:db8::1]", "https://[2001:db8::1]/.well-known/openid-configuration");
	known(IDP_GOOGLE, "https://accounts.google.com",
	      "https://accounts.google.com/.well-known/openid-configuration");
	known(IDP_TENANTD, "https://control.example:8443",
	      "https://control.example:8443/.well-known/openid-configuration");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		for (int kind = IDP_OIDC; kind <= IDP_TENANTD; kind++)
			unknown((enum idp_kind)kind, bad[i], false);
	memset(longest + strlen(longest), 'a', 500);
	unknown(IDP_OIDC, longest, false);
	/* For tests: loopback alone, and only where it was allowed. */
	unknown(IDP_OIDC, "http://127.0.0.1:8080", false);
	unknown(IDP_OIDC, "http://id.example", true);
	unknown(IDP_OIDC, "http://127.0.0.1.evil.example", true);
	unknown(IDP_OIDC, "http://127.0.0.1@evil.example", true);
}

static void microsoft(void **state)
{
	static const char *const bad[] = {
		"https://login.microsoftonline.com/common/v2.0",
		"https://login.microsoftonline.com/organizations/v2.0",
		"https://login.microsoftonline.com/consumers/v2.0",
		"https://login.microsoftonline.com/acme.onmicrosoft.com/v2.0",
		"https://login.microsoftonline.com/{tenantid}/v2.0",
		"https://login.microsoftonline.com/" TID,
		"https://login.microsoftonline.com/" TID "/",
		"https://login.microsoftonline.com/" TID "/v2.0/",
		"https://login.microsoftonline.com/" TID "/v1.0",
		"https://login.microsoftonline.com/x/" TID "/v2.0",
		"https://login.microsoftonline.com/" TID "0/v2.0",
		"https://login.microsoftonline.com/72F988BF-86F1-41AF-91AB-2D7CD011DB47/v2.0",
		"https://login.microsoftonline.com/72f988bf-86f141af-91ab-2d7cd011db47-/v2.0",
		"https://sts.windows.net/" TID "/",
		"https://login.microsoftonline.com",
	};

	known(IDP_MICROSOFT, "https://login.microsoftonline.com/" TID "/v2.0",
	      "https://login.microsoftonline.com/" TID "/v2.0/.well-known/openid-configuration");
	known(IDP_MICROSOFT, "https://login.microsoftonline.us/" TID "/v2.0",
	      "https://login.microsoftonline.us/" TID "/v2.0/.well-known/openid-configuration");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		unknown(IDP_MICROSOFT, bad[i], false);
}

static void github(void **state)
{
	static const struct {
		const char *issuer, *device, *token, *user, *emails;
	} table[] = {
		{"https://github.com", "https://github.com/login/device/code",
		 "https://github.com/login/oauth/access_token", "https://api.github.com/user",
		 "https://api.github.com/user/emails"},
		{"https://acme.ghe.com", "https://acme.ghe.com/login/device/code",
		 "https://acme.ghe.com/login/oauth/access_token", "https://api.acme.ghe.com/user",
		 "https://api.acme.ghe.com/user/emails"},
		{"https://git.example", "https://git.example/login/device/code",
		 "https://git.example/login/oauth/access_token", "https://git.example/api/v3/user",
		 "https://git.example/api/v3/user/emails"},
		/* Not GitHub's, whatever it ends with. */
		{"https://evil.acme.ghe.com", "https://evil.acme.ghe.com/login/device/code",
		 "https://evil.acme.ghe.com/login/oauth/access_token", "https://evil.acme.ghe.com/api/v3/user",
		 "https://evil.acme.ghe.com/api/v3/user/emails"},
	};
	struct idp_record idp = provider(IDP_GITHUB, "");
	struct oidc_endpoints found;
	struct problem problem = {0};
	char longest[600] = "https://";

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		idp.issuer = table[i].issuer;
		assert_result(oidc_endpoints_known(&idp, false, &found, &problem), 0);
		assert_string_equal(found.discovery, "");
		assert_string_equal(found.device, table[i].device);
		assert_string_equal(found.token, table[i].token);
		assert_string_equal(found.user, table[i].user);
		assert_string_equal(found.emails, table[i].emails);
		assert_string_equal(found.keys, "");
		assert_false(found.nonce || found.pkce);
		assert_int_equal(found.algorithms, 0);
	}
	unknown(IDP_GITHUB, "https://github.com/", false);
	unknown(IDP_GITHUB, "https://github.com/login", false);
	/* It has no document that could say otherwise. */
	assert_result(oidc_endpoints_parse(&idp, "{}", 2, false, &found, &problem), -EINVAL);
	memset(longest + 8, 'a', 470);
	idp.issuer = longest;
	assert_int_not_equal(oidc_endpoints_known(&idp, false, &found, &problem), 0);
}

/* ---- discovery --------------------------------------------------------------------------------- */
static json_t *document(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:[s,s,s], s:[s,s], s:[s,s,s,s]}", "issuer", "https://id.example",
			 "device_authorization_endpoint", "https://id.example/device", "token_endpoint",
			 "https://token.example/token?v=1", "jwks_uri", "https://keys.example:8443/jwks",
			 "id_token_signing_alg_values_supported", "RS256", "ES256", "HS256",
			 "code_challenge_methods_supported", "plain", "S256", "token_endpoint_auth_methods_supported",
			 "client_secret_basic", "client_secret_post", "private_key_jwt", "tls_client_auth");
}

static int parse(enum idp_kind kind, const char *issuer, json_t *doc, bool allow_plain, struct oidc_endpoints *ret,
		 struct problem *problem)
{
	const struct idp_record idp = provider(kind, issuer);
	char *text = json_dumps(doc, 0);
	int r = oidc_endpoints_parse(&idp, text, strlen(text), allow_plain, ret, problem);

	free(text);
	json_decref(doc);
	return r;
}

static void good_document(void **state)
{
	struct oidc_endpoints found;
	struct problem problem = {0};
	json_t *doc = document();

	assert_result(parse(IDP_OIDC, "https://id.example", document(), false, &found, &problem), 0);
	assert_string_equal(found.discovery, "https://id.example/.well-known/openid-configuration");
	assert_string_equal(found.device, "https://id.example/device");
	assert_string_equal(found.token, "https://token.example/token?v=1");
	assert_string_equal(found.keys, "https://keys.example:8443/jwks");
	assert_string_equal(found.user, "");
	assert_int_equal(found.algorithms, JWS_RS256 | JWS_ES256);
	assert_true(found.pkce && found.nonce && found.auth_basic && found.auth_post && found.auth_private_key);
	/* Little said: what the standards say then. */
	json_object_del(doc, "id_token_signing_alg_values_supported");
	json_object_del(doc, "code_challenge_methods_supported");
	json_object_set_new(doc, "token_endpoint_auth_methods_supported", json_null());
	json_object_set_new(doc, "something_new", json_pack("{s:i}", "a", 1));
	assert_result(parse(IDP_OIDC, "https://id.example", doc, false, &found, &problem), 0);
	assert_int_equal(found.algorithms, JWS_RS256);
	assert_true(found.auth_basic && !found.auth_post && !found.auth_private_key && !found.pkce);
	/* Google and Microsoft refuse or ignore what they do not know. */
	doc = document();
	json_object_set_new(doc, "issuer", json_string("https://accounts.google.com"));
	assert_result(parse(IDP_GOOGLE, "https://accounts.google.com", doc, false, &found, &problem), 0);
	assert_false(found.pkce || found.nonce);
	/* A document that says what the record says, of issuers that are none: everybody's, and GitHub. */
	doc = document();
	json_object_set_new(doc, "issuer", json_string("https://login.microsoftonline.com/common/v2.0"));
	assert_result(
		parse(IDP_MICROSOFT, "https://login.microsoftonline.com/common/v2.0", doc, false, &found, &problem),
		-EINVAL);
	doc = document();
	json_object_set_new(doc, "issuer", json_string("https://github.com"));
	assert_result(parse(IDP_GITHUB, "https://github.com", doc, false, &found, &problem), -EINVAL);
	/* Loopback, where tests allow it. */
	doc = document();
	json_object_set_new(doc, "issuer", json_string("http://127.0.0.1:1"));
	json_object_set_new(doc, "jwks_uri", json_string("http://127.0.0.1:1/jwks"));
	assert_result(parse(IDP_OIDC, "http://127.0.0.1:1", json_incref(doc), true, &found, &problem), 0);
	assert_result(parse(IDP_OIDC, "http://127.0.0.1:1", doc, false, &found, &problem), -EINVAL);
}

static void refused(json_t *doc, const char *reason)
{
	struct oidc_endpoints found = {.device = "untouched"};
	struct problem problem = {0};
	int r = parse(IDP_OIDC, "https://id.example", doc, false, &found, &problem);

	if (r != -EINVAL || !strstr(problem.text, reason))
		fail_msg("%d \"%s\", not \"%s\"", r, problem.text, reason);
	assert_string_equal(found.device, "untouched");
}

static json_t *with(const char *name, json_t *value)
{
	json_t *doc = document();

	if (value)
		json_object_set_new(doc, name, value);
	else
		json_object_del(doc, name);
	return doc;
}

static void wrong_issuers(void **state)
{
	static const char *const others[] = {
		"https://id.example/",      "https://ID.example",   "http://id.example",
		"https://id.example:443",   "https://evil.example", "https://id.example.",
		"https://id.example/realm", "id.example",           "",
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		refused(with("issuer", json_string(others[i])), "another issuer");
	refused(with("issuer", NULL), "no \"issuer\"");
	refused(with("issuer", json_integer(1)), "no \"issuer\"");
	refused(with("issuer", json_pack("[s]", "https://id.example")), "no \"issuer\"");
	refused(with("issuer", json_string("https://evil.example/\x1b[2J")), "\\x1b");
}

static void wrong_endpoints(void **state)
{
	static const char *const names[] = {"device_authorization_endpoint", "token_endpoint", "jwks_uri"};
	static const char *const bad[] = {
		"",
		"/device",
		"//id.example/device",
		"http://id.example/device",
		"http://127.0.0.1/device",
		"file:///etc/shadow",
		"javascript:alert(1)",
		"gopher://id.example/1",
		"https://user@id.example/device",
		"https://id.example/device#a",
		"https://id.example/a b",
		"https://id.example/a\nb",
		"https://id.example/\x7f",
		"https://id.exampl\xd0\xb5/device",
		"https:id.example",
		"https://",
	};
	char longest[600] = "https://id.example/", reason[128];

	memset(longest + strlen(longest), 'a', 512 - strlen("https://id.example/"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(reason, sizeof(reason), "\"%s\" of the discovery document is not an https address", names[i]);
		for (size_t j = 0; j < ARRAY_LEN(bad); j++)
			refused(with(names[i], json_string(bad[j])), reason);
		refused(with(names[i], json_string(longest)), reason);
		refused(with(names[i], json_integer(1)), reason);
		refused(with(names[i], json_null()), reason);
		refused(with(names[i], json_pack("[s]", "https://id.example/device")), reason);
		snprintf(reason, sizeof(reason), "no \"%s\"", names[i]);
		refused(with(names[i], NULL), reason);
	}
}

static void wrong_lists(void **state)
{
	static const char *const names[] = {"id_token_signing_alg_values_supported", "code_challenge_methods_supported",
					    "token_endpoint_auth_methods_supported"};
	static const char *const weak[] = {"none", "HS256", "RS512", "rs256", ""};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		refused(with(names[i], json_string("RS256")), "is no list");
		refused(with(names[i], json_object()), "is no list");
		refused(with(names[i], json_pack("[s,i]", "RS256", 1)), "other than strings");
	}
	for (size_t i = 0; i < ARRAY_LEN(weak); i++)
		refused(with(names[0], json_pack("[s]", weak[i])), "no algorithm that is known");
	refused(with(names[0], json_array()), "no algorithm that is known");
}

static void wrong_texts(void **state)
{
	static const struct {
		const char *text, *reason;
	} table[] = {
		{"", "JSON"},
		{"null", "no JSON object"},
		{"[]", "no JSON object"},
		{"{}", "no \"issuer\""},
		{"<html>", "JSON"},
		{"{\"issuer\":\"https://id.example\",\"issuer\":\"https://id.example\"}", "twice"},
		{"{\"issuer\":\"https://id.example\",\"\\u0069ssuer\":\"https://evil.example\"}", "twice"},
		{"{\"issuer\":\"https://id.example\\u0000.evil.example\"}", "NUL"},
		{"{\"issuer\":\"https://id.example\"", "early"},
	};
	const struct idp_record idp = provider(IDP_OIDC, "https://id.example");
	char *large = malloc(OIDC_DOCUMENT_MAX + 1), *text;
	struct oidc_endpoints found;
	struct problem problem;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		problem = (struct problem){0};
		assert_result(oidc_endpoints_parse(&idp, table[i].text, strlen(table[i].text), false, &found, &problem),
			      -EINVAL);
		if (!strstr(problem.text, table[i].reason))
			fail_msg("%s: %s", table[i].text, problem.text);
	}
	memset(large, ' ', OIDC_DOCUMENT_MAX + 1);
	{
		json_t *doc = document();

		text = json_dumps(doc, 0);
		json_decref(doc);
	}
	memcpy(large, text, strlen(text));
	assert_result(oidc_endpoints_parse(&idp, large, OIDC_DOCUMENT_MAX, false, &found, &problem), 0);
	assert_result(oidc_endpoints_parse(&idp, large, OIDC_DOCUMENT_MAX + 1, false, &found, &problem), -EINVAL);
	free(text);
	free(large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(issuers),       cmocka_unit_test(microsoft),     cmocka_unit_test(github),
		cmocka_unit_test(good_document), cmocka_unit_test(wrong_issuers), cmocka_unit_test(wrong_endpoints),
		cmocka_unit_test(wrong_lists),   cmocka_unit_test(wrong_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
