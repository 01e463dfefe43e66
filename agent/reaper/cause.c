/* SPDX-License-Identifier: MIT */
#include "reaper/cause.h"

#include <stddef.h>

#include "base/macros.h"
#include "base/text.h"

enum reach { OF_SESSION, OF_CREDENTIAL, OF_USER };

static const struct row {
	const char *word, *text;
	enum reach reach;
} rows[END_CAUSE_COUNT] = {
	[END_NONE] = {"", "", OF_SESSION},
	[END_ASKED] = {"asked", "somebody who may asked for it", OF_SESSION},
	[END_ORDERED] = {"ordered", "it was ended from the control plane", OF_SESSION},
	[END_KEY_REVOKED] = {"key-revoked", "the key that opened it was revoked", OF_CREDENTIAL},
	[END_KEY_EXPIRED] = {"key-expired", "the key that opened it has ended", OF_SESSION},
	[END_TOKEN_REVOKED] = {"token-revoked", "the access token that opened it was revoked", OF_CREDENTIAL},
	[END_IDENTITY_REMOVED] = {"identity-removed", "the single sign-on that opened it was taken away",
				  OF_CREDENTIAL},
	[END_PROJECT_LOST] = {"project-lost", "your role in its project no longer allows signing in here", OF_SESSION},
	[END_TOO_OLD] = {"too-old", "it has lasted as long as a session may here", OF_SESSION},
	[END_IDLE] = {"idle", "nobody has used it for too long", OF_SESSION},
	[END_OUTSIDE_HOURS] = {"outside-hours", "the hours in which people may be here are over", OF_SESSION},
	[END_TOO_MANY] = {"too-many", "it gave way to a newer one", OF_SESSION},
	[END_SIGN_INS_ENDED] = {"sign-ins-ended", "all your sign-ins so far were ended", OF_USER},
	[END_ROLE_LOST] = {"role-lost", "you have no role any more that allows signing in here", OF_USER},
	[END_USER_SUSPENDED] = {"user-suspended", "your account is suspended", OF_USER},
	[END_USER_REMOVED] = {"user-removed", "your account was removed", OF_USER},
	[END_TENANT_SUSPENDED] = {"tenant-suspended", "your tenant is suspended", OF_USER},
	[END_TENANT_GONE] = {"tenant-gone", "this host serves your tenant no more", OF_USER},
	[END_HOST_DISABLED] = {"host-disabled", "this host was taken out of service", OF_USER},
	[END_GRANT_ENDED] = {"grant-ended", "the grant by which you were let in is over", OF_USER},
};

static const struct row *row_of(enum end_cause cause)
{
	return &rows[(unsigned)cause < ARRAY_LEN(rows) ? cause : END_NONE];
}

const char *end_cause_word(enum end_cause cause)
{
	return row_of(cause)->word;
}

const char *end_cause_text(enum end_cause cause)
{
	return row_of(cause)->text;
}

enum end_cause end_cause_from_word(const char *word)
{
	for (size_t i = END_NONE + 1; i < ARRAY_LEN(rows); i++)
		if (text_equal(rows[i].word, word))
			return (enum end_cause)i;
	return END_NONE;
}

bool end_cause_is_of_user(enum end_cause cause)
{
	return row_of(cause)->reach == OF_USER;
}

bool end_cause_is_of_credential(enum end_cause cause)
{
	return row_of(cause)->reach == OF_CREDENTIAL;
}

bool end_cause_is_of_directory(enum end_cause cause)
{
	switch ((int)cause) {
	case END_ORDERED:
	case END_KEY_REVOKED:
	case END_TOKEN_REVOKED:
	case END_IDENTITY_REMOVED:
	case END_PROJECT_LOST:
		return true;
	default:
		return end_cause_is_of_user(cause);
	}
}
