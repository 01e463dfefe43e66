/* SPDX-License-Identifier: MIT
 *
 * What a part's records are found by, and that what is to be unique is.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "directory/part_internal.h"

uint64_t part_hash_slug(const char *tenant_id, const char *slug)
{
	char text[ID_MAX_BYTES + SLUG_MAX_BYTES + 2];
	size_t id = strnlen(tenant_id, ID_MAX_BYTES), length = strnlen(slug, SLUG_MAX_BYTES);

	memcpy(text, tenant_id, id);
	text[id] = '/';
	memcpy(text + id + 1, slug, length);
	return hash_bytes(text, id + 1 + length);
}

uint64_t part_hash_host(const char *name)
{
	char lower[HOST_NAME_SIZE];
	size_t length = strnlen(name, sizeof(lower));

	for (size_t i = 0; i < length; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	return hash_bytes(lower, length);
}

struct key_rule {
	enum record_kind kind;
	uint64_t (*hash)(const void *record);
	/* In its place where a record has several keys, or none: false at their end. */
	bool (*hash_at)(const void *record, uint32_t at, uint64_t *ret);
	/* For those that find one record: */
	const char *what; /* "id", for messages */
	bool (*same)(const void *a, const void *b);
	const char *(*text)(const void *record, char *scratch, size_t size);
	const char *remedy;
};

#define HASH_OF_TEXT(name, type, field)                                 \
	static uint64_t hash_##name(const void *record)                 \
	{                                                               \
		return hash_text(((const struct type *)record)->field); \
	}
#define KEY_BY_TEXT(name, type, field)                                                                \
	HASH_OF_TEXT(name, type, field)                                                               \
	static bool same_##name(const void *a, const void *b)                                         \
	{                                                                                             \
		return strcmp(((const struct type *)a)->field, ((const struct type *)b)->field) == 0; \
	}                                                                                             \
	static const char *text_##name(const void *record, char *scratch, size_t size)                \
	{                                                                                             \
		return ((const struct type *)record)->field;                                          \
	}
KEY_BY_TEXT(tenant_id, tenant_record, id)
KEY_BY_TEXT(tenant_slug, tenant_record, slug)
KEY_BY_TEXT(project_id, project_record, id)
KEY_BY_TEXT(user_id, user_record, id)
KEY_BY_TEXT(login, user_record, login)
KEY_BY_TEXT(key_id, key_record, id)
KEY_BY_TEXT(token_key, token_key_record, id)
KEY_BY_TEXT(revocation, revocation_record, id)
HASH_OF_TEXT(key_user, key_record, user_id)
KEY_BY_TEXT(idp_id, idp_record, id)
KEY_BY_TEXT(grant_id, grant_record, id)
KEY_BY_TEXT(grant_user, grant_record, user_id)
HASH_OF_TEXT(member_user, member_record, user_id)
HASH_OF_TEXT(idp_tenant, idp_record, tenant_id)

/* Each by itself, and so that none can be moved into the other. */
uint64_t part_hash_identity(const char *tenant_id, const char *issuer, const char *subject)
{
	uint64_t parts[] = {hash_text(tenant_id), hash_text(issuer), hash_text(subject)};

	return hash_bytes(parts, sizeof(parts));
}

static bool hash_identity_at(const void *record, uint32_t at, uint64_t *ret)
{
	const struct user_record *user = record;

	if (at >= user->identity_count)
		return false;
	*ret = part_hash_identity(user->tenant_id, user->identities[at].issuer, user->identities[at].subject);
	return true;
}

const struct identity_record *part_find_identity(const struct user_record *user, const char *issuer,
						 const char *subject)
{
	for (uint32_t i = 0; i < user->identity_count; i++)
		if (strcmp(user->identities[i].subject, subject) == 0 &&
		    strcmp(user->identities[i].issuer, issuer) == 0)
			return &user->identities[i];
	return NULL;
}

static const struct identity_record *shared_identity(const struct user_record *a, const struct user_record *b)
{
	for (uint32_t i = 0; strcmp(a->tenant_id, b->tenant_id) == 0 && i < a->identity_count; i++)
		if (part_find_identity(b, a->identities[i].issuer, a->identities[i].subject))
			return &a->identities[i];
	return NULL;
}

