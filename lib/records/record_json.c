/* SPDX-License-Identifier: MIT
 *
 * One reader for each kind: fields by json_fields, then each value by its rule (values.h), then what they must be to
 * each other (rules.h).
 */
#include "records/record_json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "jose/base64url.h"
#include "records/record_body.h"
#include "records/record_readers.h"
#include "records/rules.h"

#define TOKEN_ID_MAX 64U
#define STALE_OFFLINE_MAX (366U * 86400U)

/* Ids of tokens and of their keys are others' to choose: base64url digits. */
static bool is_token_id(const char *id)
{
	size_t length = strnlen(id, TOKEN_ID_MAX + 1);

	for (size_t i = 0; i < length; i++)
		if (!base64url_is_digit(id[i]))
			return false;
	return length > 0 && length <= TOKEN_ID_MAX;
}

/* "<user>/<project>" or "<user>/". */
static bool is_member_id(const char *id)
{
	const char *slash = strchr(id, '/');
	char user[ID_MAX_BYTES + 1];

	if (!slash || (size_t)(slash - id) >= sizeof(user))
		return false;
	memcpy(user, id, (size_t)(slash - id));
	user[slash - id] = '\0';
	return text_is_id(user) && (slash[1] == '\0' || text_is_id(slash + 1));
}

bool record_id_valid(enum record_kind kind, const char *id)
{
	switch (kind) {
	case RECORD_TENANT:
	case RECORD_PROJECT:
	case RECORD_USER:
	case RECORD_HOST:
	case RECORD_IDP:
	case RECORD_GRANT:
		return text_is_id(id);
	case RECORD_MEMBER:
		return is_member_id(id);
	case RECORD_KEY:
		return rules_key_id_valid(id);
	case RECORD_TOKEN_KEY:
	case RECORD_REVOCATION:
		return is_token_id(id);
	}
	return false;
}

/* ---- tenant ---------------------------------------------------------------------------------------- */

struct role_body {
	const char *name, *kind, *groups;
	json_t *actions;
};
static const struct json_field role_fields[] = {
	FIELD(role_body, name, STRING, NEEDED),
	FIELD(role_body, kind, STRING, NEEDED),
	FIELD(role_body, groups, STRING, 0),
	FIELD(role_body, actions, STRINGS, NEEDED),
};

static int read_role(const struct reading *in, json_t *object, struct role_record *role)
{
	struct role_body body = {0};
	uint32_t tenant_wide = 0, level = 0;
	int r = body_fields(in, json_view(object), role_fields, ARRAY_LEN(role_fields), &body);

	if (r == 0)
		r = body_text(in, "name", VALUE_ROLE, body.name, &role->name);
	if (r == 0)
		r = body_choice(in, "kind", value_role_kind_words, body.kind, &tenant_wide);
	if (r == 0)
		r = body_choice(in, "groups", value_level_words, body.groups, &level);
	if (r == 0)
		r = body_texts(in, "actions", VALUE_ROLE_ACTION, body.actions, &role->actions);
	if (r < 0)
		return r;
	role->tenant_wide = tenant_wide == 1;
	role->level = (enum group_level)level;
	return rules_role(role, in->problem);
}

struct ids_body {
	uint32_t first, count, next;
};
static const struct json_field ids_fields[] = {
	FIELD(ids_body, first, U32, NEEDED),
	FIELD(ids_body, count, U32, NEEDED),
	FIELD(ids_body, next, U32, NEEDED),
};
struct stale_body {
	uint32_t offline;
	json_t *roles;
};
static const struct json_field stale_fields[] = {
	FIELD(stale_body, offline, U32, NEEDED),
	FIELD(stale_body, roles, STRINGS, NEEDED),
};
struct tenant_body {
	const char *slug, *name, *region, *ssh_keys;
	uint32_t gid, key_warning_days;
	json_t *ids, *allow_from, *roles, *login_hours, *stale, *sudo, *sessions;
	bool suspended;
};
static const struct json_field tenant_fields[] = {
	FIELD(tenant_body, slug, STRING, NEEDED),     FIELD(tenant_body, name, STRING, 0),
	FIELD(tenant_body, region, STRING, 0),        FIELD(tenant_body, gid, U32, NEEDED),
	FIELD(tenant_body, ids, OBJECT, NEEDED),      FIELD(tenant_body, allow_from, STRINGS, 0),
	FIELD(tenant_body, roles, ARRAY, 0),          FIELD(tenant_body, ssh_keys, STRING, 0),
	FIELD(tenant_body, key_warning_days, U32, 0), FIELD(tenant_body, login_hours, STRINGS, 0),
	FIELD(tenant_body, suspended, BOOL, 0),       FIELD(tenant_body, stale, OBJECT, 0),
	FIELD(tenant_body, sudo, OBJECT, 0),          FIELD(tenant_body, sessions, OBJECT, 0),
};

