/* SPDX-License-Identifier: MIT */
#include "control_plane/audit/kinds.h"

#include <string.h>

#include "base/macros.h"

enum { CREATE = 1, READ, UPDATE, DELETE }; /* entities, calls */
enum { ACCOUNT_CREATE = 1, ENABLE, PASSWORD_CHANGE, PASSWORD_RESET, DISABLE, ACCOUNT_DELETE };
enum { LOGON = 1, LOGOFF, TICKET };
enum { ASSIGN = 1, REVOKE };
enum { OTHER = 99 };

/* clang-format off */
static const struct event_kind kinds[] = {
	{"audit.dead-letter",        OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_HIGH, "audit-sink", false},
	{"audit.drop",               OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_MEDIUM, "audit-log", true},
	{"audit.export",             OCSF_API_ACTIVITY, READ, SEVERITY_INFO, "audit-log", false},
	{"audit.retention",          OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "audit-log", true},
	{"audit.view",               OCSF_API_ACTIVITY, READ, SEVERITY_INFO, "audit-log", false},
	{"connector.change",         OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "connector", true},
	{"connector.create",         OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "connector", true},
	{"connector.delete",         OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "connector", true},
	{"device.approve",           OCSF_AUTHENTICATION, TICKET, SEVERITY_INFO, "device-grant", false},
	{"device.code",              OCSF_AUTHENTICATION, TICKET, SEVERITY_INFO, "device-grant", false},
	{"device.deny",              OCSF_AUTHENTICATION, TICKET, SEVERITY_INFO, "device-grant", false},
	{"device.sign-in",           OCSF_AUTHENTICATION, LOGON, SEVERITY_INFO, "device-grant", false},
	{"device.token",             OCSF_AUTHENTICATION, LOGON, SEVERITY_INFO, "device-grant", false},
	{"enrolment-token.create",   OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_LOW, "enrolment-token", true},
	{"enrolment-token.delete",   OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "enrolment-token", true},
	{"feed.epoch",               OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "feed", true},
	{"feed.key.rotate",          OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "feed", true},
	{"feed.key.rotated",         OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "feed", true},
	{"grant.create",             OCSF_USER_ACCESS, ASSIGN, SEVERITY_MEDIUM, "operator", false},
	{"grant.delete",             OCSF_USER_ACCESS, REVOKE, SEVERITY_INFO, "operator", false},
	{"grant.expire",             OCSF_USER_ACCESS, REVOKE, SEVERITY_INFO, "operator", false},
	{"host-chain-began",         OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_LOW, "host", true},
	{"host-event-malformed",     OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_HIGH, "host", false},
	{"host-events-missing",      OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_HIGH, "host", true},
	{"host-history-forked",      OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_CRITICAL, "host", true},
	{"host-rule.change",         OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "host-rule", true},
	{"host-rule.create",         OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "host-rule", true},
	{"host-rule.delete",         OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "host-rule", true},
	{"host.change",              OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "host", true},
	{"host.delete",              OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "host", true},
	{"host.disable",             OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "host", true},
	{"host.enable",              OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_LOW, "host", true},
	{"host.enrol",               OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_LOW, "host", true},
	{"host.serve",               OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_LOW, "host", true},
	{"host.token",               OCSF_AUTHENTICATION, LOGON, SEVERITY_INFO, "host", true},
	{"host.withdraw",            OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "host", true},
	{"identity-provider.change", OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "identity-provider", true},
	{"identity-provider.create", OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_MEDIUM, "identity-provider", true},
	{"identity-provider.delete", OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_MEDIUM, "identity-provider", true},
	{"impersonation.begin",      OCSF_USER_ACCESS, ASSIGN, SEVERITY_MEDIUM, "grant", false},
	{"impersonation.end",        OCSF_USER_ACCESS, REVOKE, SEVERITY_INFO, "grant", false},
	{"key.change",               OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "api-key", false},
	{"key.create",               OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "api-key", false},
	{"key.revoke",               OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "api-key", false},
	{"key.rotate",               OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "api-key", false},
	{"member.delete",            OCSF_USER_ACCESS, REVOKE, SEVERITY_INFO, "member", false},
	{"member.put",               OCSF_USER_ACCESS, ASSIGN, SEVERITY_INFO, "member", false},
	{"operator.change",          OCSF_ACCOUNT_CHANGE, OTHER, SEVERITY_INFO, "operator", false},
	{"operator.create",          OCSF_ACCOUNT_CHANGE, ACCOUNT_CREATE, SEVERITY_MEDIUM, "operator", false},
	{"operator.delete",          OCSF_ACCOUNT_CHANGE, ACCOUNT_DELETE, SEVERITY_INFO, "operator", false},
	{"password.change",          OCSF_ACCOUNT_CHANGE, PASSWORD_CHANGE, SEVERITY_INFO, "account", false},
	{"password.set",             OCSF_ACCOUNT_CHANGE, PASSWORD_RESET, SEVERITY_LOW, "account", false},
	{"permission.refused",       OCSF_API_ACTIVITY, OTHER, SEVERITY_LOW, "record", false},
	{"person.erase",             OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_LOW, "personal-data", true},
	{"project.change",           OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "project", true},
	{"project.create",           OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "project", true},
	{"project.delete",           OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "project", true},
	{"refusals.other",           OCSF_API_ACTIVITY, OTHER, SEVERITY_MEDIUM, "refusal", true},
	{"role.change",              OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "role", true},
	{"role.create",              OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "role", true},
	{"role.delete",              OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "role", true},
	{"session.end",              OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_LOW, "session", false},
	{"sign-in",                  OCSF_AUTHENTICATION, LOGON, SEVERITY_INFO, "account", false},
	{"sign-out",                 OCSF_AUTHENTICATION, LOGOFF, SEVERITY_INFO, "token", false},
	{"tenant.change",            OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "tenant", true},
	{"tenant.create",            OCSF_ENTITY_MANAGEMENT, CREATE, SEVERITY_INFO, "tenant", true},
	{"tenant.delete",            OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_MEDIUM, "tenant", true},
	{"tenant.resume",            OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_INFO, "tenant", true},
	{"tenant.suspend",           OCSF_ENTITY_MANAGEMENT, UPDATE, SEVERITY_MEDIUM, "tenant", true},
	{"token.revoke",             OCSF_ENTITY_MANAGEMENT, DELETE, SEVERITY_INFO, "token", false},
	{"user.change",              OCSF_ACCOUNT_CHANGE, OTHER, SEVERITY_INFO, "user", false},
	{"user.create",              OCSF_ACCOUNT_CHANGE, ACCOUNT_CREATE, SEVERITY_INFO, "user", false},
	{"user.delete",              OCSF_ACCOUNT_CHANGE, ACCOUNT_DELETE, SEVERITY_INFO, "user", false},
	{"user.identities",          OCSF_ACCOUNT_CHANGE, OTHER, SEVERITY_LOW, "user", false},
	{"user.resume",              OCSF_ACCOUNT_CHANGE, ENABLE, SEVERITY_INFO, "user", false},
	{"user.suspend",             OCSF_ACCOUNT_CHANGE, DISABLE, SEVERITY_INFO, "user", false},
};
/* clang-format on */

