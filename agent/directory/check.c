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

/* Do all tenants and projects of the units that `from` has and `to` lacks stand in `to` unchanged? */
static bool structure_within(const struct directory *from, const struct directory *to)
{
	for (uint32_t u = 0; u < from->unit_count; u++) {
		const struct record_set *records = &from->units[u]->records;

		if (directory_has_unit(to, from->units[u]))
			continue;
		for (uint32_t i = 0; i < records->tenant_count; i++) {
			const struct tenant_record *other = directory_tenant(to, records->tenants[i].id);

			if (!other || !tenant_structure_equal(&records->tenants[i], other))
				return false;
		}
		for (uint32_t i = 0; i < records->project_count; i++) {
			const struct project_record *other = directory_project(to, records->projects[i].id);

			if (!other || !project_structure_equal(&records->projects[i], other))
				return false;
		}
	}
	return true;
}

bool directory_structure_changed(const struct directory *d, const struct directory *before)
{
	struct directory_counts now = directory_counts(d), then = directory_counts(before);

	/* Nothing of before's is gone or changed, and (by the counts) nothing came. */
	return now.tenants != then.tenants || now.projects != then.projects || !structure_within(before, d);
}

static int compare_block(const void *a, const void *b)
{
	const struct tenant_record *x = *(const struct tenant_record *const *)a;
	const struct tenant_record *y = *(const struct tenant_record *const *)b;

	return x->id_first < y->id_first ? -1 : x->id_first > y->id_first;
}

static int check_blocks(const struct check *check)
{
	uint32_t count = directory_counts(check->d).tenants, cursor = 0, n = 0;
	_cleanup_(freep) const struct tenant_record **sorted = calloc((size_t)count + 1, sizeof(*sorted));
	char where[WHERE_TEXT_SIZE];

	if (!sorted)
		return -ENOMEM;
	for (const struct tenant_record *tenant; (tenant = directory_next_tenant(check->d, &cursor));)
		sorted[n++] = tenant;
	qsort(sorted, n, sizeof(*sorted), compare_block);
	for (uint32_t i = 1; i < n; i++)
		if ((uint64_t)sorted[i - 1]->id_first + sorted[i - 1]->id_count > sorted[i]->id_first)
			return check_fail(check, RECORD_TENANT, sorted[i],
					  "each tenant needs a block of its own; `tenantctl directory add-tenant` "
					  "finds a free one",
					  "the id block overlaps that of tenant \"%s\" (%s)", sorted[i - 1]->slug,
					  directory_where(check->d->units, check->d->unit_count, RECORD_TENANT,
							  sorted[i - 1], where));
	return 0;
}

/* Of the user's memberships in this unit, so that they are compared once and not once for each. */
static bool is_first_of_user(const struct directory *d, const struct record_set *records,
			     const struct member_record *member)
{
	uint32_t cursor = 0;

	for (const struct member_record *other; (other = directory_user_members(d, member->user_id, &cursor));)
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
		if (r == 0 && is_first_of_user(check->d, records, &records->members[i]))
			r = check_memberships(check, records->members[i].user_id);
	}
	for (uint32_t i = 0; r == 0 && i < records->key_count; i++)
		r = check_key(check, &records->keys[i]);
	for (uint32_t i = 0; r == 0 && i < records->host_count; i++)
		r = check_host(check, &records->hosts[i]);
	return r;
}

/* Users and keys that other units may refer to and that went away or moved to another tenant or owner. */
struct gone {
	const char *users[GONE_MAX], *keys[GONE_MAX];
	uint32_t user_count, key_count;
	bool too_many;
};

static void find_gone(const struct directory *d, const struct directory *before, struct gone *gone)
{
	for (uint32_t u = 0; u < before->unit_count && !gone->too_many; u++) {
		const struct record_set *records = &before->units[u]->records;

		if (directory_has_unit(d, before->units[u]))
			continue;
		for (uint32_t i = 0; i < records->user_count && !gone->too_many; i++) {
			const struct user_record *now = directory_user(d, records->users[i].id);

			if (now && strcmp(now->tenant_id, records->users[i].tenant_id) == 0)
				continue;
			gone->too_many = gone->user_count == GONE_MAX;
			if (!gone->too_many)
				gone->users[gone->user_count++] = records->users[i].id;
		}
		for (uint32_t i = 0; i < records->key_count && !gone->too_many; i++) {
			const struct key_record *now = directory_key(d, records->keys[i].id);

			if (now && strcmp(now->user_id, records->keys[i].user_id) == 0)
				continue;
			gone->too_many = gone->key_count == GONE_MAX;
			if (!gone->too_many)
				gone->keys[gone->key_count++] = records->keys[i].id;
		}
	}
}

static bool listed(const char *const *list, uint32_t count, const char *id)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(list[i], id) == 0)
			return true;
	return false;
}

static int check_referrers(const struct check *check, const struct gone *gone)
{
	for (uint32_t i = 0; i < gone->user_count; i++) {
		uint32_t cursor = 0;

		for (const struct member_record *member;
		     (member = directory_user_members(check->d, gone->users[i], &cursor));) {
			int r = check_member(check, member);

			if (r < 0)
				return r;
		}
	}
	if (gone->user_count == 0 && gone->key_count == 0)
		return 0;
	for (uint32_t u = 0; u < check->d->unit_count; u++) {
		const struct record_set *records = &check->d->units[u]->records;

		for (uint32_t i = 0; i < records->key_count; i++) {
			const struct key_record *key = &records->keys[i];
			int r = 0;

			if (listed(gone->users, gone->user_count, key->user_id))
				r = check_key(check, key);
			else if (*key->successor && listed(gone->keys, gone->key_count, key->successor))
				r = check_successor(check, key);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int directory_check(const struct directory *d, const struct directory *before, struct problem *problem)
{
	struct check check = {.d = d, .problem = problem};
	struct gone gone = {.too_many = true};
	bool all = !before || !structure_within(before, d);
	int r = 0;

	if (!all) {
		gone.too_many = false;
		find_gone(d, before, &gone);
		all = gone.too_many;
	}
	if (all || directory_structure_changed(d, before))
		r = check_blocks(&check);
	for (uint32_t u = 0; r == 0 && u < d->unit_count; u++)
		if (all || !directory_has_unit(before, d->units[u]))
			r = check_unit(&check, d->units[u]);
	if (r == 0 && !all)
		r = check_referrers(&check, &gone);
	return r;
}
