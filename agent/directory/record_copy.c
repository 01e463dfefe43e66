/* SPDX-License-Identifier: MIT
 *
 * Deep copies of records: by tables of what points to what.
 */
#include <errno.h>
#include <string.h>

#include "directory/unit.h"
#include "records/record_json.h"

#define FIELDS_MAX 8U
#define NO_FIELD SIZE_MAX

struct pointers {
	size_t texts[FIELDS_MAX], lists[FIELDS_MAX], cidrs[2]; /* offsets; NO_FIELD at the end */
};

#define AT(type, member) offsetof(struct type, member)
static const struct pointers pointers[RECORD_KIND_COUNT] = {
	[RECORD_TENANT] = {{AT(tenant_record, id), AT(tenant_record, slug), AT(tenant_record, name),
			    AT(tenant_record, region), NO_FIELD},
			   {AT(tenant_record, login_hours), AT(tenant_record, stale_roles), NO_FIELD},
			   {AT(tenant_record, allow_from), NO_FIELD}},
	[RECORD_PROJECT] = {{AT(project_record, id), AT(project_record, tenant_id), AT(project_record, slug), NO_FIELD},
			    {NO_FIELD},
			    {AT(project_record, allow_from), NO_FIELD}},
	[RECORD_USER] = {{AT(user_record, id), AT(user_record, tenant_id), AT(user_record, name),
			  AT(user_record, email), AT(user_record, home), AT(user_record, shell),
			  AT(user_record, status_reason), NO_FIELD},
			 {AT(user_record, ssh_keys), NO_FIELD},
			 {NO_FIELD}},
	[RECORD_MEMBER] = {{AT(member_record, user_id), AT(member_record, project_id), AT(member_record, tenant_id),
			    AT(member_record, role), NO_FIELD},
			   {NO_FIELD},
			   {NO_FIELD}},
	[RECORD_KEY] = {{AT(key_record, id), AT(key_record, user_id), AT(key_record, label), AT(key_record, successor),
			 AT(key_record, revoked_reason), NO_FIELD},
			{AT(key_record, projects), AT(key_record, actions), AT(key_record, services), NO_FIELD},
			{AT(key_record, from), NO_FIELD}},
	[RECORD_HOST] = {{AT(host_record, id), AT(host_record, tenant_id), AT(host_record, name), NO_FIELD},
			 {NO_FIELD},
			 {NO_FIELD}},
	[RECORD_TOKEN_KEY] = {{AT(token_key_record, id), AT(token_key_record, tenant_id), AT(token_key_record, issuer),
			       NO_FIELD},
			      {NO_FIELD},
			      {NO_FIELD}},
	[RECORD_REVOCATION] = {{AT(revocation_record, id), AT(revocation_record, tenant_id),
				AT(revocation_record, reason), AT(revocation_record, user_id),
				AT(revocation_record, project_id), AT(revocation_record, host_id), NO_FIELD},
			       {NO_FIELD},
			       {NO_FIELD}},
	[RECORD_IDP] = {{AT(idp_record, id), AT(idp_record, tenant_id), AT(idp_record, name), AT(idp_record, issuer),
			 AT(idp_record, client_id), AT(idp_record, hosted_domain), AT(idp_record, token_audience),
			 NO_FIELD},
			{AT(idp_record, scopes), AT(idp_record, acr), AT(idp_record, amr), AT(idp_record, domains),
			 NO_FIELD},
			{NO_FIELD}},
	[RECORD_GRANT] = {{AT(grant_record, id), AT(grant_record, tenant_id), AT(grant_record, user_id),
			   AT(grant_record, operator_id), AT(grant_record, operator_name), AT(grant_record, reason),
			   NO_FIELD},
			  {NO_FIELD},
			  {NO_FIELD}},
};

static int copy_text(const struct record_store *store, const char **text)
{
	*text = **text ? store->text(store->context, *text, strlen(*text)) : "";
	return *text ? 0 : -ENOMEM;
}

static int copy_list(const struct record_store *store, struct string_list *list)
{
	const char **items = list->count ? store->room(store->context, list->count * sizeof(*items)) : NULL;
	int r = list->count && !items ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < list->count; i++) {
		items[i] = list->items[i];
		r = copy_text(store, &items[i]);
	}
	list->items = items;
	return r;
}

