/* SPDX-License-Identifier: MIT */
#include "control_plane/api/names.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
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

static int taken(struct request *request, const struct db_rows *rows)
{
	if (db_row_count(rows) == 0)
		return 0;
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
#define PROJECT_SQL                                                                                              \
	"SELECT 'project ' || p.slug FROM control.projects p WHERE p.tenant_id = $1 AND p.id <> $2 AND "         \
	"p.slug IN ($3 || '-viewer', $3 || '-editor', $3 || '-owner', "                                          \
	"regexp_replace($3, '-(viewer|editor|owner)$', '')) AND p.slug <> $3 "                                   \
	"UNION ALL SELECT 'user ' || u.login FROM control.tenants t JOIN control.users u ON u.tenant_id = t.id " \
	"AND u.login IN (t.slug || '-' || $3, t.slug || '-' || $3 || '-viewer', "                                \
	"t.slug || '-' || $3 || '-editor', t.slug || '-' || $3 || '-owner') WHERE t.id = $1 LIMIT 1"

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
#define LOGIN_SQL                                                                               \
	"SELECT 'the tenant' FROM control.tenants WHERE id = $1 AND slug = $2 "                 \
	"UNION ALL SELECT 'project ' || p.slug FROM control.tenants t JOIN control.projects p " \
	"ON p.tenant_id = t.id AND p.slug IN (substr($2, length(t.slug) + 2), "                 \
	"regexp_replace(substr($2, length(t.slug) + 2), '-(viewer|editor|owner)$', '')) "       \
	"WHERE t.id = $1 AND starts_with($2, t.slug || '-') LIMIT 1"

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
