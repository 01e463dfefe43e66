/* SPDX-License-Identifier: MIT
 *
 * What is claimed by several sources. A conflict is about a claim (an id, a name, a block), not about records: whoever
 * makes the claim is left out while it stands, with all that belongs to them, and comes back when it is gone.
 *
 * uids and gids need no claims of their own: each part saw to it that they lie in their tenant's block.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "directory/picture.h"

#define BLOCK_TEXT_SIZE 32U

struct conflicts *conflicts_ref(struct conflicts *conflicts)
{
	if (conflicts)
		atomic_fetch_add_explicit(&conflicts->references, 1, memory_order_relaxed);
	return conflicts;
}

void conflicts_unref(struct conflicts *conflicts)
{
	if (!conflicts || atomic_fetch_sub_explicit(&conflicts->references, 1, memory_order_acq_rel) != 1)
		return;
	pool_finish(&conflicts->pool);
	hash_index_finish(&conflicts->index);
	free(conflicts->items);
	free(conflicts);
}

static uint64_t hash_claim(enum claim_kind kind, const char *text)
{
	return hash_text(text) + (uint64_t)kind * 0x9e3779b97f4a7c15ULL;
}

static bool has(const struct conflicts *conflicts, enum claim_kind kind, const char *text)
{
	uint32_t cursor = 0, found;

	while (hash_index_next(&conflicts->index, hash_claim(kind, text), &cursor, &found))
		if (conflicts->items[found].kind == kind && strcmp(conflicts->items[found].text, text) == 0)
			return true;
	return false;
}

bool conflicts_equal(const struct conflicts *a, const struct conflicts *b)
{
	uint32_t count = a ? a->count : 0;

	if (count != (b ? b->count : 0))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!has(b, a->items[i].kind, a->items[i].text))
			return false;
	return true;
}

static char *block_text(const struct tenant_record *tenant, char out[BLOCK_TEXT_SIZE])
{
	snprintf(out, BLOCK_TEXT_SIZE, "%u..%u", tenant->id_first, tenant->id_first + (tenant->id_count - 1));
	return out;
}

/* ---- who is left out ------------------------------------------------------------------------------- */

static bool spares_tenant(const struct conflicts *conflicts, const struct tenant_record *tenant)
{
	char block[BLOCK_TEXT_SIZE];

	return tenant && !has(conflicts, CLAIM_TENANT_ID, tenant->id) && !has(conflicts, CLAIM_NAME, tenant->slug) &&
	       !has(conflicts, CLAIM_ID_BLOCK, block_text(tenant, block));
}

static bool spares_project(const struct conflicts *conflicts, const struct part *part,
			   const struct project_record *project)
{
	const struct tenant_record *tenant;
	char name[GROUP_TEXT_SIZE];

	if (!project)
		return false;
	tenant = part_tenant(part, project->tenant_id);
	if (!spares_tenant(conflicts, tenant) || has(conflicts, CLAIM_PROJECT_ID, project->id))
		return false;
	for (unsigned level = 0; level < GROUP_LEVEL_COUNT; level++)
		if (has(conflicts, CLAIM_NAME, group_text(tenant->slug, project->slug, level, name)))
			return false;
	return true;
}

static bool spares_user(const struct conflicts *conflicts, const struct part *part, const struct user_record *user)
{
	return user && spares_tenant(conflicts, part_tenant(part, user->tenant_id)) &&
	       !has(conflicts, CLAIM_USER_ID, user->id) && !has(conflicts, CLAIM_NAME, user->login);
}

