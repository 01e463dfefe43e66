/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-member, remove-member.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/directory.h"

/* What a membership is in: a project, or (named without '/') a tenant. */
struct place_of_role {
	const struct project_record *project;
	const struct tenant_record *tenant;
	char name[PROJECT_NAME_SIZE];
};

static bool find_place(struct dir *dir, const char *name, struct place_of_role *ret)
{
	*ret = (struct place_of_role){0};
	ret->project = directory_project_by_name(dir->d, name);
	if (!ret->project && strchr(name, '/'))
		ret->project = dir_project(dir, name); /* tells */
	else if (!ret->project)
		ret->tenant = dir_tenant(dir, name);
	if (ret->project)
		dir_project_name(dir, ret->project, ret->name);
	else if (ret->tenant)
		snprintf(ret->name, sizeof(ret->name), "%s", ret->tenant->slug);
	return ret->project || ret->tenant;
}

static const struct member_record *find_member(const struct dir *dir, const struct user_record *user,
					       const struct place_of_role *place)
{
	uint32_t cursor = 0;

	for (const struct member_record *member; (member = directory_user_members(dir->d, user->id, &cursor));)
		if (place->project ? strcmp(member->project_id, place->project->id) == 0
				   : strcmp(member->tenant_id, place->tenant->id) == 0)
			return member;
	return NULL;
}

int directory_add_member_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Gives a user a role: in a project (owner, editor, viewer or one of the tenant's "
				   "own), or in the whole\n"
				   "tenant (owner, admin, analyst, viewer) when a tenant is named. Nothing happens "
				   "when it is so already.\n"
				   "\nExamples:\n"
				   "  tenantctl directory add-member alice acme/vision editor\n"
				   "  tenantctl directory add-member alice acme admin\n"
				   "  tenantctl directory add-member alice acme/vision owner --replace\n";
	const char *in = NULL;
	bool replace = false;
	const struct ctl_option options[] = {
		{"replace", NULL, "change the role where the user has another one", .flag = &replace},
		{"in", "FILE", "which of the directory's files it goes to (default: the user's)", .value = &in},
	};
	const struct ctl_command command = {.name = "directory add-member",
					    .usage = "USER PROJECT|TENANT ROLE",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 3,
					    .max = 3};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct member_record *old;
	const struct user_record *user;
	struct member_record member = {.project_id = "", .tenant_id = ""};
	struct place_of_role place;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user || !find_place(&dir, argv[1], &place))
		return CTL_NO;
	if (!text_is_word(argv[2]))
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" is not the name of a role", argv[2]);
	old = find_member(&dir, user, &place);
	if (old && strcmp(old->role, argv[2]) == 0)
		return dir_done(&dir, false, "user", user->id, dir_file_of(&dir, RECORD_MEMBER, old),
				"%s is %s of %s already", user->login, old->role, place.name);
	if (old && !replace)
		return ctl_fail(ctl, CTL_NO, "%s is %s of %s already; --replace makes it %s", user->login, old->role,
				place.name, argv[2]);
	member.user_id = user->id;
	member.role = argv[2];
	if (place.project)
		member.project_id = place.project->id;
	else
		member.tenant_id = place.tenant->id;
	code = old ? dir_update(&dir, RECORD_MEMBER, old, &member)
		   : dir_append(&dir, RECORD_MEMBER, &member, RECORD_USER, user, in);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "user", user->id, in ? in : dir_file_of(&dir, RECORD_USER, user),
			"%s is %s of %s now", user->login, argv[2], place.name);
}

int directory_remove_member_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Takes a user's role in a project or tenant away. Sessions that stood on it end. Nothing happens when\n"
		"there is none.\n"
		"\nExamples:\n"
		"  tenantctl directory remove-member alice acme/vision\n"
		"  tenantctl directory remove-member alice acme\n";
	const struct ctl_command command = {.name = "directory remove-member",
					    .usage = "USER PROJECT|TENANT",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 2,
					    .max = 2};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct member_record *member;
	const struct user_record *user;
	struct place_of_role place;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user || !find_place(&dir, argv[1], &place))
		return CTL_NO;
	member = find_member(&dir, user, &place);
	if (!member)
		return dir_done(&dir, false, "user", user->id, "", "%s is no member of %s", user->login, place.name);
	code = dir_remove(&dir, RECORD_MEMBER, member);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "user", user->id, dir_file_of(&dir, RECORD_MEMBER, member),
			"%s is no member of %s any more", user->login, place.name);
}
