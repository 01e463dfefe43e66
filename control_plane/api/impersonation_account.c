/* SPDX-License-Identifier: MIT
 *
 * The login name says what it is, whose, and where: op-<name>-<tenant>. The part that is the operator's has no dash, so
 * two tenants never have the same one by chance, and come together on a host without a clash.
 */
#include "control_plane/api/impersonation_account.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "control_plane/api/impersonation.h"
#include "control_plane/api/names.h"
#include "control_plane/api/users.h"
#include "control_plane/feed/change.h"

#define PREFIX "op-"
#define NUMBERS 99U /* one local part in so many ways */
#define LOCAL_SIZE (NAME_MAX_BYTES + 1)

_Static_assert(sizeof(PREFIX) + 1 + 2 + SLUG_MAX_BYTES < NAME_MAX_BYTES, "letters are left for the operator");

/* What a login name may have of the part before '@'. */
static void local_part(const char *email, char out[LOCAL_SIZE])
{
	size_t length = 0;

	for (const char *p = email; *p && *p != '@' && length + 1 < LOCAL_SIZE; p++) {
		char c = (char)tolower((unsigned char)*p);

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c == '.' && length > 0))
			out[length++] = c;
	}
	out[length] = '\0';
	if (length == 0)
		(void)snprintf(out, LOCAL_SIZE, "operator");
}

static bool make_login(const char *local, const char *slug, unsigned number, char out[NAME_MAX_BYTES + 1])
{
	char digits[4] = "";
	size_t room;

	if (number > 1)
		(void)snprintf(digits, sizeof(digits), "%u", number % 100);
	room = NAME_MAX_BYTES - strlen(PREFIX) - 1 - strlen(slug) - strlen(digits);
	(void)snprintf(out, NAME_MAX_BYTES + 1, "%s%.*s%s-%s", PREFIX, (int)room, local, digits, slug);
	return text_is_login_name(out);
}

/* 0 with whether nobody has it, here or beside. */
static int is_free(struct request *request, const char *login, bool *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *groups = NULL, *users = NULL;
	int r = names_want_login(request, login, &groups);

	if (r == 0)
		r = db_run(request->tx, &users,
			   "SELECT FROM control.users WHERE tenant_id = $1 AND lower(login) = lower($2)",
			   request->tenant_id, login);
	*ret = r == 0 && db_row_count(groups) == 0 && db_row_count(users) == 0;
	return r;
}

static int choose_login(struct request *request, const char *email, const char *slug, const char **ret)
{
	char local[LOCAL_SIZE], login[NAME_MAX_BYTES + 1];
	bool is_ours = false;

	local_part(email, local);
	for (unsigned number = 1; number <= NUMBERS; number++) {
		int r = make_login(local, slug, number, login) ? is_free(request, login, &is_ours) : 0;

		if (r != 0)
			return r;
		if (is_ours) {
			*ret = request_copy(request, login);
			return *ret ? 0 : -ENOMEM;
		}
	}
	respond_problem(request, PROBLEM_CONFLICT, "no login name is free for this operator");
	return 1;
}

static int make(struct request *request, const char *operator_id, const char *email, struct impersonation_account *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *tenant = NULL;
	int64_t uid;
	int r = db_run(request->tx, &tenant, "SELECT slug FROM control.tenants WHERE id = $1", request->tenant_id);

	if (r == 0)
		r = choose_login(request, email, db_text(tenant, 0, 0), &ret->login);
	if (r == 0)
		r = record_take_ids(request, 1, &uid);
	if (r != 0)
		return r;
	ret->user_id = record_new_id(request, "usr_");
	if (!ret->user_id)
		return -ENOMEM;
	r = db_later(request->tx,
		     "INSERT INTO control.users (id, tenant_id, login, uid, kind) VALUES ($1, $2, $3, $4::bigint, "
		     "'operator')",
		     ret->user_id, request->tenant_id, ret->login, record_number(request, uid));
	if (r == 0)
		r = db_later(
			request->tx,
			"INSERT INTO control.operator_accounts (operator_id, tenant_id, user_id, login, operator_name) "
			"VALUES ($1, $2, $3, $4, $5)",
			operator_id, request->tenant_id, ret->user_id, ret->login, email);
	return r;
}

int impersonation_account(struct request *request, const char *operator_id, const char *email,
			  struct impersonation_account *ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(request->tx, &rows,
		       "SELECT user_id, login FROM control.operator_accounts WHERE operator_id = $1 AND tenant_id = $2",
		       operator_id, request->tenant_id);

	if (r < 0)
		return r;
	if (db_row_count(rows) == 0)
		return make(request, operator_id, email, ret);
	*ret = (struct impersonation_account){
		.user_id = request_copy(request, db_text(rows, 0, 0)),
		.login = request_copy(request, db_text(rows, 0, 1)),
	};
	return ret->user_id && ret->login ? 0 : -ENOMEM;
}

/* A field of passwd has no ":", which an address may have. */
#define PUT_SQL                                                                                                    \
	"UPDATE control.users SET version = version + 1, "                                                         \
	"name = (SELECT coalesce(nullif(o.name, ''), replace(o.email, ':', '_')) FROM control.operators o WHERE "  \
	"o.id = $2), "                                                                                             \
	"ssh_keys = CASE WHEN $3::boolean THEN (SELECT o.ssh_keys FROM control.operators o WHERE o.id = $2) ELSE " \
	"'{}' END WHERE tenant_id = $1 AND id = (SELECT a.user_id FROM control.operator_accounts a WHERE "         \
	"a.operator_id = $2 AND a.tenant_id = $1) RETURNING id, version, " USER_BODY_SQL

int impersonation_account_put(struct db_tx *tx, struct change *change, const char *tenant_id, const char *operator_id,
			      bool with_keys)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	json_t *body = NULL;
	int r = db_later(tx,
			 "UPDATE control.operator_accounts a SET operator_name = o.email FROM control.operators o "
			 "WHERE o.id = a.operator_id AND a.operator_id = $1 AND a.tenant_id = $2",
			 operator_id, tenant_id);

	if (r == 0)
		r = db_run(tx, &rows, PUT_SQL, tenant_id, operator_id, with_keys ? "true" : "false");
	if (r == 0 && db_row_count(rows) != 1)
		r = -EIO;
	if (r == 0)
		r = record_json(rows, 0, 2, &body);
	if (r == 0)
		change_put(change, RECORD_USER, db_text(rows, 0, 0), (uint64_t)db_i64(rows, 0, 1), body);
	return r;
}
