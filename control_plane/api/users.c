/* SPDX-License-Identifier: MIT */
#include "control_plane/api/users.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/names.h"
#include "control_plane/api/passwords.h"
#include "control_plane/api/rights.h"
#include "control_plane/api/user_identities.h"
#include "control_plane/feed/change.h"

static const struct record_unique unique[] = {
	{"users_tenant_id_login_key", "login"},
	{"users_email", "email"},
	{"user_identities_pkey", "identity"},
};

static int fault(struct request *request, int result)
{
	return record_fault(request, result, "user", unique, ARRAY_LEN(unique));
}

static int not_found(struct request *request)
{
	return respond_problem(request, PROBLEM_NOT_FOUND, NULL);
}

int users_find(struct request *request, const char *name, const char **ret_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r;

	*ret_id = name;
	/* Somebody may have a login name that looks like an id: what looks like one is one. */
	if (text_starts(name, "usr_"))
		return 0;
	r = db_run(request->tx, &rows, "SELECT id FROM control.users WHERE tenant_id = $1 AND login = $2",
		   request->tenant_id, name);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		not_found(request);
		return 1;
	}
	*ret_id = request_copy(request, db_text(rows, 0, 0));
	return *ret_id ? 0 : -ENOMEM;
}

/* ---- reading --------------------------------------------------------------------------------------------------------
 */

static int list(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *login = request_query(request, "login"), *email = request_query(request, "email");
	struct page page;
	int r;

	if (request_page(request, &page) != 0)
		return 0;
	/* A statement each, so that each has its index. */
	if (login)
		r = db_run(request->tx, &rows,
			   "SELECT id, " USER_VIEW_SQL " FROM control.users WHERE tenant_id = $1 AND login = $2",
			   request->tenant_id, login);
	else if (email)
		r = db_run(request->tx, &rows,
			   "SELECT id, " USER_VIEW_SQL " FROM control.users WHERE tenant_id = $1 AND email <> '' "
			   "AND lower(email) = lower($2)",
			   request->tenant_id, email);
	else
		r = db_run(request->tx, &rows,
			   "SELECT id, " USER_VIEW_SQL " FROM control.users WHERE tenant_id = $1 AND id > $2 "
			   "AND ($3::text IS NULL OR kind = $3) ORDER BY id LIMIT $4::bigint",
			   request->tenant_id, page.after, request_query(request, "kind"),
			   record_limit(request, &page));
	return r < 0 ? respond_db(request, r, "users") : record_page(request, &page, rows);
}

static int get(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	const char *id;
	int r = users_find(request, request->params[1], &id);

	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "SELECT " USER_COLUMNS_SQL " FROM control.users WHERE tenant_id = $1 AND id = $2",
		   request->tenant_id, id);
	if (r < 0)
		return respond_db(request, r, "user");
	return db_row_count(rows) == 0 ? not_found(request) : record_answer(request, 200, rows);
}

/* ---- creating and changing
 * ------------------------------------------------------------------------------------------- */

struct fields {
	const char *login, *kind, *name, *email, *home, *shell, *password;
	json_t *ssh_keys, *identities;
};
static const struct json_field create_fields[] = {
	{"password", JSON_FIELD_STRING, offsetof(struct fields, password), 0},
	{"login", JSON_FIELD_STRING, offsetof(struct fields, login), JSON_FIELD_REQUIRED},
	{"kind", JSON_FIELD_STRING, offsetof(struct fields, kind), 0},
	{"name", JSON_FIELD_STRING, offsetof(struct fields, name), 0},
	{"email", JSON_FIELD_STRING, offsetof(struct fields, email), 0},
	{"home", JSON_FIELD_STRING, offsetof(struct fields, home), 0},
	{"shell", JSON_FIELD_STRING, offsetof(struct fields, shell), 0},
	{"ssh_keys", JSON_FIELD_STRINGS, offsetof(struct fields, ssh_keys), 0},
	{"identities", JSON_FIELD_ARRAY, offsetof(struct fields, identities), 0},
};
/* The login name and the kind are for ever: files, logs and other people's habits hang on them. */
#define PATCH_FIELDS (&create_fields[3])
#define PATCH_FIELD_COUNT (ARRAY_LEN(create_fields) - 3)

/* They come after the user, and the user is read again with them. */
static int identities_of_new_user(struct request *request, const char *id, json_t *identities, struct db_rows **rows)
{
	int r = user_identities_put(request, id, identities);

	if (r != 0 || !identities)
		return r;
	db_rows_free(TAKE_PTR(*rows));
	return db_run(request->tx, rows,
		      "SELECT " USER_COLUMNS_SQL " FROM control.users WHERE tenant_id = $1 AND id = $2",
		      request->tenant_id, id);
}

