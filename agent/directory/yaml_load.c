/* SPDX-License-Identifier: MIT
 *
 * The directory file's tables, and what a record must hold beside its single values.
 */
#include "directory/yaml_load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "directory/yaml_schema.h"
#include "records/rules.h"
#include "records/values.h"

#define AT(type, member) offsetof(struct type, member)

static const struct field ids_fields[] = {
	{.name = "first", .type = FIELD_MANAGED_ID, .required = true, .offset = AT(tenant_record, id_first)},
	{.name = "count", .type = FIELD_U32, .required = true, .offset = AT(tenant_record, id_count)},
	{.name = "next", .type = FIELD_U32, .required = true, .offset = AT(tenant_record, id_next)},
};

static int finish_ids(struct loader *loader, void *record, yaml_mark_t start)
{
	struct problem problem = {0};

	return rules_ids(record, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

static const struct schema ids_schema = {
	.what = "ids", .fields = ids_fields, .count = ARRAY_LEN(ids_fields), .finish = finish_ids};

static const struct field role_fields[] = {
	{.name = "name", .type = FIELD_WORD, .required = true, .offset = AT(role_record, name)},
	{.name = "kind",
	 .type = FIELD_CHOICE_BOOL,
	 .choices = value_role_kind_words,
	 .required = true,
	 .offset = AT(role_record, tenant_wide)},
	{.name = "groups", .type = FIELD_CHOICE, .choices = value_level_words, .offset = AT(role_record, level)},
	{.name = "actions", .type = FIELD_ROLE_ACTIONS, .required = true, .offset = AT(role_record, actions)},
};

static int finish_role(struct loader *loader, void *record, yaml_mark_t start)
{
	struct problem problem = {0};

	return rules_role(record, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

static const struct schema role_schema = {.what = "a role",
					  .fields = role_fields,
					  .count = ARRAY_LEN(role_fields),
					  .size = sizeof(struct role_record),
					  .finish = finish_role};

static const struct field policy_fields[] = {
	{.name = "ssh_keys",
	 .type = FIELD_CHOICE,
	 .choices = value_ssh_keys_words,
	 .offset = AT(tenant_record, ssh_keys)},
	{.name = "key_warning", .type = FIELD_DAYS, .offset = AT(tenant_record, key_warn_days)},
	{.name = "login_hours", .type = FIELD_HOURS, .offset = AT(tenant_record, login_hours)},
	{.name = "sessions", .type = FIELD_MAP, .inner = &schema_of_sessions},
};
static const struct schema policy_schema = {
	.what = "a policy", .fields = policy_fields, .count = ARRAY_LEN(policy_fields)};

static const struct field tenant_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(tenant_record, id)},
	{.name = "slug", .type = FIELD_SLUG, .required = true, .offset = AT(tenant_record, slug)},
	{.name = "name", .type = FIELD_TEXT, .offset = AT(tenant_record, name)},
	{.name = "region", .type = FIELD_TEXT, .offset = AT(tenant_record, region)},
	{.name = "gid", .type = FIELD_MANAGED_ID, .required = true, .offset = AT(tenant_record, gid)},
	{.name = "ids", .type = FIELD_MAP, .required = true, .inner = &ids_schema},
	{.name = "allow_from", .type = FIELD_CIDRS, .offset = AT(tenant_record, allow_from)},
	{.name = "roles",
	 .type = FIELD_RECORDS,
	 .inner = &role_schema,
	 .offset = AT(tenant_record, roles),
	 .count_offset = AT(tenant_record, role_count)},
	{.name = "policy", .type = FIELD_MAP, .inner = &policy_schema},
	{.name = "sudo", .type = FIELD_MAP, .inner = &schema_of_sudo},
	{.name = "status",
	 .type = FIELD_CHOICE_BOOL,
	 .choices = value_status_words,
	 .offset = AT(tenant_record, suspended)},
};

static void default_tenant(struct loader *loader, void *record)
{
	struct tenant_record *tenant = record;

	tenant->name = tenant->region = "";
	tenant->key_warn_days = RULES_KEY_WARN_DAYS;
	tenant->sessions = session_rules_default();
}

static int finish_tenant(struct loader *loader, void *record, yaml_mark_t start)
{
	struct problem problem = {0};

	return rules_tenant(record, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

static const struct schema tenant_schema = {.what = "a tenant",
					    .fields = tenant_fields,
					    .count = ARRAY_LEN(tenant_fields),
					    .size = sizeof(struct tenant_record),
					    .defaults = default_tenant,
					    .finish = finish_tenant};

static const struct field project_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(project_record, id)},
	{.name = "tenant", .type = FIELD_ID, .required = true, .offset = AT(project_record, tenant_id)},
	{.name = "slug", .type = FIELD_SLUG, .required = true, .offset = AT(project_record, slug)},
	{.name = "gid", .type = FIELD_MANAGED_ID, .required = true, .offset = AT(project_record, gid)},
	{.name = "allow_from", .type = FIELD_CIDRS, .offset = AT(project_record, allow_from)},
};
static const struct schema project_schema = {.what = "a project",
					     .fields = project_fields,
					     .count = ARRAY_LEN(project_fields),
					     .size = sizeof(struct project_record)};

static const struct field user_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(user_record, id)},
	{.name = "tenant", .type = FIELD_ID, .required = true, .offset = AT(user_record, tenant_id)},
	{.name = "login", .type = FIELD_LOGIN, .required = true},
	{.name = "uid", .type = FIELD_MANAGED_ID, .required = true, .offset = AT(user_record, uid)},
	{.name = "kind", .type = FIELD_CHOICE, .choices = value_user_kind_words, .offset = AT(user_record, kind)},
	{.name = "name", .type = FIELD_NAME, .offset = AT(user_record, name)},
	{.name = "email", .type = FIELD_EMAIL, .offset = AT(user_record, email)},
	{.name = "home", .type = FIELD_HOME},
	{.name = "shell", .type = FIELD_PATH, .offset = AT(user_record, shell)},
	{.name = "status", .type = FIELD_CHOICE, .choices = value_status_words, .offset = AT(user_record, status)},
	{.name = "status_reason", .type = FIELD_TEXT, .offset = AT(user_record, status_reason)},
	{.name = "sessions_valid_from", .type = FIELD_TIME, .offset = AT(user_record, sessions_valid_from)},
	{.name = "ssh_keys", .type = FIELD_SSH_KEYS, .offset = AT(user_record, ssh_keys)},
	{.name = "identities",
	 .type = FIELD_RECORDS,
	 .inner = &schema_of_identity,
	 .offset = AT(user_record, identities),
	 .count_offset = AT(user_record, identity_count)},
};

