/* SPDX-License-Identifier: MIT
 *
 * Whose token? The issuer and the audience that it claims say which providers could mean it; what counts is read again
 * from what was verified, by each of those records' own rules. Who it is, is found within the tenant of the record that
 * fits, by (issuer, subject) as at a sign-in: a provider speaks for its own tenant's people and for nobody else's. When
 * two records fit and mean two people it is neither of them, for a token that is two people's is nobody's proof.
 *
 * Nothing is bound here. An access token goes through many hands; who may first say that an address is his is decided
 * in a sign-in that the person made.
 */
#include "credential/bearer.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "credential/token.h"
#include "jose/base64url.h"
#include "jose/compact.h"
#include "oidc/binding.h"

#define DIGEST_BYTES 16 /* of a token that has no name, or none that fits */
#define NAMED_MOST (CREDENTIAL_NAME_SIZE - sizeof("token:"))

_Static_assert(sizeof("digest-") + BASE64URL_CHARS(DIGEST_BYTES) <= CREDENTIAL_TOKEN_ID_SIZE, "its name fits");
_Static_assert(sizeof(((struct oidc_identity *)NULL)->token_id) <= CREDENTIAL_TOKEN_ID_SIZE, "any jti fits");

static bool takes_tokens(const struct idp_record *idp, const char *issuer)
{
	return *idp->token_audience && idp->kind != IDP_GITHUB && text_equal(idp->issuer, issuer);
}

/* The audience that the token claims, unverified: spares a signature for each tenant that has the same provider. */
static bool claims_audience(const json_t *claims, const char *audience)
{
	const json_t *said = json_object_get(claims, "aud"), *item;
	size_t i;

	if (!json_is_array(said))
		return text_equal(json_string_value(said), audience);
	json_array_foreach(said, i, item) if (text_equal(json_string_value(item), audience)) return true;
	return false;
}

static enum reason reason_of(enum token_fault fault)
{
	switch ((int)fault) {
	case TOKEN_OVER:
		return REASON_TOKEN_EXPIRED;
	case TOKEN_TOO_EARLY:
	case TOKEN_FROM_FUTURE:
		return REASON_TOKEN_NOT_YET;
	default:
		return REASON_TOKEN_WRONG;
	}
}

/* The signature's key is not among those that are here: nobody's, or newer than they are? */
static enum reason unknown_key(const struct credential_context *context, const struct idp_record *idp, const char *kid)
{
	const struct credential_providers *providers = context->providers;
	unsigned algorithms;
	bool fresh = false;

	(void)providers->keys(providers->context, idp, kid, &algorithms, &fresh);
	return fresh ? REASON_TOKEN_WRONG : REASON_TOKEN_UNDECIDED;
}

static const struct user_record *candidate(const struct credential_context *context, const struct idp_record *idp,
					   const struct oidc_identity *identity)
{
	const struct credential_providers *providers = context->providers;
	const struct user_record *user;
	const char *id;

	if (idp->kind == IDP_TENANTD)
		return directory_user(context->d, identity->subject);
	user = directory_user_by_identity(context->d, idp->tenant_id, identity->issuer, identity->subject);
	if (user)
		return user;
	id = providers->owner(providers->context, idp->tenant_id, identity->issuer, identity->subject);
	return id ? directory_user(context->d, id) : NULL;
}

/* Is it this user? As in a sign-in, but for first times. */
static bool is_bound(const struct credential_context *context, const struct idp_record *idp,
		     const struct user_record *user, const struct oidc_identity *identity)
{
	const struct credential_providers *providers = context->providers;
	enum binding binding = binding_decide(
		idp, user, providers->remembered(providers->context, user->id, identity->issuer),
		directory_user_by_identity(context->d, idp->tenant_id, identity->issuer, identity->subject), identity);

	return binding == BINDING_LISTED || binding == BINDING_OWN;
}

/* One provider's word about the token. */
static enum reason ask_provider(const struct credential_context *context, const struct idp_record *idp,
				const char *text, size_t length, const char *kid, struct oidc_identity *identity,
				const struct user_record **ret_user, const char **ret_detail)
{
	const struct credential_providers *providers = context->providers;
	struct id_token_rules rules = {.idp = idp, .nonce = "", .access_token = "", .now = context->now};
	const struct user_record *user;
	enum jws_fault jws = JWS_FINE;
	enum token_fault fault;
	bool fresh;

	rules.keys = providers->keys(providers->context, idp, NULL, &rules.algorithms, &fresh);
	if (!rules.keys) {
		*ret_detail = "the provider's keys are not here yet";
		return REASON_TOKEN_UNDECIDED;
	}
	fault = access_token_check(text, length, &rules, identity, &jws);
	if (fault != TOKEN_FINE) {
		*ret_detail = fault == TOKEN_SIGNED_BADLY ? jws_fault_word(jws) : token_fault_word(fault);
		if (jws == JWS_UNKNOWN_KEY)
			return unknown_key(context, idp, kid);
		return reason_of(fault);
	}
	user = candidate(context, idp, identity);
	if (!user || !is_bound(context, idp, user, identity)) {
		*ret_detail = "the identity is bound to nobody";
		return REASON_SSO_NOT_BOUND;
	}
	*ret_user = user;
	return REASON_ALLOWED;
}

