/* SPDX-License-Identifier: MIT */
#include "directory/part.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define HOST_NAME_SIZE 254U

/* ---- units ----------------------------------------------------------------------------------------- */

static const struct unit *find_unit(const struct part *part, enum record_kind kind, const void *record,
				    uint32_t *ret_index)
{
	for (uint32_t u = 0; u < part->unit_count; u++) {
		uint32_t n = records_count(&part->units[u]->records, kind);
		const char *first = n ? records_at(&part->units[u]->records, kind, 0) : NULL;
		size_t size = record_size(kind);

		if (n && (const char *)record >= first && (const char *)record < first + n * size) {
			*ret_index = (uint32_t)(((const char *)record - first) / (ptrdiff_t)size);
			return part->units[u];
		}
	}
	return NULL;
}

void part_blame(const struct part *part, enum record_kind kind, const void *record, struct problem *problem)
{
	uint32_t index;
	const struct unit *unit = find_unit(part, kind, record, &index);

	if (unit) {
		struct place place = unit_place(unit, kind, index);

		problem_at(problem, unit->name, place.line, place.column);
	}
}

char *part_where(const struct part *part, enum record_kind kind, const void *record, char out[WHERE_TEXT_SIZE])
{
	uint32_t index;
	const struct unit *unit;

	out[0] = '\0';
	if (part->tenant_id) { /* all of a feed's units bear its name, and there are no lines */
		snprintf(out, WHERE_TEXT_SIZE, "%.*s", PROBLEM_FILE_MAX, part->units[0]->name);
		return out;
	}
	unit = find_unit(part, kind, record, &index);
	if (unit)
		snprintf(out, WHERE_TEXT_SIZE, "%.*s:%u", PROBLEM_FILE_MAX, unit->name,
			 unit_place(unit, kind, index).line);
	return out;
}

bool part_holds(const struct part *part, struct unit *const *units, uint32_t count)
{
	return part->unit_count == count && memcmp(part->units, units, count * sizeof(*units)) == 0;
}

