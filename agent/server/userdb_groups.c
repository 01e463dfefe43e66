/* SPDX-License-Identifier: MIT */
#include "server/userdb_groups.h"

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"
#include "records/matrix.h"

static const char *const suffixes[GROUP_LEVEL_COUNT] = {
	[GROUP_LEVEL_ALL] = "",
	[GROUP_LEVEL_VIEWER] = "-viewer",
	[GROUP_LEVEL_EDITOR] = "-editor",
	[GROUP_LEVEL_OWNER] = "-owner",
};

static void private_group(const struct user_record *user, struct userdb_group *ret)
{
	*ret = (struct userdb_group){.kind = USERDB_PRIVATE, .gid = user->uid};
	snprintf(ret->name, sizeof(ret->name), "%s", user->login);
}

static void tenant_group(const struct tenant_record *tenant, struct userdb_group *ret)
{
	*ret = (struct userdb_group){.kind = USERDB_TENANT, .gid = tenant->gid, .tenant = tenant};
	snprintf(ret->name, sizeof(ret->name), "%s", tenant->slug);
}

static void sudo_group(struct userdb_group *ret)
{
	*ret = (struct userdb_group){.kind = USERDB_HOST, .gid = HOST_SUDO_GID, .name = HOST_SUDO_GROUP};
}

static void users_group(struct userdb_group *ret)
{
	*ret = (struct userdb_group){.kind = USERDB_HOST, .gid = HOST_USERS_GID, .name = HOST_USERS_GROUP};
}

static bool project_group(const struct directory *d, const struct project_record *project, enum group_level level,
			  struct userdb_group *ret)
{
	const struct tenant_record *tenant = directory_tenant(d, project->tenant_id);

	if (!tenant)
		return false;
	*ret = (struct userdb_group){
		.kind = USERDB_PROJECT, .gid = project->gid + level, .project = project, .level = level};
	snprintf(ret->name, sizeof(ret->name), "%s-%s%s", tenant->slug, project->slug, suffixes[level]);
	return true;
}

/* "<tenant>-<project>": both parts may have dashes of their own, so every split is tried. */
static const struct project_record *project_by_split(const struct directory *d, const char *name, size_t length)
{
	char path[GROUP_NAME_MAX_BYTES + 1];

	memcpy(path, name, length);
	path[length] = '\0';
	for (char *dash = strchr(path, '-'); dash; dash = strchr(dash + 1, '-')) {
		const struct project_record *project;

		*dash = '/';
		project = directory_project_by_name(d, path);
		*dash = '-';
		if (project)
			return project;
	}
	return NULL;
}

bool userdb_group_by_name(const struct directory *d, const char *name, struct userdb_group *ret)
{
	size_t length = strlen(name);
	const struct tenant_record *tenant;
	const struct user_record *user;

	if (length == 0 || length > GROUP_NAME_MAX_BYTES)
		return false;
	if (strcmp(name, HOST_SUDO_GROUP) == 0) {
		sudo_group(ret);
		return true;
	}
	if (strcmp(name, HOST_USERS_GROUP) == 0) {
		users_group(ret);
		return true;
	}
	user = directory_user_by_login(d, name);
	if (user) {
		private_group(user, ret);
		return true;
	}
	tenant = directory_tenant_by_slug(d, name);
	if (tenant) {
		tenant_group(tenant, ret);
		return true;
	}
	for (unsigned level = GROUP_LEVEL_COUNT; level-- > 0;) {
		size_t tail = strlen(suffixes[level]);
		const struct project_record *project;

		if (length <= tail || strcmp(name + length - tail, suffixes[level]) != 0)
			continue;
		project = project_by_split(d, name, length - tail);
		if (project)
			return project_group(d, project, (enum group_level)level, ret);
	}
	return false;
}

bool userdb_group_by_gid(const struct directory *d, uint32_t gid, struct userdb_group *ret)
{
	const struct user_record *user = directory_user_by_uid(d, gid);
	const struct project_record *project;
	const struct tenant_record *tenant;
	uint32_t cursor = 0;

	if (gid == HOST_SUDO_GID) {
		sudo_group(ret);
		return true;
	}
	if (gid == HOST_USERS_GID) {
		users_group(ret);
		return true;
	}
	if (user) {
		private_group(user, ret);
		return true;
	}
	/* Only ids of some tenant's block can be a group: misses look at the tenants alone. */
	while ((tenant = directory_next_tenant(d, &cursor))) {
		if (tenant->gid == gid) {
			tenant_group(tenant, ret);
			return true;
		}
		if (gid >= tenant->id_first && gid - tenant->id_first < tenant->id_count)
			break;
	}
	cursor = 0;
	while (tenant && (project = directory_next_project(d, &cursor)))
		if (gid >= project->gid && gid - project->gid < GROUP_LEVEL_COUNT)
			return project_group(d, project, (enum group_level)(gid - project->gid), ret);
	return false;
}

/* ---- walks -------------------------------------------------------------------------------------- */

static int step_groups(struct userdb_walk *walk, const struct directory *d, struct userdb_group *ret)
{
	const struct tenant_record *tenant;

	switch (walk->phase) {
	case 0:
		walk->phase++;
		sudo_group(ret);
		return USERDB_FOUND;
	case 1:
		walk->phase++;
		users_group(ret);
		return USERDB_FOUND;
	case 2:
		tenant = directory_next_tenant(d, &walk->cursor);
		if (tenant) {
			tenant_group(tenant, ret);
			return USERDB_FOUND;
		}
		break;
	case 3:
		if (walk->project && walk->level < GROUP_LEVEL_COUNT)
			return project_group(d, walk->project, (enum group_level)walk->level++, ret) ? USERDB_FOUND
												     : USERDB_NOTHING;
		walk->project = directory_next_project(d, &walk->cursor);
		walk->level = 0;
		if (walk->project)
			return USERDB_NOTHING;
		break;
	case 4:
		walk->user = directory_next_user(d, &walk->cursor);
		if (walk->user) {
			private_group(walk->user, ret);
			return USERDB_FOUND;
		}
		break;
	default:
		return USERDB_END;
	}
	walk->phase++;
	walk->cursor = 0;
	return USERDB_NOTHING;
}

