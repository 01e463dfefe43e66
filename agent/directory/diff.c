/* SPDX-License-Identifier: MIT
 *
 * What differs between two pictures. Units that both hold cannot differ; the rest is compared record by
 * record. A picture keeps its differences from the one it was built from, when they are few.
 */
#include <errno.h>
#include <string.h>

#include "directory/picture.h"

#define CHANGES_KEPT_MAX 4096U
#define TOUCHED_MAX 4096U

/* The record of the same identity in `d`, or NULL. */
static const void *counterpart(const struct directory *d, enum record_kind kind, const void *record)
{
	uint32_t cursor = 0;

	switch (kind) {
	case RECORD_TENANT:
		return directory_tenant(d, ((const struct tenant_record *)record)->id);
	case RECORD_PROJECT:
		return directory_project(d, ((const struct project_record *)record)->id);
	case RECORD_USER:
		return directory_user(d, ((const struct user_record *)record)->id);
	case RECORD_KEY:
		return directory_key(d, ((const struct key_record *)record)->id);
	case RECORD_MEMBER: {
		const struct member_record *wanted = record;

		for (const struct member_record *member;
		     (member = directory_user_members(d, wanted->user_id, &cursor));)
			if (strcmp(member->project_id, wanted->project_id) == 0 &&
			    strcmp(member->tenant_id, wanted->tenant_id) == 0)
				return member;
		return NULL;
	}
	case RECORD_HOST: {
		const struct host_record *host = record;
		const struct part *part = directory_part(d, *host->tenant_id ? host->tenant_id : NULL);

		return part ? part_host_by_name(part, host->name) : NULL;
	}
	case RECORD_IDP:
		return directory_idp(d, ((const struct idp_record *)record)->id);
	case RECORD_GRANT:
		return directory_grant_of(d, ((const struct grant_record *)record)->user_id);
	case RECORD_TOKEN_KEY: {
		const struct token_key_record *key = record;

		return directory_token_key(d, key->tenant_id, key->id);
	}
	case RECORD_REVOCATION: {
		const struct revocation_record *revocation = record;

		return directory_revocation(d, revocation->tenant_id, revocation->id);
	}
	}
	return NULL;
}

struct comparison {
	const struct directory *before, *after;
	directory_change_fn report;
	void *context;
};

static void compare_gone(const struct comparison *c, const struct part *part, const struct unit *unit)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		for (uint32_t i = 0; i < records_count(&unit->records, kind); i++) {
			const void *old = records_at(&unit->records, kind, i), *now;

			if (!conflicts_spare(c->before->conflicts, part, kind, old))
				continue;
			now = counterpart(c->after, kind, old);
			if (!now)
				c->report(c->context, kind, CHANGE_REMOVED, old, NULL);
			else if (!record_equal(kind, old, now))
				c->report(c->context, kind, CHANGE_UPDATED, old, now);
		}
}

static void compare_came(const struct comparison *c, const struct part *part, const struct unit *unit)
{
	for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
		for (uint32_t i = 0; i < records_count(&unit->records, kind); i++) {
			const void *now = records_at(&unit->records, kind, i);

			if (conflicts_spare(c->after->conflicts, part, kind, now) &&
			    (!c->before || !counterpart(c->before, kind, now)))
				c->report(c->context, kind, CHANGE_ADDED, NULL, now);
		}
}

/* Removed and updated records, then added ones. Where other claims are in conflict, records of units that stayed came
 * or went, too. */
static int compare(const struct comparison *c)
{
	bool all = !c->before || !conflicts_equal(c->before->conflicts, c->after->conflicts);

	for (uint32_t p = 0; c->before && p < c->before->part_count; p++) {
		const struct part *part = c->before->parts[p], *now = directory_part(c->after, part->tenant_id);
		struct part_difference difference;

		if (part == now && !all)
			continue;
		if (part_differ(part, all ? NULL : now, &difference) < 0)
			return -ENOMEM;
		for (uint32_t u = 0; u < difference.gone_count; u++)
			compare_gone(c, part, difference.gone[u]);
		part_difference_finish(&difference);
	}
	for (uint32_t p = 0; p < c->after->part_count; p++) {
		const struct part *part = c->after->parts[p];
		const struct part *then = c->before ? directory_part(c->before, part->tenant_id) : NULL;
		struct part_difference difference;

		if (part == then && !all)
			continue;
		if (part_differ(all ? NULL : then, part, &difference) < 0)
			return -ENOMEM;
		for (uint32_t u = 0; u < difference.came_count; u++)
			compare_came(c, part, difference.came[u]);
		part_difference_finish(&difference);
	}
	return 0;
}

int directory_diff(const struct directory *before, const struct directory *after, directory_change_fn report,
		   void *context)
{
	const struct comparison comparison = {before, after, report, context};

	if (before == after)
		return 0;
	if (before && after->changes_known && after->built_from == before->generation) {
		for (uint32_t i = 0; i < after->change_count; i++)
			report(context, after->changes[i].kind, after->changes[i].change, after->changes[i].old_record,
			       after->changes[i].new_record);
		return 0;
	}
	return compare(&comparison);
}

