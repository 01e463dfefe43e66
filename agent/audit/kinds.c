/* SPDX-License-Identifier: MIT
 *
 * What each kind of event is: its name, MESSAGE_ID (never reused for another meaning; explained in
 * conf/tenantd.catalog), title, journal priority, and place in OCSF.
 */
#include <syslog.h>

#include "audit/internal.h"
#include "base/macros.h"

/* clang-format off */
static const struct audit_kind_row kinds[AUDIT_KIND_COUNT] = {
	/* kind                    name, MESSAGE_ID, title, priority, class, activity, severity, is a failure, own words */
	[AUDIT_LOGIN_ALLOWED] = {"login-allowed", "a449604e638b43d598e882c347976330", "Sign-in allowed",
		LOG_INFO, OCSF_AUTHENTICATION, 1, 1, false, false},
	[AUDIT_LOGIN_DENIED] = {"login-denied", "51aeb95271234311b6f54cb11593b61e", "Sign-in denied",
		LOG_NOTICE, OCSF_AUTHENTICATION, 1, 2, true, false},
	[AUDIT_LOGIN_BROKEN] = {"login-broken", "2b2d926fe9f349b29e743297fd4d1797", "Sign-in broken: nothing could be decided",
		LOG_ERR, OCSF_AUTHENTICATION, 1, 4, true, false},
	[AUDIT_SESSION_OPENED] = {"session-opened", "3122922975a74e4f986c031852261b0c", "Session opened",
		LOG_INFO, OCSF_AUTHORIZE_SESSION, 1, 1, false, false},
	[AUDIT_SESSION_ENDING] = {"session-ending", "a4b3a6987c0940128f10b139363af01b", "Session is ended",
		LOG_NOTICE, OCSF_AUTHENTICATION, 2, 2, false, false},
	[AUDIT_SESSION_CLOSED] = {"session-closed", "0853753d377646f99fd506d0275c54f9", "Session closed",
		LOG_INFO, OCSF_AUTHENTICATION, 2, 1, false, false},
	[AUDIT_PRIVILEGE_ALLOWED] = {"privilege-allowed", "7ab9ac6655cf4466a8fedc171d1deeb3", "Privilege granted",
		LOG_NOTICE, OCSF_AUTHORIZE_SESSION, 1, 1, false, false},
	[AUDIT_PRIVILEGE_DENIED] = {"privilege-denied", "e75e81982f6e47ff94bc601dceaae2db", "Privilege refused",
		LOG_WARNING, OCSF_AUTHORIZE_SESSION, 1, 3, true, false},
	[AUDIT_KEY_USED] = {"key-used", "c993f706c2c845f289e88116ec15229e", "API key used",
		LOG_INFO, OCSF_API_ACTIVITY, 2, 1, false, false},
	[AUDIT_KEY_REFUSED] = {"key-refused", "19f5f64a89ae4813ba11459eb7acd923", "API key refused",
		LOG_NOTICE, OCSF_API_ACTIVITY, 2, 2, true, false},
	[AUDIT_ACCESS_CHECKED] = {"access-checked", "707be1dce9c242f382570c357bdacc02", "Access refused",
		LOG_INFO, OCSF_API_ACTIVITY, 2, 2, true, false},
	[AUDIT_DIRECTORY_CHANGED] = {"directory-changed", "e5a2af8c849a46208e6550f5deccfe8c", "Directory changed",
		LOG_NOTICE, OCSF_ENTITY_MANAGEMENT, 3, 1, false, false},
	[AUDIT_DIRECTORY_REFUSED] = {"directory-refused", "6d90cbb25dd9419dafe225500704de61", "Directory not loaded; the last good one stays in force",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 3, true, false},
	[AUDIT_CALL_REFUSED] = {"call-refused", "f47c2108f52340b7841ab6e82d8b16cd", "Call on the agent's socket refused",
		LOG_WARNING, OCSF_API_ACTIVITY, 2, 3, true, false},
	[AUDIT_SERVICE_EVENT] = {"service-event", "d810d8c2357046f7923ef9e659972497", "Event of a local service",
		LOG_INFO, OCSF_API_ACTIVITY, 99, 1, false, false},
	[AUDIT_AGENT_STARTED] = {"agent-started", "6a437224e26040d59521703ad6772f0e", "Agent started",
		LOG_INFO, OCSF_APPLICATION_LIFECYCLE, 3, 1, false, false},
	[AUDIT_AGENT_STOPPED] = {"agent-stopped", "bf27b0ca3cb84dbc9952e37568095b0f", "Agent stopped",
		LOG_INFO, OCSF_APPLICATION_LIFECYCLE, 4, 1, false, false},
	[AUDIT_FEED_CHANGED] = {"feed-changed", "27c544e42064494eab99b52a912cdd74", "Feed of a tenant",
		LOG_NOTICE, OCSF_ENTITY_MANAGEMENT, 3, 1, false, false},
	[AUDIT_FEED_REFUSED] = {"feed-refused", "94ee7e5474df40ebaedc23e90d31237f", "Feed refused; the last good state stays in force",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 3, true, false},
	[AUDIT_FEED_QUARANTINED] = {"feed-quarantined", "e4723874ebb440c687fd1fe40b57a044", "Feed in quarantine: somebody may tamper with it",
		LOG_CRIT, OCSF_ENTITY_MANAGEMENT, 3, 4, true, false},
	[AUDIT_HOST_DISABLED] = {"host-disabled", "ffcc741618e64bc7a99f33dd843942d4", "Host taken out of service; what it knew of tenants was wiped",
		LOG_CRIT, OCSF_ENTITY_MANAGEMENT, 4, 4, false, false},
	[AUDIT_HOST_ENROLLED] = {"host-enrolled", "5aba090571674a568750b179b871e236", "Enrolment of this host",
		LOG_NOTICE, OCSF_ENTITY_MANAGEMENT, 1, 2, false, false},
	[AUDIT_NAME_CONFLICT] = {"name-conflict", "ec2a55c2061445578e7b40b2fa88e442", "Claimed by two sources, and served by neither",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 3, true, false},
	[AUDIT_CODE_MADE] = {"code-made", "256c427319f14025b8f6b1c050f1164d", "One-time sign-in code made",
		LOG_NOTICE, OCSF_AUTHENTICATION, 3, 1, false, false},
	[AUDIT_CODE_REFUSED] = {"code-refused", "3db68eeeee684de1a26e45bf996af28f", "One-time sign-in code not made",
		LOG_NOTICE, OCSF_AUTHENTICATION, 3, 2, true, false},
	[AUDIT_CODE_USED] = {"code-used", "9e0f4e13e40a440ba8736689e14a904e", "One-time sign-in code used",
		LOG_INFO, OCSF_API_ACTIVITY, 2, 1, false, false},
	[AUDIT_IDENTITY_BOUND] = {"identity-bound", "cbdfd1b50b2e428586e55de587f1efe0", "Identity bound at its first sign-in",
		LOG_NOTICE, OCSF_ACCOUNT_CHANGE, 99, 2, false, false},
	[AUDIT_IDENTITY_UNBOUND] = {"identity-unbound", "5e2ba9617fa94ce9a2de07c56fe82fd6", "Identity unbound",
		LOG_NOTICE, OCSF_ACCOUNT_CHANGE, 99, 2, false, false},
	[AUDIT_CHAIN_BEGAN] = {"audit-chain-began", "0ff834f737a94cc89b5dd959eae75458", "New chain of audit events",
		LOG_NOTICE, OCSF_ENTITY_MANAGEMENT, 1, 2, false, true},
	[AUDIT_REPAIRED] = {"audit-repaired", "4ad47f6969344e5e871af2c95a043b84", "Audit spool repaired: a torn end was cut off",
		LOG_WARNING, OCSF_ENTITY_MANAGEMENT, 3, 3, false, true},
	[AUDIT_DAMAGED] = {"audit-damaged", "7d1a2a754f2d4e57859126ca7f96f1df", "Audit spool damaged: events are missing",
		LOG_CRIT, OCSF_ENTITY_MANAGEMENT, 3, 5, true, true},
	[AUDIT_GAP] = {"audit-gap", "be061960e7b64744bc76fa04ca096925", "Audit events that were not kept",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 4, true, true},
	[AUDIT_SPOOL_BROKEN] = {"audit-broken", "a8c27740ce784a4585a3d58f413a51fb", "Audit spool: whether it can be written",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 4, false, true},
	[AUDIT_OVERWRITTEN] = {"audit-overwritten", "f9e588b617fd4641a0a41493314dd0b1", "Audit spool full: the oldest events gave way",
		LOG_WARNING, OCSF_ENTITY_MANAGEMENT, 4, 2, false, true},
	[AUDIT_CHAIN_FORKED] = {"audit-forked", "b637d3cc2f044a0d9fdda578d9678d7f", "The control plane has another history of this host",
		LOG_CRIT, OCSF_ENTITY_MANAGEMENT, 3, 5, true, true},
	[AUDIT_LOG_FORKED] = {"audit-log-forked", "cbd963eff1dd4335ab0bc6ef1fe81e37", "An audit log was rewritten, cut short or shown in two forms",
		LOG_CRIT, OCSF_ENTITY_MANAGEMENT, 3, 5, true, true},
	[AUDIT_CHECKPOINT_SEEN] = {"audit-checkpoint", "82882a9b10d047dab56c29de93031a68", "Checkpoint of an audit log",
		LOG_INFO, OCSF_ENTITY_MANAGEMENT, 2, 1, false, true},
	[AUDIT_DEAD_LETTER] = {"audit-dead-letter", "2531bef4fd174694b32ec0b953cbbbf3", "Audit events that a sink will never take",
		LOG_ERR, OCSF_ENTITY_MANAGEMENT, 3, 4, true, false},
};
/* clang-format on */
_Static_assert(ARRAY_LEN(kinds) == AUDIT_KIND_COUNT, "a row for each kind");

const struct audit_kind_row *audit_kind_row(enum audit_kind kind)
{
	return (unsigned)kind < AUDIT_KIND_COUNT ? &kinds[kind] : NULL;
}

const char *audit_kind_word(enum audit_kind kind)
{
	const struct audit_kind_row *row = audit_kind_row(kind);

	return row ? row->word : "unknown";
}