/* By what it is revoked, and (where that is short enough) named in the audit. Without a name of its own, by what is
 * signed and not by the signature: from one of ES256 anybody makes another that is as good. */
static int name_token(const struct oidc_identity *identity, const char *text, size_t length,
		      struct credential_result *ret)
{
	char *id = ret->token.id;
	char digits[BASE64URL_CHARS(DIGEST_BYTES) + 1];
	uint8_t digest[SHA256_BYTES];
	struct compact parts;
	int r;

	if (*identity->token_id && strlen(identity->token_id) <= NAMED_MOST) {
		(void)snprintf(id, CREDENTIAL_TOKEN_ID_SIZE, "%s", identity->token_id);
		(void)snprintf(ret->name, sizeof(ret->name), "token:%.*s", (int)NAMED_MOST, id);
		return 0;
	}
	if (!compact_split(text, length, &parts))
		return -EINVAL;
	length = (size_t)(parts.parts[COMPACT_SIGNATURE].text - text);
	r = sha256(text, length, digest);
	if (r < 0)
		return r;
	base64url_encode(digest, DIGEST_BYTES, digits);
	(void)snprintf(ret->name, sizeof(ret->name), "token:digest-%s", digits);
	if (*identity->token_id)
		(void)snprintf(id, CREDENTIAL_TOKEN_ID_SIZE, "%s", identity->token_id);
	else
		(void)snprintf(id, CREDENTIAL_TOKEN_ID_SIZE, "digest-%s", digits);
	return 0;
}

static void take(const struct credential_context *context, const struct idp_record *idp,
		 const struct oidc_identity *identity, const struct user_record *user, const char *text, size_t length,
		 struct credential_result *ret)
{
	struct credential_token *token = &ret->token;

	if (name_token(identity, text, length, ret) < 0) {
		ret->reason = REASON_BROKEN;
		return;
	}
	token->issued = identity->issued;
	token->expires = identity->expires;
	(void)snprintf(token->idp_id, sizeof(token->idp_id), "%s", idp->id);
	(void)snprintf(token->subject, sizeof(token->subject), "%s", identity->subject);
	ret->user = user;
	ret->detail = NULL;
	ret->reason = token_in_force(context->d, user, token, context->now);
}

bool bearer_check(const struct credential_context *context, const char *text, size_t length,
		  struct credential_result *ret)
{
	_cleanup_(json_decrefp) json_t *claims = NULL;
	const struct idp_record *idp, *taken_idp = NULL;
	const struct user_record *user = NULL, *taken = NULL;
	struct oidc_identity identity, taken_identity = {0};
	struct jws_claimed claimed;
	struct compact parts;
	uint32_t cursor = 0;
	bool known = false;

	ret->reason = REASON_TOKEN_WRONG;
	if (!context->providers || jws_peek(text, length, &claimed) < 0 || !*claimed.issuer)
		return false;
	while ((idp = directory_next_idp(context->d, &cursor))) {
		enum reason reason;

		/* A tenant that two sources claim is served by neither. */
		if (!takes_tokens(idp, claimed.issuer) || !directory_tenant(context->d, idp->tenant_id))
			continue;
		if (!known) {
			if (!compact_split(text, length, &parts))
				return false;
			claims = compact_object(&parts, COMPACT_CLAIMS);
			known = true;
			ret->detail = token_fault_word(TOKEN_OTHER_AUDIENCE);
		}
		if (!claims_audience(claims, idp->token_audience))
			continue;
		reason = ask_provider(context, idp, text, length, claimed.kid, &identity, &user, &ret->detail);
		if (reason != REASON_ALLOWED) {
			/* Whether another provider knows better is still to be seen; undecided weighs more than no. */
			if (!reason_is_broken(ret->reason))
				ret->reason = reason;
			continue;
		}
		if (taken && taken != user) {
			ret->reason = REASON_TOKEN_WRONG;
			ret->detail = "the token is of two people: their tenants have the same provider and audience";
			return true;
		}
		taken = user;
		taken_idp = idp;
		taken_identity = identity;
	}
	if (taken)
		take(context, taken_idp, &taken_identity, taken, text, length, ret);
	return known;
}

enum reason bearer_stands(const struct credential_context *context, const struct user_record *user,
			  const struct credential_token *token)
{
	const struct idp_record *idp;
	struct oidc_identity identity = {0};
	uint32_t cursor = 0;

	do
		idp = directory_idps(context->d, user->tenant_id, &cursor);
	while (idp && !text_equal(idp->id, token->idp_id));
	if (!context->providers || !idp || !*idp->token_audience)
		return REASON_TOKEN_REVOKED;
	(void)snprintf(identity.issuer, sizeof(identity.issuer), "%s", idp->issuer);
	(void)snprintf(identity.subject, sizeof(identity.subject), "%s", token->subject);
	return is_bound(context, idp, user, &identity) ? REASON_ALLOWED : REASON_TOKEN_REVOKED;
}
