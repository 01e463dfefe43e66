/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/gate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/app.h"
#include "control_plane/auth/authenticate.h"
#include "control_plane/auth/gate_actions.h"
#include "control_plane/auth/gate_query.h"
#include "records/lists.h"
#include "records/matrix.h"

/* What a key's `services` must name for it to be used here. */
#define SERVICE_NAME "tenant-control"

static bool names_tenant(const struct route *route)
{
	return route->access == ROUTE_TENANT || route->access == ROUTE_PROJECT ||
	       strstr(route->pattern, "/{tenant}") != NULL;
}

/* Where the tenant stands among the parameters: hosts' routes name the host first. */
static const char *tenant_parameter(const struct request *request)
{
	unsigned index = 0;

	for (const char *p = strchr(request->route->pattern, '{'); p; p = strchr(p + 1, '{'), index++)
		if (text_starts(p, "{tenant}"))
			return request->params[index];
	return NULL;
}

static bool is_operator(const struct principal *principal)
{
	return principal->kind == PRINCIPAL_OPERATOR || principal->kind == PRINCIPAL_LOCAL;
}

static int not_found(struct request *request)
{
	respond_problem(request, PROBLEM_NOT_FOUND, NULL);
	return 1;
}

static int forbidden(struct request *request, const char *detail)
{
	respond_problem(request, PROBLEM_FORBIDDEN, "%s", detail);
	return 1;
}

int gate_authenticate(struct request *request)
{
	int r;

	if (request->principal.kind == PRINCIPAL_LOCAL)
		return 0; /* the command line is who it is; no request from outside is made this way */
	switch (request->route->access) {
	case ROUTE_PUBLIC:
		return 0;
	case ROUTE_INTERNAL:
		return -EINVAL; /* the frame asks http/internal.c */
	case ROUTE_SELF:
	case ROUTE_TENANT:
	case ROUTE_PROJECT:
	case ROUTE_OPERATOR:
	case ROUTE_SERVICE:
	case ROUTE_HOST:
		break;
	}
	r = authenticate(request);
	if (r == 0 && request->principal.kind == PRINCIPAL_NONE) {
		respond_problem(request, PROBLEM_UNAUTHENTICATED, NULL);
		return 1;
	}
	return r;
}

/* A slug that an operator wrote, in a transaction of its own: the scope is not known before. */
static int find_tenant(struct request *request, const char *slug, const char **ret)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const struct db_scope scope = {.platform = true, .once = true};
	int r = db_begin(request->app->db, &scope, &tx);

	if (r == 0)
		r = db_run(tx, &rows, "SELECT id FROM control.tenants WHERE slug = $1", slug);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return not_found(request);
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

static int tenant_scope(struct request *request, struct db_scope *ret)
{
	const char *name = tenant_parameter(request);

	if (!name)
		return -EINVAL;
	switch (request->principal.kind) {
	case PRINCIPAL_USER:
		/* Whatever they named, they see their own; gate_authorize compares the two. */
		ret->tenant_id = request->principal.tenant_id;
		break;
	case PRINCIPAL_OPERATOR:
	case PRINCIPAL_LOCAL:
		if (!text_starts(name, "ten_"))
			return find_tenant(request, name, &ret->tenant_id);
		ret->tenant_id = name;
		break;
	case PRINCIPAL_HOST:
		if (request->route->access != ROUTE_HOST)
			return not_found(request);
		ret->tenant_id = name;
		break;
	case PRINCIPAL_INTERNAL:
		ret->tenant_id = name;
		break;
	case PRINCIPAL_NONE:
		if (request->route->access != ROUTE_PUBLIC)
			return not_found(request);
		ret->tenant_id = name;
		break;
	}
	return 0;
}

