/* SPDX-License-Identifier: MIT */
#include "control_plane/api/impersonation.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/events.h"
#include "control_plane/api/impersonation_account.h"
#include "control_plane/api/operators.h"
#include "control_plane/api/record.h"
#include "control_plane/feed/change.h"

#define ROLE "viewer" /* in every project; nothing else is ever given */

/* Columns: the member's user, project and version. */
static void put_members(struct change *change, const struct db_rows *rows)
{
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		const char *user = db_text(rows, i, 0), *project = db_text(rows, i, 1);
		char id[2 * ID_MAX_BYTES + 2];

		(void)snprintf(id, sizeof(id), "%s/%s", user, project);
		change_put(change, RECORD_MEMBER, id, (uint64_t)db_i64(rows, i, 2),
			   json_pack("{s:s, s:s, s:s}", "user", user, "project", project, "role", ROLE));
	}
}

static int find_operator(struct request *request, const char *operator_id, const char **ret_email)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows, "SELECT email, status = 'active' FROM control.operators WHERE id = $1",
		       operator_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) != 1 || !db_bool(rows, 0, 1)) {
		respond_problem(request, PROBLEM_CONFLICT, "the operator is suspended");
		return 1;
	}
	*ret_email = request_copy(request, db_text(rows, 0, 0));
	return *ret_email ? 0 : -ENOMEM;
}

/* Their ids, as JSON's list; "[]" where all are meant. They stay until the commit: the tenant's row is held, and who
 * deletes a project takes its members with it afterwards. */
static int find_projects(struct request *request, const json_t *wanted, const char **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *list = "[]";
	int r = wanted ? record_json_text(request, wanted, &list) : 0;

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "SELECT coalesce(jsonb_agg(id), '[]'), count(*), (SELECT count(*) FROM control.projects "
			   "WHERE "
			   "tenant_id = $1) FROM (SELECT id FROM control.projects p WHERE tenant_id = $1 AND (id = ANY "
			   "(" //
			   SQL_NEW_LIST("$2") ") OR slug = ANY (" SQL_NEW_LIST("$2") ")) FOR SHARE) p",
			   request->tenant_id, list);
	if (r < 0)
		return r;
	if ((size_t)db_i64(rows, 0, 1) != json_array_size(wanted)) {
		respond_invalid(request, "projects", "ids or slugs of projects of this tenant, each once");
		return 1;
	}
	if (json_array_size(wanted) == 0 && db_i64(rows, 0, 2) > USER_MEMBERSHIPS_MAX) {
		respond_invalid(request, "projects", "the tenant has more than %u projects: name those that are needed",
				USER_MEMBERSHIPS_MAX);
		return 1;
	}
	if (json_array_size(wanted) > USER_MEMBERSHIPS_MAX) {
		respond_invalid(request, "projects", "at most %u", USER_MEMBERSHIPS_MAX);
		return 1;
	}
	*ret = request_copy(request, db_text(rows, 0, 0));
	return *ret ? 0 : -ENOMEM;
}

/* One that is over and was not swept yet is in nobody's way. */
static int drop_ended(struct request *request, const struct impersonation *wanted)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT id FROM control.operator_grants WHERE operator_id = $1 AND tenant_id = $2 AND role = "
		       "'" IMPERSONATE "' AND not_after <= $3::bigint",
		       wanted->operator_id, wanted->tenant_id, record_number(request, request->now));

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		_cleanup_(impersonation_end_finish) struct impersonation_end end = {0};
		const char *id = db_text(rows, i, 0);

		r = impersonation_end(request->tx, request->change, wanted->tenant_id, id, &end);
		if (r == 0)
			r = event_write(request, "impersonation.end", id, impersonation_end_data(&end, "expired"));
	}
	return r;
}

/* Versions are the account's own: one that is over may have ended in this very change, so that hosts still have its
 * memberships, and would refuse the whole feed over one that begins anew. */
