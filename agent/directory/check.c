/* SPDX-License-Identifier: MIT
 *
 * Which records must be checked. A new unit's own records always; of the units that stayed only what
 * could have lost what it refers to. Where a tenant, a project or a host changed in a way that others
 * depend on, everything is checked again: that is rare and still takes only a moment.
 */
#include <errno.h>
#include <string.h>

#include "directory/check.h"

#define GONE_MAX 64U /* users and keys that went, beyond which everything is checked */

static bool tenant_structure_equal(const struct tenant_record *a, const struct tenant_record *b)
{
	if (strcmp(a->slug, b->slug) != 0 || a->gid != b->gid || a->id_first != b->id_first ||
	    a->id_count != b->id_count || b->id_next < a->id_next || a->role_count != b->role_count)
		return false;
	for (uint32_t i = 0; i < a->role_count; i++) {
		const struct role_record *x = &a->roles[i], *y = &b->roles[i];

		if (strcmp(x->name, y->name) != 0 || x->tenant_wide != y->tenant_wide ||
		    x->actions.count != y->actions.count)
			return false;
		for (uint32_t j = 0; j < x->actions.count; j++)
			if (strcmp(x->actions.items[j], y->actions.items[j]) != 0)
				return false;
	}
	return true;
}

static bool project_structure_equal(const struct project_record *a, const struct project_record *b)
{
	return strcmp(a->tenant_id, b->tenant_id) == 0 && strcmp(a->slug, b->slug) == 0 && a->gid == b->gid;
}

/* Do all tenants and projects of the units that went stand in `part` unchanged? */
static bool structure_stays(const struct part *part, const struct part_difference *difference)
{
	for (uint32_t u = 0; u < difference->gone_count; u++) {
		const struct record_set *records = &difference->gone[u]->records;

		for (uint32_t i = 0; i < records->tenant_count; i++) {
			const struct tenant_record *other = part_tenant(part, records->tenants[i].id);

			if (!other || !tenant_structure_equal(&records->tenants[i], other))
				return false;
		}
		for (uint32_t i = 0; i < records->project_count; i++) {
			const struct project_record *other = part_project(part, records->projects[i].id);

			if (!other || !project_structure_equal(&records->projects[i], other))
				return false;
		}
	}
	return true;
}

bool part_structure_changed(const struct part *part, const struct part *before,
			    const struct part_difference *difference)
{
	/* Nothing of before's is gone or changed, and (by the counts) nothing came. */
	return part_count(part, RECORD_TENANT) != part_count(before, RECORD_TENANT) ||
	       part_count(part, RECORD_PROJECT) != part_count(before, RECORD_PROJECT) ||
	       !structure_stays(part, difference);
}

static int compare_block(const void *a, const void *b)
{
	const struct tenant_record *x = *(const struct tenant_record *const *)a;
	const struct tenant_record *y = *(const struct tenant_record *const *)b;

	return x->id_first < y->id_first ? -1 : x->id_first > y->id_first;
}

static int check_blocks(const struct check *check)
{
	uint32_t n = part_count(check->part, RECORD_TENANT);
	_cleanup_(freep) const struct tenant_record **sorted = calloc((size_t)n + 1, sizeof(*sorted));
	char where[WHERE_TEXT_SIZE];

	if (!sorted)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = part_at(check->part, RECORD_TENANT, i);
	qsort(sorted, n, sizeof(*sorted), compare_block);
	for (uint32_t i = 1; i < n; i++)
		if ((uint64_t)sorted[i - 1]->id_first + sorted[i - 1]->id_count > sorted[i]->id_first)
			return check_fail(check, RECORD_TENANT, sorted[i],
					  "each tenant needs a block of its own; `tenantctl directory add-tenant` "
					  "finds a free one",
					  "the id block overlaps that of tenant \"%s\" (%s)", sorted[i - 1]->slug,
					  part_where(check->part, RECORD_TENANT, sorted[i - 1], where));
	return 0;
}

/* Of the user's memberships in this unit, so that they are compared once and not once for each. */
static bool is_first_of_user(const struct part *part, const struct record_set *records,
			     const struct member_record *member)
{
	uint32_t cursor = 0;

	for (const struct member_record *other; (other = part_user_members(part, member->user_id, &cursor));)
		if (other >= records->members && other < records->members + records->member_count)
			return other == member;
	return false;
}