int gate_scope(struct request *request, struct db_scope *ret)
{
	const struct route *route = request->route;
	const struct principal *principal = &request->principal;

	/* A request that is run again starts anew. */
	request->tenant_id = request->project_id = NULL;
	request->standing = NULL;
	*ret = (struct db_scope){
		.platform = (route->flags & ROUTE_PLATFORM) != 0,
		.read_only = (route->flags & ROUTE_WRITES) == 0,
	};
	switch (route->access) {
	case ROUTE_OPERATOR:
		if (!is_operator(principal))
			return forbidden(request, "this is for operators of the platform");
		ret->platform = true;
		break;
	case ROUTE_SERVICE:
		if (principal->kind == PRINCIPAL_USER)
			ret->tenant_id = principal->tenant_id;
		else if (principal->kind != PRINCIPAL_HOST)
			return forbidden(request, "this is for hosts and service accounts");
		break;
	case ROUTE_HOST:
		if (principal->kind != PRINCIPAL_HOST)
			return forbidden(request, "this is for enrolled hosts");
		break;
	case ROUTE_SELF:
		if (principal->kind == PRINCIPAL_USER)
			ret->tenant_id = principal->tenant_id;
		else if (principal->kind == PRINCIPAL_OPERATOR)
			ret->platform = true;
		else
			return forbidden(request, "this is for people, about themselves");
		break;
	case ROUTE_TENANT:
	case ROUTE_PROJECT:
		ret->platform |= is_operator(principal); /* where their grants are */
		break;
	case ROUTE_PUBLIC:
	case ROUTE_INTERNAL:
		break;
	}
	if (names_tenant(route)) {
		int r = tenant_scope(request, ret);

		if (r != 0)
			return r;
	}
	request->tenant_id = ret->tenant_id;
	return 0;
}

/* ---- operators ----------------------------------------------------------------------------------------------------
 */

struct grants {
	unsigned here, everywhere;
	bool tenant_exists;
};

/* The grants that hold now: in this tenant (NULL: none in question) and everywhere. */
static int read_grants(struct request *request, const char *tenant_id, struct grants *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	*ret = (struct grants){0};
	r = db_run(request->tx, &rows, GATE_GRANTS_SQL, request->principal.id,
		   request_text(request, "%lld", (long long)request->now), tenant_id);
	if (r < 0)
		return r;
	ret->tenant_exists = db_row_count(rows) > 0 && db_bool(rows, 0, 2);
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		unsigned bit = operator_grant_bit(db_text(rows, i, 1));

		if (*db_text(rows, i, 0) == '\0')
			ret->everywhere |= bit;
		else if (!tenant_id || strcmp(db_text(rows, i, 0), tenant_id) == 0)
			ret->here |= bit;
	}
	ret->here |= ret->everywhere;
	return 0;
}

static int authorize_operator_route(struct request *request)
{
	const struct operator_action *action = operator_action_find(request->route->action);
	struct grants grants;
	int r;

	if (!action)
		return -EINVAL;
	if (request->principal.kind == PRINCIPAL_LOCAL)
		return 0;
	r = read_grants(request, NULL, &grants);
	if (r < 0)
		return r;
	if (((action->in_a_tenant ? grants.here : grants.everywhere) & action->grants) == 0)
		return forbidden(request, "no grant of yours allows this");
	return 0;
}

static int find_project(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, GATE_PROJECT_SQL, request->tenant_id, request->params[1]);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return not_found(request);
	request->project_id = request_copy(request, db_text(rows, 0, 0));
	return request->project_id ? 0 : -ENOMEM;
}

/* The command line's. */
static int grant_all(struct request *request, struct grants *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT FROM control.tenants WHERE id = $1", request->tenant_id);

	if (r < 0)
		return r;
	*ret = (struct grants){GRANT_ADMIN, GRANT_ADMIN, db_row_count(rows) > 0};
	return 0;
}

static int authorize_operator(struct request *request)
{
	struct gate_standing *standing = arena_alloc(&request->arena, sizeof(*standing));
	struct grants grants;
	int r;

	if (!standing)
		return -ENOMEM;
	r = request->principal.kind == PRINCIPAL_OPERATOR ? read_grants(request, request->tenant_id, &grants)
							  : grant_all(request, &grants);
	if (r < 0)
		return r;
	/* Who looks after hosts only has no business in a tenant. */
	if ((grants.here & (GRANT_ADMIN | GRANT_SUPPORT)) == 0 || !grants.tenant_exists)
		return not_found(request);
	standing->tenant_role = standing->project_role = "";
	standing->all = (grants.here & GRANT_ADMIN) != 0;
	standing->reads = true;
	request->standing = standing;
	if (!standing->all && (request->route->flags & ROUTE_WRITES))
		return forbidden(request, "your grant is for reading");
	return request->route->access == ROUTE_PROJECT ? find_project(request) : 0;
}

/* ---- users ----------------------------------------------------------------------------------------------------------
 */

/* An API key that is limited to projects reaches those projects' routes and no others. */
static const char *key_fault(const struct request *request)
{
	const struct key_record *key = request->principal.key;
	const char *action = request->route->action, *own = own_action_needs(action);

	if (!key)
		return NULL;
	if (!list_lets(&key->services, SERVICE_NAME))
		return "this API key is for other services";
	if (!blocks_let(&key->from, &request->source))
		return "this API key may not be used from your address";
	if (!list_lets(&key->actions, own ? own : action))
		return "this API key may not do that";
	if (!list_lets(&key->projects, request->project_id))
		return "this API key is for other projects";
	return NULL;
}

