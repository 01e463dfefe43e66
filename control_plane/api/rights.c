/* SPDX-License-Identifier: MIT */
#include "control_plane/api/rights.h"

#include <errno.h>

#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/api/record.h"
#include "control_plane/auth/gate.h"
#include "records/lists.h"
#include "records/matrix.h"

static int refuse(struct request *request, const char *target, const char *why)
{
	event_failure(request, request->tenant_id, NULL, "permission.refused", target,
		      json_pack("{s:s}", "reason", why));
	respond_problem(request, PROBLEM_FORBIDDEN, "%s", why);
	return 1;
}

int rights_unlimited(struct request *request)
{
	const struct key_record *key = request->principal.key;

	if (!key || (key->projects.count == 0 && key->actions.count == 0 && key->services.count == 0 &&
		     key->from.count == 0 && key->not_after == 0))
		return 0;
	return refuse(request, request->principal.id, "the API key that you use is limited");
}

/* The role as the matrix needs it. `ret` and `ret_role` live as long as the request. 1: there is no such role. */
static int load_role(struct request *request, const char *name, bool tenant_wide, struct tenant_record *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(json_decrefp) json_t *actions = NULL;
	struct role_record *role;
	int r;

	*ret = (struct tenant_record){0};
	if (tenant_wide ? matrix_knows_tenant_role(name) : matrix_knows_project_role(name))
		return 0;
	r = db_run(request->tx, &rows,
		   "SELECT to_json(actions) FROM control.roles WHERE tenant_id = $1 AND name = $2 AND kind = $3",
		   request->tenant_id, name, tenant_wide ? "tenant" : "project");
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return 1;
	r = record_json(rows, 0, 0, &actions);
	if (r < 0)
		return r;
	role = arena_alloc(&request->arena, sizeof(*role));
	if (!role)
		return -ENOMEM;
	*role = (struct role_record){.name = name, .tenant_wide = tenant_wide};
	role->actions.items = arena_alloc(&request->arena, (json_array_size(actions) + 1) * sizeof(char *));
	if (!role->actions.items)
		return -ENOMEM;
	for (; role->actions.count < json_array_size(actions); role->actions.count++) {
		const char *text = json_string_value(json_array_get(actions, role->actions.count));

		role->actions.items[role->actions.count] = request_copy(request, text ? text : "");
		if (!role->actions.items[role->actions.count])
			return -ENOMEM;
	}
	ret->roles = role;
	ret->role_count = 1;
	return 0;
}

static bool tenant_role_within(const struct gate_standing *standing, const struct tenant_record *tenant,
			       const char *role)
{
	struct matrix_walk walk = matrix_walk_tenant(tenant, role);

	/* Above an owner there is nobody, whatever actions the tenant has made up. */
	if (text_equal(standing->tenant_role, "owner"))
		return true;
	for (const char *action = matrix_walk_next(&walk); action; action = matrix_walk_next(&walk))
		if (matrix_tenant_role(&standing->own, standing->tenant_role, action) != MATRIX_YES)
			return false;
	return true;
}

/* An API key that is limited to actions gives no others away. */
static bool key_has(const struct key_record *key, const struct tenant_record *tenant, const char *role)
{
	struct matrix_walk walk = matrix_walk_tenant(tenant, role);

	for (const char *action = matrix_walk_next(&walk); key && action; action = matrix_walk_next(&walk))
		if (!list_lets(&key->actions, action))
			return false;
	return true;
}

/* Does `own` give everything that `role` gives, host.sudo included? */
static bool project_role_within(const struct tenant_record *own_roles, const char *own,
				const struct tenant_record *roles, const char *role)
{
	struct matrix_walk walk = matrix_walk_project(roles, role);

	for (const char *action = matrix_walk_next(&walk); action; action = matrix_walk_next(&walk))
		if (matrix_project_role(own_roles, own, action) != MATRIX_YES)
			return false;
	return matrix_project_role(own_roles, own, "host.sudo") >= matrix_project_role(roles, role, "host.sudo") &&
	       matrix_project_role(own_roles, own, "host.login") != MATRIX_NO;
}

