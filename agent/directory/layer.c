/* SPDX-License-Identifier: MIT */
#include "directory/layer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

uint64_t layer_hash_slug(const struct project_record *project)
{
	char text[ID_MAX_BYTES + SLUG_MAX_BYTES + 2];
	size_t id = strnlen(project->tenant_id, ID_MAX_BYTES), slug = strnlen(project->slug, SLUG_MAX_BYTES);

	memcpy(text, project->tenant_id, id);
	text[id] = '/';
	memcpy(text + id + 1, project->slug, slug);
	return hash_bytes(text, id + 1 + slug);
}

/* What a kind of records is found by. */
struct key_rule {
	int by;
	enum record_kind kind;
	const char *what; /* "id", for messages */
	uint64_t (*hash)(const void *record);
	bool (*same)(const void *a, const void *b);
	const char *(*text)(const void *record, char *scratch, size_t size);
	const char *remedy;
};

#define KEY_BY_TEXT(name, type, field)                                                                \
	static uint64_t hash_##name(const void *record)                                               \
	{                                                                                             \
		return hash_text(((const struct type *)record)->field);                               \
	}                                                                                             \
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

static uint64_t hash_project_slug(const void *record)
{
	return layer_hash_slug(record);
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

static const struct key_rule rules[] = {
	{BY_TENANT_ID, RECORD_TENANT, "tenant id", hash_tenant_id, same_tenant_id, text_tenant_id,
	 "give each record an id of its own"},
	{BY_TENANT_SLUG, RECORD_TENANT, "tenant slug", hash_tenant_slug, same_tenant_slug, text_tenant_slug,
	 "slugs name groups, so each tenant needs its own"},
	{BY_PROJECT_ID, RECORD_PROJECT, "project id", hash_project_id, same_project_id, text_project_id,
	 "give each record an id of its own"},
	{BY_PROJECT_SLUG, RECORD_PROJECT, "project slug", hash_project_slug, same_project_slug, text_project_slug,
	 "a tenant's projects need slugs of their own"},
	{BY_USER_ID, RECORD_USER, "user id", hash_user_id, same_user_id, text_user_id,
	 "give each record an id of its own"},
	{BY_LOGIN, RECORD_USER, "login", hash_login, same_login, text_login,
	 "all tenants of a host share one space of login names; rename one, for example with the tenant's slug"},
	{BY_UID, RECORD_USER, "uid", hash_uid, same_uid, text_uid,
	 "take the tenant's ids.next for one of them and advance it"},
	{BY_KEY_ID, RECORD_KEY, "key id", hash_key_id, same_key_id, text_key_id, "remove one of the two"},
};

static int claimed_twice(struct unit *const *units, uint32_t count, const struct key_rule *rule, const void *first,
			 const void *second, struct problem *problem)
{
	char scratch[16], where[WHERE_TEXT_SIZE];

	directory_blame(units, count, rule->kind, second, problem);
	problem_set(problem, EINVAL, "%s \"%s\" is taken already (%s)", rule->what,
		    rule->text(second, scratch, sizeof(scratch)),
		    directory_where(units, count, rule->kind, first, where));
	problem_remedy(problem, "%s", rule->remedy);
	return -EINVAL;
}

static int fill(struct layer *layer, const struct key_rule *rule, struct problem *problem)
{
	struct lookup *lookup = &layer->by[rule->by];

	if (lookup_init(lookup, layer->count[rule->kind]) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < layer->count[rule->kind]; i++) {
		const void *record = layer_at(layer, rule->kind, i);
		uint64_t hash = rule->hash(record);
		uint32_t cursor = 0, found;

		while (lookup_next(lookup, hash, &cursor, &found)) {
			const void *other = layer_at(layer, rule->kind, found);

			if (rule->same(record, other))
				return claimed_twice(layer->units, layer->unit_count, rule, other, record, problem);
		}
		lookup_put(lookup, hash, i);
	}
	return 0;
}

uint32_t layer_first_member(const struct layer *layer, uint64_t hash, const char *user_id)
{
	uint32_t cursor = 0, found;

	while (lookup_next(&layer->by[BY_MEMBER], hash, &cursor, &found)) {
		const struct member_record *member = layer_at(layer, RECORD_MEMBER, found);

		if (strcmp(member->user_id, user_id) == 0)
			return found + 1;
	}
	return 0;
}

/* Memberships of one user are a chain in the order of the file; the look-up finds its first. Going from
 * the last to the first, each new one becomes the head. */
static int chain_members(struct layer *layer)
{
	struct lookup *lookup = &layer->by[BY_MEMBER];
	uint32_t count = layer->count[RECORD_MEMBER];

	if (lookup_init(lookup, count) < 0)
		return -ENOMEM;
	if (count == 0)
		return 0;
	layer->next_member = calloc(count, sizeof(*layer->next_member));
	if (!layer->next_member)
		return -ENOMEM;
	for (uint32_t i = count; i-- > 0;) {
		const struct member_record *member = layer_at(layer, RECORD_MEMBER, i);
		uint64_t hash = hash_text(member->user_id);
		uint32_t at = lookup_home(lookup, hash), slot;

		for (; (slot = lookup->slots[at]) != 0; at = at + 1 == lookup->size ? 0 : at + 1) {
			const struct member_record *head;

			if (slot >> 24 != (hash & 0xff))
				continue;
			head = layer_at(layer, RECORD_MEMBER, (slot & 0xffffff) - 1);
			if (strcmp(head->user_id, member->user_id) == 0)
				break;
		}
		if (slot)
			layer->next_member[i] = slot & 0xffffff;
		lookup->slots[at] = (uint32_t)(hash & 0xff) << 24 | (i + 1);
	}
	return 0;
}

/* One array of pointers a kind where records lie in several units. */
static int gather(struct layer *layer)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++) {
		uint64_t total = 0;
		uint32_t n = 0;

		for (uint32_t u = 0; u < layer->unit_count; u++)
			total += records_count(&layer->units[u]->records, kind);
		if (total > LOOKUP_VALUES_MAX)
			return -E2BIG;
		layer->count[kind] = (uint32_t)total;
		if (layer->unit_count == 1 || total == 0)
			continue;
		layer->scattered[kind] = reallocarray(NULL, total, sizeof(void *));
		if (!layer->scattered[kind])
			return -ENOMEM;
		for (uint32_t u = 0; u < layer->unit_count; u++)
			for (uint32_t i = 0; i < records_count(&layer->units[u]->records, kind); i++)
				layer->scattered[kind][n++] = records_at(&layer->units[u]->records, kind, i);
	}
	return 0;
}

