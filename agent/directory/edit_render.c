/* SPDX-License-Identifier: MIT */
#include "directory/edit_render.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "records/rules.h"
#include "records/values.h"

#define DEFAULT_SHELL "/bin/bash"
#define DEFAULT_KEY_WARN_DAYS 14U

static void put(struct edit_pairs *pairs, const char *key, char *value)
{
	if (!value || pairs->count == PAIRS_MAX) {
		free(value);
		pairs->failed = true;
		return;
	}
	pairs->pairs[pairs->count++] = (struct edit_pair){key, value};
}

/* Would YAML take it for something else than this very text, or refuse it? Rather too often yes. */
static bool needs_quotes(const char *text)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};

	if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') || *text == '/' || *text == '_'))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return true;
	for (const char *p = text; *p; p++) {
		bool safe = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
			    strchr("_./@+()-", *p) || (*p == ' ' && p[1] && p[1] != ' ');

		if (!safe)
			return true;
	}
	return false;
}

static void add_text(struct buffer *out, const char *text)
{
	if (*text && !needs_quotes(text)) {
		buffer_add_text(out, text);
		return;
	}
	buffer_add_char(out, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buffer_add_char(out, '\\');
		buffer_add_char(out, *text);
	}
	buffer_add_char(out, '"');
}

static char *detach(struct buffer *buffer)
{
	char *text = buffer_text(buffer) ? strdup(buffer_text(buffer)) : NULL;

	buffer_finish(buffer);
	return text;
}

static void put_text(struct edit_pairs *pairs, const char *key, const char *text)
{
	struct buffer value = BUFFER_INIT;

	add_text(&value, text);
	put(pairs, key, detach(&value));
}

static void put_text_if(struct edit_pairs *pairs, const char *key, const char *text)
{
	if (*text)
		put_text(pairs, key, text);
}

static void put_number(struct edit_pairs *pairs, const char *key, uint32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	put(pairs, key, strdup(text));
}

static void put_seconds(struct edit_pairs *pairs, const char *key, uint32_t seconds)
{
	char text[16];

	if (seconds == 0)
		snprintf(text, sizeof(text), "0s");
	else if (seconds % 86400 == 0)
		snprintf(text, sizeof(text), "%ud", seconds / 86400);
	else if (seconds % 3600 == 0)
		snprintf(text, sizeof(text), "%uh", seconds / 3600);
	else if (seconds % 60 == 0)
		snprintf(text, sizeof(text), "%umin", seconds / 60);
	else
		snprintf(text, sizeof(text), "%us", seconds);
	put(pairs, key, strdup(text));
}

static void put_time_if(struct edit_pairs *pairs, const char *key, int64_t time)
{
	char text[TIME_TEXT_SIZE];

	if (time)
		put(pairs, key, strdup(format_time(time, text)));
}

static void put_list(struct edit_pairs *pairs, const char *key, const struct string_list *list)
{
	struct buffer value = BUFFER_INIT;

	buffer_add_char(&value, '[');
	for (uint32_t i = 0; i < list->count; i++) {
		if (i)
			buffer_add_text(&value, ", ");
		add_text(&value, list->items[i]);
	}
	buffer_add_char(&value, ']');
	put(pairs, key, detach(&value));
}

static void put_list_if(struct edit_pairs *pairs, const char *key, const struct string_list *list)
{
	if (list->count)
		put_list(pairs, key, list);
}

static void put_cidrs_if(struct edit_pairs *pairs, const char *key, const struct cidr_list *list)
{
	struct buffer value = BUFFER_INIT;
	char text[CIDR_TEXT_SIZE];

	if (!list->count)
		return;
	buffer_add_char(&value, '[');
	for (uint32_t i = 0; i < list->count; i++)
		buffer_printf(&value, "%s\"%s\"", i ? ", " : "", format_cidr(&list->items[i], text));
	buffer_add_char(&value, ']');
	put(pairs, key, detach(&value));
}

