/* SPDX-License-Identifier: MIT
 *
 * Identity providers and identities. What a kind of provider cannot tell may not be asked of it: a rule that is
 * written down and never looked at would be believed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "records/lists.h"
#include "records/rules.h"

#define MAX_AGE_MAX (366U * 86400U)

#define REFUSE(problem, remedy, ...) \
	(problem_set((problem), EINVAL, __VA_ARGS__), problem_remedy((problem), "%s", (remedy)), -EINVAL)

/* Its secret or key, and only that. No word of either is said. */
static int check_client(const struct idp_record *idp, struct problem *problem)
{
	bool secret = *idp->client_secret != '\0', key = *idp->client_key != '\0';

	switch (idp->client_auth) {
	case IDP_CLIENT_NONE:
		if (secret)
			return REFUSE(problem, "set it to client_secret_basic or client_secret_post",
				      "there is a client_secret, but \"client_auth\" does not say how it is sent");
		if (key)
			return REFUSE(problem, "set it to private_key_jwt",
				      "there is a client_key, but \"client_auth\" does not say that it is used");
		return 0;
	case IDP_CLIENT_SECRET_BASIC:
	case IDP_CLIENT_SECRET_POST:
		if (!secret || key)
			return REFUSE(problem, "add client_secret, and take client_key out",
				      "this \"client_auth\" needs a client_secret and no client_key");
		return 0;
	case IDP_CLIENT_PRIVATE_KEY_JWT:
		if (!key || secret)
			return REFUSE(problem, "add client_key, and take client_secret out",
				      "\"client_auth\" private_key_jwt needs a client_key and no client_secret");
		return 0;
	}
	return -EINVAL;
}

/* GitHub has no ID tokens: nothing that stands in one can be asked for. */
static int check_github(const struct idp_record *idp, struct problem *problem)
{
	if (idp->acr.count || idp->amr.count || *idp->hosted_domain || *idp->token_audience || idp->max_age_sec)
		return REFUSE(problem, "take it out, or use a provider that has ID tokens",
			      "GitHub cannot tell acr, amr, hosted_domain, token_audience or max_age");
	if (idp->client_auth == IDP_CLIENT_PRIVATE_KEY_JWT)
		return REFUSE(problem, "use none or client_secret_post", "GitHub does not take private_key_jwt");
	if (idp->bind == IDP_BIND_VERIFIED_EMAIL && idp->scopes.count && !list_has(&idp->scopes, "user:email") &&
	    !list_has(&idp->scopes, "user"))
		return REFUSE(problem, "add it, or leave scopes out",
			      "without the scope user:email GitHub does not say which addresses are verified, so "
			      "none can bind");
	return 0;
}

static bool is_guid(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' : !strchr("0123456789abcdef", text[i]))
			return false;
	return length == 36;
}

/* Tokens name their directory by its id, whatever else it is called; "common" and its like are everybody's. */
static int check_microsoft(const struct idp_record *idp, struct problem *problem)
{
	const char *path = strchr(strstr(idp->issuer, "://") + 3, '/');
	size_t length = path ? strcspn(path + 1, "/") : 0;

	if (path && is_guid(path + 1, length) && strcmp(path + 1 + length, "/v2.0") == 0)
		return 0;
	return REFUSE(problem, "write https://login.microsoftonline.com/<id of the directory>/v2.0",
		      "the issuer is not that of one directory, by its id");
}

static int check_kind(const struct idp_record *idp, struct problem *problem)
{
	switch (idp->kind) {
	case IDP_GITHUB:
		return check_github(idp, problem);
	case IDP_MICROSOFT:
		return check_microsoft(idp, problem);
	case IDP_TENANTD:
		if (strcmp(idp->client_id, idp->tenant_id) != 0)
			return REFUSE(problem, "write the tenant's id",
				      "the client id at a control plane is the tenant's id");
		if (idp->bind != IDP_BIND_LISTED)
			return REFUSE(problem, "take \"bind\" out",
				      "a control plane names the user itself, so there is nothing to bind");
		return 0;
	case IDP_OIDC:
	case IDP_GOOGLE:
		return 0;
	}
	return -EINVAL;
}

int rules_idp(const struct idp_record *idp, struct problem *problem)
{
	int r = check_client(idp, problem);

	if (r == 0)
		r = check_kind(idp, problem);
	if (r < 0)
		return r;
	if (idp->kind != IDP_GITHUB && idp->scopes.count && !list_has(&idp->scopes, "openid"))
		return REFUSE(problem, "add it, or leave scopes out", "without the scope openid there is no ID token");
	if (idp->bind == IDP_BIND_VERIFIED_EMAIL && !idp->domains.count)
		return REFUSE(
			problem, "list the domains of the tenant's own addresses, or set \"bind\" to listed",
			"\"bind\" verified_email needs \"domains\": an address elsewhere is not the tenant's word");
	if (*idp->hosted_domain && idp->kind != IDP_GOOGLE && idp->kind != IDP_OIDC)
		return REFUSE(problem, "take it out", "only Google and plain OpenID providers have a hosted_domain");
	if (*idp->token_audience && strcmp(idp->token_audience, idp->client_id) == 0)
		return REFUSE(problem, "register an audience (an API, a resource) of its own at the provider",
			      "token_audience is the client id: an ID token could not be told from an access token");
	if (idp->max_age_sec > MAX_AGE_MAX)
		return REFUSE(problem, "choose a shorter span, or leave it out", "max_age is longer than a year");
	return 0;
}

const char *rules_idp_name(enum idp_kind kind, const char *issuer, char out[RULES_IDP_NAME_MAX])
{
	static const char *const names[] = {
		[IDP_GOOGLE] = "Google",
		[IDP_MICROSOFT] = "Microsoft",
		[IDP_GITHUB] = "GitHub",
		[IDP_TENANTD] = NULL,
	};
	const char *host = strstr(issuer, "://");
	size_t length;

	if (names[kind]) {
		snprintf(out, RULES_IDP_NAME_MAX, "%s", names[kind]);
		return out;
	}
	host = host ? host + strlen("://") : issuer;
	length = strcspn(host, "/");
	snprintf(out, RULES_IDP_NAME_MAX, "%.*s", (int)MIN_OF(length, (size_t)RULES_IDP_NAME_MAX - 1), host);
	return out;
}

int rules_identities(const struct user_record *user, struct problem *problem)
{
	if (user->identity_count > USER_IDENTITIES_MAX)
		return REFUSE(problem, "keep those that are used", "more than %u identities of one user",
			      USER_IDENTITIES_MAX);
	for (uint32_t i = 0; i < user->identity_count; i++)
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(user->identities[i].issuer, user->identities[j].issuer) == 0 &&
			    strcmp(user->identities[i].subject, user->identities[j].subject) == 0)
				return REFUSE(problem, "keep one of the two", "an identity is listed twice");
	return 0;
}
