/* SPDX-License-Identifier: MIT
 *
 * Which actions a route may declare, and what operators need for theirs. Tenants' and projects' actions are the
 * matrix's own.
 */
#include <string.h>

#include "base/text.h"
#include "control_plane/auth/gate.h"
#include "control_plane/auth/gate_actions.h"
#include "records/matrix.h"

static const struct operator_action operator_actions[] = {
	{"tenant.list", GRANT_ADMIN | GRANT_SUPPORT | GRANT_HOSTS, true},
	{"tenant.create", GRANT_ADMIN, false},
	{"tenant.delete", GRANT_ADMIN, false},
	{"operator.view", GRANT_ADMIN | GRANT_SUPPORT, false},
	{"operator.manage", GRANT_ADMIN, false},
	{"host.view", GRANT_ADMIN | GRANT_SUPPORT | GRANT_HOSTS, false},
	{"host.manage", GRANT_ADMIN | GRANT_HOSTS, false},
	{"event.view", GRANT_ADMIN | GRANT_SUPPORT, false},
	{"platform.manage", GRANT_ADMIN, false},
};

const struct operator_action *operator_action_find(const char *action)
{
	for (size_t i = 0; i < ARRAY_LEN(operator_actions); i++)
		if (strcmp(operator_actions[i].action, action) == 0)
			return &operator_actions[i];
	return NULL;
}

unsigned operator_grant_bit(const char *role)
{
	if (strcmp(role, "admin") == 0)
		return GRANT_ADMIN;
	if (strcmp(role, "support") == 0)
		return GRANT_SUPPORT;
	if (strcmp(role, "hosts") == 0)
		return GRANT_HOSTS;
	return strcmp(role, "impersonate") == 0 ? GRANT_IMPERSONATE : 0;
}

const char *own_action_needs(const char *action)
{
	if (strcmp(action, "self") == 0)
		return "key.manage";
	return text_starts(action, "self:") ? action + strlen("self:") : NULL;
}

bool gate_knows_action(enum route_access access, const char *action)
{
	switch (access) {
	case ROUTE_PUBLIC:
		return strcmp(action, "public") == 0;
	case ROUTE_SELF:
		return strcmp(action, "self") == 0;
	case ROUTE_TENANT:
		/* Every user of the tenant; the handler shows them their own. */
		return matrix_knows_action(own_action_needs(action) ? own_action_needs(action) : action);
	case ROUTE_PROJECT:
	case ROUTE_SERVICE:
		return matrix_knows_action(action);
	case ROUTE_OPERATOR:
		return operator_action_find(action) != NULL;
	case ROUTE_HOST:
		return strcmp(action, "host") == 0 || strcmp(action, "feed.read") == 0 ||
		       strcmp(action, "feed.acknowledge") == 0 || strcmp(action, "host.report") == 0;
	case ROUTE_INTERNAL:
		return strcmp(action, "internal") == 0;
	}
	return false;
}