static int check_unit(const struct check *check, const struct unit *unit)
{
	const struct record_set *records = &unit->records;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < records->tenant_count; i++)
		r = check_tenant(check, &records->tenants[i]);
	for (uint32_t i = 0; r == 0 && i < records->project_count; i++)
		r = check_project(check, &records->projects[i]);
	for (uint32_t i = 0; r == 0 && i < records->user_count; i++)
		r = check_user(check, &records->users[i]);
	for (uint32_t i = 0; r == 0 && i < records->member_count; i++) {
		r = check_member(check, &records->members[i]);
		if (r == 0 && is_first_of_user(check->part, records, &records->members[i]))
			r = check_memberships(check, records->members[i].user_id);
	}
	for (uint32_t i = 0; r == 0 && i < records->key_count; i++)
		r = check_key(check, &records->keys[i]);
	for (uint32_t i = 0; r == 0 && i < records->host_count; i++)
		r = check_host(check, &records->hosts[i]);
	for (uint32_t i = 0; r == 0 && i < records->idp_count; i++)
		r = check_idp(check, &records->idps[i]);
	for (uint32_t i = 0; r == 0 && i < records->grant_count; i++)
		r = check_grant(check, &records->grants[i]);
	return r;
}

/* Users and keys that other units may refer to and that went away, moved to another tenant or owner, or became another
 * kind of user. */
struct gone {
	const char *users[GONE_MAX];
	const struct key_record *keys[GONE_MAX];
	uint32_t user_count, key_count;
	bool too_many;
};

static void find_gone(const struct part *part, const struct part_difference *difference, struct gone *gone)
{
	for (uint32_t u = 0; u < difference->gone_count && !gone->too_many; u++) {
		const struct record_set *records = &difference->gone[u]->records;

		for (uint32_t i = 0; i < records->user_count && !gone->too_many; i++) {
			const struct user_record *now = part_user(part, records->users[i].id);

			if (now && strcmp(now->tenant_id, records->users[i].tenant_id) == 0 &&
			    now->kind == records->users[i].kind)
				continue;
			gone->too_many = gone->user_count == GONE_MAX;
			if (!gone->too_many)
				gone->users[gone->user_count++] = records->users[i].id;
		}
		for (uint32_t i = 0; i < records->key_count && !gone->too_many; i++) {
			const struct key_record *now = part_key(part, records->keys[i].id);

			if (now && strcmp(now->user_id, records->keys[i].user_id) == 0)
				continue;
			gone->too_many = gone->key_count == GONE_MAX;
			if (!gone->too_many)
				gone->keys[gone->key_count++] = &records->keys[i];
		}
	}
}

/* What belongs to a user who went or moved, and what names a key that went: keys of the same user. */
static int check_referrers(const struct check *check, const struct gone *gone)
{
	const struct key_record *key;
	const struct member_record *member;
	const struct grant_record *grant;
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < gone->user_count; i++) {
		uint32_t members = 0, keys = 0;

		grant = part_grant_of(check->part, gone->users[i]);
		if (grant)
			r = check_grant(check, grant);

		while (r == 0 && (member = part_user_members(check->part, gone->users[i], &members)))
			r = check_member(check, member);
		while (r == 0 && (key = part_user_keys(check->part, gone->users[i], &keys)))
			r = check_key(check, key);
	}
	for (uint32_t i = 0; r == 0 && i < gone->key_count; i++) {
		uint32_t keys = 0;

		while (r == 0 && (key = part_user_keys(check->part, gone->keys[i]->user_id, &keys)))
			if (strcmp(key->successor, gone->keys[i]->id) == 0)
				r = check_successor(check, key);
	}
	return r;
}

int part_check(const struct part *part, const struct part *before, const struct part_difference *difference,
	       struct problem *problem)
{
	struct check check = {.part = part, .problem = problem};
	struct gone gone = {.too_many = true};
	bool all = !before || !structure_stays(part, difference);
	int r = 0;

	if (!all) {
		gone.too_many = false;
		find_gone(part, difference, &gone);
		all = gone.too_many;
	}
	if (all || part_structure_changed(part, before, difference))
		r = check_blocks(&check);
	for (uint32_t u = 0; r == 0 && all && u < part->unit_count; u++)
		r = check_unit(&check, part->units[u]);
	for (uint32_t u = 0; r == 0 && !all && u < difference->came_count; u++)
		r = check_unit(&check, difference->came[u]);
	if (r == 0 && !all)
		r = check_referrers(&check, &gone);
	return r;
}
