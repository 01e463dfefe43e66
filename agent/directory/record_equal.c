/* SPDX-License-Identifier: MIT
 *
 * Deep comparison of records, for differences between pictures and for checking edits.
 */
#include <string.h>

#include "base/text.h"
#include "directory/unit.h"

static bool same(const char *a, const char *b)
{
	return a == b || strcmp(a, b) == 0;
}

static bool same_strings(const struct string_list *a, const struct string_list *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!same(a->items[i], b->items[i]))
			return false;
	return true;
}

static bool same_cidrs(const struct cidr_list *a, const struct cidr_list *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (a->items[i].prefix != b->items[i].prefix ||
		    memcmp(&a->items[i].address, &b->items[i].address, sizeof(a->items[i].address)) != 0)
			return false;
	return true;
}

static bool same_roles(const struct tenant_record *a, const struct tenant_record *b)
{
	if (a->role_count != b->role_count)
		return false;
	for (uint32_t i = 0; i < a->role_count; i++) {
		const struct role_record *x = &a->roles[i], *y = &b->roles[i];

		if (!same(x->name, y->name) || x->tenant_wide != y->tenant_wide || x->level != y->level ||
		    !same_strings(&x->actions, &y->actions))
			return false;
	}
	return true;
}

static bool same_tenant(const struct tenant_record *a, const struct tenant_record *b)
{
	return same(a->id, b->id) && same(a->slug, b->slug) && same(a->name, b->name) && same(a->region, b->region) &&
	       a->gid == b->gid && a->id_first == b->id_first && a->id_count == b->id_count &&
	       a->id_next == b->id_next && a->ssh_keys == b->ssh_keys &&
	       session_rules_equal(&a->sessions, &b->sessions) && a->key_warn_days == b->key_warn_days &&
	       a->suspended == b->suspended && a->sudo_proof == b->sudo_proof &&
	       a->sudo_within_sec == b->sudo_within_sec && a->stale_offline_sec == b->stale_offline_sec &&
	       same_strings(&a->stale_roles, &b->stale_roles) && same_cidrs(&a->allow_from, &b->allow_from) &&
	       same_strings(&a->login_hours, &b->login_hours) && same_roles(a, b);
}

static bool same_project(const struct project_record *a, const struct project_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && same(a->slug, b->slug) && a->gid == b->gid &&
	       same_cidrs(&a->allow_from, &b->allow_from);
}

static bool same_identities(const struct user_record *a, const struct user_record *b)
{
	if (a->identity_count != b->identity_count)
		return false;
	for (uint32_t i = 0; i < a->identity_count; i++)
		if (!same(a->identities[i].issuer, b->identities[i].issuer) ||
		    !same(a->identities[i].subject, b->identities[i].subject))
			return false;
	return true;
}

static bool same_user(const struct user_record *a, const struct user_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && same(a->login, b->login) &&
	       same(a->name, b->name) && same(a->email, b->email) && same(a->home, b->home) &&
	       same(a->shell, b->shell) && a->uid == b->uid && a->kind == b->kind && a->status == b->status &&
	       same(a->status_reason, b->status_reason) && a->sessions_valid_from == b->sessions_valid_from &&
	       same_strings(&a->ssh_keys, &b->ssh_keys) && same_identities(a, b);
}

static bool same_member(const struct member_record *a, const struct member_record *b)
{
	return same(a->user_id, b->user_id) && same(a->project_id, b->project_id) && same(a->tenant_id, b->tenant_id) &&
	       same(a->role, b->role);
}

static bool same_key(const struct key_record *a, const struct key_record *b)
{
	return same(a->id, b->id) && same(a->user_id, b->user_id) && same(a->label, b->label) &&
	       memcmp(a->verifier, b->verifier, sizeof(a->verifier)) == 0 && same_strings(&a->projects, &b->projects) &&
	       same_strings(&a->actions, &b->actions) && same_strings(&a->services, &b->services) &&
	       same_cidrs(&a->from, &b->from) && a->created == b->created && a->not_before == b->not_before &&
	       a->not_after == b->not_after && same(a->successor, b->successor) && a->revoked_at == b->revoked_at &&
	       same(a->revoked_reason, b->revoked_reason);
}

static bool same_host(const struct host_record *a, const struct host_record *b)
{
	if (!same(a->name, b->name) || a->rule_count != b->rule_count)
		return false;
	for (uint32_t i = 0; i < a->rule_count; i++) {
		const struct host_rule *x = &a->rules[i], *y = &b->rules[i];

		if (!same(x->project_id, y->project_id) || !same_strings(&x->login, &y->login) ||
		    !same_strings(&x->sudo, &y->sudo) || !same_strings(&x->services, &y->services))
			return false;
	}
	return true;
}

static bool same_token_key(const struct token_key_record *a, const struct token_key_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && same(a->issuer, b->issuer) &&
	       memcmp(a->x, b->x, sizeof(a->x)) == 0 && memcmp(a->y, b->y, sizeof(a->y)) == 0 &&
	       a->not_after == b->not_after;
}

static bool same_revocation(const struct revocation_record *a, const struct revocation_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && a->of == b->of && a->at == b->at &&
	       a->until == b->until && same(a->reason, b->reason) && same(a->user_id, b->user_id) &&
	       same(a->project_id, b->project_id) && same(a->host_id, b->host_id);
}

static bool same_idp(const struct idp_record *a, const struct idp_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && same(a->name, b->name) &&
	       same(a->issuer, b->issuer) && a->kind == b->kind && same(a->client_id, b->client_id) &&
	       a->client_auth == b->client_auth && same(a->client_secret, b->client_secret) &&
	       same(a->client_key, b->client_key) && same_strings(&a->scopes, &b->scopes) &&
	       same_strings(&a->acr, &b->acr) && same_strings(&a->amr, &b->amr) &&
	       same_strings(&a->domains, &b->domains) && same(a->hosted_domain, b->hosted_domain) &&
	       same(a->token_audience, b->token_audience) && a->bind == b->bind && a->max_age_sec == b->max_age_sec &&
	       a->preferred == b->preferred;
}

static bool same_grant(const struct grant_record *a, const struct grant_record *b)
{
	return same(a->id, b->id) && same(a->tenant_id, b->tenant_id) && same(a->user_id, b->user_id) &&
	       same(a->operator_id, b->operator_id) && same(a->operator_name, b->operator_name) &&
	       same(a->reason, b->reason) && a->not_before == b->not_before && a->not_after == b->not_after;
}

bool record_equal(enum record_kind kind, const void *a, const void *b)
{
	switch (kind) {
	case RECORD_TENANT:
		return same_tenant(a, b);
	case RECORD_PROJECT:
		return same_project(a, b);
	case RECORD_USER:
		return same_user(a, b);
	case RECORD_MEMBER:
		return same_member(a, b);
	case RECORD_KEY:
		return same_key(a, b);
	case RECORD_HOST:
		return same_host(a, b);
	case RECORD_TOKEN_KEY:
		return same_token_key(a, b);
	case RECORD_REVOCATION:
		return same_revocation(a, b);
	case RECORD_IDP:
		return same_idp(a, b);
	case RECORD_GRANT:
		return same_grant(a, b);
	}
	return false;
}
