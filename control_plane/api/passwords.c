/* SPDX-License-Identifier: MIT
 *
 * A new password ends all of its owner's tokens and sessions: sessions_valid_from moves, and hosts are told.
 */
#include <errno.h>
#include <string.h>

#include "control_plane/api/acks_answer.h"
#include "control_plane/api/api_tables.h"
#include "control_plane/api/events.h"
#include "control_plane/api/passwords.h"
#include "control_plane/api/record.h"
#include "control_plane/api/rights.h"
#include "control_plane/api/users.h"
#include "control_plane/auth/delays.h"
#include "control_plane/auth/password.h"

#define BUSY_SEC 1

struct change_form {
	const char *current, *password;
};

static int busy(struct request *request)
{
	respond_retry(request, PROBLEM_UNAVAILABLE, BUSY_SEC, "too many people sign in just now");
	return 1;
}

/* 0; 1: a problem was set. */
static int hash_new(struct request *request, const char *field, const char *password,
		    const struct password_owner *owner, char out[PASSWORD_HASH_SIZE])
{
	struct problem problem = {0};
	int r = password_judge(password, owner, &problem);

	if (r == 0)
		r = password_hash(password, out);
	if (r == -EINVAL) {
		respond_invalid(request, field, "the password is refused: %s", problem.text);
		return 1;
	}
	return r == -EBUSY ? busy(request) : r;
}

static int check_current(struct request *request, const char *account, const char *password, const char *hash)
{
	int r = delays_take(request, account);

	if (r != 0)
		return r;
	r = password_verify(password, hash);
	if (r < 0)
		delays_give_back(request, account);
	if (r == -EBUSY)
		return busy(request);
	if (r < 0)
		return r;
	if (r == 0) {
		event_failure(request, request->tenant_id, NULL, "password.change", request->principal.id,
			      json_pack("{s:s}", "reason", "password"));
		respond_invalid(request, "current", "the present password is not this one");
		return 1;
	}
	delays_clear(request, account);
	return 0;
}

/* ---- new ones -------------------------------------------------------------------------------------------------------
 */
#define PUT_SQL                                                                         \
	"INSERT INTO control.passwords (tenant_id, user_id, hash) VALUES ($1, $2, $3) " \
	"ON CONFLICT (user_id) DO UPDATE SET hash = excluded.hash, changed_at = now()"

int passwords_of_new_user(struct request *request, const char *user_id, const char *password,
			  const struct password_owner *owner)
{
	char hash[PASSWORD_HASH_SIZE];
	int r;

	if (!password)
		return 0;
	if (*owner->email == '\0') {
		respond_invalid(request, "password", "people sign in by their e-mail address, and there is none");
		return 1;
	}
	r = hash_new(request, "password", password, owner, hash);
	return r == 0 ? db_later(request->tx, PUT_SQL, request->tenant_id, user_id, hash) : r;
}

int passwords_of_new_operator(struct request *request, const char *operator_id, const char *password,
			      const struct password_owner *owner)
{
	char hash[PASSWORD_HASH_SIZE];
	int r;

	if (!password)
		return 0;
	r = hash_new(request, "password", password, owner, hash);
	return r == 0 ? db_later(request->tx, "UPDATE control.operators SET hash = $2 WHERE id = $1", operator_id, hash)
		      : r;
}

/* ---- users ----------------------------------------------------------------------------------------------------------
 */
static int put_user(struct request *request, const char *user_id, const char *hash, const char *event)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	json_t *view;
	int r = db_later(request->tx, PUT_SQL, request->tenant_id, user_id, hash);

	if (r == 0)
		r = users_end_sessions(request, user_id, &rows);
	if (r == 0)
		r = event_write(request, event, user_id, NULL);
	if (r == 0)
		r = record_json(rows, 0, 2, &view);
	if (r != 0)
		return MIN_OF(r, 0);
	return acks_answer(request, 200, (uint64_t)db_i64(rows, 0, 0), view);
}

static int read_owner(struct request *request, const char *user_id, struct db_rows **ret, struct password_owner *owner)
{
	int r = db_run(request->tx, ret,
		       "SELECT u.login, u.email, u.name, u.kind, coalesce(p.hash, '') FROM control.users u "
		       "LEFT JOIN control.passwords p ON p.tenant_id = u.tenant_id AND p.user_id = u.id "
		       "WHERE u.tenant_id = $1 AND u.id = $2",
		       request->tenant_id, user_id);

	if (r < 0)
		return r;
	if (db_row_count(*ret) != 1) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*owner = (struct password_owner){
		.login = db_text(*ret, 0, 0), .email = db_text(*ret, 0, 1), .name = db_text(*ret, 0, 2)};
	return 0;
}

static int change_users_own(struct request *request, const struct change_form *form)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct password_owner owner;
	char hash[PASSWORD_HASH_SIZE];
	int r = read_owner(request, request->principal.id, &rows, &owner);

	if (r == 0)
		r = check_current(request, request->principal.id, form->current, db_text(rows, 0, 4));
	if (r == 0)
		r = hash_new(request, "new", form->password, &owner, hash);
	return r == 0 ? put_user(request, request->principal.id, hash, "password.change") : MIN_OF(r, 0);
}