static void default_user(struct loader *loader, void *record)
{
	struct user_record *user = record;

	user->name = user->email = user->status_reason = "";
	user->shell = NULL; /* finish_user's */
	loader->login[0] = loader->home[0] = '\0';
}

/* Most homes are /home/<login>: then the login is the end of that text and costs nothing of its own. */
static int finish_user(struct loader *loader, void *record, yaml_mark_t start)
{
	struct user_record *user = record;
	char usual[sizeof(RULES_HOME_PREFIX) + NAME_MAX_BYTES];
	int length = snprintf(usual, sizeof(usual), RULES_HOME_PREFIX "%s", loader->login);
	const char *home = *loader->home ? loader->home : usual;
	struct problem problem = {0};

	if (rules_identities(user, &problem) < 0)
		return schema_refuse_at(loader, start, &problem);
	if (!user->shell && schema_intern(loader, RULES_DEFAULT_SHELL, strlen(RULES_DEFAULT_SHELL), &user->shell) < 0)
		return -ENOMEM;
	user->home = pool_add(&loader->unit->pool, home, strlen(home));
	if (!user->home)
		return -ENOMEM;
	if (strcmp(home, usual) == 0)
		user->login = user->home + strlen(RULES_HOME_PREFIX);
	else
		user->login = pool_add(&loader->unit->pool, loader->login, (size_t)length - strlen(RULES_HOME_PREFIX));
	return user->login ? 0 : -ENOMEM;
}

static const struct schema user_schema = {.what = "a user",
					  .fields = user_fields,
					  .count = ARRAY_LEN(user_fields),
					  .size = sizeof(struct user_record),
					  .defaults = default_user,
					  .finish = finish_user};

