/* SPDX-License-Identifier: MIT
 *
 * Until a key's record is read nobody knows its tenant, and without a tenant nothing can be read. The statement before
 * therefore sets the transaction's tenant by the one look-up that may cross tenants (tenant_of_key), and both travel
 * together. What follows is under row-level security as everything else.
 */
#include "control_plane/auth/credential.h"

#include <errno.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "control_plane/app.h"
#include "crypto/api_key.h"
#include "json/json_read.h"

#define TENANT_OF_KEY_SQL "SELECT set_config('control.tenant', coalesce(control.tenant_of_key($1), ''), true)"

/* The owner `u` in tenant `t`, and (parameter 2: id or slug, NULL for none) a project and the roles there; parameter 3:
 * a host that may serve the tenant, or NULL. */
enum {
	LOGIN,
	KIND,
	STATUS,
	VALID_FROM,
	TENANT_ID,
	TENANT_SUSPENDED,
	TENANT_FROM,
	TENANT_ROLE,
	TENANT_ROLE_ACTIONS,
	PROJECT,
	PROJECT_FROM,
	PROJECT_ROLE,
	PROJECT_ROLE_ACTIONS,
	SERVED,
	OWNER_COLUMNS,
};
#define OWNER_COLUMNS_SQL                                                                                      \
	"u.login, u.kind, u.status, u.sessions_valid_from, t.id, t.suspended, to_json(t.allow_from), "         \
	"coalesce(m.role, ''), (SELECT to_json(r.actions) FROM control.roles r "                               \
	"WHERE r.tenant_id = t.id AND r.name = m.role AND r.kind = 'tenant'), "                                \
	"p.id, to_json(p.allow_from), coalesce(pm.role, ''), (SELECT to_json(r.actions) FROM control.roles r " \
	"WHERE r.tenant_id = t.id AND r.name = pm.role AND r.kind = 'project'), "                              \
	"EXISTS (SELECT FROM control.host_tenants h WHERE h.host_id = $3 AND h.tenant_id = t.id)"
#define OWNER_JOINS_SQL                                                                                        \
	"LEFT JOIN control.members m ON m.tenant_id = u.tenant_id AND m.user_id = u.id AND m.project_id = '' " \
	"LEFT JOIN control.projects p ON p.tenant_id = u.tenant_id AND (p.id = $2 OR p.slug = $2) "            \
	"LEFT JOIN control.members pm ON pm.tenant_id = u.tenant_id AND pm.user_id = u.id AND pm.project_id = p.id "

enum {
	KEY_USER = OWNER_COLUMNS,
	KEY_VERIFIER,
	KEY_PROJECTS,
	KEY_ACTIONS,
	KEY_SERVICES,
	KEY_FROM,
	KEY_NOT_BEFORE,
	KEY_NOT_AFTER,
	KEY_REVOKED,
};
#define KEY_SQL                                                                                                        \
	"SELECT " OWNER_COLUMNS_SQL                                                                                    \
	", k.user_id, encode(k.verifier, 'hex'), to_json(k.projects), to_json(k.actions), "                            \
	"to_json(k.services), to_json(k.allow_from), k.not_before, k.not_after, k.revoked_at FROM control.api_keys k " \
	"JOIN control.users u ON u.tenant_id = k.tenant_id AND u.id = k.user_id "                                      \
	"JOIN control.tenants t ON t.id = k.tenant_id " OWNER_JOINS_SQL "WHERE k.id = $1"

enum { TOKEN_REVOKED = OWNER_COLUMNS };
#define TOKEN_SQL                                                                                            \
	"SELECT " OWNER_COLUMNS_SQL                                                                          \
	", EXISTS (SELECT FROM control.token_revocations v WHERE v.tenant_id = u.tenant_id "                 \
	"AND v.jti = $5) FROM control.users u JOIN control.tenants t ON t.id = u.tenant_id " OWNER_JOINS_SQL \
	"WHERE u.tenant_id = $4 AND u.id = $1"
#define OPERATOR_SQL                                                                                  \
	"SELECT email, status, sessions_valid_from, EXISTS (SELECT FROM control.token_revocations v " \
	"WHERE v.tenant_id = '' AND v.jti = $2) FROM control.operators WHERE id = $1"
