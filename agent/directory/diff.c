/* SPDX-License-Identifier: MIT
 *
 * What differs between two pictures. Units that both hold cannot differ; the rest is compared record by
 * record. A picture keeps its differences from the one it was built from, when they are few.
 */
#include <errno.h>
#include <string.h>

#include "directory/layer.h"

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
	case RECORD_HOST:
		for (uint32_t u = 0; u < d->unit_count; u++)
			for (uint32_t i = 0; i < d->units[u]->records.host_count; i++)
				if (strcmp(d->units[u]->records.hosts[i].name,
					   ((const struct host_record *)record)->name) == 0)
					return &d->units[u]->records.hosts[i];
		return NULL;
	case RECORD_TOKEN_KEY:
	case RECORD_REVOCATION:
		return NULL;
	}
	return NULL;
}

/* Removed and updated records, then added ones. */
static void compare(const struct directory *before, const struct directory *after, directory_change_fn report,
		    void *context)
{
	for (uint32_t u = 0; before && u < before->unit_count; u++) {
		if (directory_has_unit(after, before->units[u]))
			continue;
		for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
			for (uint32_t i = 0; i < records_count(&before->units[u]->records, kind); i++) {
				const void *old = records_at(&before->units[u]->records, kind, i);
				const void *now = counterpart(after, kind, old);

				if (!now)
					report(context, kind, CHANGE_REMOVED, old, NULL);
				else if (!record_equal(kind, old, now))
					report(context, kind, CHANGE_UPDATED, old, now);
			}
	}
	for (uint32_t u = 0; u < after->unit_count; u++) {
		if (directory_has_unit(before, after->units[u]))
			continue;
		for (unsigned kind = 0; kind < RECORD_KIND_COUNT; kind++)
			for (uint32_t i = 0; i < records_count(&after->units[u]->records, kind); i++) {
				const void *now = records_at(&after->units[u]->records, kind, i);

				if (!before || !counterpart(before, kind, now))
					report(context, kind, CHANGE_ADDED, NULL, now);
			}
	}
}

void directory_diff(const struct directory *before, const struct directory *after, directory_change_fn report,
		    void *context)
{
	if (before == after)
		return;
	if (before && after->changes_known && after->built_from == before->generation) {
		for (uint32_t i = 0; i < after->change_count; i++)
			report(context, after->changes[i].kind, after->changes[i].change, after->changes[i].old_record,
			       after->changes[i].new_record);
		return;
	}
	compare(before, after, report, context);
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
		return true;
	case RECORD_HOST:
		return false;
	}
	return false;
}

int directory_note_changes(struct directory *d, const struct directory *before)
{
	bool known = true;

	d->changes_known = true;
	compare(before, d, keep_change, d);
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