bool conflicts_spare(const struct conflicts *conflicts, const struct part *part, enum record_kind kind,
		     const void *record)
{
	const struct member_record *member = record;
	const struct key_record *key = record;

	if (!conflicts)
		return true;
	switch (kind) {
	case RECORD_TENANT:
		return spares_tenant(conflicts, record);
	case RECORD_PROJECT:
		return spares_project(conflicts, part, record);
	case RECORD_USER:
		return spares_user(conflicts, part, record);
	case RECORD_MEMBER:
		return spares_user(conflicts, part, part_user(part, member->user_id)) &&
		       (!*member->project_id ||
			spares_project(conflicts, part, part_project(part, member->project_id)));
	case RECORD_KEY:
		return !has(conflicts, CLAIM_KEY_ID, key->id) &&
		       spares_user(conflicts, part, part_user(part, key->user_id));
	case RECORD_IDP: {
		const struct idp_record *idp = record;

		return !has(conflicts, CLAIM_IDP_ID, idp->id) &&
		       spares_tenant(conflicts, part_tenant(part, idp->tenant_id));
	}
	case RECORD_GRANT:
		return spares_user(conflicts, part, part_user(part, ((const struct grant_record *)record)->user_id));
	case RECORD_HOST: /* its rules are looked at one by one */
	case RECORD_REVOCATION:
		return true;
	case RECORD_TOKEN_KEY:
		return spares_tenant(conflicts,
				     part_tenant(part, ((const struct token_key_record *)record)->tenant_id));
	}
	return false;
}

/* ---- what is left out --------------------------------------------------------------------------------- */

static const void *find_record(const struct part *part, enum record_kind kind, const char *id)
{
	switch (kind) {
	case RECORD_TENANT:
		return part_tenant(part, id);
	case RECORD_PROJECT:
		return part_project(part, id);
	case RECORD_USER:
		return part_user(part, id);
	case RECORD_KEY:
		return part_key(part, id);
	case RECORD_IDP:
		return part_idp(part, id);
	case RECORD_GRANT:
		return part_grant_of(part, id);
	case RECORD_MEMBER:
	case RECORD_HOST:
	case RECORD_TOKEN_KEY:
	case RECORD_REVOCATION:
		break;
	}
	return NULL;
}

bool directory_left_out(const struct directory *d, enum record_kind kind, const char *id)
{
	for (uint32_t i = 0; d->conflicts && i < d->part_count; i++) {
		const void *record = find_record(d->parts[i], kind, id);

		if (record && !conflicts_spare(d->conflicts, d->parts[i], kind, record))
			return true;
	}
	return false;
}

bool directory_uid_left_out(const struct directory *d, uint32_t uid)
{
	for (uint32_t i = 0; d->conflicts && i < d->part_count; i++) {
		const struct part *part = d->parts[i];
		const struct user_record *user = part_user_by_uid(part, uid);

		if (user && !conflicts_spare(d->conflicts, part, RECORD_USER, user))
			return true;
		for (uint32_t k = 0; k < part_count(part, RECORD_TENANT); k++) {
			const struct tenant_record *tenant = part_at(part, RECORD_TENANT, k);

			if (uid >= tenant->id_first && uid - tenant->id_first < tenant->id_count &&
			    !conflicts_spare(d->conflicts, part, RECORD_TENANT, tenant))
				return true;
		}
	}
	return false;
}

static bool membership_left_out(const struct directory *d, const char *user_id)
{
	for (uint32_t i = 0; d->conflicts && i < d->part_count; i++) {
		const struct member_record *member;
		uint32_t cursor = 0;

		while ((member = part_user_members(d->parts[i], user_id, &cursor)))
			if (!conflicts_spare(d->conflicts, d->parts[i], RECORD_MEMBER, member))
				return true;
	}
	return false;
}

bool directory_is_contested(const struct directory *d, const char *tenant_id, const char *user_id)
{
	return directory_left_out(d, RECORD_TENANT, tenant_id) || directory_left_out(d, RECORD_USER, user_id) ||
	       membership_left_out(d, user_id);
}

/* ---- finding them -------------------------------------------------------------------------------------- */

struct search {
	const struct directory *d;
	struct conflicts *found;
};