#define HOST_SQL                                                                     \
	"SELECT name, disabled_at, EXISTS (SELECT FROM control.token_revocations v " \
	"WHERE v.tenant_id = '' AND v.jti = $2), sessions_valid_from FROM control.hosts WHERE id = $1"

const char *credential_state_word(enum credential_state state)
{
	static const char *const words[] = {
		[CREDENTIAL_GOOD] = "good",           [CREDENTIAL_MALFORMED] = "malformed",
		[CREDENTIAL_UNKNOWN] = "unknown",     [CREDENTIAL_NOT_YET] = "not-yet",
		[CREDENTIAL_EXPIRED] = "expired",     [CREDENTIAL_REVOKED] = "revoked",
		[CREDENTIAL_SUSPENDED] = "suspended",
	};

	return (unsigned)state < ARRAY_LEN(words) ? words[state] : "unknown";
}

/* ---- rows -----------------------------------------------------------------------------------------------------------
 */
static int read_texts(struct request *request, const struct db_rows *rows, unsigned column, struct string_list *ret)
{
	_cleanup_(json_decrefp) json_t *array = NULL;
	struct problem problem = {0};
	const char *text = db_text(rows, 0, column);
	size_t count;
	int r;

	*ret = (struct string_list){0};
	if (*text == '\0' || strcmp(text, "[]") == 0)
		return 0;
	r = json_read(text, strlen(text), &array, &problem);
	if (r < 0)
		return r;
	count = json_array_size(array);
	ret->items = arena_alloc(&request->arena, count * sizeof(*ret->items));
	if (!ret->items)
		return -ENOMEM;
	for (; ret->count < count; ret->count++) {
		ret->items[ret->count] = request_copy(request, json_string_value(json_array_get(array, ret->count)));
		if (!ret->items[ret->count])
			return -ENOMEM;
	}
	return 0;
}