static int read_ids(const struct reading *in, json_t *object, struct tenant_record *tenant)
{
	struct ids_body body = {0};
	int r = body_fields(in, json_view(object), ids_fields, ARRAY_LEN(ids_fields), &body);

	if (r == 0)
		r = body_managed_id(in, "first", body.first);
	if (r < 0)
		return r;
	tenant->id_first = body.first;
	tenant->id_count = body.count;
	tenant->id_next = body.next;
	return rules_ids(tenant, in->problem);
}

static int read_stale(const struct reading *in, json_t *object, struct tenant_record *tenant)
{
	struct stale_body body = {0};
	int r = object ? body_fields(in, json_view(object), stale_fields, ARRAY_LEN(stale_fields), &body) : 0;

	if (r == 0 && body.offline > STALE_OFFLINE_MAX)
		r = body_wrong(in, "offline", "longer than a year", "choose a shorter span, in seconds");
	if (r == 0)
		r = body_texts(in, "roles", VALUE_ROLE, body.roles, &tenant->stale_roles);
	if (r == 0)
		tenant->stale_offline_sec = body.offline;
	return r;
}

static int read_roles(const struct reading *in, json_t *array, struct tenant_record *tenant)
{
	size_t count = json_array_size(array);
	int r = body_room(in, "roles", count, sizeof(*tenant->roles), &tenant->roles);

	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_role(in, json_array_get(array, i), &tenant->roles[i]);
	if (r == 0)
		tenant->role_count = (uint32_t)count;
	return r;
}

static int read_tenant(const struct reading *in, void *record)
{
	struct tenant_record *tenant = record;
	struct tenant_body body = {.key_warning_days = RULES_KEY_WARN_DAYS};
	uint32_t ssh_keys = SSH_KEYS_DIRECTORY;
	int r = body_fields(in, in->body, tenant_fields, ARRAY_LEN(tenant_fields), &body);

	if (r < 0)
		return r;
	if (!text_equal(in->id, in->tenant_id))
		return body_wrong(in, "id", "that of another tenant", "a feed carries its own tenant only");
	tenant->id = NULL;
	tenant->gid = body.gid;
	tenant->suspended = body.suspended;
	tenant->key_warn_days = body.key_warning_days;
	r = body_keep(in, in->id, &tenant->id);
	if (r == 0)
		r = body_text(in, "slug", VALUE_SLUG, body.slug, &tenant->slug);
	if (r == 0)
		r = body_text(in, "name", VALUE_TEXT, body.name, &tenant->name);
	if (r == 0)
		r = body_text(in, "region", VALUE_TEXT, body.region, &tenant->region);
	if (r == 0)
		r = body_managed_id(in, "gid", body.gid);
	if (r == 0)
		r = read_ids(in, body.ids, tenant);
	if (r == 0)
		r = body_cidrs(in, "allow_from", body.allow_from, &tenant->allow_from);
	if (r == 0)
		r = read_roles(in, body.roles, tenant);
	if (r == 0)
		r = body_choice(in, "ssh_keys", value_ssh_keys_words, body.ssh_keys, &ssh_keys);
	if (r == 0)
		r = body_texts(in, "login_hours", VALUE_HOURS, body.login_hours, &tenant->login_hours);
	if (r == 0)
		r = read_stale(in, body.stale, tenant);
	if (r == 0)
		r = record_read_sudo(in, body.sudo, tenant);
	if (r == 0)
		r = record_read_sessions(in, body.sessions, &tenant->sessions);
	if (r == 0 && body.key_warning_days > VALUE_WARN_DAYS_MAX)
		r = body_wrong(in, "key_warning_days", "longer than ten years", "choose a shorter span, in days");
	if (r < 0)
		return r;
	tenant->ssh_keys = (enum ssh_key_policy)ssh_keys;
	return rules_tenant(tenant, in->problem);
}

/* ---- project, user, member ---------------------------------------------------------------------------- */