const void *part_at(const struct part *part, enum record_kind kind, uint32_t number)
{
	const uint32_t *base = part->base[kind];
	uint32_t low = 0, high = part->unit_count;

	if (number >= base[part->unit_count])
		return NULL;
	/* The last unit that starts at or before the number, empty ones left behind. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (base[middle] <= number)
			low = middle;
		else
			high = middle;
	}
	return records_at(&part->units[low]->records, kind, number - base[low]);
}

static int compare_unit(const void *a, const void *b)
{
	const struct unit *const *x = a, *const *y = b;

	return (uintptr_t)*x < (uintptr_t)*y ? -1 : (uintptr_t)*x > (uintptr_t)*y;
}

/* What stands in both lists goes from both. */
static void drop_common(struct part_difference *difference)
{
	uint32_t gone = 0, came = 0, gone_kept = 0, came_kept = 0;

	qsort(difference->gone, difference->gone_count, sizeof(struct unit *), compare_unit);
	qsort(difference->came, difference->came_count, sizeof(struct unit *), compare_unit);
	while (gone < difference->gone_count || came < difference->came_count) {
		struct unit *x = gone < difference->gone_count ? difference->gone[gone] : NULL;
		struct unit *y = came < difference->came_count ? difference->came[came] : NULL;

		if (x && x == y) {
			gone++;
			came++;
		} else if (x && (!y || (uintptr_t)x < (uintptr_t)y)) {
			difference->gone[gone_kept++] = x;
			gone++;
		} else {
			difference->came[came_kept++] = y;
			came++;
		}
	}
	difference->gone_count = gone_kept;
	difference->came_count = came_kept;
}

int part_differ(const struct part *before, const struct part *after, struct part_difference *ret)
{
	uint32_t then = before ? before->unit_count : 0, now = after ? after->unit_count : 0;

	*ret = (struct part_difference){0};
	ret->gone = calloc((size_t)then + 1, sizeof(struct unit *));
	ret->came = calloc((size_t)now + 1, sizeof(struct unit *));
	if (!ret->gone || !ret->came) {
		part_difference_finish(ret);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < MAX_OF(then, now); i++) {
		if (i < then && i < now && before->units[i] == after->units[i])
			continue;
		if (i < then)
			ret->gone[ret->gone_count++] = before->units[i];
		if (i < now)
			ret->came[ret->came_count++] = after->units[i];
	}
	if (ret->gone_count > 0 && ret->came_count > 0)
		drop_common(ret);
	return 0;
}

void part_difference_finish(struct part_difference *difference)
{
	free(difference->gone);
	free(difference->came);
	*difference = (struct part_difference){0};
}

/* ---- what records are found by --------------------------------------------------------------------------- */

static uint64_t hash_slug(const char *tenant_id, const char *slug)
{
	char text[ID_MAX_BYTES + SLUG_MAX_BYTES + 2];
	size_t id = strnlen(tenant_id, ID_MAX_BYTES), length = strnlen(slug, SLUG_MAX_BYTES);

	memcpy(text, tenant_id, id);
	text[id] = '/';
	memcpy(text + id + 1, slug, length);
	return hash_bytes(text, id + 1 + length);
}

static uint64_t hash_host(const char *name)
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
HASH_OF_TEXT(member_user, member_record, user_id)
HASH_OF_TEXT(idp_tenant, idp_record, tenant_id)

/* Each by itself, and so that none can be moved into the other. */
static uint64_t hash_identity(const char *tenant_id, const char *issuer, const char *subject)
{
	uint64_t parts[] = {hash_text(tenant_id), hash_text(issuer), hash_text(subject)};

	return hash_bytes(parts, sizeof(parts));
}

static bool hash_identity_at(const void *record, uint32_t at, uint64_t *ret)
{
	const struct user_record *user = record;

	if (at >= user->identity_count)
		return false;
	*ret = hash_identity(user->tenant_id, user->identities[at].issuer, user->identities[at].subject);
	return true;
}

static const struct identity_record *find_identity(const struct user_record *user, const char *issuer,
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
		if (find_identity(b, a->identities[i].issuer, a->identities[i].subject))
			return &a->identities[i];
	return NULL;
}

/* A user's own are told apart when they are read, so this is about two. */
static bool same_identity(const void *a, const void *b)
{
	return a != b && shared_identity(a, b) != NULL;
}

static uint64_t hash_project_slug(const void *record)
{
	const struct project_record *project = record;

	return hash_slug(project->tenant_id, project->slug);
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
	return hash_host(((const struct host_record *)record)->name);
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
	[BY_PROJECT_ID] = {RECORD_PROJECT, hash_project_id, NULL, "project id", same_project_id, text_project_id, OWN_ID},
	[BY_PROJECT_SLUG] = {RECORD_PROJECT, hash_project_slug, NULL, "project slug", same_project_slug, text_project_slug,
			     "a tenant's projects need slugs of their own"},
	[BY_USER_ID] = {RECORD_USER, hash_user_id, NULL, "user id", same_user_id, text_user_id, OWN_ID},
	[BY_LOGIN] = {RECORD_USER, hash_login, NULL, "login", same_login, text_login,
		      "all tenants of a host share one space of login names; rename one, for example with the tenant's "
		      "slug"},
	[BY_UID] = {RECORD_USER, hash_uid, NULL, "uid", same_uid, text_uid,
		    "take the tenant's ids.next for one of them and advance it"},
	[BY_KEY_ID] = {RECORD_KEY, hash_key_id, NULL, "key id", same_key_id, text_key_id, "remove one of the two"},
	[BY_HOST_NAME] = {RECORD_HOST, hash_host_name, NULL, "host name", same_host_name, text_host_name,
			  "put all rules under one of them"},
	[BY_TOKEN_KEY] = {RECORD_TOKEN_KEY, hash_token_key, NULL, "token key id", same_token_key, text_token_key, OWN_ID},
	[BY_REVOCATION] = {RECORD_REVOCATION, hash_revocation, NULL, "revocation id", same_revocation, text_revocation,
			   OWN_ID},
	[BY_IDP_ID] = {RECORD_IDP, hash_idp_id, NULL, "provider id", same_idp_id, text_idp_id, OWN_ID},
	[BY_IDENTITY] = {.kind = RECORD_USER, .hash_at = hash_identity_at, .same = same_identity},
	[BY_KEY_USER] = {.kind = RECORD_KEY, .hash = hash_key_user},
	[BY_MEMBER_USER] = {.kind = RECORD_MEMBER, .hash = hash_member_user},
	[BY_IDP_TENANT] = {.kind = RECORD_IDP, .hash = hash_idp_tenant},
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

static int make_index(struct part *part, unsigned by, const struct part *before,
		      const struct part_difference *difference, struct problem *problem)
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

/* ---- making -------------------------------------------------------------------------------------------- */

static int count_bases(struct part *part, struct problem *problem)
{
	uint64_t total[RECORD_KIND_COUNT] = {0};

	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		part->base[kind] = calloc((size_t)part->unit_count + 1, sizeof(**part->base));
		if (!part->base[kind])
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < part->unit_count; i++)
		for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
			total[kind] += records_count(&part->units[i]->records, kind);
			if (total[kind] > LOOKUP_VALUES_MAX)
				return problem_set(problem, EINVAL, "more than %u records of one kind",
						   LOOKUP_VALUES_MAX);
			part->base[kind][i + 1] = (uint32_t)total[kind];
		}
	return 0;
}