int rights_over_user(struct request *request, const char *user_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct tenant_record roles;
	const char *role;
	int r = db_run(request->tx, &rows,
		       "SELECT coalesce(m.role, ''), u.kind = 'operator' FROM control.users u LEFT JOIN "
		       "control.members m ON m.tenant_id = "
		       "u.tenant_id "
		       "AND m.user_id = u.id AND m.project_id = '' WHERE u.tenant_id = $1 AND u.id = $2",
		       request->tenant_id, user_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	/* What it may do is the grant's matter alone, and nobody else signs in by it. */
	if (db_bool(rows, 0, 1)) {
		respond_problem(request, PROBLEM_CONFLICT,
				"this is an operator's account, which comes and goes with a grant");
		return 1;
	}
	if (request->standing->all || text_equal(user_id, request->principal.id))
		return 0;
	role = request_copy(request, db_text(rows, 0, 0));
	if (!role)
		return -ENOMEM;
	if (*role == '\0')
		return 0;
	r = load_role(request, role, true, &roles);
	if (r < 0)
		return r;
	/* A role that is not there gives nothing. */
	if (r == 0 && !tenant_role_within(request->standing, &roles, role))
		return refuse(request, user_id, "this user's role in the tenant is above yours");
	return 0;
}

/* Each role of theirs in a project, beside the caller's own there. */
static int covers_projects(struct request *request, const char *user_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"SELECT DISTINCT m.role, coalesce(o.role, '') FROM control.members m LEFT JOIN control.members o "
		"ON o.tenant_id = m.tenant_id AND o.project_id = m.project_id AND o.user_id = $3 "
		"WHERE m.tenant_id = $1 AND m.user_id = $2 AND m.project_id <> ''",
		request->tenant_id, user_id, request->principal.id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		struct tenant_record theirs, own;

		r = load_role(request, db_text(rows, i, 0), false, &theirs);
		if (r == 1) {
			r = 0; /* gives nothing */
			continue;
		}
		if (r == 0)
			r = load_role(request, db_text(rows, i, 1), false, &own);
		if (r < 0)
			return r;
		if (r == 1 || !project_role_within(&own, db_text(rows, i, 1), &theirs, db_text(rows, i, 0)))
			return refuse(request, user_id, "this user has rights in a project that you do not have");
	}
	return r;
}

int rights_as_user(struct request *request, const char *user_id)
{
	const struct gate_standing *standing = request->standing;
	int r = rights_over_user(request, user_id);

	if (r != 0 || standing->all || text_equal(user_id, request->principal.id) ||
	    matrix_tenant_role(&standing->own, standing->tenant_role, "member.manage") == MATRIX_YES)
		return r;
	return covers_projects(request, user_id);
}

int rights_as_anybody(struct request *request)
{
	int r = rights_unlimited(request);

	if (r != 0 || request->standing->all || text_equal(request->standing->tenant_role, "owner"))
		return r;
	return refuse(request, request->tenant_id, "who says who somebody is can be anybody: this is for owners");
}

int rights_to_give_in_tenant(struct request *request, const char *role)
{
	struct tenant_record roles;
	int r = load_role(request, role, true, &roles);

	if (r == 1)
		respond_invalid(request, "role", "the tenant has no tenant role \"%s\"", role);
	if (r != 0 || request->standing->all)
		return r;
	if (!key_has(request->principal.key, &roles, role))
		return refuse(request, role, "the API key that you use may not do all that this role gives");
	return tenant_role_within(request->standing, &roles, role)
		       ? 0
		       : refuse(request, role, "you cannot give a role above your own");
}

int rights_to_give_in_project(struct request *request, const char *user_id, const char *role)
{
	const struct gate_standing *standing = request->standing;
	struct tenant_record roles;
	int r = load_role(request, role, false, &roles);

	if (r == 1)
		respond_invalid(request, "role", "the tenant has no project role \"%s\"", role);
	if (r != 0 || standing->all)
		return r;
	/* Who manages members all over the tenant gives any project role, but not to themselves. */
	if (!text_equal(user_id, request->principal.id) &&
	    matrix_tenant_role(&standing->own, standing->tenant_role, "member.manage") == MATRIX_YES)
		return 0;
	if (project_role_within(&standing->own, standing->project_role, &roles, role))
		return 0;
	return refuse(request, user_id,
		      text_equal(user_id, request->principal.id) ? "you cannot raise your own role"
								 : "you cannot give a role above your own");
}

#define OWNERS_SQL                                                                                              \
	"SELECT FROM control.members m JOIN control.users u ON u.tenant_id = m.tenant_id AND u.id = m.user_id " \
	"WHERE m.tenant_id = $1 AND m.project_id = '' AND m.role = 'owner' AND u.status = 'active' "

int rights_lock_owners(struct request *request, const char *user_id, bool *ret_owner)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR UPDATE", request->tenant_id);

	if (r == 0)
		r = db_run(request->tx, &rows, OWNERS_SQL "AND m.user_id = $2", request->tenant_id, user_id);
	*ret_owner = r == 0 && db_row_count(rows) > 0;
	return r;
}

int rights_check_owners(struct request *request, bool was_owner)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = was_owner ? db_run(request->tx, &rows, OWNERS_SQL "LIMIT 1", request->tenant_id) : 0;

	if (r < 0 || !was_owner || db_row_count(rows) > 0)
		return r;
	respond_problem(request, PROBLEM_CONFLICT, "a tenant keeps at least one owner who is active");
	return 1;
}