/* What differs from the defaults. */
static void put_sessions(struct edit_pairs *pairs, const struct session_rules *rules)
{
	const struct session_rules usual = session_rules_default();

	if (rules->max_per_user)
		put_number(pairs, "policy.sessions.max_per_user", rules->max_per_user);
	if (rules->max_per_tenant)
		put_number(pairs, "policy.sessions.max_per_tenant", rules->max_per_tenant);
	if (rules->over != usual.over)
		put_text(pairs, "policy.sessions.over", value_over_words[rules->over]);
	if (rules->max_age_sec)
		put_seconds(pairs, "policy.sessions.max_age", rules->max_age_sec);
	if (rules->idle_sec)
		put_seconds(pairs, "policy.sessions.idle", rules->idle_sec);
	if (rules->warn_sec != usual.warn_sec)
		put_seconds(pairs, "policy.sessions.warn", rules->warn_sec);
	if (rules->grace_sec != usual.grace_sec)
		put_seconds(pairs, "policy.sessions.grace", rules->grace_sec);
	if (rules->end_outside_hours)
		put(pairs, "policy.sessions.end_outside_hours", strdup("true"));
	if (rules->end_with_key)
		put(pairs, "policy.sessions.end_with_key", strdup("true"));
}

static void render_tenant(const struct tenant_record *tenant, struct edit_pairs *ret)
{
	put_text(ret, "id", tenant->id);
	put_text(ret, "slug", tenant->slug);
	put_text_if(ret, "name", tenant->name);
	put_text_if(ret, "region", tenant->region);
	put_number(ret, "gid", tenant->gid);
	put_number(ret, "ids.first", tenant->id_first);
	put_number(ret, "ids.count", tenant->id_count);
	put_number(ret, "ids.next", tenant->id_next);
	put_cidrs_if(ret, "allow_from", &tenant->allow_from);
	if (tenant->ssh_keys == SSH_KEYS_ANY)
		put_text(ret, "policy.ssh_keys", "any");
	if (tenant->key_warn_days != DEFAULT_KEY_WARN_DAYS) {
		char text[16];

		snprintf(text, sizeof(text), "%ud", tenant->key_warn_days);
		put(ret, "policy.key_warning", strdup(text));
	}
	put_list_if(ret, "policy.login_hours", &tenant->login_hours);
	put_sessions(ret, &tenant->sessions);
	if (tenant->sudo_proof != SUDO_PROOF_ALWAYS)
		put_text(ret, "sudo.proof", value_sudo_words[tenant->sudo_proof]);
	if (tenant->sudo_within_sec && tenant->sudo_within_sec != RULES_SUDO_WITHIN_SEC)
		put_seconds(ret, "sudo.within", tenant->sudo_within_sec);
	if (tenant->suspended)
		put_text(ret, "status", "suspended");
}

static void render_project(const struct project_record *project, struct edit_pairs *ret)
{
	put_text(ret, "id", project->id);
	put_text(ret, "tenant", project->tenant_id);
	put_text(ret, "slug", project->slug);
	put_number(ret, "gid", project->gid);
	put_cidrs_if(ret, "allow_from", &project->allow_from);
}

static void put_identities_if(struct edit_pairs *pairs, const struct user_record *user)
{
	struct buffer value = BUFFER_INIT;

	if (!user->identity_count)
		return;
	buffer_add_char(&value, '[');
	for (uint32_t i = 0; i < user->identity_count; i++) {
		buffer_add_text(&value, i ? ", {issuer: " : "{issuer: ");
		add_text(&value, user->identities[i].issuer);
		buffer_add_text(&value, ", subject: ");
		add_text(&value, user->identities[i].subject);
		buffer_add_char(&value, '}');
	}
	buffer_add_char(&value, ']');
	put(pairs, "identities", detach(&value));
}

