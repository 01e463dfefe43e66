/* SPDX-License-Identifier: MIT */
#include "login/standing.h"

#include <string.h>

#include "base/text.h"
#include "login/flow.h"
#include "login/ssh_proof.h"

static enum reason key_stands(const struct directory *d, const struct user_record *user, const char *id, int64_t now,
			      const struct key_record **ret_key)
{
	const struct key_record *key = directory_key(d, id);
	enum reason reason;

	if (!key || !text_equal(key->user_id, user->id))
		return REASON_KEY_REVOKED;
	reason = policy_key_in_force(key, now);
	if (reason == REASON_ALLOWED)
		*ret_key = key;
	return reason;
}

/* The provider is there, and the person known to it, though by what is not kept with the session. */
static enum reason identity_stands(const struct login_book *book, const struct directory *d,
				   const struct user_record *user, const char *idp_id)
{
	const struct login_sso *sso = login_book_sso(book);
	const struct idp_record *idp;
	uint32_t cursor = 0;

	do
		idp = directory_idps(d, user->tenant_id, &cursor);
	while (idp && !text_equal(idp->id, idp_id));
	if (!sso || !idp)
		return REASON_SSO_NOT_OFFERED;
	if (idp->kind == IDP_TENANTD)
		return REASON_ALLOWED;
	for (uint32_t i = 0; i < user->identity_count; i++)
		if (text_equal(user->identities[i].issuer, idp->issuer))
			return REASON_ALLOWED;
	return sso->remembered(sso->context, user->id, idp->issuer) ? REASON_ALLOWED : REASON_SSO_NOT_BOUND;
}

/* A token's own short time was for signing in; what it began lasts until somebody ends it. One of an identity
 * provider's lasts no longer than that provider's tokens count here, and the person is known to it. */
static enum reason token_stands(const struct login_book *book, const struct directory *d,
				const struct user_record *user, const char *id, const char *provider)
{
	const struct revocation_record *revocation = directory_revocation(d, user->tenant_id, id);
	const struct idp_record *idp;
	enum reason reason;

	if (revocation && revocation->of == REVOCATION_TOKEN)
		return REASON_TOKEN_REVOKED;
	if (!*provider)
		return REASON_ALLOWED;
	idp = directory_idp(d, provider);
	if (!idp || !text_equal(idp->tenant_id, user->tenant_id) || !*idp->token_audience)
		return REASON_TOKEN_REVOKED;
	reason = identity_stands(book, d, user, provider);
	return reason == REASON_SSO_NOT_OFFERED ? REASON_TOKEN_REVOKED : reason;
}

enum reason credential_stands(const struct login_book *book, const struct directory *d, const struct user_record *user,
			      const char *name, const char *provider, int64_t now, const struct key_record **ret_key)
{
	const struct tenant_record *tenant = directory_tenant(d, user->tenant_id);

	*ret_key = NULL;
	if (!tenant)
		return REASON_BROKEN;
	if (text_starts(name, "api-key:"))
		return key_stands(d, user, name + strlen("api-key:"), now, ret_key);
	if (text_starts(name, "token:"))
		return token_stands(book, d, user, name + strlen("token:"), provider);
	if (text_starts(name, "ssh-key:"))
		return ssh_proof_stands(tenant, user, name);
	if (text_starts(name, "sso:"))
		return identity_stands(book, d, user, name + strlen("sso:"));
	return REASON_CREDENTIAL_UNSUPPORTED;
}
