/* SPDX-License-Identifier: MIT
 *
 * The signature first: until it is good, nothing in a token is anybody's word. Then whose token it is and for whom,
 * then when, then what the tenant wants beside that.
 */
#include "oidc/id_token.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "jose/base64url.h"
#include "oidc/answer_text.h"
#include "oidc/email.h"
#include "oidc/preset.h"
#include "records/lists.h"

#define LIFETIME_MAX_SEC 86400
#define AUDIENCES_MAX 64U
/* Seconds that doubles and other people's programs still hold exactly; sums of two never overflow. */
#define TIME_LAST ((json_int_t)1 << 53)

/* ---- words ------------------------------------------------------------------------------------- */
static const struct {
	const char *word, *sentence;
} faults[] = {
	[TOKEN_FINE] = {"fine", "The token is good"},
	[TOKEN_SIGNED_BADLY] = {"signed-badly", "The token's signature does not hold"},
	[TOKEN_NO_CLAIM] = {"no-claim",
			    "The token lacks a claim, or has one of another type (iss, sub, aud, exp, iat)"},
	[TOKEN_OTHER_ISSUER] = {"other-issuer", "The token is another issuer's"},
	[TOKEN_OTHER_AUDIENCE] = {"other-audience", "The token is for somebody else (aud)"},
	[TOKEN_OTHER_PARTY] = {"other-party", "The token was given to another client (azp)"},
	[TOKEN_OVER] = {"over", "The token is over (exp)"},
	[TOKEN_TOO_EARLY] = {"too-early", "The token does not count yet (nbf)"},
	[TOKEN_FROM_FUTURE] = {"from-future", "The token was issued in the future (iat); is this host's clock right?"},
	[TOKEN_TOO_LONG] = {"too-long", "The token counts for longer than a day, or ends before it begins"},
	[TOKEN_NONCE] = {"nonce", "The token is not the answer to what was asked (nonce)"},
	[TOKEN_AT_HASH] = {"at-hash", "The token does not belong to the access token that came with it (at_hash)"},
	[TOKEN_ACR] = {"acr", "The person did not sign in the way that the tenant wants (acr)"},
	[TOKEN_AMR] = {"amr", "The person did not sign in with what the tenant wants (amr)"},
	[TOKEN_AUTH_TIME] = {"auth-time", "The person signed in to the provider too long ago (auth_time)"},
	[TOKEN_HOSTED_DOMAIN] = {"hosted-domain", "The person's account is in another domain (hd)"},
	[TOKEN_DIRECTORY] = {"directory", "The person's account is in another Microsoft directory (tid)"},
	[TOKEN_SUBJECT] = {"subject", "The token's subject is not one that can be (sub)"},
	[TOKEN_TENANT] = {"tenant", "The token is of another tenant (tenant)"},
	[TOKEN_KIND] = {"kind", "The token is not of the kind that is wanted here"},
	[TOKEN_BOUND] = {"bound", "The token counts only with a key that cannot be shown here (cnf)"},
};
_Static_assert(ARRAY_LEN(faults) == TOKEN_FAULT_COUNT, "each fault has its words");

const char *token_fault_word(enum token_fault fault)
{
	return (unsigned)fault < TOKEN_FAULT_COUNT ? faults[fault].word : "unknown";
}

const char *token_fault_sentence(enum token_fault fault)
{
	return (unsigned)fault < TOKEN_FAULT_COUNT ? faults[fault].sentence : "The token is refused";
}

/* ---- claims ------------------------------------------------------------------------------------ */
static const char *text_of(const json_t *claims, const char *name)
{
	return json_string_value(json_object_get(claims, name));
}

/* A time that must be there, or (`must` not set) may be: 0 then. */
static bool read_time(const json_t *claims, const char *name, bool must, int64_t *ret)
{
	const json_t *value = json_object_get(claims, name);

	*ret = json_integer_value(value);
	if (!value)
		return !must;
	return json_is_integer(value) && *ret > 0 && *ret <= TIME_LAST;
}

struct audience {
	uint32_t count;
	bool wanted; /* it is one of them */
};

static bool read_audience(const json_t *claims, const char *wanted, struct audience *ret)
{
	const json_t *audience = json_object_get(claims, "aud"), *item;
	size_t i;

	*ret = (struct audience){.count = 1};
	if (json_is_string(audience)) {
		ret->wanted = text_equal(json_string_value(audience), wanted);
		return json_string_length(audience) > 0;
	}
	if (!json_is_array(audience) || json_array_size(audience) == 0 || json_array_size(audience) > AUDIENCES_MAX)
		return false;
	ret->count = (uint32_t)json_array_size(audience);
	json_array_foreach(audience, i, item)
	{
		if (!json_is_string(item) || json_string_length(item) == 0)
			return false;
		ret->wanted = ret->wanted || text_equal(json_string_value(item), wanted);
	}
	return true;
}