bool gate_may(const struct request *request, const char *action)
{
	const struct gate_standing *standing = request->standing;
	const struct key_record *key = request->principal.key;

	if (!standing)
		return false;
	if (standing->all)
		return true;
	if (standing->reads)
		return (request->route->flags & ROUTE_WRITES) == 0;
	if (key && (key->projects.count > 0 || !list_lets(&key->actions, action)))
		return false;
	return matrix_tenant_role(&standing->own, standing->tenant_role, action) == MATRIX_YES;
}

static int authorize_user(struct request *request)
{
	const char *action = request->route->action, *fault;
	struct gate_user user;
	bool allowed;
	int r;

	if (!text_equal(request->tenant_id, request->principal.tenant_id))
		return not_found(request);
	r = gate_query_user(request, tenant_parameter(request),
			    request->route->access == ROUTE_PROJECT ? request->params[1] : "", &user);
	if (r != 0)
		return r < 0 ? r : not_found(request);
	request->standing = user.standing;
	request->principal.tenant_role = user.standing->tenant_role;
	if (user.suspended)
		return forbidden(request, "the tenant is suspended");
	if (!blocks_let(&user.tenant_from, &request->source))
		return forbidden(request, "the tenant does not allow your address");
	if (request->route->access == ROUTE_PROJECT) {
		request->project_id = user.project_id;
		/* A project in which they have nothing is not theirs to know of. */
		if (!user.project_id || (*user.standing->project_role == '\0' && *user.standing->tenant_role == '\0'))
			return not_found(request);
		if (!blocks_let(&user.project_from, &request->source))
			return forbidden(request, "the project does not allow your address");
	}
	fault = key_fault(request);
	if (fault)
		return forbidden(request, fault);
	allowed = own_action_needs(action) ||
		  matrix_tenant_role(&user.standing->own, user.standing->tenant_role, action) == MATRIX_YES ||
		  (user.project_id &&
		   matrix_project_role(&user.standing->own, user.standing->project_role, action) == MATRIX_YES);
	return allowed ? 0 : forbidden(request, "your role does not allow this");
}

/* ---- the rest -------------------------------------------------------------------------------------------------------
 */

static int authorize_self(struct request *request)
{
	const struct key_record *key = request->principal.key;

	if (!key)
		return 0;
	if (!list_lets(&key->services, SERVICE_NAME) || !blocks_let(&key->from, &request->source))
		return forbidden(request, "this API key may not be used here");
	if ((request->route->flags & ROUTE_WRITES) && (key->projects.count > 0 || key->actions.count > 0))
		return forbidden(request, "this API key is limited to projects or actions");
	return 0;
}

/* Asks nothing of the database: these routes are asked most of all. */
static int authorize_service(struct request *request)
{
	const struct principal *principal = &request->principal;
	const char *fault;

	if (principal->kind == PRINCIPAL_HOST)
		return 0;
	if (!principal->service || principal->tenant_suspended ||
	    matrix_tenant_role(principal->own, principal->tenant_role, request->route->action) != MATRIX_YES)
		return forbidden(request, "this is for hosts, and service accounts whose role allows it");
	fault = key_fault(request);
	return fault ? forbidden(request, fault) : 0;
}

static int authorize_host(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	if (!names_tenant(request->route))
		return 0;
	r = db_run(request->tx, &rows, GATE_HOST_SQL, request->principal.id, request->tenant_id);
	if (r < 0)
		return r;
	return db_row_count(rows) > 0 ? 0 : not_found(request);
}

int gate_authorize(struct request *request)
{
	switch (request->route->access) {
	case ROUTE_PUBLIC:
	case ROUTE_INTERNAL:
		return 0;
	case ROUTE_SELF:
		return authorize_self(request);
	case ROUTE_OPERATOR:
		return authorize_operator_route(request);
	case ROUTE_SERVICE:
		return authorize_service(request);
	case ROUTE_HOST:
		return authorize_host(request);
	case ROUTE_TENANT:
	case ROUTE_PROJECT:
		break;
	}
	if (is_operator(&request->principal))
		return authorize_operator(request);
	return request->principal.kind == PRINCIPAL_USER ? authorize_user(request) : not_found(request);
}