static int read_blocks(struct request *request, const struct db_rows *rows, unsigned column, struct cidr_list *ret)
{
	struct string_list texts;
	int r = read_texts(request, rows, column, &texts);

	*ret = (struct cidr_list){0};
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

static int read_owner(struct request *request, const struct db_rows *rows, const char *user_id, struct credential *ret)
{
	struct role_record *roles = arena_alloc(&request->arena, 2 * sizeof(*roles));
	int r;

	if (!roles)
		return -ENOMEM;
	ret->principal.kind = PRINCIPAL_USER;
	ret->principal.id = request_copy(request, user_id);
	ret->principal.name = request_copy(request, db_text(rows, 0, LOGIN));
	ret->principal.tenant_id = request_copy(request, db_text(rows, 0, TENANT_ID));
	ret->principal.tenant_role = request_copy(request, db_text(rows, 0, TENANT_ROLE));
	ret->project_role = request_copy(request, db_text(rows, 0, PROJECT_ROLE));
	if (!ret->principal.id || !ret->principal.name || !ret->principal.tenant_id || !ret->principal.tenant_role ||
	    !ret->project_role)
		return -ENOMEM;
	if (!db_is_null(rows, 0, PROJECT)) {
		ret->project_id = request_copy(request, db_text(rows, 0, PROJECT));
		if (!ret->project_id)
			return -ENOMEM;
	}
	ret->service = strcmp(db_text(rows, 0, KIND), "service") == 0;
	ret->tenant_suspended = db_bool(rows, 0, TENANT_SUSPENDED);
	ret->served = db_bool(rows, 0, SERVED);
	roles[0] = (struct role_record){.name = ret->principal.tenant_role, .tenant_wide = true};
	roles[1] = (struct role_record){.name = ret->project_role};
	ret->own.roles = roles;
	ret->own.role_count = 2;
	r = read_texts(request, rows, TENANT_ROLE_ACTIONS, &roles[0].actions);
	if (r == 0)
		r = read_texts(request, rows, PROJECT_ROLE_ACTIONS, &roles[1].actions);
	if (r == 0)
		r = read_blocks(request, rows, TENANT_FROM, &ret->own.allow_from);
	if (r == 0)
		r = read_blocks(request, rows, PROJECT_FROM, &ret->project_from);
	return r;
}

/* ---- API keys -------------------------------------------------------------------------------------------------------
 */
static enum credential_state judge_key(const struct key_record *key, const struct db_rows *rows, int64_t now)
{
	if (key->revoked_at != 0)
		return CREDENTIAL_REVOKED;
	if (key->not_before > now)
		return CREDENTIAL_NOT_YET;
	if (key->not_after != 0 && key->not_after <= now)
		return CREDENTIAL_EXPIRED;
	return strcmp(db_text(rows, 0, STATUS), "active") == 0 ? CREDENTIAL_GOOD : CREDENTIAL_SUSPENDED;
}

static int fill_key(struct request *request, const struct db_rows *rows, const char *id, struct key_record *key)
{
	int r;

	key->id = id;
	key->label = key->successor = key->revoked_reason = "";
	key->not_before = db_i64(rows, 0, KEY_NOT_BEFORE);
	key->not_after = db_i64(rows, 0, KEY_NOT_AFTER);
	key->revoked_at = db_i64(rows, 0, KEY_REVOKED);
	r = read_texts(request, rows, KEY_PROJECTS, &key->projects);
	if (r == 0)
		r = read_texts(request, rows, KEY_ACTIONS, &key->actions);
	if (r == 0)
		r = read_texts(request, rows, KEY_SERVICES, &key->services);
	return r == 0 ? read_blocks(request, rows, KEY_FROM, &key->from) : r;
}

static int read_key(struct request *request, const char *text, size_t length,
		    const struct credential_question *question, struct credential *ret,
		    enum credential_state *ret_state)
{
	const struct db_scope scope = {.once = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct key_record *key = arena_alloc(&request->arena, sizeof(*key));
	uint8_t shown[SHA256_BYTES], stored[SHA256_BYTES] = {0};
	struct api_key_parts parts;
	const char *id;
	bool same;
	int r;

	if (api_key_parse(text, length, &parts) < 0 || parts.kind == API_KEY_ENROLMENT) {
		*ret_state = CREDENTIAL_MALFORMED;
		return 0;
	}
	id = request_text(request, "key_%s", parts.id);
	ret->principal.credential = request_text(request, "api-key:key_%s", parts.id);
	if (!key || !id || !ret->principal.credential)
		return -ENOMEM;
	r = api_key_verifier(text, length, shown);
	if (r == 0)
		r = db_begin(request->app->db, &scope, &tx);
	if (r == 0)
		r = db_later(tx, TENANT_OF_KEY_SQL, id);
	if (r == 0)
		r = db_run(tx, &rows, KEY_SQL, id, question->project, question->host_id);
	if (r < 0)
		return r;
	if (db_row_count(rows) == 1 && text_from_hex(db_text(rows, 0, KEY_VERIFIER), stored, sizeof(stored)) < 0)
		return -EIO;
	/* The same work for keys that are not there: nothing hashes to zeros. */
	same = secret_equal(shown, stored, sizeof(shown));
	secret_wipe(shown, sizeof(shown));
	*ret_state = CREDENTIAL_UNKNOWN;
	if (!same || db_row_count(rows) != 1)
		return 0;
	r = read_owner(request, rows, db_text(rows, 0, KEY_USER), ret);
	if (r == 0)
		r = fill_key(request, rows, id, key);
	if (r < 0)
		return r;
	if ((parts.kind == API_KEY_SERVICE) != ret->service)
		return 0;
	key->user_id = ret->principal.id;
	ret->principal.key = key;
	ret->expires = key->not_after;
	*ret_state = judge_key(key, rows, request->now);
	return 0;
}

/* ---- tokens ---------------------------------------------------------------------------------------------------------
 */
static int read_users_token(struct request *request, struct db_tx *tx, const struct access_token *token,
			    const struct credential_question *question, struct credential *ret,
			    enum credential_state *ret_state)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, TOKEN_SQL, token->subject, question->project, question->host_id, token->tenant_id,
		       token->id);

	if (r < 0 || db_row_count(rows) != 1)
		return r;
	r = read_owner(request, rows, token->subject, ret);
	if (r < 0)
		return r;
	if (db_bool(rows, 0, TOKEN_REVOKED) || token->issued < db_i64(rows, 0, VALID_FROM))
		*ret_state = CREDENTIAL_REVOKED;
	else
		*ret_state = strcmp(db_text(rows, 0, STATUS), "active") == 0 ? CREDENTIAL_GOOD : CREDENTIAL_SUSPENDED;
	return 0;
}

