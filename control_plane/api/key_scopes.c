/* SPDX-License-Identifier: MIT */
#include "control_plane/api/key_scopes.h"

#include <errno.h>
#include <string.h>

#include "records/lists.h"
#include "records/matrix.h"

static int check_projects(struct request *request, json_t *projects)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *list;
	int r = record_json_text(request, projects, &list);

	if (r < 0 || json_array_size(projects) == 0)
		return r;
	r = db_run(request->tx, &rows,
		   "SELECT FROM control.projects WHERE tenant_id = $1 AND id = ANY (" SQL_NEW_LIST("$2") ") FOR SHARE",
		   request->tenant_id, list);
	if (r < 0)
		return r;
	/* A project that is named twice is one too few, too. */
	if (db_row_count(rows) == json_array_size(projects))
		return 0;
	respond_invalid(request, "projects", "ids of projects of this tenant, each once");
	return 1;
}

static int check_actions(struct request *request, json_t *actions)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *own = NULL;

	for (size_t i = 0; i < json_array_size(actions); i++) {
		const char *action = json_string_value(json_array_get(actions, i));

		if (matrix_knows_action(action))
			continue;
		if (!rows) {
			/* Roles stay as they are meanwhile (api/roles.c). */
			int r = db_later(request->tx, "SELECT FROM control.tenants WHERE id = $1 FOR SHARE",
					 request->tenant_id);

			if (r < 0)
				return r;
			r = db_run(request->tx, &rows,
				   "SELECT coalesce(' ' || string_agg(array_to_string(actions, ' '), ' ') || ' ', '') "
				   "FROM control.roles WHERE tenant_id = $1",
				   request->tenant_id);
			if (r < 0)
				return r;
			own = db_text(rows, 0, 0);
		}
		if (!matrix_action_is_host(action) && strstr(own, request_text(request, " %s ", action)))
			continue;
		respond_invalid(request, "actions", "\"%s\" is no action that a role gives here", action);
		return 1;
	}
	return 0;
}

/* An empty list is no limit. */
static bool within(const json_t *wanted, const struct string_list *limit)
{
	if (limit->count == 0)
		return true;
	for (size_t i = 0; i < json_array_size(wanted); i++)
		if (!list_has(limit, json_string_value(json_array_get(wanted, i))))
			return false;
	return json_array_size(wanted) > 0;
}

static bool block_within(const struct cidr *block, const struct cidr_list *limit)
{
	for (uint32_t i = 0; i < limit->count; i++)
		if (limit->items[i].prefix <= block->prefix && cidr_contains(&limit->items[i], &block->address))
			return true;
	return false;
}

static bool from_within(const json_t *wanted, const struct cidr_list *limit)
{
	struct cidr block;

	if (limit->count == 0)
		return true;
	for (size_t i = 0; i < json_array_size(wanted); i++)
		if (parse_cidr(json_string_value(json_array_get(wanted, i)), &block) < 0 ||
		    !block_within(&block, limit))
			return false;
	return json_array_size(wanted) > 0;
}

int key_scopes_check(struct request *request, const struct key_scopes *scopes)
{
	const struct key_record *key = request->principal.key;
	const char *field = NULL;
	int r;

	if (key) {
		if (!within(scopes->projects, &key->projects))
			field = "projects";
		else if (!within(scopes->actions, &key->actions))
			field = "actions";
		else if (!within(scopes->services, &key->services))
			field = "services";
		else if (!from_within(scopes->from, &key->from))
			field = "from";
		else if (key->not_after > 0 && (scopes->not_after == 0 || scopes->not_after > key->not_after))
			field = "not_after";
	}
	if (field) {
		respond_problem(request, PROBLEM_FORBIDDEN, "\"%s\": the key that you use may not do all of that",
				field);
		return 1;
	}
	r = check_projects(request, scopes->projects);
	return r == 0 ? check_actions(request, scopes->actions) : r;
}