/* The name itself beats every pattern, a longer pattern a shorter one. */
static const struct host_record *choose_host(const struct part *part, const char *host_name)
{
	const struct host_record *host = part_host_by_name(part, host_name);
	char pattern[HOST_NAME_SIZE + 1];

	for (size_t length = strnlen(host_name, HOST_NAME_SIZE - 1) + 1; !host && length > 0; length--) {
		snprintf(pattern, sizeof(pattern), "%.*s*", (int)(length - 1), host_name);
		host = part_host_by_name(part, pattern);
	}
	return host;
}

static int fill(struct part *part, const char *host_name, const struct part *before,
		const struct part_difference *difference, struct problem *problem)
{
	int r = count_bases(part, problem);

	for (unsigned by = 0; r == 0 && by < BY_COUNT; by++)
		r = make_index(part, by, before, difference, problem);
	if (r < 0)
		return r;
	part->host = choose_host(part, host_name);
	if (before && !part_structure_changed(part, before, difference))
		part->groups = groups_ref(before->groups);
	else
		r = groups_new(part, &part->groups, problem);
	return r < 0 ? r : part_check(part, before, difference, problem);
}

int part_new(struct unit *const *units, uint32_t count, const char *host_name, const struct part *before,
	     struct part **ret, struct problem *problem)
{
	_cleanup_(part_unrefp) struct part *part = calloc(1, sizeof(*part));
	struct part_difference difference;
	const char *tenant_id = count ? unit_source(units[0]) : NULL;
	int r;

	if (!part)
		return -ENOMEM;
	atomic_init(&part->references, 1);
	if (count > UNITS_MAX)
		return problem_set(problem, EINVAL, "more than %u files", UNITS_MAX);
	part->tenant_id = tenant_id ? strdup(tenant_id) : NULL;
	part->units = calloc(count ? count : 1, sizeof(struct unit *));
	if (!part->units || (tenant_id && !part->tenant_id))
		return -ENOMEM;
	for (; part->unit_count < count; part->unit_count++)
		part->units[part->unit_count] = unit_ref(units[part->unit_count]);
	r = part_differ(before, part, &difference);
	if (r < 0)
		return r;
	r = fill(part, host_name, before, &difference, problem);
	part_difference_finish(&difference);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(part);
	return 0;
}

struct part *part_ref(struct part *part)
{
	atomic_fetch_add_explicit(&part->references, 1, memory_order_relaxed);
	return part;
}