struct project_body {
	const char *slug;
	uint32_t gid;
	json_t *allow_from;
};
static const struct json_field project_fields[] = {
	FIELD(project_body, slug, STRING, NEEDED),
	FIELD(project_body, gid, U32, NEEDED),
	FIELD(project_body, allow_from, STRINGS, 0),
};

static int read_project(const struct reading *in, void *record)
{
	struct project_record *project = record;
	struct project_body body = {0};
	int r = body_fields(in, in->body, project_fields, ARRAY_LEN(project_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &project->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &project->tenant_id);
	if (r == 0)
		r = body_text(in, "slug", VALUE_SLUG, body.slug, &project->slug);
	if (r == 0)
		r = body_managed_id(in, "gid", body.gid);
	project->gid = body.gid;
	return r < 0 ? r : body_cidrs(in, "allow_from", body.allow_from, &project->allow_from);
}

struct user_body {
	const char *login, *name, *email, *home, *shell, *kind, *status, *status_reason;
	uint32_t uid;
	int64_t sessions_valid_from;
	json_t *ssh_keys, *identities;
};
static const struct json_field user_fields[] = {
	FIELD(user_body, login, STRING, NEEDED),    FIELD(user_body, uid, U32, NEEDED),
	FIELD(user_body, name, STRING, 0),          FIELD(user_body, email, STRING, 0),
	FIELD(user_body, home, STRING, 0),          FIELD(user_body, shell, STRING, 0),
	FIELD(user_body, kind, STRING, 0),          FIELD(user_body, status, STRING, 0),
	FIELD(user_body, status_reason, STRING, 0), FIELD(user_body, sessions_valid_from, I64, 0),
	FIELD(user_body, ssh_keys, STRINGS, 0),     FIELD(user_body, identities, ARRAY, 0),
};

/* Most homes are /home/<login>: then the login is the end of that text and costs nothing of its own. */
static int read_home(const struct reading *in, const struct user_body *body, struct user_record *user)
{
	char usual[sizeof(RULES_HOME_PREFIX) + NAME_MAX_BYTES] = RULES_HOME_PREFIX;
	struct value_fault fault;
	int r;

	if (value_check(VALUE_LOGIN, body->login, strlen(body->login), &fault) < 0)
		return value_refuse(in->problem, "login", body->login, strlen(body->login), &fault);
	memcpy(usual + strlen(RULES_HOME_PREFIX), body->login, strlen(body->login) + 1); /* a login fits */
	if (body->home && !text_equal(body->home, usual)) {
		r = body_text(in, "home", VALUE_HOME, body->home, &user->home);
		return r < 0 ? r : body_keep(in, body->login, &user->login);
	}
	r = body_keep(in, usual, &user->home);
	if (r == 0)
		user->login = user->home + strlen(RULES_HOME_PREFIX);
	return r;
}

static int read_user(const struct reading *in, void *record)
{
	struct user_record *user = record;
	struct user_body body = {.shell = RULES_DEFAULT_SHELL, .sessions_valid_from = TIME_LEFT_OUT};
	uint32_t kind = USER_PERSON, status = USER_ACTIVE;
	int r = body_fields(in, in->body, user_fields, ARRAY_LEN(user_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &user->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &user->tenant_id);
	if (r == 0)
		r = read_home(in, &body, user);
	if (r == 0)
		r = body_managed_id(in, "uid", body.uid);
	if (r == 0)
		r = body_text(in, "name", VALUE_NAME, body.name, &user->name);
	if (r == 0)
		r = body_text(in, "email", VALUE_EMAIL, body.email, &user->email);
	if (r == 0)
		r = body_text(in, "shell", VALUE_SHELL, body.shell, &user->shell);
	if (r == 0)
		r = body_choice(in, "kind", value_user_kind_words, body.kind, &kind);
	if (r == 0)
		r = body_choice(in, "status", value_status_words, body.status, &status);
	if (r == 0)
		r = body_text(in, "status_reason", VALUE_TEXT, body.status_reason, &user->status_reason);
	if (r == 0)
		r = body_time(in, "sessions_valid_from", body.sessions_valid_from, &user->sessions_valid_from);
	user->uid = body.uid;
	user->kind = (enum user_kind)kind;
	user->status = (enum user_status)status;
	if (r == 0)
		r = body_texts(in, "ssh_keys", VALUE_SSH_KEY, body.ssh_keys, &user->ssh_keys);
	return r < 0 ? r : record_read_identities(in, body.identities, user);
}

struct member_body {
	const char *user, *project, *role;
};
static const struct json_field member_fields[] = {
	FIELD(member_body, user, STRING, NEEDED),
	FIELD(member_body, project, STRING, 0),
	FIELD(member_body, role, STRING, NEEDED),
};

static int read_member(const struct reading *in, void *record)
{
	struct member_record *member = record;
	struct member_body body = {0};
	size_t user_length;
	int r = body_fields(in, in->body, member_fields, ARRAY_LEN(member_fields), &body);

	if (r == 0)
		r = body_text(in, "user", VALUE_REFERENCE, body.user, &member->user_id);
	if (r == 0)
		r = body_text(in, "project", VALUE_REFERENCE, body.project, &member->project_id);
	if (r == 0)
		r = body_text(in, "role", VALUE_ROLE, body.role, &member->role);
	if (r < 0)
		return r;
	user_length = strlen(member->user_id);
	if (strncmp(in->id, member->user_id, user_length) != 0 || in->id[user_length] != '/' ||
	    strcmp(in->id + user_length + 1, member->project_id) != 0)
		return body_wrong(in, "id", "not that of this membership",
				  "it is \"<user>/<project>\", or \"<user>/\" in the tenant");
	return body_keep(in, body.project ? "" : in->tenant_id, &member->tenant_id);
}

/* ---- key -------------------------------------------------------------------------------------------- */

struct key_body {
	const char *user, *label, *verifier, *successor, *revoked_reason;
	json_t *projects, *actions, *services, *from;
	int64_t created, not_before, not_after, revoked_at;
};
static const struct json_field key_fields[] = {
	FIELD(key_body, user, STRING, NEEDED),      FIELD(key_body, label, STRING, 0),
	FIELD(key_body, verifier, STRING, NEEDED),  FIELD(key_body, projects, STRINGS, 0),
	FIELD(key_body, actions, STRINGS, 0),       FIELD(key_body, services, STRINGS, 0),
	FIELD(key_body, from, STRINGS, 0),          FIELD(key_body, created, I64, 0),
	FIELD(key_body, not_before, I64, 0),        FIELD(key_body, not_after, I64, 0),
	FIELD(key_body, successor, STRING, 0),      FIELD(key_body, revoked_at, I64, 0),
	FIELD(key_body, revoked_reason, STRING, 0),
};

static int read_key_times(const struct reading *in, const struct key_body *body, struct key_record *key)
{
	int r = body_time(in, "created", body->created, &key->created);

	if (r == 0)
		r = body_time(in, "not_before", body->not_before, &key->not_before);
	if (r == 0)
		r = body_time(in, "not_after", body->not_after, &key->not_after);
	return r < 0 ? r : body_time(in, "revoked_at", body->revoked_at, &key->revoked_at);
}

static int read_key(const struct reading *in, void *record)
{
	struct key_record *key = record;
	struct key_body body = {.created = TIME_LEFT_OUT,
				.not_before = TIME_LEFT_OUT,
				.not_after = TIME_LEFT_OUT,
				.revoked_at = TIME_LEFT_OUT};
	struct value_fault fault;
	int r = body_fields(in, in->body, key_fields, ARRAY_LEN(key_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &key->id);
	if (r == 0)
		r = body_text(in, "user", VALUE_REFERENCE, body.user, &key->user_id);
	if (r == 0)
		r = body_text(in, "label", VALUE_TEXT, body.label, &key->label);
	if (r == 0 && value_verifier(body.verifier, key->verifier, &fault) < 0)
		r = value_refuse(in->problem, "verifier", NULL, 0, &fault);
	if (r == 0)
		r = body_texts(in, "projects", VALUE_REFERENCE, body.projects, &key->projects);
	if (r == 0)
		r = body_texts(in, "actions", VALUE_WORD, body.actions, &key->actions);
	if (r == 0)
		r = body_texts(in, "services", VALUE_WORD, body.services, &key->services);
	if (r == 0)
		r = body_cidrs(in, "from", body.from, &key->from);
	if (r == 0)
		r = read_key_times(in, &body, key);
	if (r == 0)
		r = body_text(in, "successor", VALUE_REFERENCE, body.successor, &key->successor);
	if (r == 0)
		r = body_text(in, "revoked_reason", VALUE_TEXT, body.revoked_reason, &key->revoked_reason);
	return r < 0 ? r : rules_key(key, in->problem);
}

/* ---- host ------------------------------------------------------------------------------------------- */

struct rule_body {
	const char *project;
	json_t *login, *sudo, *services;
};
static const struct json_field rule_fields[] = {
	FIELD(rule_body, project, STRING, NEEDED),
	FIELD(rule_body, login, STRINGS, 0),
	FIELD(rule_body, sudo, STRINGS, 0),
	FIELD(rule_body, services, STRINGS, 0),
};

static int default_login(const struct reading *in, struct string_list *ret)
{
	const char **items;
	int r = body_room(in, "login", RULES_LOGIN_ROLE_COUNT, sizeof(*items), &items);

	for (size_t i = 0; r == 0 && i < RULES_LOGIN_ROLE_COUNT; i++)
		r = body_keep(in, rules_login_roles[i], &items[i]);
	if (r == 0)
		*ret = (struct string_list){.items = items, .count = RULES_LOGIN_ROLE_COUNT};
	return r;
}

static int read_rule(const struct reading *in, json_t *object, struct host_rule *rule)
{
	struct rule_body body = {0};
	int r = body_fields(in, json_view(object), rule_fields, ARRAY_LEN(rule_fields), &body);

	if (r == 0)
		r = body_text(in, "project", VALUE_REFERENCE, body.project, &rule->project_id);
	if (r == 0)
		r = body.login ? body_texts(in, "login", VALUE_WORD, body.login, &rule->login)
			       : default_login(in, &rule->login);
	if (r == 0)
		r = body_texts(in, "sudo", VALUE_WORD, body.sudo, &rule->sudo);
	return r < 0 ? r : body_texts(in, "services", VALUE_WORD, body.services, &rule->services);
}

struct host_body {
	const char *name;
	json_t *serves;
};
static const struct json_field host_fields[] = {
	FIELD(host_body, name, STRING, NEEDED),
	FIELD(host_body, serves, ARRAY, NEEDED),
};

static int read_host(const struct reading *in, void *record)
{
	struct host_record *host = record;
	struct host_body body = {0};
	size_t count;
	int r = body_fields(in, in->body, host_fields, ARRAY_LEN(host_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &host->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &host->tenant_id);
	if (r == 0)
		r = body_text(in, "name", VALUE_HOST_PATTERN, body.name, &host->name);
	count = json_array_size(body.serves);
	if (r == 0)
		r = body_room(in, "serves", count, sizeof(*host->rules), &host->rules);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = read_rule(in, json_array_get(body.serves, i), &host->rules[i]);
	if (r == 0)
		host->rule_count = (uint32_t)count;
	return r;
}

/* ---- all kinds -------------------------------------------------------------------------------------- */

static const struct {
	int (*read)(const struct reading *in, void *record);
	size_t size;
} readers[RECORD_KIND_COUNT] = {
	[RECORD_TENANT] = {read_tenant, sizeof(struct tenant_record)},
	[RECORD_PROJECT] = {read_project, sizeof(struct project_record)},
	[RECORD_USER] = {read_user, sizeof(struct user_record)},
	[RECORD_MEMBER] = {read_member, sizeof(struct member_record)},
	[RECORD_KEY] = {read_key, sizeof(struct key_record)},
	[RECORD_HOST] = {read_host, sizeof(struct host_record)},
	[RECORD_TOKEN_KEY] = {record_read_token_key, sizeof(struct token_key_record)},
	[RECORD_REVOCATION] = {record_read_revocation, sizeof(struct revocation_record)},
	[RECORD_IDP] = {record_read_idp, sizeof(struct idp_record)},
	[RECORD_GRANT] = {record_read_grant, sizeof(struct grant_record)},
};

int record_read(enum record_kind kind, const char *tenant_id, const char *id, struct json_view body,
		const struct record_store *store, void *record, struct problem *problem)
{
	const struct reading in = {tenant_id, id, body, store, problem};

	if ((unsigned)kind >= RECORD_KIND_COUNT)
		return problem_set(problem, EINVAL, "no such kind of record");
	if (!record_id_valid(kind, id))
		return body_wrong(&in, "id", "not of the form that ids of this kind have",
				  "see the table in docs/feed.md");
	memset(record, 0, readers[kind].size);
	return readers[kind].read(&in, record);
}

int record_read_json(enum record_kind kind, const char *tenant_id, const char *id, json_t *body,
		     const struct record_store *store, void *record, struct problem *problem)
{
	return record_read(kind, tenant_id, id, json_view(body), store, record, problem);
}
