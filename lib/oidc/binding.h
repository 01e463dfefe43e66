/* SPDX-License-Identifier: MIT
 *
 * Is this identity this user? By (issuer, subject) alone; an address counts once, where the tenant says so.
 */
#pragma once

#include "oidc/id_token.h"
#include "records/records.h"

enum binding {
	BINDING_LISTED,        /* the user's record, or an earlier first sign-in, names it */
	BINDING_OWN,           /* IDP_TENANTD: the subject is the user's id */
	BINDING_FIRST,         /* good by its verified address: to be remembered before anything else is done */
	BINDING_OTHER,         /* no: somebody else's identity */
	BINDING_NOT_ALLOWED,   /* no: unknown, and the tenant binds by list only */
	BINDING_NOT_VERIFIED,  /* no: the issuer does not say that the address is verified */
	BINDING_OTHER_ADDRESS, /* no: not the user's address */
	BINDING_OTHER_DOMAIN,  /* no: the address is in none of the tenant's domains */
	BINDING_TAKEN,         /* no: the user has another subject at this issuer already */
	BINDING_COUNT,
};
const char *binding_word(enum binding binding);
/* `remembered`: the subject that an earlier first sign-in bound to this user for this issuer, NULL: none.
 * `owner`: another user of the tenant who is known by this identity (listed or remembered), NULL: nobody. */
enum binding binding_decide(const struct idp_record *idp, const struct user_record *user, const char *remembered,
			    const struct user_record *owner, const struct oidc_identity *identity);
