/* SPDX-License-Identifier: MIT
 *
 * Why a decision fell as it did: a word for machines, a sentence for the person. The sentence goes on
 * after a program's name or stands alone; it says what is the matter and, where there is one, what to do.
 */
#include "policy/policy.h"

#include "base/macros.h"

static const struct reason_row {
	const char *word, *text;
} reasons[REASON_COUNT] = {
	[REASON_ALLOWED] = {"allowed", "allowed"},
	[REASON_UNKNOWN_USER] = {"unknown-user", "there is no such user here"},
	[REASON_USER_SUSPENDED] = {"user-suspended", "your account is suspended; ask an administrator of your tenant"},
	[REASON_TENANT_SUSPENDED] = {"tenant-suspended",
				     "your organisation's access is suspended; ask its owner or the operator"},
	[REASON_GRANT_ENDED] =
		{"grant-ended",
		 "your grant to look in here is over, has not begun, or was taken back; ask for a new one"},
	[REASON_HOST_SERVES_NOTHING] = {"host-serves-nothing",
					"no project is assigned to this host yet; ask the host's operator"},
	[REASON_NOT_A_MEMBER] = {"not-a-member",
				 "you are not a member of a project that is served here; ask a project owner"},
	[REASON_ROLE_TOO_LOW] = {"role-too-low",
				 "your role in the project does not allow this here; ask a project owner"},
	[REASON_SERVICE_NOT_ALLOWED] =
		{"service-not-allowed",
		 "this host does not let your project use this service; use another, such as ssh"},
	[REASON_SOURCE_NOT_ALLOWED] = {"source-not-allowed",
				       "signing in from your network address is not allowed; use an allowed network"},
	[REASON_OUTSIDE_HOURS] =
		{"outside-hours",
		 "your organisation does not allow signing in at this hour; try again within its hours"},
	[REASON_UNKNOWN_PROJECT] = {"unknown-project", "there is no such project, or it is not yours"},
	[REASON_UNKNOWN_ACTION] = {"unknown-action", "there is no such action; see the list in tenantd(8)"},
	[REASON_KEY_UNKNOWN] = {"key-unknown", "the API key is not known here; it may have been deleted"},
	[REASON_KEY_MALFORMED] = {"key-malformed",
				  "the API key is mistyped or cut short; copy it again, from tnt_ to its last letter"},
	[REASON_KEY_WRONG] = {"key-wrong", "the API key is wrong; copy it again or make a new one"},
	[REASON_KEY_OTHER_USER] = {"key-other-user", "the API key belongs to somebody else; use one of your own"},
	[REASON_KEY_NOT_YET] = {"key-not-yet", "the API key is not valid yet; use another until it is"},
	[REASON_KEY_EXPIRED] = {"key-expired", "the API key has expired; make a new one"},
	[REASON_KEY_REVOKED] = {"key-revoked", "the API key was revoked; make a new one"},
	[REASON_KEY_SCOPE_PROJECT] = {"key-scope-project",
				      "the API key is limited to other projects; use a key of this project"},
	[REASON_KEY_SCOPE_ACTION] = {"key-scope-action",
				     "the API key is limited to other actions; use a key that allows this one"},
	[REASON_KEY_SCOPE_SERVICE] = {"key-scope-service",
				      "the API key is limited to other services; use a key that allows this one"},
	[REASON_KEY_SCOPE_SOURCE] = {"key-scope-source",
				     "the API key may not be used from your network address; use an allowed network"},
	[REASON_TOKEN_WRONG] = {"token-wrong",
				"the access token is not one of your organisation; sign in for a new one"},
	[REASON_TOKEN_NOT_YET] = {"token-not-yet", "the access token is not valid yet; is this host's clock right?"},
	[REASON_TOKEN_EXPIRED] = {"token-expired", "the access token has expired; sign in for a new one"},
	[REASON_TOKEN_REVOKED] = {"token-revoked", "the access token was revoked; sign in for a new one"},
	[REASON_SSO_DENIED] = {"sso-denied", "the sign-in was declined at your identity provider"},
	[REASON_SSO_EXPIRED] = {"sso-expired", "nobody approved the sign-in in time; sign in again"},
	[REASON_SSO_TOKEN_REFUSED] = {"sso-token-refused",
				      "what your identity provider sent does not hold; tell your organisation's "
				      "administrator"},
	[REASON_SSO_OTHER_PERSON] =
		{"sso-other-person",
		 "you signed in to your identity provider as somebody else; sign in there as yourself"},
	[REASON_SSO_NOT_BOUND] =
		{"sso-not-bound",
		 "this identity does not belong to your account; ask an administrator of your tenant to "
		 "add it"},
	[REASON_SSO_NOT_OFFERED] =
		{"sso-not-offered",
		 "your organisation has no single sign-on here; give an API key (it begins with tnt_)"},
	[REASON_CODE_WRONG] = {"code-wrong", "the one-time code is not good any more; get a new one"},
	[REASON_SSH_KEY_NOT_REGISTERED] = {"ssh-key-not-registered",
					   "your SSH key is not registered with your account; register it, or sign in "
					   "with an API key"},
	[REASON_CREDENTIAL_UNSUPPORTED] = {"credential-unsupported",
					   "this host takes API keys (tnt_...) and registered SSH keys only"},
	[REASON_CREDENTIAL_STALE] = {"credential-stale",
				     "your sign-ins were ended since you gave your credential; sign in again"},
	[REASON_TOO_MANY_ATTEMPTS] = {"too-many-attempts", "too many attempts failed; wait and try again"},
	[REASON_TOO_MANY_SESSIONS] = {"too-many-sessions",
				      "you have as many sessions here as your organisation allows; end one first"},
	[REASON_LOGIN_EXPIRED] = {"login-expired", "this sign-in is no longer valid; sign in again"},
	[REASON_NOT_PERMITTED] = {"not-permitted", "you may not ask this"},
	[REASON_TOKEN_UNDECIDED] =
		{"token-undecided",
		 "the keys of your identity provider are being fetched, so nothing could be decided; "
		 "try again in a moment"},
	[REASON_SSO_UNREACHABLE] =
		{"sso-unreachable",
		 "your identity provider cannot be reached, so nothing could be decided; try again, or "
		 "give an API key"},
	[REASON_SSO_REFUSED] = {"sso-refused",
				"your identity provider does not accept this host's client; tell your organisation's "
				"administrator"},
	[REASON_STALE] =
		{"stale",
		 "this host has lost touch with your organisation's directory, so nothing could be decided; try "
		 "again later"},
	[REASON_AUDIT_FULL] =
		{"audit-full",
		 "this host cannot record at the moment what happens on it, and so lets nobody in; tell its operator"},
	[REASON_BROKEN] = {"broken",
			   "signing in is broken on this host, so nothing could be decided; tell its operator"},
};
/* The enum and the table grow together. */
_Static_assert(ARRAY_LEN(reasons) == REASON_COUNT, "a sentence for each reason");

const char *reason_word(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? reasons[reason].word : reasons[REASON_BROKEN].word;
}

const char *reason_text(enum reason reason)
{
	return (unsigned)reason < REASON_COUNT ? reasons[reason].text : reasons[REASON_BROKEN].text;
}

bool reason_is_broken(enum reason reason)
{
	return reason == REASON_BROKEN || reason == REASON_STALE || reason == REASON_AUDIT_FULL ||
	       reason == REASON_TOKEN_UNDECIDED || reason == REASON_SSO_UNREACHABLE || reason == REASON_SSO_REFUSED ||
	       (unsigned)reason >= REASON_COUNT;
}
