/* SPDX-License-Identifier: MIT
 *
 * What went wrong at an identity provider, and what to do: by how it ended and how far it came.
 */
#include "base/text.h"
#include "ctl/sso.h"

static const char *refused_client(const struct idp_record *idp)
{
	switch (idp->kind) {
	case IDP_GOOGLE:
		return "in Google's console the client must be of the type \"TVs and Limited Input devices\", and its "
		       "secret must be given (--secret-file; client_auth client_secret_post)";
	case IDP_MICROSOFT:
		return "in Entra, under Authentication of the app registration, \"Allow public client flows\" must be "
		       "on, "
		       "and the registration must be of this directory";
	case IDP_GITHUB:
		return "in the settings of the GitHub app, \"Enable Device Flow\" must be on";
	case IDP_TENANTD:
		return "the client id must be the tenant's id, and the tenant must not be suspended at the control "
		       "plane";
	case IDP_OIDC:
		break;
	}
	return "the provider must know this client id, the client must be allowed the grant type \"device "
	       "authorization\" (Keycloak: \"OAuth 2.0 Device Authorization Grant\"; Okta, Auth0: \"Device Code\") and "
	       "the "
	       "scopes, and its secret must be sent the way it expects (client_auth)";
}

static const char *unreachable(enum sso_stage reached)
{
	switch (reached) {
	case SSO_AT_PROVIDER:
		return "is the issuer right (ISSUER/.well-known/openid-configuration must be there, and name that very "
		       "issuer), and can this host reach it: DNS, a proxy (sso.proxy), a firewall, certificates "
		       "(sso.ca_file)?";
	case SSO_AT_CODE:
		return "the discovery document names a device endpoint that does not answer as one; ask whoever runs "
		       "the "
		       "provider";
	case SSO_AT_APPROVAL:
	case SSO_AT_TOKEN:
		break;
	}
	return "it worked a moment ago: try again, and look at the provider's own status";
}

static const char *bad_token(const struct flow_result *result)
{
	switch (result->token) {
	case TOKEN_SIGNED_BADLY:
		return "the provider signs by RS256, PS256, ES256 or Ed25519 with keys from its jwks_uri; if it "
		       "changed "
		       "them just now, try again in a minute";
	case TOKEN_OTHER_ISSUER:
		return "write the issuer exactly as the token has it, to the last slash";
	case TOKEN_OTHER_AUDIENCE:
	case TOKEN_OTHER_PARTY:
		return "the token is for another client: compare client_id with the provider's console";
	case TOKEN_OVER:
	case TOKEN_TOO_EARLY:
	case TOKEN_FROM_FUTURE:
		return "compare this host's clock with the provider's: `timedatectl`, `tenantctl doctor`";
	case TOKEN_ACR:
		return "the provider must be set up to ask for what `acr` names, or `acr` must name what it gives";
	case TOKEN_AMR:
		return "the person signed in without what `amr` asks for, such as a second factor; the provider must "
		       "demand it of this client";
	case TOKEN_AUTH_TIME:
		return "the person's sign-in at the provider is older than max_age, or the provider does not say how "
		       "old: "
		       "sign out there first, or leave max_age out";
	case TOKEN_HOSTED_DOMAIN:
		return "sign in with an account of the hosted domain, not with a private one";
	case TOKEN_DIRECTORY:
		return "the account is of another Entra directory than the issuer's";
	case TOKEN_TENANT:
		return "the account is of another tenant";
	case TOKEN_FINE:
	case TOKEN_NO_CLAIM:
	case TOKEN_TOO_LONG:
	case TOKEN_NONCE:
	case TOKEN_AT_HASH:
	case TOKEN_SUBJECT:
	case TOKEN_KIND:
	case TOKEN_BOUND:
	case TOKEN_FAULT_COUNT:
		break;
	}
	return "the provider does not keep to OpenID Connect here; ask whoever runs it";
}

const char *sso_advice(const struct idp_record *idp, const struct flow_result *result, enum sso_stage reached)
{
	switch (result->end) {
	case FLOW_DENIED:
		return "somebody pressed \"no\", or a policy of the provider did; its log tells which";
	case FLOW_EXPIRED:
		return "nobody approved while the code was good; start again, and be quicker";
	case FLOW_BAD_TOKEN:
		return bad_token(result);
	case FLOW_REFUSED:
		return refused_client(idp);
	case FLOW_UNREACHABLE:
		return unreachable(reached);
	case FLOW_PROVEN:
	case FLOW_END_COUNT:
		break;
	}
	return "";
}

static const struct {
	const char *word, *sentence, *remedy;
} bindings[] = {
	{"listed", "is let in: the directory, or an earlier first sign-in, knows this identity as theirs", ""},
	{"own", "is let in: the control plane names this very user", ""},
	{"first", "would be let in, and the identity bound to them: its verified address is theirs", ""},
	{"other-identity", "is not let in: this is somebody else's identity",
	 "sign in at the provider as the right person, or see who has it: `tenantctl sso bindings`, `tenantctl "
	 "directory "
	 "show identities`"},
	{"not-allowed", "is not let in: nobody knows this identity, and the provider's `bind` is listed",
	 "`tenantctl directory bind USER PROVIDER SUBJECT` with the subject above"},
	{"not-verified", "is not let in: the provider does not say that the address is verified",
	 "bind the subject by hand (`tenantctl directory bind`), or have the provider send email_verified (Entra: "
	 "xms_edov)"},
	{"other-address", "is not let in: the address is not the one in the user's record",
	 "mend `email` in the record, or bind the subject by hand"},
	{"other-domain", "is not let in: the address is in none of the provider's `domains`",
	 "add the domain if it is the tenant's own, or bind the subject by hand"},
	{"taken", "is not let in: they have another identity at this issuer already",
	 "`tenantctl sso unbind USER ISSUER` if that one is not theirs any more, or list the new one"},
};

const char *sso_binding_sentence(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
		if (text_equal(bindings[i].word, word))
			return bindings[i].sentence;
	return "is not let in, for a reason that this version does not know";
}

const char *sso_binding_remedy(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(bindings); i++)
		if (text_equal(bindings[i].word, word))
			return bindings[i].remedy;
	return "";
}
