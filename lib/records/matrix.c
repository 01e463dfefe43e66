/* SPDX-License-Identifier: MIT
 *
 * The permission matrix as one table, and the roles that tenants define for themselves beside it.
 * A role nobody knows may nothing; a shipped name always means the shipped role.
 */
#include "records/matrix.h"

#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "records/lists.h"

enum project_role { PROJECT_OWNER, PROJECT_EDITOR, PROJECT_VIEWER, PROJECT_ROLE_COUNT };
enum tenant_role { TENANT_OWNER, TENANT_ADMIN, TENANT_ANALYST, TENANT_VIEWER, TENANT_ROLE_COUNT };

static const char *const project_roles[PROJECT_ROLE_COUNT] = {"owner", "editor", "viewer"};
static const char *const tenant_roles[TENANT_ROLE_COUNT] = {"owner", "admin", "analyst", "viewer"};

enum action {
	ACTION_PROJECT_VIEW,
	ACTION_DATASET_WRITE,
	ACTION_EXPERIMENT_RUN,
	ACTION_MODEL_DEPLOY,
	ACTION_ALERT_CONFIGURE,
	ACTION_MEMBER_MANAGE,
	ACTION_PROJECT_DELETE,
	ACTION_KEY_MANAGE,
	ACTION_SESSION_MANAGE,
	ACTION_HOST_LOGIN,
	ACTION_HOST_SUDO,
	ACTION_TENANT_MANAGE,
	ACTION_AUDIT_VIEW,
	ACTION_TOKEN_INTROSPECT,
	ACTION_COUNT
};
static const char *const actions[ACTION_COUNT] = {
	[ACTION_PROJECT_VIEW] = "project.view",
	[ACTION_DATASET_WRITE] = "dataset.write",
	[ACTION_EXPERIMENT_RUN] = "experiment.run",
	[ACTION_MODEL_DEPLOY] = "model.deploy",
	[ACTION_ALERT_CONFIGURE] = "alert.configure",
	[ACTION_MEMBER_MANAGE] = "member.manage",
	[ACTION_PROJECT_DELETE] = "project.delete",
	[ACTION_KEY_MANAGE] = "key.manage",
	[ACTION_SESSION_MANAGE] = "session.manage",
	[ACTION_HOST_LOGIN] = "host.login",
	[ACTION_HOST_SUDO] = "host.sudo",
	[ACTION_TENANT_MANAGE] = "tenant.manage",
	[ACTION_AUDIT_VIEW] = "audit.view",
	[ACTION_TOKEN_INTROSPECT] = "token.introspect",
};

#define Y MATRIX_YES
#define N MATRIX_NO
#define H MATRIX_HOST

/* What the tenant roles give holds in all of the tenant's projects, and never reaches a host: who
 * signs in to a host has a role in a project that the host serves. */
static const struct matrix_row {
	unsigned char project[PROJECT_ROLE_COUNT]; /* enum matrix_answer */
	unsigned char tenant[TENANT_ROLE_COUNT];
} matrix[ACTION_COUNT] = {
	/* clang-format off */
	/*                       project: owner editor viewer    tenant: owner admin analyst viewer */
	[ACTION_PROJECT_VIEW]    = {{         Y,    Y,     Y},      {        Y,    Y,    Y,      Y}},
	[ACTION_DATASET_WRITE]   = {{         Y,    Y,     N},      {        Y,    N,    N,      N}},
	[ACTION_EXPERIMENT_RUN]  = {{         Y,    Y,     N},      {        Y,    N,    N,      N}},
	[ACTION_MODEL_DEPLOY]    = {{         Y,    Y,     N},      {        Y,    N,    N,      N}},
	[ACTION_ALERT_CONFIGURE] = {{         Y,    Y,     N},      {        Y,    Y,    N,      N}},
	[ACTION_MEMBER_MANAGE]   = {{         Y,    N,     N},      {        Y,    Y,    N,      N}},
	[ACTION_PROJECT_DELETE]  = {{         Y,    N,     N},      {        Y,    N,    N,      N}},
	[ACTION_KEY_MANAGE]      = {{         Y,    N,     N},      {        Y,    Y,    N,      N}},
	[ACTION_SESSION_MANAGE]  = {{         Y,    N,     N},      {        Y,    Y,    N,      N}},
	[ACTION_HOST_LOGIN]      = {{         Y,    Y,     H},      {        N,    N,    N,      N}},
	[ACTION_HOST_SUDO]       = {{         H,    N,     N},      {        N,    N,    N,      N}},
	[ACTION_TENANT_MANAGE]   = {{         N,    N,     N},      {        Y,    Y,    N,      N}},
	[ACTION_AUDIT_VIEW]      = {{         N,    N,     N},      {        Y,    Y,    Y,      N}},
	[ACTION_TOKEN_INTROSPECT] = {{        N,    N,     N},      {        Y,    Y,    N,      N}},
	/* clang-format on */
};
#undef Y
#undef N
#undef H