static int fill_members(struct request *request, const char *user_id, const char *projects)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = impersonation_leave_projects(request->tx, request->change, request->tenant_id, user_id);

	if (r == 0)
		r = db_run(request->tx, &rows,
			   "INSERT INTO control.members (tenant_id, user_id, project_id, role, version) SELECT $1, "
			   "u.id, p.id, '" ROLE "', u.version FROM control.projects p JOIN control.users u ON "
			   "u.tenant_id = $1 AND u.id = $2 WHERE p.tenant_id = $1 AND ($3 = '[]' OR p.id = ANY (" //
			   SQL_NEW_LIST("$3") ")) RETURNING user_id, project_id, version",
			   request->tenant_id, user_id, projects);
	if (r == 0)
		put_members(request->change, rows);
	return r;
}

static int tell_tenant(struct request *request, const struct impersonation *wanted, const char *email,
		       const struct impersonation_account *account, const char *projects)
{
	json_t *data = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "operator", wanted->operator_id, "operator_name",
				 email, "user", account->user_id, "login", account->login, "reason", wanted->reason,
				 "not_after", (json_int_t)wanted->not_after);
	struct problem problem = {0};
	json_t *list = NULL;
	int r = data ? 0 : -ENOMEM;

	if (r == 0 && !text_equal(projects, "[]"))
		r = json_read(projects, strlen(projects), &list, &problem);
	if (r == 0 && list)
		r = json_object_set_new(data, "projects", list) < 0 ? -ENOMEM : 0;
	if (r < 0) {
		json_decref(data);
		return r;
	}
	return event_write(request, "impersonation.begin", wanted->grant_id, data);
}

static int begin(struct request *request, const struct impersonation *wanted, struct db_rows **ret)
{
	struct impersonation_account account;
	const char *email, *projects;
	int r = record_change(request) ? impersonation_enter(request->tx, wanted->tenant_id) : -ENOMEM;

	if (r == 0)
		r = find_operator(request, wanted->operator_id, &email);
	if (r == 0)
		r = find_projects(request, wanted->projects, &projects);
	if (r == 0)
		r = drop_ended(request, wanted);
	if (r == 0)
		r = impersonation_account(request, wanted->operator_id, email, &account);
	if (r != 0)
		return r;
	r = db_run(
		request->tx, ret,
		"INSERT INTO control.operator_grants (id, operator_id, tenant_id, role, reason, not_after, projects) "
		"VALUES ($1, $2, $3, '" IMPERSONATE
		"', $4, $5::bigint, " SQL_NEW_LIST("$6") ") RETURNING version, " OPERATOR_GRANT_VIEW_SQL,
		wanted->grant_id, wanted->operator_id, wanted->tenant_id, wanted->reason,
		record_number(request, wanted->not_after), projects);
	if (r == 0)
		r = fill_members(request, account.user_id, projects);
	if (r == 0)
		r = impersonation_account_put(request->tx, request->change, wanted->tenant_id, wanted->operator_id,
					      true);
	if (r == 0)
		r = impersonation_put_grant(request->tx, request->change, wanted->tenant_id, wanted->operator_id);
	return r == 0 ? tell_tenant(request, wanted, email, &account, projects) : r;
}

int impersonation_begin(struct request *request, const struct impersonation *wanted, struct db_rows **ret)
{
	const char *own = request->tenant_id;
	int r;

	/* All that is written meanwhile is the tenant's. */
	request->tenant_id = wanted->tenant_id;
	r = begin(request, wanted, ret);
	request->tenant_id = own;
	return r;
}

int impersonation_of_new_project(struct request *request, const char *project_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(
		request->tx, &rows,
		"INSERT INTO control.members (tenant_id, user_id, project_id, role, version) SELECT $1, a.user_id, $2, "
		"'" ROLE "', u.version FROM control.operator_grants g JOIN control.operator_accounts a ON "
		"a.operator_id = g.operator_id AND a.tenant_id = g.tenant_id JOIN control.users u ON u.tenant_id = "
		"a.tenant_id AND u.id = a.user_id WHERE g.tenant_id = $1 AND g.role = '" IMPERSONATE
		"' AND g.projects = '{}' AND g.not_after > $3::bigint AND (SELECT count(*) FROM control.members m "
		"WHERE m.tenant_id = $1 AND m.user_id = a.user_id) < $4::bigint "
		"RETURNING user_id, project_id, version",
		request->tenant_id, project_id, record_number(request, request->now),
		record_number(request, USER_MEMBERSHIPS_MAX));

	if (r == 0)
		put_members(record_change(request), rows);
	return r;
}