static void render_user(const struct user_record *user, struct edit_pairs *ret)
{
	put_text(ret, "id", user->id);
	put_text(ret, "tenant", user->tenant_id);
	put_text(ret, "login", user->login);
	put_number(ret, "uid", user->uid);
	if (user->kind != USER_PERSON)
		put_text(ret, "kind", value_user_kind_words[user->kind]);
	put_text_if(ret, "name", user->name);
	put_text_if(ret, "email", user->email);
	if (!text_starts(user->home, "/home/") || strcmp(user->home + strlen("/home/"), user->login) != 0)
		put_text(ret, "home", user->home);
	if (strcmp(user->shell, DEFAULT_SHELL) != 0)
		put_text(ret, "shell", user->shell);
	if (user->status == USER_SUSPENDED)
		put_text(ret, "status", "suspended");
	put_text_if(ret, "status_reason", user->status_reason);
	put_time_if(ret, "sessions_valid_from", user->sessions_valid_from);
	put_list_if(ret, "ssh_keys", &user->ssh_keys);
	put_identities_if(ret, user);
}

static void render_member(const struct member_record *member, struct edit_pairs *ret)
{
	put_text(ret, "user", member->user_id);
	put_text_if(ret, "project", member->project_id);
	put_text_if(ret, "tenant", member->tenant_id);
	put_text(ret, "role", member->role);
}

static void render_key(const struct key_record *key, struct edit_pairs *ret)
{
	char verifier[16 + 2 * SHA256_BYTES], hex[2 * SHA256_BYTES + 1];

	put_text(ret, "id", key->id);
	put_text(ret, "user", key->user_id);
	put_text_if(ret, "label", key->label);
	text_to_hex(key->verifier, sizeof(key->verifier), hex);
	snprintf(verifier, sizeof(verifier), "\"sha256:%s\"", hex);
	put(ret, "verifier", strdup(verifier));
	put_list_if(ret, "scopes.projects", &key->projects);
	put_list_if(ret, "scopes.actions", &key->actions);
	put_list_if(ret, "scopes.services", &key->services);
	put_cidrs_if(ret, "scopes.from", &key->from);
	put_time_if(ret, "created", key->created);
	put_time_if(ret, "not_before", key->not_before);
	put_time_if(ret, "not_after", key->not_after);
	put_text_if(ret, "successor", key->successor);
	put_time_if(ret, "revoked.at", key->revoked_at);
	put_text_if(ret, "revoked.reason", key->revoked_reason);
}

static void render_idp(const struct idp_record *idp, struct edit_pairs *ret)
{
	char usual[RULES_IDP_NAME_MAX];

	put_text(ret, "id", idp->id);
	put_text(ret, "tenant", idp->tenant_id);
	if (strcmp(idp->name, rules_idp_name(idp->kind, idp->issuer, usual)) != 0)
		put_text(ret, "name", idp->name);
	put_text(ret, "kind", value_idp_kind_words[idp->kind]);
	put_text(ret, "issuer", idp->issuer);
	put_text(ret, "client_id", idp->client_id);
	if (idp->client_auth != IDP_CLIENT_NONE)
		put_text(ret, "client_auth", value_client_auth_words[idp->client_auth]);
	put_text_if(ret, "client_secret", idp->client_secret);
	put_text_if(ret, "client_key", idp->client_key);
	put_list_if(ret, "scopes", &idp->scopes);
	put_list_if(ret, "acr", &idp->acr);
	put_list_if(ret, "amr", &idp->amr);
	put_list_if(ret, "domains", &idp->domains);
	put_text_if(ret, "hosted_domain", idp->hosted_domain);
	put_text_if(ret, "token_audience", idp->token_audience);
	if (idp->bind != IDP_BIND_LISTED)
		put_text(ret, "bind", value_bind_words[idp->bind]);
	if (idp->max_age_sec)
		put_seconds(ret, "max_age", idp->max_age_sec);
	if (idp->preferred)
		put(ret, "preferred", strdup("true"));
}