static int create(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL, *taken = NULL, *names = NULL;
	const char *id = record_new_id(request, "usr_"), *ssh_keys;
	struct fields fields = {.kind = "person", .name = "", .email = "", .home = "", .shell = ""};
	int r, judged = 0;

	if (!id)
		return -ENOMEM;
	if (request_fields(request, create_fields, ARRAY_LEN(create_fields), &fields) != 0)
		return 0;
	/* The third kind comes with a grant (api/impersonation.c), and no other way. */
	if (strcmp(fields.kind, "person") != 0 && strcmp(fields.kind, "service") != 0)
		return respond_invalid(request, "kind", "\"person\" or \"service\"");
	if (fields.password && strcmp(fields.kind, "person") != 0)
		return respond_invalid(request, "password", "a service account has API keys and no password");
	r = record_json_text(request, fields.ssh_keys, &ssh_keys);
	/* Else a key that is limited makes somebody who is not, and gives them a role. */
	if (r == 0 && (fields.password || fields.identities || fields.ssh_keys))
		r = rights_unlimited(request);
	if (r == 0)
		r = record_want_ids(request, 1, &taken);
	if (r == 0)
		r = names_want_login(request, fields.login, &names);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "INSERT INTO control.users (id, tenant_id, login, uid, kind, name, email, home, shell, ssh_keys) "
		   "VALUES ($1, $2, $3, " SQL_TAKEN_ID("$2", "$4") ", $5, $6, $7, $8, $9, " SQL_NEW_LIST(
			   "$10") ") RETURNING " USER_COLUMNS_SQL,
		   id, request->tenant_id, fields.login, "1", fields.kind, fields.name, fields.email, fields.home,
		   fields.shell, ssh_keys);
	/* What the statements before say explains why this one failed. */
	if (taken)
		judged = record_taken_ids(request, taken);
	if (judged == 0 && names)
		judged = names_check_login(request, names);
	if (judged != 0)
		return judged < 0 ? judged : 0;
	if (r < 0)
		return fault(request, r);
	r = passwords_of_new_user(request, id, fields.password,
				  &(struct password_owner){fields.login, fields.email, fields.name});
	if (r == 0)
		r = identities_of_new_user(request, id, fields.identities, &rows);
	if (r != 0)
		return r < 0 ? fault(request, r) : 0;
	r = record_publish(request, RECORD_USER, id, rows);
	if (r == 0)
		r = event_write(request, "user.create", id,
				json_pack("{s:s,s:s}", "login", fields.login, "kind", fields.kind));
	if (r != 0)
		return r < 0 ? r : 0;
	return record_created(request, id, rows);
}

/* The row, locked; rights and If-Match are checked. 0 with the id; 1; -errno. */
static int lock(struct request *request, const char **ret_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = users_find(request, request->params[1], ret_id);

	if (r == 0)
		r = rights_over_user(request, *ret_id);
	if (r != 0)
		return r;
	r = db_run(request->tx, &rows, "SELECT version FROM control.users WHERE tenant_id = $1 AND id = $2 FOR UPDATE",
		   request->tenant_id, *ret_id);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		not_found(request);
		return 1;
	}
	return request_if_match(request, (uint64_t)db_i64(rows, 0, 0));
}

static int patch(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct fields fields = {0};
	const char *id, *ssh_keys;
	int r;

	if (request_fields(request, PATCH_FIELDS, PATCH_FIELD_COUNT, &fields) != 0)
		return 0;
	r = record_json_text(request, fields.ssh_keys, &ssh_keys);
	/* By these somebody signs in without any limit of the key that set them. */
	if (r == 0 && (fields.identities || fields.ssh_keys || fields.email))
		r = rights_unlimited(request);
	if (r == 0)
		r = lock(request, &id);
	if (r == 0)
		r = rights_as_user(request, id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = user_identities_put(request, id, fields.identities);
	if (r != 0)
		return r < 0 ? fault(request, r) : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.users SET version = version + 1, " SQL_SET("name", "$3") ", " SQL_SET(
			   "email",
			   "$4") ", " SQL_SET("home",
					      "$5") ", " SQL_SET("shell",
								 "$6") ", " SQL_SET_LIST("ssh_keys",
											 "$7") " WHERE tenant_id = $1 "
											       "AND id = $2 "
											       "RETURNING"
											       " " USER_COLUMNS_SQL,
		   request->tenant_id, id, fields.name, fields.email, fields.home, fields.shell, ssh_keys);
	if (r < 0)
		return fault(request, r);
	r = record_publish(request, RECORD_USER, id, rows);
	if (r == 0)
		r = event_write(request, "user.change", id, NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return record_answer(request, 200, rows);
}

/* ---- suspending
 * ------------------------------------------------------------------------------------------------------ */

/* What came of a change that ends sessions: the view, and how many hosts know. */
static int answer_acks(struct request *request, const struct db_rows *rows)
{
	json_t *view = NULL;
	int r = record_json(rows, 0, 2, &view);

	return r < 0 ? r : acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), view);
}