/* Who claims it in this part: where that stands, or NULL. */
static const char *find_claimant(const struct part *part, enum claim_kind kind, const char *text,
				 char where[WHERE_TEXT_SIZE])
{
	const struct group_claim *group;
	const void *record = NULL;
	enum record_kind of = RECORD_TENANT;

	switch (kind) {
	case CLAIM_TENANT_ID:
		record = part_tenant(part, text);
		break;
	case CLAIM_PROJECT_ID:
		record = part_project(part, text);
		of = RECORD_PROJECT;
		break;
	case CLAIM_USER_ID:
		record = part_user(part, text);
		of = RECORD_USER;
		break;
	case CLAIM_KEY_ID:
		record = part_key(part, text);
		of = RECORD_KEY;
		break;
	case CLAIM_IDP_ID:
		record = part_idp(part, text);
		of = RECORD_IDP;
		break;
	case CLAIM_NAME:
		record = part_user_by_login(part, text);
		of = RECORD_USER;
		group = record ? NULL : groups_by_name(part->groups, text);
		if (group) {
			of = group->kind;
			record = of == RECORD_TENANT ? (const void *)part_tenant(part, group->id)
						     : part_project(part, group->id);
		}
		break;
	case CLAIM_ID_BLOCK: /* found by add_blocks */
		break;
	}
	return record ? part_where(part, of, record, where) : NULL;
}

static int add(struct conflicts *found, enum claim_kind kind, const char *text, const char *first, const char *second)
{
	struct directory_conflict conflict = {.kind = kind};

	if (has(found, kind, text))
		return 0;
	if (found->count == found->capacity) {
		uint32_t capacity = found->capacity ? found->capacity * 2 : 16;
		struct directory_conflict *items = reallocarray(found->items, capacity, sizeof(*items));

		if (!items)
			return -ENOMEM;
		found->items = items;
		found->capacity = capacity;
	}
	conflict.text = pool_add(&found->pool, text, strlen(text));
	conflict.sources[0] = pool_add(&found->pool, first, strlen(first));
	conflict.sources[1] = pool_add(&found->pool, second, strlen(second));
	if (!conflict.text || !conflict.sources[0] || !conflict.sources[1] ||
	    hash_index_put(&found->index, hash_claim(kind, text), found->count) < 0)
		return -ENOMEM;
	found->items[found->count++] = conflict;
	return 0;
}

static int consider(const struct search *search, enum claim_kind kind, const char *text)
{
	char first[WHERE_TEXT_SIZE], second[WHERE_TEXT_SIZE];
	bool claimed = false;

	for (uint32_t i = 0; i < search->d->part_count; i++) {
		if (!find_claimant(search->d->parts[i], kind, text, claimed ? second : first))
			continue;
		if (claimed)
			return add(search->found, kind, text, first, second);
		claimed = true;
	}
	return 0;
}

static int consider_unit(const struct search *search, const struct unit *unit)
{
	const struct record_set *records = &unit->records;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < records->tenant_count; i++)
		r = consider(search, CLAIM_TENANT_ID, records->tenants[i].id);
	for (uint32_t i = 0; r == 0 && i < records->project_count; i++)
		r = consider(search, CLAIM_PROJECT_ID, records->projects[i].id);
	for (uint32_t i = 0; r == 0 && i < records->user_count; i++) {
		r = consider(search, CLAIM_USER_ID, records->users[i].id);
		if (r == 0)
			r = consider(search, CLAIM_NAME, records->users[i].login);
	}
	for (uint32_t i = 0; r == 0 && i < records->key_count; i++)
		r = consider(search, CLAIM_KEY_ID, records->keys[i].id);
	for (uint32_t i = 0; r == 0 && i < records->idp_count; i++)
		r = consider(search, CLAIM_IDP_ID, records->idps[i].id);
	return r;
}

/* What this part claims and the one before it did not. */
static int consider_part(const struct search *search, const struct part *part, const struct part *before)
{
	struct part_difference difference;
	int r;

	if (part == before)
		return 0;
	r = part_differ(before, part, &difference);
	for (uint32_t i = 0; r == 0 && i < difference.came_count; i++)
		r = consider_unit(search, difference.came[i]);
	for (uint32_t i = 0; r == 0 && (!before || part->groups != before->groups) && i < part->groups->count; i++)
		r = consider(search, CLAIM_NAME, part->groups->claims[i].name);
	part_difference_finish(&difference);
	return r;
}