static const struct field member_fields[] = {
	{.name = "user", .type = FIELD_ID, .required = true, .offset = AT(member_record, user_id)},
	{.name = "project", .type = FIELD_ID, .offset = AT(member_record, project_id)},
	{.name = "tenant", .type = FIELD_ID, .offset = AT(member_record, tenant_id)},
	{.name = "role", .type = FIELD_WORD, .required = true, .offset = AT(member_record, role)},
};

static void default_member(struct loader *loader, void *record)
{
	struct member_record *member = record;

	member->project_id = member->tenant_id = "";
}

static int finish_member(struct loader *loader, void *record, yaml_mark_t start)
{
	const struct member_record *member = record;

	if (!*member->project_id == !*member->tenant_id)
		return yaml_reader_fail_at(loader->reader, start,
					   "a project for a project role, a tenant for a tenant-wide role",
					   "a membership needs either \"project\" or \"tenant\"");
	return 0;
}

static const struct schema member_schema = {.what = "a membership",
					    .fields = member_fields,
					    .count = ARRAY_LEN(member_fields),
					    .size = sizeof(struct member_record),
					    .defaults = default_member,
					    .finish = finish_member};

static const struct field scope_fields[] = {
	{.name = "projects", .type = FIELD_IDS, .offset = AT(key_record, projects)},
	{.name = "actions", .type = FIELD_ACTIONS, .offset = AT(key_record, actions)},
	{.name = "services", .type = FIELD_WORDS, .offset = AT(key_record, services)},
	{.name = "from", .type = FIELD_CIDRS, .offset = AT(key_record, from)},
};
static const struct schema scope_schema = {.what = "scopes", .fields = scope_fields, .count = ARRAY_LEN(scope_fields)};

static const struct field revoked_fields[] = {
	{.name = "at", .type = FIELD_TIME, .required = true, .offset = AT(key_record, revoked_at)},
	{.name = "reason", .type = FIELD_TEXT, .offset = AT(key_record, revoked_reason)},
};

static const struct schema revoked_schema = {
	.what = "revoked", .fields = revoked_fields, .count = ARRAY_LEN(revoked_fields)};

static const struct field key_fields[] = {
	{.name = "id", .type = FIELD_ID, .required = true, .offset = AT(key_record, id)},
	{.name = "user", .type = FIELD_ID, .required = true, .offset = AT(key_record, user_id)},
	{.name = "label", .type = FIELD_TEXT, .offset = AT(key_record, label)},
	{.name = "verifier", .type = FIELD_VERIFIER, .required = true, .offset = AT(key_record, verifier)},
	{.name = "scopes", .type = FIELD_MAP, .inner = &scope_schema},
	{.name = "created", .type = FIELD_TIME, .offset = AT(key_record, created)},
	{.name = "not_before", .type = FIELD_TIME, .offset = AT(key_record, not_before)},
	{.name = "not_after", .type = FIELD_TIME, .offset = AT(key_record, not_after)},
	{.name = "successor", .type = FIELD_ID, .offset = AT(key_record, successor)},
	{.name = "revoked", .type = FIELD_MAP, .inner = &revoked_schema},
};

static void default_key(struct loader *loader, void *record)
{
	struct key_record *key = record;

	key->label = key->successor = key->revoked_reason = "";
}

static int finish_key(struct loader *loader, void *record, yaml_mark_t start)
{
	struct problem problem = {0};

	return rules_key(record, &problem) < 0 ? schema_refuse_at(loader, start, &problem) : 0;
}

static const struct schema key_schema = {.what = "a key",
					 .fields = key_fields,
					 .count = ARRAY_LEN(key_fields),
					 .size = sizeof(struct key_record),
					 .defaults = default_key,
					 .finish = finish_key};

static const struct field rule_fields[] = {
	{.name = "project", .type = FIELD_ID, .required = true, .offset = AT(host_rule, project_id)},
	{.name = "login", .type = FIELD_WORDS, .offset = AT(host_rule, login)},
	{.name = "sudo", .type = FIELD_WORDS, .offset = AT(host_rule, sudo)},
	{.name = "services", .type = FIELD_WORDS, .offset = AT(host_rule, services)},
};

static void default_rule(struct loader *loader, void *record)
{
	/* Told apart from "login: []" by finish_rule: an empty list leaves NULL. */
	((struct host_rule *)record)->login.items = (const char **)(uintptr_t)rules_login_roles;
	((struct host_rule *)record)->login.count = RULES_LOGIN_ROLE_COUNT;
}

