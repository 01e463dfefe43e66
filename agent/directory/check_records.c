/* SPDX-License-Identifier: MIT */
#include "directory/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "records/matrix.h"

#define SUGGEST_MAX 512U /* how many ids are looked through for a suggestion */

static const char *const project_role_names[] = {"owner", "editor", "viewer"};
static const char *const tenant_role_names[] = {"owner", "admin", "analyst", "viewer"};

int check_fail(const struct check *check, enum record_kind kind, const void *record, const char *remedy,
	       const char *format, ...)
{
	char text[PROBLEM_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	part_blame(check->part, kind, record, check->problem);
	problem_set(check->problem, EINVAL, "%s", text);
	problem_remedy(check->problem, "%s", remedy ? remedy : "");
	return -EINVAL;
}

/* "did you mean "prj_vision"?" or what else to do about an id that is not there. */
static const char *suggest_id(const struct part *part, enum record_kind kind, const char *id, char *out, size_t size)
{
	const char *names[SUGGEST_MAX], *near;
	size_t count = 0;

	for (uint32_t u = 0; u < part->unit_count; u++)
		for (uint32_t i = 0; i < records_count(&part->units[u]->records, kind) && count < SUGGEST_MAX; i++)
			/* All records that others refer to start with their id. */
			names[count++] = *(const char *const *)records_at(&part->units[u]->records, kind, i);
	near = text_suggest(id, names, count);
	if (near)
		snprintf(out, size, "did you mean \"%s\"?", near);
	else
		snprintf(out, size,
			 "references are ids of records in this directory; add the %s or take the reference out",
			 record_kind_name(kind));
	return out;
}

static int dangling(const struct check *check, enum record_kind kind, const void *record, enum record_kind target,
		    const char *id)
{
	char remedy[PROBLEM_TEXT_MAX];

	return check_fail(check, kind, record, suggest_id(check->part, target, id, remedy, sizeof(remedy)),
			  "there is no %s \"%s\"", record_kind_name(target), id);
}

static int check_in_block(const struct check *check, enum record_kind kind, const void *record,
			  const struct tenant_record *tenant, const char *what, uint32_t first, uint32_t count)
{
	char remedy[PROBLEM_TEXT_MAX];

	if (first < tenant->id_first || (uint64_t)first + count > (uint64_t)tenant->id_first + tenant->id_count) {
		snprintf(remedy, sizeof(remedy), "take it from the tenant's ids.next, which is %u", tenant->id_next);
		return check_fail(check, kind, record, remedy, "%s %u is outside the block of tenant \"%s\" (%u..%u)",
				  what, first, tenant->slug, tenant->id_first,
				  tenant->id_first + (tenant->id_count - 1));
	}
	if ((uint64_t)first + count > tenant->id_next) {
		snprintf(remedy, sizeof(remedy),
			 "set ids.next of the tenant to %llu or more, so that no id is given twice",
			 (unsigned long long)first + count);
		return check_fail(check, kind, record, remedy, "%s %u is not below ids.next of tenant \"%s\" (%u)",
				  what, first, tenant->slug, tenant->id_next);
	}
	return 0;
}

int check_tenant(const struct check *check, const struct tenant_record *tenant)
{
	return check_in_block(check, RECORD_TENANT, tenant, tenant, "gid", tenant->gid, 1);
}

int check_project(const struct check *check, const struct project_record *project)
{
	const struct tenant_record *tenant = part_tenant(check->part, project->tenant_id);

	if (!tenant)
		return dangling(check, RECORD_PROJECT, project, RECORD_TENANT, project->tenant_id);
	return check_in_block(check, RECORD_PROJECT, project, tenant, "gid", project->gid, GROUP_LEVEL_COUNT);
}

int check_user(const struct check *check, const struct user_record *user)
{
	const struct tenant_record *tenant = part_tenant(check->part, user->tenant_id);
	const struct group_claim *group;

	if (!tenant)
		return dangling(check, RECORD_USER, user, RECORD_TENANT, user->tenant_id);
	group = groups_by_name(check->part->groups, user->login);
	if (group || strcmp(user->login, HOST_SUDO_GROUP) == 0 || strcmp(user->login, HOST_USERS_GROUP) == 0)
		return check_fail(check, RECORD_USER, user, "rename the login or the slug",
				  "login \"%s\" is also the name of a group, and each user has a group of that name",
				  user->login);
	group = groups_by_gid(check->part->groups, user->uid);
	if (group)
		return check_fail(check, RECORD_USER, user, "take the tenant's ids.next and advance it",
				  "uid %u is also the gid of group \"%s\"", user->uid, group->name);
	return check_in_block(check, RECORD_USER, user, tenant, "uid", user->uid, 1);
}

static bool tenant_has_role(const struct tenant_record *tenant, const char *role, bool tenant_wide)
{
	for (uint32_t i = 0; i < tenant->role_count; i++)
		if (tenant->roles[i].tenant_wide == tenant_wide && strcmp(tenant->roles[i].name, role) == 0)
			return true;
	return false;
}

static int check_role(const struct check *check, enum record_kind kind, const void *record,
		      const struct tenant_record *tenant, const char *role, bool tenant_wide)
{
	const char *const *shipped = tenant_wide ? tenant_role_names : project_role_names;
	size_t shipped_count = tenant_wide ? ARRAY_LEN(tenant_role_names) : ARRAY_LEN(project_role_names);
	const char *names[64], *near;
	char remedy[PROBLEM_TEXT_MAX];
	size_t count = 0;

	if (tenant_wide ? matrix_knows_tenant_role(role) : matrix_knows_project_role(role))
		return 0;
	if (tenant_has_role(tenant, role, tenant_wide))
		return 0;
	for (size_t i = 0; i < shipped_count; i++)
		names[count++] = shipped[i];
	for (uint32_t i = 0; i < tenant->role_count && count < ARRAY_LEN(names); i++)
		if (tenant->roles[i].tenant_wide == tenant_wide)
			names[count++] = tenant->roles[i].name;
	near = text_suggest(role, names, count);
	if (near)
		snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
	else
		snprintf(remedy, sizeof(remedy), "%s roles are %s, and those in the tenant's `roles`",
			 tenant_wide ? "tenant" : "project",
			 tenant_wide ? "owner, admin, analyst, viewer" : "owner, editor, viewer");
	return check_fail(check, kind, record, remedy, "tenant \"%s\" has no %s role \"%s\"", tenant->slug,
			  tenant_wide ? "tenant" : "project", role);
}

int check_member(const struct check *check, const struct member_record *member)
{
	const struct user_record *user = part_user(check->part, member->user_id);
	const struct project_record *project = NULL;
	const struct tenant_record *tenant;
	const char *tenant_id = member->tenant_id;

	if (!user)
		return dangling(check, RECORD_MEMBER, member, RECORD_USER, member->user_id);
	if (*member->project_id) {
		project = part_project(check->part, member->project_id);
		if (!project)
			return dangling(check, RECORD_MEMBER, member, RECORD_PROJECT, member->project_id);
		tenant_id = project->tenant_id;
	}
	tenant = part_tenant(check->part, tenant_id);
	if (!tenant)
		return dangling(check, RECORD_MEMBER, member, RECORD_TENANT, tenant_id);
	if (strcmp(user->tenant_id, tenant->id) != 0)
		return check_fail(check, RECORD_MEMBER, member,
				  "memberships never cross tenants; give the person a user in that tenant",
				  "user \"%s\" belongs to another tenant than %s \"%s\"", user->login,
				  project ? "project" : "tenant", project ? project->slug : tenant->slug);
	if (user->kind == USER_OPERATOR && strcmp(member->role, OPERATOR_ROLE) != 0)
		return check_fail(check, RECORD_MEMBER, member,
				  "make it viewer, or give the role to one of the tenant's own people",
				  "\"%s\" is an operator's account, which looks in as " OPERATOR_ROLE
				  " and as nothing else",
				  user->login);
	return check_role(check, RECORD_MEMBER, member, tenant, member->role, !project);
}

int check_grant(const struct check *check, const struct grant_record *grant)
{
	const struct tenant_record *tenant = part_tenant(check->part, grant->tenant_id);
	const struct user_record *user = part_user(check->part, grant->user_id);

	if (!tenant)
		return dangling(check, RECORD_GRANT, grant, RECORD_TENANT, grant->tenant_id);
	if (!user)
		return dangling(check, RECORD_GRANT, grant, RECORD_USER, grant->user_id);
	if (strcmp(user->tenant_id, tenant->id) != 0)
		return check_fail(check, RECORD_GRANT, grant, "a grant is for the operator's account in that tenant",
				  "user \"%s\" belongs to another tenant than the grant", user->login);
	if (user->kind != USER_OPERATOR)
		return check_fail(
			check, RECORD_GRANT, grant,
			"people of the tenant have memberships; operators look in with an account of kind \"operator\"",
			"user \"%s\" is no operator's account", user->login);
	return 0;
}

int check_memberships(const struct check *check, const char *user_id)
{
	uint32_t cursor = 0, count = 0;

	for (const struct member_record *a; (a = part_user_members(check->part, user_id, &cursor));) {
		uint32_t rest = cursor;

		if (++count > USER_MEMBERSHIPS_MAX)
			return check_fail(check, RECORD_MEMBER, a, "give the person a tenant-wide role",
					  "more than %u memberships of one user", USER_MEMBERSHIPS_MAX);
		for (const struct member_record *b; (b = part_user_members(check->part, user_id, &rest));)
			if (strcmp(a->project_id, b->project_id) == 0)
				return check_fail(check, RECORD_MEMBER, b,
						  "a user has one role in each; remove one of the two",
						  "this user is a member of %s \"%s\" already",
						  *b->project_id ? "project" : "tenant",
						  *b->project_id ? b->project_id : b->tenant_id);
	}
	return 0;
}

int check_successor(const struct check *check, const struct key_record *key)
{
	const struct key_record *next;

	if (!*key->successor)
		return 0;
	next = part_key(check->part, key->successor);
	if (!next)
		return dangling(check, RECORD_KEY, key, RECORD_KEY, key->successor);
	if (next == key || strcmp(next->user_id, key->user_id) != 0)
		return check_fail(check, RECORD_KEY, key, "a successor is another key of the same user",
				  "key \"%s\" cannot be the successor of this one", key->successor);
	return 0;
}

int check_key(const struct check *check, const struct key_record *key)
{
	const struct user_record *user = part_user(check->part, key->user_id);
	const struct tenant_record *tenant;

	if (!user)
		return dangling(check, RECORD_KEY, key, RECORD_USER, key->user_id);
	tenant = part_tenant(check->part, user->tenant_id);
	if (!tenant)
		return dangling(check, RECORD_USER, user, RECORD_TENANT, user->tenant_id);
	for (uint32_t i = 0; i < key->projects.count; i++) {
		const struct project_record *project = part_project(check->part, key->projects.items[i]);

		if (!project)
			return dangling(check, RECORD_KEY, key, RECORD_PROJECT, key->projects.items[i]);
		if (strcmp(project->tenant_id, user->tenant_id) != 0)
			return check_fail(check, RECORD_KEY, key, "a key reaches its owner's tenant only",
					  "scope names project \"%s\" of another tenant", project->id);
	}
	for (uint32_t i = 0; i < key->actions.count; i++) {
		const char *action = key->actions.items[i], *near;
		char remedy[PROBLEM_TEXT_MAX] = "see directory.yaml(5) for the actions there are";
		unsigned count;
		const char *const *actions;

		if (matrix_tenant_knows_action(tenant, action))
			continue;
		actions = matrix_actions(&count);
		near = text_suggest(action, actions, count);
		if (near)
			snprintf(remedy, sizeof(remedy), "did you mean \"%s\"?", near);
		return check_fail(check, RECORD_KEY, key, remedy, "scope names an unknown action \"%s\"", action);
	}
	return check_successor(check, key);
}

int check_host(const struct check *check, const struct host_record *host)
{
	for (uint32_t i = 0; i < host->rule_count; i++) {
		const struct host_rule *rule = &host->rules[i];
		const struct project_record *project = part_project(check->part, rule->project_id);
		const struct tenant_record *tenant;
		int r = 0;

		if (!project)
			return dangling(check, RECORD_HOST, host, RECORD_PROJECT, rule->project_id);
		tenant = part_tenant(check->part, project->tenant_id);
		if (!tenant)
			return dangling(check, RECORD_PROJECT, project, RECORD_TENANT, project->tenant_id);
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(host->rules[j].project_id, rule->project_id) == 0)
				return check_fail(check, RECORD_HOST, host, "put both into one rule",
						  "two rules for project \"%s\"", rule->project_id);
		for (uint32_t j = 0; r == 0 && j < rule->login.count; j++)
			r = check_role(check, RECORD_HOST, host, tenant, rule->login.items[j], false);
		for (uint32_t j = 0; r == 0 && j < rule->sudo.count; j++)
			r = check_role(check, RECORD_HOST, host, tenant, rule->sudo.items[j], false);
		if (r < 0)
			return r;
	}
	return 0;
}

int check_idp(const struct check *check, const struct idp_record *idp)
{
	const struct tenant_record *tenant = part_tenant(check->part, idp->tenant_id);
	uint32_t cursor = 0, count = 0;

	if (!tenant)
		return dangling(check, RECORD_IDP, idp, RECORD_TENANT, idp->tenant_id);
	for (const struct idp_record *other; (other = part_tenant_idps(check->part, tenant->id, &cursor));) {
		if (++count > IDP_PER_TENANT_MAX)
			return check_fail(check, RECORD_IDP, idp, "remove those that nobody uses",
					  "tenant \"%s\" has more than %u providers", tenant->slug, IDP_PER_TENANT_MAX);
		if (other != idp && other->preferred && idp->preferred)
			return check_fail(check, RECORD_IDP, idp, "take \"preferred\" from one of the two",
					  "provider \"%s\" of tenant \"%s\" is preferred already", other->id,
					  tenant->slug);
	}
	return 0;
}
