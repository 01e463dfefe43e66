/* SPDX-License-Identifier: MIT
 *
 * The permission matrix as one table, and the roles that tenants define for themselves beside it.
 * A role nobody knows may nothing; a shipped name always means the shipped role.
 */
#include "policy/matrix.h"

#include <string.h>

#include "base/macros.h"
#include "base/text.h"

enum project_role { PROJECT_OWNER, PROJECT_EDITOR, PROJECT_VIEWER, PROJECT_ROLE_COUNT };
enum tenant_role { TENANT_OWNER, TENANT_ADMIN, TENANT_ANALYST, TENANT_VIEWER, TENANT_ROLE_COUNT };

static const char *const project_roles[PROJECT_ROLE_COUNT] = {"owner", "editor", "viewer"};
static const char *const tenant_roles[TENANT_ROLE_COUNT] = {"owner", "admin", "analyst", "viewer"};

#define Y MATRIX_YES
#define N MATRIX_NO
#define H MATRIX_HOST

/* What the tenant roles give holds in all of the tenant's projects, and never reaches a host: who
 * signs in to a host has a role in a project that the host serves. */
static const struct matrix_row {
	const char *action;
	unsigned char project[PROJECT_ROLE_COUNT]; /* enum matrix_answer */
	unsigned char tenant[TENANT_ROLE_COUNT];
} matrix[] = {
	/* clang-format off */
	/*                    project: owner editor viewer   tenant: owner admin analyst viewer */
	{"project.view",     {         Y,    Y,     Y},     {        Y,    Y,    Y,      Y}},
	{"dataset.write",    {         Y,    Y,     N},     {        Y,    N,    N,      N}},
	{"experiment.run",   {         Y,    Y,     N},     {        Y,    N,    N,      N}},
	{"model.deploy",     {         Y,    Y,     N},     {        Y,    N,    N,      N}},
	{"alert.configure",  {         Y,    Y,     N},     {        Y,    Y,    N,      N}},
	{"member.manage",    {         Y,    N,     N},     {        Y,    Y,    N,      N}},
	{"project.delete",   {         Y,    N,     N},     {        Y,    N,    N,      N}},
	{"key.manage",       {         Y,    N,     N},     {        Y,    Y,    N,      N}},
	{"host.login",       {         Y,    Y,     H},     {        N,    N,    N,      N}},
	{"host.sudo",        {         H,    N,     N},     {        N,    N,    N,      N}},
	{"tenant.manage",    {         N,    N,     N},     {        Y,    Y,    N,      N}},
	{"audit.view",       {         N,    N,     N},     {        Y,    Y,    Y,      N}},
	/* clang-format on */
};
#undef Y
#undef N
#undef H

static const struct matrix_row *find_row(const char *action)
{
	for (size_t i = 0; action && i < ARRAY_LEN(matrix); i++)
		if (strcmp(matrix[i].action, action) == 0)
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

static bool list_has(const struct string_list *list, const char *word)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
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
	/* The same words as in the table, in its order; filled on first use, never changed afterwards. */
	static const char *actions[ARRAY_LEN(matrix)];

	if (!actions[0])
		for (size_t i = ARRAY_LEN(matrix); i-- > 0;)
			actions[i] = matrix[i].action;
	*ret_count = ARRAY_LEN(matrix);
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