static void render_grant(const struct grant_record *grant, struct edit_pairs *ret)
{
	put_text(ret, "id", grant->id);
	put_text(ret, "tenant", grant->tenant_id);
	put_text(ret, "user", grant->user_id);
	put_text_if(ret, "operator_id", grant->operator_id);
	put_text_if(ret, "operator_name", grant->operator_name);
	put_text(ret, "reason", grant->reason);
	put_time_if(ret, "not_before", grant->not_before);
	put_time_if(ret, "not_after", grant->not_after);
}

void edit_render_rule(const struct host_rule *rule, struct edit_pairs *ret)
{
	*ret = (struct edit_pairs){0};
	put_text(ret, "project", rule->project_id);
	put_list(ret, "login", &rule->login);
	put_list_if(ret, "sudo", &rule->sudo);
	put_list_if(ret, "services", &rule->services);
}

void edit_render(enum record_kind kind, const void *record, struct edit_pairs *ret)
{
	*ret = (struct edit_pairs){0};
	switch (kind) {
	case RECORD_TENANT:
		render_tenant(record, ret);
		break;
	case RECORD_PROJECT:
		render_project(record, ret);
		break;
	case RECORD_USER:
		render_user(record, ret);
		break;
	case RECORD_MEMBER:
		render_member(record, ret);
		break;
	case RECORD_KEY:
		render_key(record, ret);
		break;
	case RECORD_HOST:
		put_text(ret, "name", ((const struct host_record *)record)->name);
		break;
	case RECORD_IDP:
		render_idp(record, ret);
		break;
	case RECORD_GRANT:
		render_grant(record, ret);
		break;
	case RECORD_TOKEN_KEY: /* not of files */
	case RECORD_REVOCATION:
		break;
	}
}

void edit_pairs_finish(struct edit_pairs *pairs)
{
	for (uint32_t i = 0; i < pairs->count; i++)
		secret_free_heap(pairs->pairs[i].value);
	*pairs = (struct edit_pairs){0};
}

const struct edit_pair *edit_pairs_get(const struct edit_pairs *pairs, const char *key)
{
	for (uint32_t i = 0; i < pairs->count; i++)
		if (strcmp(pairs->pairs[i].key, key) == 0)
			return &pairs->pairs[i];
	return NULL;
}

uint32_t edit_pairs_member(const struct edit_pairs *pairs, uint32_t i, size_t skip, struct buffer *ret)
{
	const char *key = pairs->pairs[i].key, *dot = strchr(key + skip, '.');
	size_t inner = dot ? (size_t)(dot - key) + 1 : 0;
	uint32_t n = 0;

	if (!dot) {
		buffer_printf(ret, "%s: %s", key + skip, pairs->pairs[i].value);
		return 1;
	}
	buffer_printf(ret, "%.*s: {", (int)(dot - key - (ptrdiff_t)skip), key + skip);
	while (i + n < pairs->count && strncmp(pairs->pairs[i + n].key, key, inner) == 0) {
		if (n)
			buffer_add_text(ret, ", ");
		n += edit_pairs_member(pairs, i + n, inner, ret);
	}
	buffer_add_char(ret, '}');
	return n;
}

void edit_pairs_flow(const struct edit_pairs *pairs, struct buffer *ret)
{
	buffer_add_char(ret, '{');
	for (uint32_t i = 0; i < pairs->count;) {
		if (i)
			buffer_add_text(ret, ", ");
		i += edit_pairs_member(pairs, i, 0, ret);
	}
	buffer_add_char(ret, '}');
}

void edit_pairs_block(const struct edit_pairs *pairs, const char *indent, const char *newline, struct buffer *ret)
{
	for (uint32_t i = 0; i < pairs->count;) {
		if (i)
			buffer_add_text(ret, indent);
		i += edit_pairs_member(pairs, i, 0, ret);
		buffer_add_text(ret, newline);
	}
}