/* A user's own are told apart when they are read, so this is about two. */
static bool same_identity(const void *a, const void *b)
{
	return a != b && shared_identity(a, b) != NULL;
}

static bool hash_order_at(const void *record, uint32_t at, uint64_t *ret)
{
	const struct revocation_record *revocation = record;

	*ret = hash_text(revocation->tenant_id);
	return at == 0 && revocation->of == REVOCATION_SESSIONS;
}

static uint64_t hash_project_slug(const void *record)
{
	const struct project_record *project = record;

	return part_hash_slug(project->tenant_id, project->slug);
}

static bool same_project_slug(const void *a, const void *b)
{
	const struct project_record *x = a, *y = b;

	return strcmp(x->tenant_id, y->tenant_id) == 0 && strcmp(x->slug, y->slug) == 0;
}

static const char *text_project_slug(const void *record, char *scratch, size_t size)
{
	return ((const struct project_record *)record)->slug;
}

static uint64_t hash_uid(const void *record)
{
	return hash_u32(((const struct user_record *)record)->uid);
}

static bool same_uid(const void *a, const void *b)
{
	return ((const struct user_record *)a)->uid == ((const struct user_record *)b)->uid;
}

static const char *text_uid(const void *record, char *scratch, size_t size)
{
	snprintf(scratch, size, "%u", ((const struct user_record *)record)->uid);
	return scratch;
}

static uint64_t hash_host_name(const void *record)
{
	return part_hash_host(((const struct host_record *)record)->name);
}

static bool same_host_name(const void *a, const void *b)
{
	return strcasecmp(((const struct host_record *)a)->name, ((const struct host_record *)b)->name) == 0;
}

static const char *text_host_name(const void *record, char *scratch, size_t size)
{
	return ((const struct host_record *)record)->name;
}

#define OWN_ID "give each record an id of its own"
static const struct key_rule rules[BY_COUNT] = {
	[BY_TENANT_ID] = {RECORD_TENANT, hash_tenant_id, NULL, "tenant id", same_tenant_id, text_tenant_id, OWN_ID},
	[BY_TENANT_SLUG] = {RECORD_TENANT, hash_tenant_slug, NULL, "tenant slug", same_tenant_slug, text_tenant_slug,
			    "slugs name groups, so each tenant needs its own"},
	[BY_PROJECT_ID] = {RECORD_PROJECT, hash_project_id, NULL, "project id", same_project_id, text_project_id,
			   OWN_ID},
	[BY_PROJECT_SLUG] = {RECORD_PROJECT, hash_project_slug, NULL, "project slug", same_project_slug,
			     text_project_slug, "a tenant's projects need slugs of their own"},
	[BY_USER_ID] = {RECORD_USER, hash_user_id, NULL, "user id", same_user_id, text_user_id, OWN_ID},
	[BY_LOGIN] = {RECORD_USER, hash_login, NULL, "login", same_login, text_login,
		      "all tenants of a host share one space of login names; rename one, for example with the tenant's "
		      "slug"},
	[BY_UID] = {RECORD_USER, hash_uid, NULL, "uid", same_uid, text_uid,
		    "take the tenant's ids.next for one of them and advance it"},
	[BY_KEY_ID] = {RECORD_KEY, hash_key_id, NULL, "key id", same_key_id, text_key_id, "remove one of the two"},
	[BY_HOST_NAME] = {RECORD_HOST, hash_host_name, NULL, "host name", same_host_name, text_host_name,
			  "put all rules under one of them"},
	[BY_TOKEN_KEY] = {RECORD_TOKEN_KEY, hash_token_key, NULL, "token key id", same_token_key, text_token_key,
			  OWN_ID},
	[BY_REVOCATION] = {RECORD_REVOCATION, hash_revocation, NULL, "revocation id", same_revocation, text_revocation,
			   OWN_ID},
	[BY_IDP_ID] = {RECORD_IDP, hash_idp_id, NULL, "provider id", same_idp_id, text_idp_id, OWN_ID},
	[BY_GRANT_ID] = {RECORD_GRANT, hash_grant_id, NULL, "grant id", same_grant_id, text_grant_id, OWN_ID},
	[BY_GRANT_USER] = {RECORD_GRANT, hash_grant_user, NULL, "grant for user", same_grant_user, text_grant_user,
			   "an operator's account has one grant; remove one of the two"},
	[BY_IDENTITY] = {.kind = RECORD_USER, .hash_at = hash_identity_at, .same = same_identity},
	[BY_KEY_USER] = {.kind = RECORD_KEY, .hash = hash_key_user},
	[BY_MEMBER_USER] = {.kind = RECORD_MEMBER, .hash = hash_member_user},
	[BY_IDP_TENANT] = {.kind = RECORD_IDP, .hash = hash_idp_tenant},
	[BY_SESSION_ORDER] = {.kind = RECORD_REVOCATION, .hash_at = hash_order_at},
};

