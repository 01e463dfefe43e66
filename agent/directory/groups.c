/* SPDX-License-Identifier: MIT
 *
 * The names and ids of all Unix groups that tenants and projects give, each claimed once. Rebuilt only
 * when tenants or projects change; keeps copies, so it outlives the records.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "directory/part.h"

static const char *const level_suffix[GROUP_LEVEL_COUNT] = {"", "-viewer", "-editor", "-owner"};

char *group_text(const char *tenant_slug, const char *project_slug, unsigned level, char out[GROUP_TEXT_SIZE])
{
	snprintf(out, GROUP_TEXT_SIZE, "%s-%s%s", tenant_slug, project_slug, level_suffix[level]);
	return out;
}

static const struct group_claim *find_name(const struct groups *groups, uint64_t hash, const char *name)
{
	uint32_t cursor = 0, found;

	while (lookup_next(&groups->by_name, hash, &cursor, &found))
		if (strcmp(groups->claims[found].name, name) == 0)
			return &groups->claims[found];
	return NULL;
}

static const struct group_claim *find_gid(const struct groups *groups, uint64_t hash, uint32_t gid)
{
	uint32_t cursor = 0, found;

	while (lookup_next(&groups->by_gid, hash, &cursor, &found))
		if (groups->claims[found].gid == gid)
			return &groups->claims[found];
	return NULL;
}

const struct group_claim *groups_by_name(const struct groups *groups, const char *name)
{
	return find_name(groups, hash_text(name), name);
}

const struct group_claim *groups_by_gid(const struct groups *groups, uint32_t gid)
{
	return find_gid(groups, hash_u32(gid), gid);
}

/* What the claims come from: for the messages. */
struct claimant {
	const struct part *part;
	enum record_kind kind;
	const void *record;
	struct problem *problem;
};

static int refuse(const struct claimant *by, const char *remedy, const char *text)
{
	part_blame(by->part, by->kind, by->record, by->problem);
	problem_set(by->problem, EINVAL, "%s", text);
	problem_remedy(by->problem, "%s", remedy);
	return -EINVAL;
}

static int claim(struct groups *groups, const struct claimant *by, const char *name, uint32_t gid)
{
	uint64_t name_hash = hash_text(name), gid_hash = hash_u32(gid);
	const struct group_claim *other;
	const struct user_record *user;
	const char *id;
	char text[PROBLEM_TEXT_MAX], where[WHERE_TEXT_SIZE];

	if (strcmp(name, HOST_SUDO_GROUP) == 0 || strcmp(name, HOST_USERS_GROUP) == 0) {
		snprintf(text, sizeof(text), "group \"%s\" is the host's own", name);
		return refuse(by, "choose another slug", text);
	}
	/* A package that comes later may take its group's name for one of the host's: "docker" is root. */
	if (text_is_reserved_name(name)) {
		snprintf(text, sizeof(text), "group name \"%s\" belongs to the system", name);
		return refuse(by, "choose another slug", text);
	}
	other = find_name(groups, name_hash, name);
	if (other) {
		snprintf(text, sizeof(text), "group name \"%s\" is claimed twice, by gids %u and %u", name, other->gid,
			 gid);
		return refuse(by, "choose slugs whose combinations differ", text);
	}
	other = find_gid(groups, gid_hash, gid);
	if (other) {
		snprintf(text, sizeof(text), "gid %u is claimed twice, by groups \"%s\" and \"%s\"", gid, other->name,
			 name);
		return refuse(by, "a project takes four gids in a row, from the tenant's ids.next", text);
	}
	user = part_user_by_login(by->part, name);
	if (user) {
		snprintf(text, sizeof(text), "group \"%s\" has the name of a user's private group (%s)", name,
			 part_where(by->part, RECORD_USER, user, where));
		return refuse(by, "rename the slug or the login", text);
	}
	user = part_user_by_uid(by->part, gid);
	if (user) {
		snprintf(text, sizeof(text), "gid %u of group \"%s\" is the uid of %s (%s)", gid, name, user->login,
			 part_where(by->part, RECORD_USER, user, where));
		return refuse(by, "a project takes four gids in a row, from the tenant's ids.next", text);
	}
	name = pool_add(&groups->pool, name, strlen(name));
	/* Tenants and projects start with their id. */
	id = *(const char *const *)by->record;
	id = pool_add(&groups->pool, id, strlen(id));
	if (!name || !id)
		return -ENOMEM;
	groups->claims[groups->count] = (struct group_claim){.name = name, .gid = gid, .kind = by->kind, .id = id};
	lookup_put(&groups->by_name, name_hash, groups->count);
	lookup_put(&groups->by_gid, gid_hash, groups->count);
	groups->count++;
	return 0;
}

static int claim_project(struct groups *groups, const struct claimant *by, const struct project_record *project)
{
	const struct tenant_record *tenant = part_tenant(by->part, project->tenant_id);
	char name[GROUP_TEXT_SIZE];

	/* A dangling tenant is part_check's to report. */
	for (unsigned level = 0; tenant && level < GROUP_LEVEL_COUNT; level++) {
		int r = claim(groups, by, group_text(tenant->slug, project->slug, level, name), project->gid + level);

		if (r < 0)
			return r;
	}
	return 0;
}

int groups_new(const struct part *part, struct groups **ret, struct problem *problem)
{
	uint32_t tenants = part_count(part, RECORD_TENANT), projects = part_count(part, RECORD_PROJECT);
	uint64_t most = (uint64_t)tenants + (uint64_t)projects * GROUP_LEVEL_COUNT;
	struct groups *groups;
	int r = -ENOMEM;

	if (most > LOOKUP_VALUES_MAX)
		return problem_set(problem, EINVAL, "more than %u groups", LOOKUP_VALUES_MAX);
	groups = calloc(1, sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	atomic_init(&groups->references, 1);
	groups->claims = calloc(most ? most : 1, sizeof(*groups->claims));
	if (!groups->claims || lookup_init(&groups->by_name, (uint32_t)most) < 0 ||
	    lookup_init(&groups->by_gid, (uint32_t)most) < 0)
		goto fail;
	for (uint32_t i = 0; i < tenants; i++) {
		const struct tenant_record *tenant = part_at(part, RECORD_TENANT, i);

		r = claim(groups, &(struct claimant){part, RECORD_TENANT, tenant, problem}, tenant->slug, tenant->gid);
		if (r < 0)
			goto fail;
	}
	for (uint32_t i = 0; i < projects; i++) {
		const struct project_record *project = part_at(part, RECORD_PROJECT, i);

		r = claim_project(groups, &(struct claimant){part, RECORD_PROJECT, project, problem}, project);
		if (r < 0)
			goto fail;
	}
	*ret = groups;
	return 0;
fail:
	groups_unref(groups);
	return r;
}

struct groups *groups_ref(struct groups *groups)
{
	atomic_fetch_add_explicit(&groups->references, 1, memory_order_relaxed);
	return groups;
}

void groups_unref(struct groups *groups)
{
	if (!groups || atomic_fetch_sub_explicit(&groups->references, 1, memory_order_acq_rel) != 1)
		return;
	pool_finish(&groups->pool);
	free(groups->claims);
	lookup_finish(&groups->by_name);
	lookup_finish(&groups->by_gid);
	free(groups);
}