void part_unref(struct part *part)
{
	if (!part || atomic_fetch_sub_explicit(&part->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned by = 0; by < BY_COUNT; by++)
		index_finish(&part->by[by]);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		free(part->base[kind]);
	for (uint32_t u = 0; u < part->unit_count; u++)
		unit_unref(part->units[u]);
	groups_unref(part->groups);
	free(part->units);
	free(part->tenant_id);
	free(part);
}

/* ---- look-ups ------------------------------------------------------------------------------------------ */

#define FIND(part, which, type, hash, matches)                                     \
	({                                                                         \
		uint64_t hash_ = (hash);                                           \
		uint32_t cursor_ = 0;                                              \
		const struct type *record;                                         \
		while ((record = index_next(&(part)->by[which], hash_, &cursor_))) \
			if (matches)                                               \
				break;                                             \
		record;                                                            \
	})

const struct tenant_record *part_tenant(const struct part *part, const char *id)
{
	return FIND(part, BY_TENANT_ID, tenant_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct tenant_record *part_tenant_by_slug(const struct part *part, const char *slug)
{
	return FIND(part, BY_TENANT_SLUG, tenant_record, hash_text(slug), strcmp(record->slug, slug) == 0);
}

const struct project_record *part_project(const struct part *part, const char *id)
{
	return FIND(part, BY_PROJECT_ID, project_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct project_record *part_project_by_slug(const struct part *part, const char *tenant_id, const char *slug)
{
	return FIND(part, BY_PROJECT_SLUG, project_record, hash_slug(tenant_id, slug),
		    strcmp(record->slug, slug) == 0 && strcmp(record->tenant_id, tenant_id) == 0);
}

const struct user_record *part_user(const struct part *part, const char *id)
{
	return FIND(part, BY_USER_ID, user_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct user_record *part_user_by_login(const struct part *part, const char *login)
{
	return FIND(part, BY_LOGIN, user_record, hash_text(login), strcmp(record->login, login) == 0);
}

const struct user_record *part_user_by_uid(const struct part *part, uint32_t uid)
{
	return FIND(part, BY_UID, user_record, hash_u32(uid), record->uid == uid);
}

const struct key_record *part_key(const struct part *part, const char *id)
{
	return FIND(part, BY_KEY_ID, key_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct host_record *part_host_by_name(const struct part *part, const char *name)
{
	return FIND(part, BY_HOST_NAME, host_record, hash_host(name), strcasecmp(record->name, name) == 0);
}

const struct token_key_record *part_token_key(const struct part *part, const char *id)
{
	return FIND(part, BY_TOKEN_KEY, token_key_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct revocation_record *part_revocation(const struct part *part, const char *id)
{
	return FIND(part, BY_REVOCATION, revocation_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct idp_record *part_idp(const struct part *part, const char *id)
{
	return FIND(part, BY_IDP_ID, idp_record, hash_text(id), strcmp(record->id, id) == 0);
}

const struct user_record *part_user_by_identity(const struct part *part, const char *tenant_id, const char *issuer,
						const char *subject)
{
	return FIND(part, BY_IDENTITY, user_record, hash_identity(tenant_id, issuer, subject),
		    strcmp(record->tenant_id, tenant_id) == 0 && find_identity(record, issuer, subject));
}

const struct idp_record *part_tenant_idps(const struct part *part, const char *tenant_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(tenant_id);
	const struct idp_record *idp;

	while ((idp = index_next(&part->by[BY_IDP_TENANT], hash, cursor)))
		if (strcmp(idp->tenant_id, tenant_id) == 0)
			return idp;
	return NULL;
}

const struct member_record *part_user_members(const struct part *part, const char *user_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(user_id);
	const struct member_record *member;

	while ((member = index_next(&part->by[BY_MEMBER_USER], hash, cursor)))
		if (strcmp(member->user_id, user_id) == 0)
			return member;
	return NULL;
}

const struct key_record *part_user_keys(const struct part *part, const char *user_id, uint32_t *cursor)
{
	uint64_t hash = hash_text(user_id);
	const struct key_record *key;

	while ((key = index_next(&part->by[BY_KEY_USER], hash, cursor)))
		if (strcmp(key->user_id, user_id) == 0)
			return key;
	return NULL;
}