static const struct event_kind unknown = {"", OCSF_API_ACTIVITY, OTHER, SEVERITY_INFO, "record", false};

const struct event_kind *event_kind_find(const char *word)
{
	size_t first = 0, end = ARRAY_LEN(kinds);

	while (first < end) {
		size_t middle = first + (end - first) / 2;
		int order = strcmp(word, kinds[middle].word);

		if (order == 0)
			return &kinds[middle];
		if (order < 0)
			end = middle;
		else
			first = middle + 1;
	}
	return &unknown;
}

const char *ocsf_class_name(enum ocsf_class class_uid)
{
	switch (class_uid) {
	case OCSF_ACCOUNT_CHANGE:
		return "Account Change";
	case OCSF_AUTHENTICATION:
		return "Authentication";
	case OCSF_ENTITY_MANAGEMENT:
		return "Entity Management";
	case OCSF_USER_ACCESS:
		return "User Access Management";
	case OCSF_API_ACTIVITY:
		return "API Activity";
	}
	return "Unknown";
}

const char *ocsf_category_name(enum ocsf_class class_uid)
{
	return class_uid / 1000 == 3 ? "Identity & Access Management" : "Application Activity";
}

const char *ocsf_activity_name(const struct event_kind *kind)
{
	static const char *const account[] = {"Create",         "Enable",  "Password Change",
					      "Password Reset", "Disable", "Delete"};
	static const char *const ticket[] = {"Logon", "Logoff", "Authentication Ticket"};
	static const char *const access[] = {"Assign Privileges", "Revoke Privileges"};
	static const char *const entity[] = {"Create", "Read", "Update", "Delete"};
	const char *const *names = entity;
	size_t count = ARRAY_LEN(entity);

	if (kind->class_uid == OCSF_ACCOUNT_CHANGE) {
		names = account;
		count = ARRAY_LEN(account);
	} else if (kind->class_uid == OCSF_AUTHENTICATION) {
		names = ticket;
		count = ARRAY_LEN(ticket);
	} else if (kind->class_uid == OCSF_USER_ACCESS) {
		names = access;
		count = ARRAY_LEN(access);
	}
	/* Of 99 ("Other") the name is the source's own. */
	return kind->activity <= count                ? names[kind->activity - 1]
	       : kind->class_uid == OCSF_API_ACTIVITY ? "Other"
						      : "Update";
}

const struct event_kind *event_kind_at(size_t index)
{
	return index < ARRAY_LEN(kinds) ? &kinds[index] : NULL;
}