static const struct matrix_row *find_row(const char *action)
{
	for (size_t i = 0; action && i < ACTION_COUNT; i++)
		if (strcmp(actions[i], action) == 0)
			return &matrix[i];
	return NULL;
}

static int find_name(const char *const *names, unsigned count, const char *name)
{
	for (unsigned i = 0; name && i < count; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

static const struct role_record *find_own_role(const struct tenant_record *tenant, const char *role, bool tenant_wide)
{
	for (uint32_t i = 0; tenant && role && i < tenant->role_count; i++)
		if (tenant->roles[i].tenant_wide == tenant_wide && text_equal(tenant->roles[i].name, role))
			return &tenant->roles[i];
	return NULL;
}

bool matrix_knows_action(const char *action)
{
	return find_row(action) != NULL;
}

bool matrix_tenant_knows_action(const struct tenant_record *tenant, const char *action)
{
	if (!action || !*action)
		return false;
	if (matrix_knows_action(action))
		return true;
	if (matrix_action_is_host(action))
		return false; /* what may be done to a host is not a tenant's to invent */
	for (uint32_t i = 0; tenant && i < tenant->role_count; i++)
		if (list_has(&tenant->roles[i].actions, action))
			return true;
	return false;
}

bool matrix_action_is_host(const char *action)
{
	return text_starts(action ? action : "", "host.");
}

bool matrix_knows_project_role(const char *role)
{
	return find_name(project_roles, PROJECT_ROLE_COUNT, role) >= 0;
}

bool matrix_knows_tenant_role(const char *role)
{
	return find_name(tenant_roles, TENANT_ROLE_COUNT, role) >= 0;
}

const char *const *matrix_actions(unsigned *ret_count)
{
	*ret_count = ACTION_COUNT;
	return actions;
}

enum matrix_answer matrix_project_role(const struct tenant_record *tenant, const char *role, const char *action)
{
	const struct matrix_row *row = find_row(action);
	const struct role_record *own;
	int shipped = find_name(project_roles, PROJECT_ROLE_COUNT, role);

	if (!action || !*action)
		return MATRIX_NO;
	if (shipped >= 0)
		return row ? row->project[shipped] : MATRIX_NO;
	own = find_own_role(tenant, role, false);
	if (!own || !list_has(&own->actions, action))
		return MATRIX_NO;
	return strcmp(action, "host.sudo") == 0 ? MATRIX_HOST : MATRIX_YES;
}

struct matrix_walk matrix_walk_project(const struct tenant_record *tenant, const char *role)
{
	struct matrix_walk walk = {.shipped = find_name(project_roles, PROJECT_ROLE_COUNT, role)};

	if (walk.shipped < 0)
		walk.own = find_own_role(tenant, role, false);
	return walk;
}

struct matrix_walk matrix_walk_tenant(const struct tenant_record *tenant, const char *role)
{
	struct matrix_walk walk = {.shipped = find_name(tenant_roles, TENANT_ROLE_COUNT, role), .tenant_wide = true};

	if (walk.shipped < 0)
		walk.own = find_own_role(tenant, role, true);
	return walk;
}

const char *matrix_walk_next(struct matrix_walk *walk)
{
	while (walk->shipped >= 0 && walk->next < ARRAY_LEN(matrix)) {
		uint32_t action = walk->next++;

		if ((walk->tenant_wide ? matrix[action].tenant : matrix[action].project)[walk->shipped] == MATRIX_YES)
			return actions[action];
	}
	while (walk->own && walk->next < walk->own->actions.count) {
		const char *action = walk->own->actions.items[walk->next++];

		if (walk->tenant_wide ? !matrix_action_is_host(action) : strcmp(action, "host.sudo") != 0)
			return action;
	}
	return NULL;
}

enum matrix_answer matrix_tenant_role(const struct tenant_record *tenant, const char *role, const char *action)
{
	const struct matrix_row *row = find_row(action);
	const struct role_record *own;
	int shipped = find_name(tenant_roles, TENANT_ROLE_COUNT, role);

	if (!action || !*action || matrix_action_is_host(action))
		return MATRIX_NO;
	if (shipped >= 0)
		return row ? row->tenant[shipped] : MATRIX_NO;
	own = find_own_role(tenant, role, true);
	return own && list_has(&own->actions, action) ? MATRIX_YES : MATRIX_NO;
}

enum group_level matrix_group_level(const struct tenant_record *tenant, const char *role)
{
	static const enum group_level levels[PROJECT_ROLE_COUNT] = {GROUP_LEVEL_OWNER, GROUP_LEVEL_EDITOR,
								    GROUP_LEVEL_VIEWER};
	const struct role_record *own;
	int shipped = find_name(project_roles, PROJECT_ROLE_COUNT, role);

	if (shipped >= 0)
		return levels[shipped];
	own = find_own_role(tenant, role, false);
	return own ? own->level : GROUP_LEVEL_ALL;
}
