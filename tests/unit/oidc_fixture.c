/* SPDX-License-Identifier: MIT */
#include "oidc_fixture.h"

#include <string.h>

#include "jose/base64url.h"

static struct jwks *set;

int oidc_set_up(void **state)
{
	int r = jws_set_up(state);

	set = whole_set();
	return r;
}

int oidc_tear_down(void **state)
{
	jwks_unref(set);
	return jws_tear_down(state);
}

struct idp_record oidc_idp(void)
{
	return (struct idp_record){
		.id = "idp_1",
		.tenant_id = "ten_a",
		.name = "Example",
		.issuer = OIDC_ISSUER,
		.client_id = OIDC_CLIENT,
		.client_secret = "",
		.client_key = "",
		.hosted_domain = "",
		.token_audience = OIDC_AUDIENCE,
	};
}

struct idp_record oidc_idp_of(enum idp_kind kind)
{
	struct idp_record idp = oidc_idp();

	idp.kind = kind;
	if (kind == IDP_GOOGLE)
		idp.issuer = "https://accounts.google.com";
	if (kind == IDP_MICROSOFT)
		idp.issuer = MICROSOFT_ISSUER;
	if (kind == IDP_TENANTD)
		idp.client_id = "ten_a";
	return idp;
}

struct id_token_rules oidc_rules(const struct idp_record *idp)
{
	return (struct id_token_rules){
		.idp = idp,
		.keys = set,
		.algorithms = JWS_ANY,
		.nonce = "",
		.access_token = OIDC_ACCESS,
		.now = OIDC_NOW,
	};
}

json_t *oidc_claims(const struct idp_record *idp)
{
	json_t *claims = json_pack("{s:s, s:s, s:s, s:i, s:i}", "iss", idp->issuer, "aud", idp->client_id, "sub",
				   "alice", "iat", OIDC_NOW - 10, "exp", OIDC_NOW + 300);

	if (idp->kind == IDP_MICROSOFT)
		json_object_set_new(claims, "tid", json_string(MICROSOFT_TID));
	if (idp->kind == IDP_TENANTD)
		json_object_set_new(claims, "tenant", json_string(idp->tenant_id));
	return claims;
}

json_t *oidc_access_claims(const struct idp_record *idp)
{
	return oidc_with(oidc_with(oidc_claims(idp), "aud", json_string(idp->token_audience)), "client_id",
			 json_string("another-client"));
}

json_t *oidc_with(json_t *claims, const char *name, json_t *value)
{
	if (value)
		assert_int_equal(json_object_set_new(claims, name, value), 0);
	else
		json_object_del(claims, name);
	return claims;
}

static void sign(char *token, json_t *claims, const char *type)
{
	char *text = json_dumps(claims, JSON_COMPACT), header[128];

	jws_header(header, sizeof(header), "ES256", "ec", type);
	make_token(token, test_keys[EC_A], JWS_ES256, header, text);
	free(text);
	json_decref(claims);
}

static void judge(const char *what, enum token_fault fault, enum token_fault wanted, enum jws_fault jws,
		  const struct oidc_identity *identity)
{
	static const struct oidc_identity untouched = {.subject = "untouched"};

	if (fault != wanted)
		fail_msg("%s: %s, not %s", what, token_fault_word(fault), token_fault_word(wanted));
	if (fault != TOKEN_FINE)
		assert_memory_equal(identity, &untouched, sizeof(untouched));
	assert_true((jws == JWS_FINE) == (fault != TOKEN_SIGNED_BADLY));
}

void id_expect(const char *what, const struct id_token_rules *rules, json_t *claims, enum token_fault wanted)
{
	struct oidc_identity identity = {.subject = "untouched"};
	enum jws_fault jws = JWS_FAULT_COUNT;
	char token[JWS_TEXT_SIZE];
	enum token_fault fault;

	sign(token, claims, ",\"typ\":\"JWT\"");
	fault = id_token_check(token, strlen(token), rules, &identity, &jws);
	judge(what, fault, wanted, jws, &identity);
}

void access_expect(const char *what, const struct id_token_rules *rules, json_t *claims, enum token_fault wanted)
{
	struct oidc_identity identity = {.subject = "untouched"};
	enum jws_fault jws = JWS_FAULT_COUNT;
	char token[JWS_TEXT_SIZE];
	enum token_fault fault;

	sign(token, claims, ",\"typ\":\"at+jwt\"");
	fault = access_token_check(token, strlen(token), rules, &identity, &jws);
	judge(what, fault, wanted, jws, &identity);
}

struct oidc_identity id_identity(const struct id_token_rules *rules, json_t *claims)
{
	struct oidc_identity identity = {0};
	char token[JWS_TEXT_SIZE];
	enum token_fault fault;

	sign(token, claims, "");
	fault = id_token_check(token, strlen(token), rules, &identity, NULL);
	if (fault != TOKEN_FINE)
		fail_msg("%s", token_fault_word(fault));
	return identity;
}

const char *oidc_at_hash(const EVP_MD *digest)
{
	static char text[BASE64URL_CHARS(EVP_MAX_MD_SIZE) + 1];
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned length;

	assert_int_equal(EVP_Digest(OIDC_ACCESS, strlen(OIDC_ACCESS), hash, &length, digest, NULL), 1);
	base64url_encode(hash, length / 2, text);
	return text;
}