struct block {
	const struct tenant_record *tenant;
	const struct part *part;
};

static int compare_block(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->tenant->id_first < y->tenant->id_first ? -1 : x->tenant->id_first > y->tenant->id_first;
}

static int add_overlap(const struct search *search, const struct block *a, const struct block *b)
{
	char first[WHERE_TEXT_SIZE], second[WHERE_TEXT_SIZE], text[BLOCK_TEXT_SIZE];
	int r;

	part_where(a->part, RECORD_TENANT, a->tenant, first);
	part_where(b->part, RECORD_TENANT, b->tenant, second);
	r = add(search->found, CLAIM_ID_BLOCK, block_text(a->tenant, text), first, second);
	return r < 0 ? r : add(search->found, CLAIM_ID_BLOCK, block_text(b->tenant, text), first, second);
}

static int add_blocks(const struct search *search)
{
	const struct directory *d = search->d;
	_cleanup_(freep) struct block *blocks = NULL;
	uint32_t total = 0, n = 0;
	int r = 0;

	for (uint32_t p = 0; p < d->part_count; p++)
		total += part_count(d->parts[p], RECORD_TENANT);
	blocks = calloc((size_t)total + 1, sizeof(*blocks));
	if (!blocks)
		return -ENOMEM;
	for (uint32_t p = 0; p < d->part_count; p++)
		for (uint32_t i = 0; i < part_count(d->parts[p], RECORD_TENANT); i++)
			blocks[n++] = (struct block){part_at(d->parts[p], RECORD_TENANT, i), d->parts[p]};
	qsort(blocks, n, sizeof(*blocks), compare_block);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t end = (uint64_t)blocks[i].tenant->id_first + blocks[i].tenant->id_count;

		/* Inside a part none overlap. */
		for (uint32_t j = i + 1; r == 0 && j < n && blocks[j].tenant->id_first < end; j++)
			r = add_overlap(search, &blocks[i], &blocks[j]);
	}
	return r;
}

static int compare_conflict(const void *a, const void *b)
{
	const struct directory_conflict *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->text, y->text);
}

/* In one order, whichever way they were found. */
static int put_in_order(struct conflicts *found)
{
	struct hash_index index;

	qsort(found->items, found->count, sizeof(*found->items), compare_conflict);
	if (hash_index_init(&index, found->count) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < found->count; i++)
		if (hash_index_put(&index, hash_claim(found->items[i].kind, found->items[i].text), i) < 0) {
			hash_index_finish(&index);
			return -ENOMEM;
		}
	hash_index_finish(&found->index);
	found->index = index;
	return 0;
}

int conflicts_find(const struct directory *d, const struct directory *before, struct conflicts **ret)
{
	_cleanup_(conflicts_unrefp) struct conflicts *found = NULL;
	struct search search = {.d = d};
	int r;

	*ret = NULL;
	if (d->part_count < 2)
		return 0;
	found = calloc(1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	atomic_init(&found->references, 1);
	search.found = found;
	r = hash_index_init(&found->index, 16);
	for (uint32_t i = 0; r == 0 && before && before->conflicts && i < before->conflicts->count; i++)
		if (before->conflicts->items[i].kind != CLAIM_ID_BLOCK)
			r = consider(&search, before->conflicts->items[i].kind, before->conflicts->items[i].text);
	for (uint32_t p = 0; r == 0 && p < d->part_count; p++)
		r = consider_part(&search, d->parts[p], before ? directory_part(before, d->parts[p]->tenant_id) : NULL);
	if (r == 0)
		r = add_blocks(&search);
	if (r == 0 && found->count > 0)
		r = put_in_order(found);
	if (r < 0)
		return r;
	if (found->count > 0)
		*ret = TAKE_PTR(found);
	return 0;
}