static int set_status(struct request *request, const char *status, const char *reason)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	bool suspend = strcmp(status, "suspended") == 0, owner = false;
	const char *id;
	int r = users_find(request, request->params[1], &id);

	if (r == 0)
		r = rights_lock_owners(request, id, &owner);
	if (r == 0)
		r = lock(request, &id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "UPDATE control.users SET version = version + 1, status = $3, status_reason = $4, "
		   "sessions_valid_from = "
		   "CASE WHEN $3 = 'suspended' THEN " SESSIONS_END_SQL(
			   "$5") " ELSE sessions_valid_from END "
				 "WHERE tenant_id = $1 AND id = $2 RETURNING " USER_COLUMNS_SQL,
		   request->tenant_id, id, status, reason, record_number(request, request->now));
	if (r < 0)
		return fault(request, r);
	r = suspend ? rights_check_owners(request, owner) : 0;
	if (r == 0)
		r = record_publish(request, RECORD_USER, id, rows);
	if (r == 0)
		r = event_write(request, suspend ? "user.suspend" : "user.resume", id,
				*reason ? json_pack("{s:s}", "reason", reason) : NULL);
	if (r != 0)
		return r < 0 ? r : 0;
	return answer_acks(request, rows);
}

static int suspend_user(struct request *request)
{
	const char *reason = "";
	const struct json_field field = {"reason", JSON_FIELD_STRING, 0, 0};

	return request_fields(request, &field, 1, &reason) != 0 ? 0 : set_status(request, "suspended", reason);
}

static int resume_user(struct request *request)
{
	return set_status(request, "active", "");
}

int users_end_sessions(struct request *request, const char *user_id, struct db_rows **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "UPDATE control.users SET version = version + 1, sessions_valid_from = " SESSIONS_END_SQL(
			       "$3") " "
				     "WHERE tenant_id = $1 AND id = $2 RETURNING " USER_COLUMNS_SQL,
		       request->tenant_id, user_id, record_number(request, request->now));

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0) {
		not_found(request);
		return 1;
	}
	r = record_publish(request, RECORD_USER, user_id, rows);
	if (r == 0)
		*ret = TAKE_PTR(rows);
	return r;
}

/* ---- deleting
 * -------------------------------------------------------------------------------------------------------- */

/* Everything of theirs leaves the feed with them. */
static int publish_gone(struct request *request, const char *id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct change *change = record_change(request);
	int r;

	if (!change)
		return -ENOMEM;
	r = db_run(request->tx, &rows,
		   "SELECT 'key', id, version FROM control.api_keys WHERE tenant_id = $1 AND user_id = $2 "
		   "UNION ALL SELECT 'member', user_id || '/' || project_id, version FROM control.members "
		   "WHERE tenant_id = $1 AND user_id = $2",
		   request->tenant_id, id);
	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++)
		change_delete(change, strcmp(db_text(rows, i, 0), "key") == 0 ? RECORD_KEY : RECORD_MEMBER,
			      db_text(rows, i, 1), (uint64_t)db_i64(rows, i, 2) + 1);
	return r;
}

static int delete_user(struct request *request)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	bool owner = false;
	const char *id;
	int r = users_find(request, request->params[1], &id);

	if (r == 0)
		r = rights_lock_owners(request, id, &owner);
	if (r == 0)
		r = lock(request, &id);
	if (r == 0 && text_equal(id, request->principal.id))
		return respond_problem(request, PROBLEM_CONFLICT, "nobody deletes themselves");
	if (r == 0)
		r = publish_gone(request, id);
	if (r != 0)
		return r < 0 ? r : 0;
	r = db_run(request->tx, &rows,
		   "DELETE FROM control.users WHERE tenant_id = $1 AND id = $2 RETURNING version + 1, login",
		   request->tenant_id, id);
	if (r < 0)
		return fault(request, r);
	r = rights_check_owners(request, owner);
	if (r == 0)
		r = event_write(request, "user.delete", id, json_pack("{s:s}", "login", db_text(rows, 0, 1)));
	if (r != 0)
		return r < 0 ? r : 0;
	change_delete(request->change, RECORD_USER, id, (uint64_t)db_i64(rows, 0, 0));
	return acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), json_pack("{s:s}", "id", id));
}

static const struct route routes[] = {
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/users", ROUTE_TENANT, "project.view", 0, list),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/users", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, create),
	ROUTE(HTTP_GET, "/v1/tenants/{tenant}/users/{user}", ROUTE_TENANT, "project.view", 0, get),
	ROUTE(HTTP_PATCH, "/v1/tenants/{tenant}/users/{user}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES, patch),
	ROUTE(HTTP_DELETE, "/v1/tenants/{tenant}/users/{user}", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      delete_user),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/users/{user}/suspend", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      suspend_user),
	ROUTE(HTTP_POST, "/v1/tenants/{tenant}/users/{user}/resume", ROUTE_TENANT, "tenant.manage",
	      ROUTE_WRITES | ROUTE_NO_BODY, resume_user),
};
const struct route_table users_routes = {routes, ARRAY_LEN(routes)};