static int claimed_twice(const struct part *part, const struct key_rule *rule, const void *first, const void *second,
			 struct problem *problem)
{
	char scratch[16], where[WHERE_TEXT_SIZE];

	part_blame(part, rule->kind, second, problem);
	problem_set(problem, EINVAL, "%s \"%s\" is taken already (%s)", rule->what,
		    rule->text(second, scratch, sizeof(scratch)), part_where(part, rule->kind, first, where));
	problem_remedy(problem, "%s", rule->remedy);
	return -EINVAL;
}

static int shared_by_two(const struct part *part, const struct user_record *first, const struct user_record *second,
			 struct problem *problem)
{
	const struct identity_record *identity = shared_identity(first, second);
	char where[WHERE_TEXT_SIZE], subject[96];

	part_blame(part, RECORD_USER, second, problem);
	problem_set(problem, EINVAL, "identity \"%s\" of %.200s is user \"%s\"'s already (%s)",
		    text_escape(identity->subject, strlen(identity->subject), subject, sizeof(subject)),
		    identity->issuer, first->login, part_where(part, RECORD_USER, first, where));
	problem_remedy(problem, "an identity is one person's: take it from one of the two");
	return -EINVAL;
}

static int put_key(struct part *part, unsigned by, uint64_t hash, const void *record, struct problem *problem)
{
	const struct key_rule *rule = &rules[by];
	const void *other;
	uint32_t cursor = 0;

	while (by < BY_UNIQUE_COUNT && (other = index_next(&part->by[by], hash, &cursor)))
		if (rule->same(record, other))
			return by == BY_IDENTITY ? shared_by_two(part, other, record, problem)
						 : claimed_twice(part, rule, other, record, problem);
	return index_put(&part->by[by], hash, record);
}

/* The record's keys one after the other; most kinds have one. */
static bool key_at(const struct key_rule *rule, const void *record, uint32_t at, uint64_t *ret)
{
	if (rule->hash_at)
		return rule->hash_at(record, at, ret);
	*ret = at == 0 ? rule->hash(record) : 0;
	return at == 0;
}

static int add_unit(struct part *part, unsigned by, const struct unit *unit, struct problem *problem)
{
	const struct key_rule *rule = &rules[by];
	uint64_t hash;

	for (uint32_t i = 0; i < records_count(&unit->records, rule->kind); i++) {
		const void *record = records_at(&unit->records, rule->kind, i);

		for (uint32_t at = 0; key_at(rule, record, at, &hash); at++) {
			int r = put_key(part, by, hash, record, problem);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int remove_unit(struct part *part, unsigned by, const struct unit *unit)
{
	const struct key_rule *rule = &rules[by];
	uint64_t hash;

	for (uint32_t i = 0; i < records_count(&unit->records, rule->kind); i++) {
		const void *record = records_at(&unit->records, rule->kind, i);

		for (uint32_t at = 0; key_at(rule, record, at, &hash); at++) {
			int r = index_remove(&part->by[by], hash, record);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int part_make_index(struct part *part, unsigned by, const struct part *before, const struct part_difference *difference,
		    struct problem *problem)
{
	bool derive = before && !index_is_crowded(&before->by[by]);
	int r = derive ? index_copy(&part->by[by], &before->by[by])
		       : index_init(&part->by[by], part_count(part, rules[by].kind));

	for (uint32_t i = 0; derive && r == 0 && i < difference->gone_count; i++)
		r = remove_unit(part, by, difference->gone[i]);
	for (uint32_t i = 0; derive && r == 0 && i < difference->came_count; i++)
		r = add_unit(part, by, difference->came[i], problem);
	for (uint32_t i = 0; !derive && r == 0 && i < part->unit_count; i++)
		r = add_unit(part, by, part->units[i], problem);
	return r;
}