/* ---- whose and for whom ------------------------------------------------------------------------ */
static enum token_fault check_issuer(const json_t *claims, const struct idp_record *idp)
{
	const json_t *issuer = json_object_get(claims, "iss");
	const char *directory, *tid;
	size_t length;

	if (!json_is_string(issuer) || json_string_length(issuer) == 0)
		return TOKEN_NO_CLAIM;
	if (!text_equal(json_string_value(issuer), idp->issuer) ||
	    json_string_length(issuer) >= sizeof(((struct oidc_identity *)0)->issuer))
		return TOKEN_OTHER_ISSUER;
	if (idp->kind == IDP_MICROSOFT) {
		tid = text_of(claims, "tid");
		if (!tid || !oidc_microsoft_directory(idp->issuer, &directory, &length) || strlen(tid) != length ||
		    memcmp(tid, directory, length) != 0)
			return TOKEN_DIRECTORY;
	}
	if (idp->kind == IDP_TENANTD && (!idp->tenant_id[0] || !text_equal(text_of(claims, "tenant"), idp->tenant_id)))
		return TOKEN_TENANT;
	return TOKEN_FINE;
}

static enum token_fault check_subject(const json_t *claims)
{
	const json_t *subject = json_object_get(claims, "sub");

	if (!json_is_string(subject))
		return TOKEN_NO_CLAIM;
	if (json_string_length(subject) >= OIDC_SUBJECT_MAX || !answer_text_is_ascii(json_string_value(subject), true))
		return TOKEN_SUBJECT;
	return TOKEN_FINE;
}

static enum token_fault check_party(const json_t *claims, const struct idp_record *idp)
{
	const json_t *party = json_object_get(claims, "azp");
	struct audience audience;

	if (!read_audience(claims, idp->client_id, &audience))
		return TOKEN_NO_CLAIM;
	if (!idp->client_id[0] || !audience.wanted)
		return TOKEN_OTHER_AUDIENCE;
	/* With others beside us it must say that it was given to us (Core, 3.1.3.7, steps 4 and 5). */
	if (audience.count > 1 && !party)
		return TOKEN_OTHER_PARTY;
	if (party && !text_equal(json_string_value(party), idp->client_id))
		return TOKEN_OTHER_PARTY;
	return TOKEN_FINE;
}

/* ---- kind -------------------------------------------------------------------------------------- */
static bool has_any(const json_t *claims, const char *const *names)
{
	for (; *names; names++)
		if (json_object_get(claims, *names))
			return true;
	return false;
}

/* What issuers say of themselves about what a token is for: Keycloak's "typ", Cognito's "token_use". */
static bool says_other(const json_t *claims, const char *type, const char *use)
{
	const json_t *said_type = json_object_get(claims, "typ"), *said_use = json_object_get(claims, "token_use");

	return (said_type && !text_equal(json_string_value(said_type), type)) ||
	       (said_use && !text_equal(json_string_value(said_use), use));
}

static enum token_fault check_id_kind(const json_t *claims)
{
	/* Of access tokens, and of security events such as a log-out (RFC 8417). */
	static const char *const foreign[] = {"scope", "scp", "events", NULL};

	return has_any(claims, foreign) || says_other(claims, "ID", "id") ? TOKEN_KIND : TOKEN_FINE;
}

static enum token_fault check_access_kind(const json_t *claims, const struct idp_record *idp)
{
	static const char *const foreign[] = {"nonce", "at_hash", "c_hash", "s_hash", "events", NULL};
	struct audience audience;

	if (has_any(claims, foreign) || says_other(claims, "Bearer", "access"))
		return TOKEN_KIND;
	if (json_object_get(claims, "cnf"))
		return TOKEN_BOUND;
	if (!read_audience(claims, idp->token_audience, &audience))
		return TOKEN_NO_CLAIM;
	if (!idp->token_audience[0] || !audience.wanted)
		return TOKEN_OTHER_AUDIENCE;
	/* Then nothing tells it from an ID token. */
	if (audience.count == 1 && text_equal(idp->token_audience, idp->client_id))
		return TOKEN_KIND;
	return TOKEN_FINE;
}

/* ---- when -------------------------------------------------------------------------------------- */
static enum token_fault check_times(const json_t *claims, int64_t now, struct oidc_identity *ret)
{
	int64_t not_before;