int layer_new(struct unit *const *units, uint32_t count, struct layer **ret, struct problem *problem)
{
	_cleanup_(layer_unrefp) struct layer *layer = calloc(1, sizeof(*layer));
	int r;

	if (!layer)
		return -ENOMEM;
	atomic_init(&layer->references, 1);
	layer->units = calloc(count, sizeof(*layer->units));
	if (!layer->units)
		return -ENOMEM;
	for (; layer->unit_count < count; layer->unit_count++)
		layer->units[layer->unit_count] = unit_ref(units[layer->unit_count]);
	r = gather(layer);
	if (r == -E2BIG)
		return problem_set(problem, EINVAL, "more than %u records of one kind", LOOKUP_VALUES_MAX);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(rules); i++)
		r = fill(layer, &rules[i], problem);
	if (r == 0)
		r = chain_members(layer);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(layer);
	return 0;
}

struct layer *layer_ref(struct layer *layer)
{
	atomic_fetch_add_explicit(&layer->references, 1, memory_order_relaxed);
	return layer;
}

void layer_unref(struct layer *layer)
{
	if (!layer || atomic_fetch_sub_explicit(&layer->references, 1, memory_order_acq_rel) != 1)
		return;
	for (unsigned i = 0; i < BY_COUNT; i++)
		lookup_finish(&layer->by[i]);
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		free(layer->scattered[kind]);
	for (uint32_t u = 0; u < layer->unit_count; u++)
		unit_unref(layer->units[u]);
	free(layer->units);
	free(layer->next_member);
	free(layer);
}

static inline const void *find(const struct layer *layer, enum record_kind kind, int by, uint64_t hash,
			       bool (*fits)(const void *record, const void *key), const void *key)
{
	uint32_t cursor = 0, found;

	while (lookup_next(&layer->by[by], hash, &cursor, &found)) {
		const void *record = layer_at(layer, kind, found);

		if (fits(record, key))
			return record;
	}
	return NULL;
}

static bool fits_tenant(const void *record, const void *id)
{
	return strcmp(((const struct tenant_record *)record)->id, id) == 0;
}

static bool fits_tenant_slug(const void *record, const void *slug)
{
	return strcmp(((const struct tenant_record *)record)->slug, slug) == 0;
}

static bool fits_project(const void *record, const void *id)
{
	return strcmp(((const struct project_record *)record)->id, id) == 0;
}

static bool fits_user(const void *record, const void *id)
{
	return strcmp(((const struct user_record *)record)->id, id) == 0;
}

static bool fits_login(const void *record, const void *login)
{
	return strcmp(((const struct user_record *)record)->login, login) == 0;
}

static bool fits_uid(const void *record, const void *uid)
{
	return ((const struct user_record *)record)->uid == *(const uint32_t *)uid;
}

static bool fits_key(const void *record, const void *id)
{
	return strcmp(((const struct key_record *)record)->id, id) == 0;
}

const struct tenant_record *layer_tenant(const struct layer *layer, uint64_t hash, const char *id)
{
	return find(layer, RECORD_TENANT, BY_TENANT_ID, hash, fits_tenant, id);
}

const struct tenant_record *layer_tenant_by_slug(const struct layer *layer, uint64_t hash, const char *slug)
{
	return find(layer, RECORD_TENANT, BY_TENANT_SLUG, hash, fits_tenant_slug, slug);
}

const struct project_record *layer_project(const struct layer *layer, uint64_t hash, const char *id)
{
	return find(layer, RECORD_PROJECT, BY_PROJECT_ID, hash, fits_project, id);
}

const struct project_record *layer_project_by_slug(const struct layer *layer, uint64_t hash,
						   const struct project_record *like)
{
	return find(layer, RECORD_PROJECT, BY_PROJECT_SLUG, hash, same_project_slug, like);
}

const struct user_record *layer_user(const struct layer *layer, uint64_t hash, const char *id)
{
	return find(layer, RECORD_USER, BY_USER_ID, hash, fits_user, id);
}

const struct user_record *layer_user_by_login(const struct layer *layer, uint64_t hash, const char *login)
{
	return find(layer, RECORD_USER, BY_LOGIN, hash, fits_login, login);
}

const struct user_record *layer_user_by_uid(const struct layer *layer, uint64_t hash, uint32_t uid)
{
	return find(layer, RECORD_USER, BY_UID, hash, fits_uid, &uid);
}

const struct key_record *layer_key(const struct layer *layer, uint64_t hash, const char *id)
{
	return find(layer, RECORD_KEY, BY_KEY_ID, hash, fits_key, id);
}