/* Is somebody with this membership in the group of this level? As the map has it (map_people.h). */
static bool is_in_group(const struct tenant_record *tenant, const struct user_record *user,
			const struct member_record *member, enum group_level level)
{
	if (user->kind == USER_OPERATOR)
		return level == GROUP_LEVEL_VIEWER;
	return level <= matrix_group_level(tenant, member->role);
}

/* Phases of step_user that others name. */
enum { WALK_USERS_GROUP = 3, WALK_DONE };

/* The groups of walk->user, one after the other; END: that was the last one. */
static int step_user(struct userdb_walk *walk, const struct directory *d, struct userdb_group *ret)
{
	const struct member_record *member;
	const struct tenant_record *tenant;

	switch (walk->phase) {
	case 0:
		walk->phase++;
		walk->inner = 0;
		walk->project = NULL;
		tenant = directory_tenant(d, walk->user->tenant_id);
		if (!tenant || walk->user->kind == USER_OPERATOR)
			return USERDB_NOTHING;
		tenant_group(tenant, ret);
		return USERDB_FOUND;
	case 1:
		if (walk->project && walk->level < walk->levels)
			return project_group(d, walk->project, (enum group_level)walk->level++, ret) ? USERDB_FOUND
												     : USERDB_NOTHING;
		member = directory_user_members(d, walk->user->id, &walk->inner);
		if (!member) {
			walk->phase++;
			return USERDB_NOTHING;
		}
		walk->project = member->project_id[0] ? directory_project(d, member->project_id) : NULL;
		if (walk->project) {
			tenant = directory_tenant(d, walk->project->tenant_id);
			walk->level = walk->levels = 0;
			if (tenant && walk->user->kind == USER_OPERATOR) {
				walk->level = GROUP_LEVEL_VIEWER;
				walk->levels = GROUP_LEVEL_VIEWER + 1;
			} else if (tenant)
				walk->levels = (unsigned)matrix_group_level(tenant, member->role) + 1;
		}
		return USERDB_NOTHING;
	case 2:
		walk->phase = WALK_USERS_GROUP;
		if (!policy_may_sudo(d, walk->user))
			return USERDB_NOTHING;
		sudo_group(ret);
		return USERDB_FOUND;
	case WALK_USERS_GROUP:
		walk->phase++;
		users_group(ret);
		return USERDB_FOUND;
	default:
		return USERDB_END;
	}
}

static bool is_wanted(const struct userdb_walk *walk, const struct userdb_group *group)
{
	return !walk->has_group || group->gid == walk->only_group.gid;
}

/* Who is in one group of a project: the memberships know, without asking each person. */
static int step_project_members(struct userdb_walk *walk, const struct directory *d,
				const struct user_record **ret_user, struct userdb_group *ret)
{
	const struct project_record *project = walk->only_group.project;
	const struct member_record *member = directory_next_member(d, &walk->cursor);
	const struct tenant_record *tenant;

	if (!member)
		return USERDB_END;
	if (strcmp(member->project_id, project->id) != 0)
		return USERDB_NOTHING;
	tenant = directory_tenant(d, project->tenant_id);
	*ret_user = tenant ? directory_user(d, member->user_id) : NULL;
	if (!*ret_user || !is_in_group(tenant, *ret_user, member, walk->only_group.level))
		return USERDB_NOTHING;
	*ret = walk->only_group;
	return USERDB_FOUND;
}

static int step_memberships(struct userdb_walk *walk, const struct directory *d, const struct user_record **ret_user,
			    struct userdb_group *ret)
{
	int result;

	if (walk->has_group && walk->only_group.kind == USERDB_PRIVATE)
		return USERDB_END; /* its owner has it as their first group */
	if (walk->has_group && walk->only_group.kind == USERDB_PROJECT && !walk->only_user)
		return step_project_members(walk, d, ret_user, ret);
	if (!walk->user) {
		walk->user = walk->only_user ? walk->only_user : directory_next_user(d, &walk->cursor);
		walk->phase = 0;
		if (!walk->user)
			return USERDB_END;
		/* A whole tenant's group needs no look at anybody else's memberships. */
		if (walk->has_group && walk->only_group.kind == USERDB_TENANT &&
		    strcmp(walk->user->tenant_id, walk->only_group.tenant->id) != 0)
			walk->phase = WALK_DONE;
	}
	result = step_user(walk, d, ret);
	if (result == USERDB_END) {
		walk->user = NULL;
		return walk->only_user ? USERDB_END : USERDB_NOTHING;
	}
	if (result == USERDB_NOTHING || !is_wanted(walk, ret))
		return USERDB_NOTHING;
	*ret_user = walk->user;
	return USERDB_FOUND;
}

int userdb_walk_step(struct userdb_walk *walk, const struct directory *d, const struct user_record **ret_user,
		     struct userdb_group *ret_group)
{
	switch (walk->kind) {
	case USERDB_WALK_USERS:
		*ret_user = directory_next_user(d, &walk->cursor);
		return *ret_user ? USERDB_FOUND : USERDB_END;
	case USERDB_WALK_GROUPS:
		return step_groups(walk, d, ret_group);
	case USERDB_WALK_MEMBERSHIPS:
		return step_memberships(walk, d, ret_user, ret_group);
	}
	return USERDB_END;
}