static void keep_change(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
			const void *new_record)
{
	struct directory *d = context;

	if (!d->changes_known)
		return;
	if (d->change_count == d->change_capacity) {
		uint32_t capacity = d->change_capacity ? d->change_capacity * 2 : 16;
		struct change *changes =
			capacity > CHANGES_KEPT_MAX ? NULL : reallocarray(d->changes, capacity, sizeof(*changes));

		if (!changes) {
			d->changes_known = false;
			return;
		}
		d->changes = changes;
		d->change_capacity = capacity;
	}
	d->changes[d->change_count++] = (struct change){kind, change, old_record, new_record};
}

static bool strings_equal(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static bool tenant_groups_equal(const struct tenant_record *a, const struct tenant_record *b)
{
	if (!strings_equal(a->slug, b->slug) || a->gid != b->gid || a->suspended != b->suspended ||
	    a->role_count != b->role_count)
		return false;
	for (uint32_t i = 0; i < a->role_count; i++)
		/* What a role may do decides who is in the host's sudo group. */
		if (!strings_equal(a->roles[i].name, b->roles[i].name) || a->roles[i].level != b->roles[i].level ||
		    a->roles[i].tenant_wide != b->roles[i].tenant_wide ||
		    a->roles[i].actions.count != b->roles[i].actions.count)
			return false;
	for (uint32_t i = 0; i < a->role_count; i++)
		for (uint32_t j = 0; j < a->roles[i].actions.count; j++)
			if (!strings_equal(a->roles[i].actions.items[j], b->roles[i].actions.items[j]))
				return false;
	return true;
}

static bool touch(struct directory *d, uint32_t uid)
{
	for (uint32_t i = d->touched_count; i > 0 && i + 8 > d->touched_count; i--)
		if (d->touched[i - 1] == uid)
			return true;
	if (d->touched_count == TOUCHED_MAX)
		return false;
	d->touched[d->touched_count++] = uid;
	return true;
}

/* Do both give the same passwd entry, and the same answer about sudo? */
static bool user_entry_equal(const struct user_record *a, const struct user_record *b)
{
	return a->uid == b->uid && strings_equal(a->tenant_id, b->tenant_id) && strings_equal(a->login, b->login) &&
	       strings_equal(a->name, b->name) && strings_equal(a->home, b->home) &&
	       strings_equal(a->shell, b->shell) && a->status == b->status && a->kind == b->kind;
}

/* False: anything may differ. */
static bool touch_by(struct directory *d, const struct directory *before, const struct change *change)
{
	const struct user_record *user;
	const struct member_record *member;

	switch (change->kind) {
	case RECORD_TENANT:
		return change->change == CHANGE_UPDATED && tenant_groups_equal(change->old_record, change->new_record);
	case RECORD_PROJECT: {
		const struct project_record *a = change->old_record, *b = change->new_record;

		return change->change == CHANGE_UPDATED && strings_equal(a->slug, b->slug) && a->gid == b->gid &&
		       strings_equal(a->tenant_id, b->tenant_id);
	}
	case RECORD_USER: {
		const struct user_record *a = change->old_record, *b = change->new_record;

		if (a && b && user_entry_equal(a, b))
			return true;
		return (!a || touch(d, a->uid)) && (!b || touch(d, b->uid));
	}
	case RECORD_MEMBER:
		member = change->new_record ? change->new_record : change->old_record;
		user = directory_user(d, member->user_id);
		if (!user)
			user = directory_user(before, member->user_id);
		return !user || touch(d, user->uid);
	case RECORD_KEY:
	case RECORD_TOKEN_KEY:
	case RECORD_REVOCATION:
	case RECORD_IDP:
	case RECORD_GRANT:
	case RECORD_HOST: /* the rules for this host are looked at apart */
		return true;
	}
	return false;
}

static bool host_equal(const struct directory *a, const struct directory *b)
{
	return a->has_host == b->has_host && (!a->has_host || record_equal(RECORD_HOST, &a->host, &b->host));
}

int directory_note_changes(struct directory *d, const struct directory *before)
{
	const struct comparison comparison = {before, d, keep_change, d};
	bool known = host_equal(d, before);

	d->changes_known = true;
	if (compare(&comparison) < 0)
		return -ENOMEM;
	if (!d->changes_known) {
		free(d->changes);
		d->changes = NULL;
		d->change_count = d->change_capacity = 0;
		return 0;
	}
	d->touched = reallocarray(NULL, MIN_OF(2 * d->change_count + 1, TOUCHED_MAX), sizeof(*d->touched));
	if (!d->touched)
		return -ENOMEM;
	for (uint32_t i = 0; known && i < d->change_count; i++)
		known = touch_by(d, before, &d->changes[i]);
	d->touched_known = known;
	return 0;
}

bool directory_touched_users(const struct directory *after, const struct directory *before, const uint32_t **ret_uids,
			     uint32_t *ret_count)
{
	if (!before || !after->touched_known || after->built_from != before->generation)
		return false;
	*ret_uids = after->touched;
	*ret_count = after->touched_count;
	return true;
}