	if (!read_time(claims, "iat", true, &ret->issued) || !read_time(claims, "exp", true, &ret->expires) ||
	    !read_time(claims, "nbf", false, &not_before))
		return TOKEN_NO_CLAIM;
	if (ret->expires <= ret->issued || ret->expires <= not_before || ret->expires - ret->issued > LIFETIME_MAX_SEC)
		return TOKEN_TOO_LONG;
	if (now > ret->expires + OIDC_LEEWAY_SEC)
		return TOKEN_OVER;
	if (not_before > now + OIDC_LEEWAY_SEC)
		return TOKEN_TOO_EARLY;
	return ret->issued > now + OIDC_LEEWAY_SEC ? TOKEN_FROM_FUTURE : TOKEN_FINE;
}

static enum token_fault check_age(const json_t *claims, const struct id_token_rules *rules, struct oidc_identity *ret)
{
	uint32_t most = rules->idp->max_age_sec;

	if (!read_time(claims, "auth_time", most > 0, &ret->auth_time) || ret->auth_time > rules->now + OIDC_LEEWAY_SEC)
		return TOKEN_AUTH_TIME;
	if (most > 0 && rules->now - ret->auth_time > (int64_t)most + OIDC_LEEWAY_SEC)
		return TOKEN_AUTH_TIME;
	return TOKEN_FINE;
}

/* ---- what the tenant wants --------------------------------------------------------------------- */
static bool has_method(const json_t *methods, const char *wanted)
{
	for (size_t i = 0; i < json_array_size(methods); i++)
		if (text_equal(json_string_value(json_array_get(methods, i)), wanted))
			return true;
	return false;
}

/* A list of texts, and all that are wanted among them. */
static bool has_all(const json_t *methods, const struct string_list *wanted)
{
	for (size_t i = 0; i < json_array_size(methods); i++)
		if (!json_is_string(json_array_get(methods, i)))
			return false;
	for (uint32_t i = 0; i < wanted->count; i++)
		if (!has_method(methods, wanted->items[i]))
			return false;
	return true;
}

static enum token_fault check_wishes(const json_t *claims, const struct id_token_rules *rules,
				     struct oidc_identity *ret)
{
	const struct idp_record *idp = rules->idp;
	const char *acr = text_of(claims, "acr"), *domain = text_of(claims, "hd");

	if (!list_lets(&idp->acr, acr))
		return TOKEN_ACR;
	if (idp->amr.count > 0 && !has_all(json_object_get(claims, "amr"), &idp->amr))
		return TOKEN_AMR;
	if (idp->hosted_domain[0] && (!domain || !oidc_domain_equal(domain, idp->hosted_domain)))
		return TOKEN_HOSTED_DOMAIN;
	return check_age(claims, rules, ret);
}

/* ---- what belongs to this sign-in -------------------------------------------------------------- */
static enum token_fault check_nonce(const json_t *claims, const struct id_token_rules *rules)
{
	const json_t *nonce = json_object_get(claims, "nonce");

	/* Device requests have no nonce by their standard, so that a provider may overlook the one we send. */
	if (!nonce)
		return rules->nonce[0] && oidc_preset(rules->idp->kind)->needs_nonce ? TOKEN_NONCE : TOKEN_FINE;
	return rules->nonce[0] && text_equal(json_string_value(nonce), rules->nonce) ? TOKEN_FINE : TOKEN_NONCE;
}

/* The left half of the digest that belongs to the signature's algorithm (Core, 3.1.3.6): Ed25519's is SHA-512. */
static enum token_fault check_at_hash(const json_t *claims, const struct id_token_rules *rules, unsigned algorithm)
{
	const json_t *claim = json_object_get(claims, "at_hash");
	char expected[BASE64URL_CHARS(EVP_MAX_MD_SIZE / 2) + 1];
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned length;

	if (!claim)
		return TOKEN_FINE;
	if (!json_is_string(claim) || !rules->access_token[0] ||
	    EVP_Digest(rules->access_token, strlen(rules->access_token), digest, &length,
		       algorithm == JWS_EDDSA ? EVP_sha512() : EVP_sha256(), NULL) != 1)
		return TOKEN_AT_HASH;
	base64url_encode(digest, length / 2, expected);
	return text_equal(json_string_value(claim), expected) ? TOKEN_FINE : TOKEN_AT_HASH;
}