static int read_operators_token(struct request *request, struct db_tx *tx, const struct access_token *token,
				struct credential *ret, enum credential_state *ret_state)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, OPERATOR_SQL, token->subject, token->id);

	if (r < 0 || db_row_count(rows) != 1)
		return r;
	ret->principal.kind = PRINCIPAL_OPERATOR;
	ret->principal.name = request_copy(request, db_text(rows, 0, 0));
	if (db_bool(rows, 0, 3) || token->issued < db_i64(rows, 0, 2))
		*ret_state = CREDENTIAL_REVOKED;
	else
		*ret_state = strcmp(db_text(rows, 0, 1), "active") == 0 ? CREDENTIAL_GOOD : CREDENTIAL_SUSPENDED;
	return ret->principal.name ? 0 : -ENOMEM;
}

static int read_hosts_token(struct request *request, struct db_tx *tx, const struct access_token *token,
			    struct credential *ret, enum credential_state *ret_state)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, HOST_SQL, token->subject, token->id);

	if (r < 0 || db_row_count(rows) != 1)
		return r;
	ret->principal.kind = PRINCIPAL_HOST;
	ret->principal.name = request_copy(request, db_text(rows, 0, 0));
	/* A disabled one is told so, with whatever token. */
	if (db_i64(rows, 0, 1) == 0 && (db_bool(rows, 0, 2) || token->issued < db_i64(rows, 0, 3)))
		*ret_state = CREDENTIAL_REVOKED;
	else
		*ret_state = db_i64(rows, 0, 1) == 0 ? CREDENTIAL_GOOD : CREDENTIAL_SUSPENDED;
	return ret->principal.name ? 0 : -ENOMEM;
}

static enum credential_state state_of(enum jwt_fault fault)
{
	if (fault == JWT_EXPIRED)
		return CREDENTIAL_EXPIRED;
	return fault == JWT_NOT_YET ? CREDENTIAL_NOT_YET : CREDENTIAL_MALFORMED;
}

static int read_token(struct request *request, const char *text, size_t length,
		      const struct credential_question *question, struct credential *ret,
		      enum credential_state *ret_state)
{
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	struct db_scope scope = {.once = true};
	struct access_token token;
	enum jwt_fault fault = access_token_verify(request, text, length, &token);
	int r;

	if (fault != JWT_FINE) {
		*ret_state = state_of(fault);
		return 0;
	}
	*ret_state = CREDENTIAL_UNKNOWN;
	ret->principal.id = token.subject;
	ret->principal.token_id = token.id;
	ret->principal.token_expires = ret->expires = token.expires;
	ret->principal.credential = request_text(request, "token:%s", token.id);
	if (!ret->principal.credential)
		return -ENOMEM;
	scope.tenant_id = token.tenant_id;
	scope.platform = token.kind != ACCESS_USER;
	r = db_begin(request->app->db, &scope, &tx);
	if (r < 0)
		return r;
	switch (token.kind) {
	case ACCESS_USER:
		return read_users_token(request, tx, &token, question, ret, ret_state);
	case ACCESS_OPERATOR:
		return read_operators_token(request, tx, &token, ret, ret_state);
	case ACCESS_HOST:
		return read_hosts_token(request, tx, &token, ret, ret_state);
	}
	return -EINVAL;
}

int credential_read(struct request *request, const char *text, size_t length,
		    const struct credential_question *question, struct credential *ret,
		    enum credential_state *ret_state)
{
	*ret = (struct credential){0};
	if (api_key_has_shape(text, length))
		return read_key(request, text, length, question, ret, ret_state);
	if (jwt_has_shape(text, length))
		return read_token(request, text, length, question, ret, ret_state);
	*ret_state = CREDENTIAL_MALFORMED;
	return 0;
}