/* ---- operators ------------------------------------------------------------------------------------------------------
 */
static int read_operator(struct request *request, const char *operator_id, struct db_rows **ret,
			 struct password_owner *owner)
{
	int r = db_run(request->tx, ret, "SELECT email, name, hash FROM control.operators WHERE id = $1", operator_id);

	if (r < 0)
		return r;
	if (db_row_count(*ret) != 1) {
		respond_problem(request, PROBLEM_NOT_FOUND, NULL);
		return 1;
	}
	*owner = (struct password_owner){.email = db_text(*ret, 0, 0), .name = db_text(*ret, 0, 1)};
	return 0;
}

static int put_operator(struct request *request, const char *operator_id, const char *hash, const char *event)
{
	int r = db_later(request->tx,
			 "UPDATE control.operators SET hash = $2, sessions_valid_from = " SESSIONS_END_SQL(
				 "$3") ", version = version + 1 "
				       "WHERE id = $1",
			 operator_id, hash, record_number(request, request->now));

	if (r == 0)
		r = event_write(request, event, operator_id, NULL);
	return r == 0 ? respond_empty(request) : MIN_OF(r, 0);
}

static int change_operators_own(struct request *request, const struct change_form *form)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct password_owner owner;
	char hash[PASSWORD_HASH_SIZE];
	int r = read_operator(request, request->principal.id, &rows, &owner);

	if (r == 0)
		r = check_current(request, request->principal.id, form->current, db_text(rows, 0, 2));
	if (r == 0)
		r = hash_new(request, "new", form->password, &owner, hash);
	return r == 0 ? put_operator(request, request->principal.id, hash, "password.change") : MIN_OF(r, 0);
}

static int handle_set_operators(struct request *request)
{
	static const struct json_field fields[] = {
		{"password", JSON_FIELD_STRING, offsetof(struct change_form, password), JSON_FIELD_REQUIRED},
	};
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct change_form form = {0};
	struct password_owner owner;
	char hash[PASSWORD_HASH_SIZE];
	int r;

	if (request_fields(request, fields, ARRAY_LEN(fields), &form))
		return 0;
	r = read_operator(request, request->params[0], &rows, &owner);
	if (r == 0)
		r = hash_new(request, "password", form.password, &owner, hash);
	return r == 0 ? put_operator(request, request->params[0], hash, "password.set") : MIN_OF(r, 0);
}

/* ---- routes ---------------------------------------------------------------------------------------------------------
 */
static int handle_own(struct request *request)
{
	static const struct json_field fields[] = {
		{"current", JSON_FIELD_STRING, offsetof(struct change_form, current), JSON_FIELD_REQUIRED},
		{"new", JSON_FIELD_STRING, offsetof(struct change_form, password), JSON_FIELD_REQUIRED},
	};
	struct change_form form = {0};

	if (request_fields(request, fields, ARRAY_LEN(fields), &form))
		return 0;
	if (request->principal.kind == PRINCIPAL_OPERATOR)
		return change_operators_own(request, &form);
	return change_users_own(request, &form);
}

static int handle_set(struct request *request)
{
	static const struct json_field fields[] = {
		{"password", JSON_FIELD_STRING, offsetof(struct change_form, password), JSON_FIELD_REQUIRED},
	};
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct change_form form = {0};
	struct password_owner owner;
	char hash[PASSWORD_HASH_SIZE];
	const char *user_id;
	int r;

	if (request_fields(request, fields, ARRAY_LEN(fields), &form))
		return 0;
	r = rights_unlimited(request);
	if (r == 0)
		r = users_find(request, request->params[1], &user_id);
	if (r == 0)
		r = rights_as_user(request, user_id);
	if (r == 0)
		r = read_owner(request, user_id, &rows, &owner);
	if (r != 0)
		return MIN_OF(r, 0);
	if (strcmp(db_text(rows, 0, 3), "person") != 0)
		return respond_problem(request, PROBLEM_CONFLICT, "a service account has API keys and no password");
	if (*owner.email == '\0')
		return respond_problem(request, PROBLEM_CONFLICT,
				       "people sign in by their e-mail address, and this one has none");
	r = hash_new(request, "password", form.password, &owner, hash);
	return r == 0 ? put_user(request, user_id, hash, "password.set") : MIN_OF(r, 0);
}

static const struct route routes[] = {
	ROUTE(HTTP_POST, "/v1/password", ROUTE_SELF, "self", ROUTE_WRITES, handle_own),
	ROUTE(HTTP_PUT, "/v1/tenants/{tenant}/users/{user}/password", ROUTE_TENANT, "tenant.manage", ROUTE_WRITES,
	      handle_set),
	ROUTE(HTTP_PUT, "/v1/operators/{operator}/password", ROUTE_OPERATOR, "operator.manage", ROUTE_WRITES,
	      handle_set_operators),
};
const struct route_table passwords_routes = {routes, ARRAY_LEN(routes)};
