/* SPDX-License-Identifier: MIT */
#include "oidc/binding.h"

#include "base/macros.h"
#include "base/text.h"
#include "oidc/email.h"

static const char *const words[] = {
	[BINDING_LISTED] = "listed",
	[BINDING_OWN] = "own",
	[BINDING_FIRST] = "first",
	[BINDING_OTHER] = "other-identity",
	[BINDING_NOT_ALLOWED] = "not-allowed",
	[BINDING_NOT_VERIFIED] = "not-verified",
	[BINDING_OTHER_ADDRESS] = "other-address",
	[BINDING_OTHER_DOMAIN] = "other-domain",
	[BINDING_TAKEN] = "taken",
};
_Static_assert(ARRAY_LEN(words) == BINDING_COUNT, "each outcome has its word");

const char *binding_word(enum binding binding)
{
	return (unsigned)binding < BINDING_COUNT ? words[binding] : "unknown";
}

enum listing {
	LISTING_NONE,  /* the record says nothing about the issuer */
	LISTING_OTHER, /* it lists other subjects */
	LISTING_THIS
};

static enum listing listing_of(const struct user_record *user, const struct oidc_identity *identity)
{
	enum listing listing = LISTING_NONE;

	for (uint32_t i = 0; i < user->identity_count; i++) {
		if (!text_equal(user->identities[i].issuer, identity->issuer))
			continue;
		if (text_equal(user->identities[i].subject, identity->subject))
			return LISTING_THIS;
		listing = LISTING_OTHER;
	}
	return listing;
}

static bool is_in_domains(const struct idp_record *idp, const char *email)
{
	for (uint32_t i = 0; i < idp->domains.count; i++)
		if (oidc_email_is_in(email, idp->domains.items[i]))
			return true;
	return false;
}

/* May somebody whom nobody knows yet become this user by the address? */
static enum binding first_time(const struct idp_record *idp, const struct user_record *user,
			       const struct oidc_identity *identity)
{
	/* Nobody reads the mail of a service account. */
	if (idp->bind != IDP_BIND_VERIFIED_EMAIL || user->kind != USER_PERSON)
		return BINDING_NOT_ALLOWED;
	if (!identity->email_verified || !identity->email[0])
		return BINDING_NOT_VERIFIED;
	if (!oidc_email_equal(identity->email, user->email))
		return BINDING_OTHER_ADDRESS;
	return is_in_domains(idp, identity->email) ? BINDING_FIRST : BINDING_OTHER_DOMAIN;
}

enum binding binding_decide(const struct idp_record *idp, const struct user_record *user, const char *remembered,
			    const struct user_record *owner, const struct oidc_identity *identity)
{
	enum listing listing;

	/* The caller sees to these; who it is must not hang on that. */
	if (!text_equal(idp->issuer, identity->issuer) || !text_equal(idp->tenant_id, user->tenant_id) ||
	    !identity->subject[0])
		return BINDING_OTHER;
	if (owner && text_equal(owner->id, user->id))
		owner = NULL;
	if (idp->kind == IDP_TENANTD)
		return text_equal(identity->subject, user->id) ? BINDING_OWN : BINDING_OTHER;
	/* What the directory lists stands before what was remembered, of this user and of others. Two users who list
	 * the same are none that can be told apart. */
	if (owner && listing_of(owner, identity) == LISTING_THIS)
		return BINDING_OTHER;
	listing = listing_of(user, identity);
	if (listing == LISTING_THIS)
		return BINDING_LISTED;
	if (owner)
		return BINDING_OTHER;
	if (listing == LISTING_OTHER)
		return BINDING_TAKEN;
	if (remembered)
		return text_equal(remembered, identity->subject) ? BINDING_LISTED : BINDING_TAKEN;
	return first_time(idp, user, identity);
}
