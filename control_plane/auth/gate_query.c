/* SPDX-License-Identifier: MIT */
#include "control_plane/auth/gate_query.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "json/json_read.h"

enum {
	SUSPENDED,
	TENANT_FROM,
	TENANT_ROLE,
	TENANT_ROLE_ACTIONS,
	PROJECT,
	PROJECT_FROM,
	PROJECT_ROLE,
	PROJECT_ROLE_ACTIONS
};
#define USER_SQL                                                                                                      \
	"SELECT t.suspended, to_json(t.allow_from), coalesce(m.role, ''), "                                           \
	"(SELECT to_json(r.actions) FROM control.roles r WHERE r.tenant_id = t.id AND r.name = m.role AND r.kind = "  \
	"'tenant'), "                                                                                                 \
	"p.id, to_json(p.allow_from), coalesce(pm.role, ''), "                                                        \
	"(SELECT to_json(r.actions) FROM control.roles r WHERE r.tenant_id = t.id AND r.name = pm.role AND r.kind = " \
	"'project') "                                                                                                 \
	"FROM control.tenants t JOIN control.users u ON u.tenant_id = t.id AND u.id = $2 AND u.status = 'active' "    \
	"LEFT JOIN control.members m ON m.tenant_id = t.id AND m.user_id = u.id AND m.project_id = '' "               \
	"LEFT JOIN control.projects p ON p.tenant_id = t.id AND (p.id = $4 OR p.slug = $4) "                          \
	"LEFT JOIN control.members pm ON pm.tenant_id = t.id AND pm.user_id = u.id AND pm.project_id = p.id "         \
	"WHERE t.id = $1 AND (t.id = $3 OR t.slug = $3)"

static int read_texts(struct request *request, const char *json, struct string_list *ret)
{
	_cleanup_(json_decrefp) json_t *array = NULL;
	struct problem problem = {0};
	size_t count;
	int r;

	if (*json == '\0')
		return 0;
	r = json_read(json, strlen(json), &array, &problem);
	if (r < 0)
		return r;
	count = json_array_size(array);
	if (count == 0)
		return 0;
	ret->items = arena_alloc(&request->arena, count * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (; ret->count < count; ret->count++) {
		const char *text = json_string_value(json_array_get(array, ret->count));

		ret->items[ret->count] = request_copy(request, text ? text : "");
		if (!ret->items[ret->count])
			return -ENOMEM;
	}
	return 0;
}

static int read_blocks(struct request *request, const char *json, struct cidr_list *ret)
{
	struct string_list texts = {0};
	int r = read_texts(request, json, &texts);

	if (r < 0 || texts.count == 0)
		return r;
	ret->items = arena_alloc(&request->arena, texts.count * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	/* One that does not parse would be dropped from the list, and an empty list lets everybody in. */
	for (; ret->count < texts.count; ret->count++)
		if (parse_cidr(texts.items[ret->count], &ret->items[ret->count]) < 0)
			return -EIO;
	return 0;
}

int gate_query_user(struct request *request, const char *tenant, const char *project, struct gate_user *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct gate_standing *standing = arena_alloc(&request->arena, sizeof(*standing));
	struct role_record *roles = arena_alloc(&request->arena, 2 * sizeof(*roles));
	int r;

	if (!standing || !roles)
		return -ENOMEM;
	r = db_run(request->tx, &rows, USER_SQL, request->tenant_id, request->principal.id, tenant, project);
	if (r < 0)
		return r;
	if (db_row_count(rows) != 1)
		return 1;
	*ret = (struct gate_user){.standing = standing, .suspended = db_bool(rows, 0, SUSPENDED)};
	standing->tenant_role = request_copy(request, db_text(rows, 0, TENANT_ROLE));
	standing->project_role = request_copy(request, db_text(rows, 0, PROJECT_ROLE));
	if (!db_is_null(rows, 0, PROJECT)) {
		ret->project_id = request_copy(request, db_text(rows, 0, PROJECT));
		if (!ret->project_id)
			return -ENOMEM;
	}
	if (!standing->tenant_role || !standing->project_role)
		return -ENOMEM;
	roles[0] = (struct role_record){.name = standing->tenant_role, .tenant_wide = true};
	roles[1] = (struct role_record){.name = standing->project_role};
	standing->own.roles = roles;
	standing->own.role_count = 2;
	r = read_texts(request, db_text(rows, 0, TENANT_ROLE_ACTIONS), &roles[0].actions);
	if (r == 0)
		r = read_texts(request, db_text(rows, 0, PROJECT_ROLE_ACTIONS), &roles[1].actions);
	if (r == 0)
		r = read_blocks(request, db_text(rows, 0, TENANT_FROM), &ret->tenant_from);
	if (r == 0)
		r = read_blocks(request, db_text(rows, 0, PROJECT_FROM), &ret->project_from);
	return r;
}