static int finish_rule(struct loader *loader, void *record, yaml_mark_t start)
{
	struct host_rule *rule = record;
	const char **items;

	if (rule->login.items != rules_login_roles)
		return 0;
	/* The unit owns all it points to, so that the compiled form can find every text in its pool. */
	items = arena_alloc(&loader->unit->arena, RULES_LOGIN_ROLE_COUNT * sizeof(*items));
	if (!items)
		return -ENOMEM;
	rule->login.items = items;
	for (size_t i = 0; i < RULES_LOGIN_ROLE_COUNT; i++) {
		int r = schema_intern(loader, rules_login_roles[i], strlen(rules_login_roles[i]), &items[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

static const struct schema rule_schema = {.what = "a host rule",
					  .fields = rule_fields,
					  .count = ARRAY_LEN(rule_fields),
					  .size = sizeof(struct host_rule),
					  .defaults = default_rule,
					  .finish = finish_rule};

static const struct field host_fields[] = {
	{.name = "name", .type = FIELD_PATTERN, .required = true, .offset = AT(host_record, name)},
	{.name = "serves",
	 .type = FIELD_RECORDS,
	 .inner = &rule_schema,
	 .required = true,
	 .offset = AT(host_record, rules),
	 .count_offset = AT(host_record, rule_count)},
};

static void default_host(struct loader *loader, void *record)
{
	struct host_record *host = record;

	host->id = host->tenant_id = "";
}

static const struct schema host_schema = {.what = "a host",
					  .fields = host_fields,
					  .count = ARRAY_LEN(host_fields),
					  .size = sizeof(struct host_record),
					  .defaults = default_host};

static const struct section {
	const char *name;
	enum record_kind kind;
	const struct schema *schema;
} sections[] = {
	{"tenants", RECORD_TENANT, &tenant_schema}, {"projects", RECORD_PROJECT, &project_schema},
	{"users", RECORD_USER, &user_schema},       {"members", RECORD_MEMBER, &member_schema},
	{"keys", RECORD_KEY, &key_schema},          {"hosts", RECORD_HOST, &host_schema},
	{"providers", RECORD_IDP, &schema_of_idp},  {"grants", RECORD_GRANT, &schema_of_grant},
};

static int read_section(struct loader *loader, const struct section *section)
{
	struct yaml_reader *reader = loader->reader;
	union any_record record;
	int r;

	if (reader->event.type != YAML_SEQUENCE_START_EVENT)
		return yaml_reader_fail(reader, "an empty list is written []", "\"%s\" must be a list, not %s",
					section->name, yaml_reader_what(reader));
	for (;;) {
		struct place place;

		r = yaml_reader_next(reader);
		if (r < 0 || reader->event.type == YAML_SEQUENCE_END_EVENT)
			return r;
		if (reader->event.type != YAML_MAPPING_START_EVENT)
			return yaml_reader_fail(reader, "", "each item of \"%s\" must be a mapping, not %s",
						section->name, yaml_reader_what(reader));
		place.line = (uint32_t)reader->event.start_mark.line + 1;
		place.column = reader->event.start_mark.column < UINT16_MAX
				       ? (uint16_t)(reader->event.start_mark.column + 1)
				       : 0;
		r = schema_read(loader, section->schema, &record);
		if (r == 0)
			r = unit_append(loader->unit, section->kind, &record, place);
		if (r < 0)
			return r;
	}
}

static int read_version(struct loader *loader)
{
	struct yaml_reader *reader = loader->reader;

	if (reader->event.type != YAML_SCALAR_EVENT || !yaml_scalar_is_plain(reader) ||
	    strcmp(yaml_scalar(reader), "1") != 0)
		return yaml_reader_fail(reader, "write \"version: 1\"",
					"this tenantd knows version 1 of the directory file only");
	return 0;
}

static int unknown_section(struct loader *loader, const char *key)
{
	const char *names[ARRAY_LEN(sections) + 1], *near;
	char remedy[128], escaped[96];

	for (size_t i = 0; i < ARRAY_LEN(sections); i++)
		names[i] = sections[i].name;
	names[ARRAY_LEN(sections)] = "version";
	near = text_suggest(key, names, ARRAY_LEN(names));
	if (near)
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	else
		snprintf(remedy, sizeof(remedy),
			 "known are version, tenants, projects, users, members, keys, hosts, providers, grants");
	return yaml_reader_fail(loader->reader, remedy, "unknown key \"%s\"",
				text_escape(key, strlen(key), escaped, sizeof(escaped)));
}

static int read_top(struct loader *loader)
{
	struct yaml_reader *reader = loader->reader;
	yaml_mark_t start = reader->event.start_mark;
	unsigned seen = 0;
	int r;

	if (reader->event.type != YAML_MAPPING_START_EVENT)
		return yaml_reader_fail(reader, "it begins with \"version: 1\"",
					"a directory file is a mapping, not %s", yaml_reader_what(reader));
	for (;;) {
		size_t which = 0;

		r = yaml_reader_next(reader);
		if (r < 0)
			return r;
		if (reader->event.type == YAML_MAPPING_END_EVENT)
			break;
		if (reader->event.type != YAML_SCALAR_EVENT)
			return yaml_reader_fail(reader, "", "a key must be a word, not %s", yaml_reader_what(reader));
		while (which < ARRAY_LEN(sections) && strcmp(sections[which].name, yaml_scalar(reader)) != 0)
			which++;
		if (which == ARRAY_LEN(sections) && strcmp(yaml_scalar(reader), "version") != 0)
			return unknown_section(loader, yaml_scalar(reader));
		if (seen & (1U << which))
			return yaml_reader_fail(reader, "put both into one", "key \"%s\" is given twice",
						yaml_scalar(reader));
		seen |= 1U << which;
		r = yaml_reader_next(reader);
		if (r == 0)
			r = which < ARRAY_LEN(sections) ? read_section(loader, &sections[which]) : read_version(loader);
		if (r < 0)
			return r;
	}
	if (!(seen & (1U << ARRAY_LEN(sections))))
		return yaml_reader_fail_at(reader, start, "add \"version: 1\" at its beginning",
					   "the file does not tell its version");
	return 0;
}

static int load(struct loader *loader, struct yaml_reader *reader)
{
	int r = intern_init(&loader->intern, &loader->unit->pool);

	if (r == 0)
		r = yaml_reader_begin(reader);
	if (r == 0)
		r = read_top(loader);
	if (r == 0)
		r = yaml_reader_end(reader);
	intern_finish(&loader->intern);
	return r;
}

int directory_yaml_load(const char *name, yaml_source_fn source, void *context, struct unit **ret,
			struct problem *problem)
{
	_cleanup_(sha256_stream_freep) struct sha256_stream *hash = NULL;
	_cleanup_(unit_unrefp) struct unit *unit = NULL;
	_cleanup_(freep) struct yaml_reader *reader = malloc(sizeof(*reader));
	struct loader loader = {.reader = reader};
	int r;

	if (!reader)
		return -ENOMEM;
	r = unit_new(name, &unit);
	if (r == 0)
		r = sha256_stream_new(&hash);
	if (r == 0)
		r = yaml_reader_init(reader, name, source, context, hash, problem);
	if (r < 0)
		return r;
	loader.unit = unit;
	r = load(&loader, reader);
	unit->source_bytes = reader->bytes;
	yaml_reader_finish(reader);
	if (r == 0)
		r = sha256_stream_end(hash, unit->source_hash);
	if (r < 0)
		return r;
	unit_finish(unit);
	*ret = TAKE_PTR(unit);
	return 0;
}

struct text_source {
	const char *data;
	size_t left;
};

static ssize_t read_text(void *context, void *data, size_t size)
{
	struct text_source *source = context;
	size_t n = MIN_OF(size, source->left);

	memcpy(data, source->data, n);
	source->data += n;
	source->left -= n;
	return (ssize_t)n;
}

int directory_yaml_load_text(const char *name, const void *data, size_t length, struct unit **ret,
			     struct problem *problem)
{
	struct text_source source = {.data = length ? data : "", .left = length};

	return directory_yaml_load(name, read_text, &source, ret, problem);
}

static ssize_t read_fd(void *context, void *data, size_t size)
{
	const int *fd = context;
	ssize_t n;

	do
		n = read(*fd, data, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

int directory_yaml_load_fd(const char *name, int fd, struct unit **ret, struct problem *problem)
{
	return directory_yaml_load(name, read_fd, &fd, ret, problem);
}