/* ---- who it is --------------------------------------------------------------------------------- */
static bool is_verified(const json_t *claims, const struct idp_record *idp, const char *email)
{
	bool verified = json_is_true(json_object_get(claims, "email_verified"));

	/* One may set the address of one's own account at Microsoft's, so an address alone says nothing there: this
	 * says that the domain is the directory's own. They write it as true, and sometimes as "1". */
	if (idp->kind == IDP_MICROSOFT && !verified) {
		const json_t *owned = json_object_get(claims, "xms_edov");

		verified = json_is_true(owned) || text_equal(json_string_value(owned), "1");
	}
	/* Anybody may make a Google account of an address elsewhere, and keep it when the address is somebody else's:
	 * Google answers for those of Workspace and for its own. */
	if (idp->kind == IDP_GOOGLE && verified) {
		const char *domain = text_of(claims, "hd");

		verified = (domain && domain[0]) || oidc_email_is_in(email, "gmail.com");
	}
	return verified;
}

static void fill(const json_t *claims, const struct idp_record *idp, struct oidc_identity *ret)
{
	const char *email = text_of(claims, "email");

	memcpy(ret->issuer, text_of(claims, "iss"), strlen(text_of(claims, "iss")) + 1);
	memcpy(ret->subject, text_of(claims, "sub"), strlen(text_of(claims, "sub")) + 1);
	answer_name(text_of(claims, "name"), ret->name, sizeof(ret->name));
	if (email && oidc_email_is_plain(email)) {
		memcpy(ret->email, email, strlen(email) + 1);
		ret->email_verified = is_verified(claims, idp, email);
	}
}

static bool read_token_id(const json_t *claims, struct oidc_identity *ret)
{
	const json_t *id = json_object_get(claims, "jti");

	if (!id)
		return true;
	if (!json_is_string(id) || json_string_length(id) >= sizeof(ret->token_id) ||
	    !answer_text_is_ascii(json_string_value(id), false))
		return false;
	memcpy(ret->token_id, json_string_value(id), json_string_length(id) + 1);
	return true;
}

/* ---- tokens ------------------------------------------------------------------------------------ */
static enum token_fault verify(const char *token, size_t length, const struct id_token_rules *rules,
			       const char *const *types, json_t **ret, unsigned *ret_algorithm, enum jws_fault *jws)
{
	const struct jws_rules signature = {
		.keys = rules->keys,
		.algorithms = rules->algorithms,
		.types = types,
	};
	enum jws_fault fault = jws_verify(token, length, &signature, ret, ret_algorithm);

	if (jws)
		*jws = fault;
	return fault == JWS_FINE ? TOKEN_FINE : TOKEN_SIGNED_BADLY;
}

static enum token_fault check_common(const json_t *claims, const struct id_token_rules *rules,
				     struct oidc_identity *ret)
{
	enum token_fault fault = check_times(claims, rules->now, ret);

	if (fault == TOKEN_FINE)
		fault = check_subject(claims);
	if (fault == TOKEN_FINE)
		fault = check_wishes(claims, rules, ret);
	return fault;
}

enum token_fault id_token_check(const char *token, size_t length, const struct id_token_rules *rules,
				struct oidc_identity *ret, enum jws_fault *jws)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	struct oidc_identity found = {0};
	unsigned algorithm = 0;
	enum token_fault fault = verify(token, length, rules, NULL, &claims, &algorithm, jws);

	if (fault == TOKEN_FINE)
		fault = check_issuer(claims, rules->idp);
	if (fault == TOKEN_FINE)
		fault = check_party(claims, rules->idp);
	if (fault == TOKEN_FINE)
		fault = check_id_kind(claims);
	if (fault == TOKEN_FINE)
		fault = check_common(claims, rules, &found);
	if (fault == TOKEN_FINE)
		fault = check_nonce(claims, rules);
	if (fault == TOKEN_FINE)
		fault = check_at_hash(claims, rules, algorithm);
	if (fault != TOKEN_FINE)
		return fault;
	(void)read_token_id(claims, &found); /* nothing hangs on it here */
	fill(claims, rules->idp, &found);
	*ret = found;
	return TOKEN_FINE;
}

enum token_fault access_token_check(const char *token, size_t length, const struct id_token_rules *rules,
				    struct oidc_identity *ret, enum jws_fault *jws)
{
	static const char *const types[] = {"at+jwt", "JWT", NULL};
	_cleanup_(json_decrefp) json_t *claims = NULL;
	struct oidc_identity found = {0};
	enum token_fault fault = verify(token, length, rules, types, &claims, NULL, jws);

	if (fault == TOKEN_FINE)
		fault = check_issuer(claims, rules->idp);
	if (fault == TOKEN_FINE)
		fault = check_access_kind(claims, rules->idp);
	if (fault == TOKEN_FINE)
		fault = check_common(claims, rules, &found);
	if (fault == TOKEN_FINE && !read_token_id(claims, &found))
		fault = TOKEN_NO_CLAIM;
	if (fault != TOKEN_FINE)
		return fault;
	fill(claims, rules->idp, &found);
	*ret = found;
	return TOKEN_FINE;
}
