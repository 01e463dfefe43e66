/* SPDX-License-Identifier: MIT */
#include "control_plane/api/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/record.h"
#include "records/records.h"

#define NAME_SIZE (2 * SLUG_MAX_BYTES + 16)

/* As agent/directory/groups.c makes them. */
static const char *const levels[GROUP_LEVEL_COUNT] = {"", "-viewer", "-editor", "-owner"};

static bool is_systems(const char *name)
{
	return text_is_reserved_name(name) || strcmp(name, HOST_SUDO_GROUP) == 0 || strcmp(name, HOST_USERS_GROUP) == 0;
}

static int refuse_slug(struct request *request, const char *name)
{
	respond_invalid(request, "slug", "it gives hosts a group \"%s\", which is the system's: choose another", name);
	return 1;
}

/* Tenants' own people do not learn who else is served. */
static bool may_know_tenants(const struct request *request)
{
	return request->principal.kind == PRINCIPAL_OPERATOR || request->principal.kind == PRINCIPAL_LOCAL;
}

/* Row 0: what has the name; or the name, and the slug of the other tenant that has it. */
static int taken(struct request *request, const struct db_rows *rows)
{
	if (db_row_count(rows) == 0)
		return 0;
	if (!db_is_null(rows, 0, 1)) {
		respond_problem(request, PROBLEM_CONFLICT,
				"another tenant%s%s%s on a host that serves both has the name \"%s\": choose another",
				may_know_tenants(request) ? " (" : "",
				may_know_tenants(request) ? db_text(rows, 0, 1) : "",
				may_know_tenants(request) ? ")" : "", db_text(rows, 0, 0));
		return 1;
	}
	respond_problem(request, PROBLEM_CONFLICT,
			"hosts would have two groups of one name: that of %s stands in the way", db_text(rows, 0, 0));
	return 1;
}

int names_check_tenant(struct request *request, const char *slug)
{
	return is_systems(slug) ? refuse_slug(request, slug) : 0;
}

/* $1: the tenant, $2: the project, $3: its slug. No two suffixes end alike, so the groups of two projects meet only
 * where one slug is the other with a suffix. */
#define PROJECT_SQL                                                                                                    \
	"SELECT 'project ' || p.slug, NULL FROM control.projects p WHERE p.tenant_id = $1 AND p.id <> $2 AND "         \
	"p.slug IN ($3 || '-viewer', $3 || '-editor', $3 || '-owner', "                                                \
	"regexp_replace($3, '-(viewer|editor|owner)$', '')) AND p.slug <> $3 "                                         \
	"UNION ALL SELECT 'user ' || u.login, NULL FROM control.tenants t JOIN control.users u ON u.tenant_id = t.id " \
	"AND u.login IN (t.slug || '-' || $3, t.slug || '-' || $3 || '-viewer', "                                      \
	"t.slug || '-' || $3 || '-editor', t.slug || '-' || $3 || '-owner') WHERE t.id = $1 "                          \
	"UNION ALL SELECT n.name, n.slug FROM control.tenants t, control.names_elsewhere(ARRAY[t.slug || '-' || $3, "  \
	"t.slug || '-' || $3 || '-viewer', t.slug || '-' || $3 || '-editor', t.slug || '-' || $3 || '-owner']) n "     \
	"WHERE t.id = $1 LIMIT 1"

int names_check_project(struct request *request, const char *id, const char *slug)
{
	_cleanup_(db_rows_freep) struct db_rows *tenant = NULL, *rows = NULL;
	char name[NAME_SIZE];
	int r = db_run(request->tx, &tenant, "SELECT slug FROM control.tenants WHERE id = $1", request->tenant_id);

	if (r == 0)
		r = db_run(request->tx, &rows, PROJECT_SQL, request->tenant_id, id, slug);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < GROUP_LEVEL_COUNT; i++) {
		(void)snprintf(name, sizeof(name), "%s-%s%s", db_text(tenant, 0, 0), slug, levels[i]);
		if (is_systems(name))
			return refuse_slug(request, name);
	}
	return taken(request, rows);
}

/* $1: the tenant, $2: the login name. What stands behind the tenant's slug may be a project's, with a suffix or not. */
#define LOGIN_SQL                                                                                     \
	"SELECT 'the tenant', NULL FROM control.tenants WHERE id = $1 AND slug = $2 "                 \
	"UNION ALL SELECT 'project ' || p.slug, NULL FROM control.tenants t JOIN control.projects p " \
	"ON p.tenant_id = t.id AND p.slug IN (substr($2, length(t.slug) + 2), "                       \
	"regexp_replace(substr($2, length(t.slug) + 2), '-(viewer|editor|owner)$', '')) "             \
	"WHERE t.id = $1 AND starts_with($2, t.slug || '-') "                                         \
	"UNION ALL SELECT name, slug FROM control.names_elsewhere(ARRAY[$2]) LIMIT 1"

int names_want_login(struct request *request, const char *login, struct db_rows **ret)
{
	if (strcmp(login, HOST_SUDO_GROUP) == 0 || strcmp(login, HOST_USERS_GROUP) == 0) {
		respond_problem(request, PROBLEM_CONFLICT, "\"%s\" is a group of every host", login);
		return 1;
	}
	return db_want(request->tx, ret, LOGIN_SQL, request->tenant_id, login);
}

int names_check_login(struct request *request, const struct db_rows *rows)
{
	return taken(request, rows);
}

static int find_clash(struct request *request, const struct db_rows *rows, struct name_clash *ret)
{
	*ret = (struct name_clash){0};
	if (db_row_count(rows) == 0)
		return 0;
	*ret = (struct name_clash){
		.name = request_copy(request, db_text(rows, 0, 0)),
		.tenants = {request_copy(request, db_text(rows, 0, 1)), request_copy(request, db_text(rows, 0, 2))},
	};
	if (!ret->name || !ret->tenants[0] || !ret->tenants[1])
		return -ENOMEM;
	if (may_know_tenants(request))
		respond_problem(request, PROBLEM_CONFLICT,
				"the tenants %s and %s both have the name \"%s\", and a host that serves both would "
				"serve neither's: one of them has to give it up first",
				ret->tenants[0], ret->tenants[1], ret->name);
	else
		respond_problem(request, PROBLEM_CONFLICT,
				"two tenants that this host would serve have the name \"%s\": one of them has to give "
				"it up first",
				ret->name);
	return 1;
}

int names_check_host(struct request *request, const char *host_id, struct name_clash *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT name, slug, other_slug FROM control.names_twice(ARRAY(SELECT tenant_id FROM "
		       "control.host_tenants WHERE host_id = $1), $1)",
		       host_id);

	return r < 0 ? r : find_clash(request, rows, ret);
}

int names_check_together(struct request *request, const char *tenants)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct name_clash clash;
	int r = db_run(request->tx, &rows,
		       "SELECT name, slug, other_slug FROM control.names_twice(" SQL_NEW_LIST("$1") ", '')", tenants);

	return r < 0 ? r : find_clash(request, rows, &clash);
}