static int copy_cidrs(const struct record_store *store, struct cidr_list *list)
{
	struct cidr *items = list->count ? store->room(store->context, list->count * sizeof(*items)) : NULL;

	if (list->count && !items)
		return -ENOMEM;
	if (items)
		memcpy(items, list->items, list->count * sizeof(*items));
	list->items = items;
	return 0;
}

static int copy_roles(const struct record_store *store, struct tenant_record *tenant)
{
	struct role_record *roles =
		tenant->role_count ? store->room(store->context, tenant->role_count * sizeof(*roles)) : NULL;
	int r = tenant->role_count && !roles ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < tenant->role_count; i++) {
		roles[i] = tenant->roles[i];
		r = copy_text(store, &roles[i].name);
		if (r == 0)
			r = copy_list(store, &roles[i].actions);
	}
	tenant->roles = roles;
	return r;
}

static int copy_rules(const struct record_store *store, struct host_record *host)
{
	struct host_rule *rules =
		host->rule_count ? store->room(store->context, host->rule_count * sizeof(*rules)) : NULL;
	int r = host->rule_count && !rules ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < host->rule_count; i++) {
		rules[i] = host->rules[i];
		r = copy_text(store, &rules[i].project_id);
		if (r == 0)
			r = copy_list(store, &rules[i].login);
		if (r == 0)
			r = copy_list(store, &rules[i].sudo);
		if (r == 0)
			r = copy_list(store, &rules[i].services);
	}
	host->rules = rules;
	return r;
}

static int copy_identities(const struct record_store *store, struct user_record *user)
{
	struct identity_record *identities =
		user->identity_count ? store->room(store->context, user->identity_count * sizeof(*identities)) : NULL;
	int r = user->identity_count && !identities ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < user->identity_count; i++) {
		identities[i] = user->identities[i];
		r = copy_text(store, &identities[i].issuer);
		if (r == 0)
			r = copy_text(store, &identities[i].subject);
	}
	user->identities = identities;
	return r;
}

static int copy_secret(const struct record_store *store, const char **text)
{
	if (!store->secret || !**text)
		return copy_text(store, text);
	*text = store->secret(store->context, *text, strlen(*text));
	return *text ? 0 : -ENOMEM;
}

static int copy_secrets(const struct record_store *store, struct idp_record *idp)
{
	int r = copy_secret(store, &idp->client_secret);

	return r < 0 ? r : copy_secret(store, &idp->client_key);
}

/* A login that is the end of its home's text is so in the copy, too. */
static int copy_login(const struct record_store *store, const struct user_record *from, struct user_record *user)
{
	size_t home = strlen(from->home), login = strlen(from->login);

	if (home < login || from->login != from->home + (home - login))
		return copy_text(store, &user->login);
	user->login = user->home + (home - login);
	return 0;
}

int record_copy(enum record_kind kind, const void *record, const struct record_store *store, void *ret)
{
	const struct pointers *p = &pointers[kind];
	char *copy = ret;
	int r = 0;

	memcpy(copy, record, record_size(kind));
	for (unsigned i = 0; r == 0 && p->texts[i] != NO_FIELD; i++)
		r = copy_text(store, (const char **)(void *)(copy + p->texts[i]));
	for (unsigned i = 0; r == 0 && p->lists[i] != NO_FIELD; i++)
		r = copy_list(store, (struct string_list *)(void *)(copy + p->lists[i]));
	for (unsigned i = 0; r == 0 && p->cidrs[i] != NO_FIELD; i++)
		r = copy_cidrs(store, (struct cidr_list *)(void *)(copy + p->cidrs[i]));
	if (r == 0 && kind == RECORD_TENANT)
		r = copy_roles(store, ret);
	if (r == 0 && kind == RECORD_HOST)
		r = copy_rules(store, ret);
	if (r == 0 && kind == RECORD_USER)
		r = copy_login(store, record, ret);
	if (r == 0 && kind == RECORD_USER)
		r = copy_identities(store, ret);
	if (r == 0 && kind == RECORD_IDP)
		r = copy_secrets(store, ret);
	return r;
}
