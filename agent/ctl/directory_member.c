/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-member, remove-member, add-host.
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
		"Takes a user's role in a project or tenant away. Nothing happens when there is none.\n"
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

static const struct host_record *find_host(const struct dir *dir, const char *name)
{
	for (uint32_t file = 0; file < dir->file_count; file++) {
		const struct record_set *records = unit_records(directory_files_unit(dir->files, file));

		for (uint32_t i = 0; i < records->host_count; i++)
			if (strcmp(records->hosts[i].name, name) == 0)
				return &records->hosts[i];
	}
	return NULL;
}

static bool same_strings(const struct string_list *a, const struct string_list *b)
{
	bool same = a->count == b->count;

	for (uint32_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

/* The host with the rule put in: new, at its place, or behind the others. */
static int put_rule(struct dir *dir, const struct host_record *old, const char *name, const struct host_rule *rule,
		    bool replace, const char *in)
{
	uint32_t old_count = old ? old->rule_count : 0, at = 0;
	_cleanup_(freep) struct host_rule *rules = calloc((size_t)old_count + 1, sizeof(*rules));
	struct host_record host = {.name = name, .rules = rules};
	int code;

	if (!rules)
		return ctl_fail(dir->ctl, CTL_BROKEN, "out of memory");
	if (old_count)
		memcpy(rules, old->rules, old_count * sizeof(*rules));
	while (at < old_count && strcmp(rules[at].project_id, rule->project_id) != 0)
		at++;
	if (at < old_count && same_strings(&rules[at].login, &rule->login) &&
	    same_strings(&rules[at].sudo, &rule->sudo) && same_strings(&rules[at].services, &rule->services))
		return dir_done(dir, false, "host", name, dir_file_of(dir, RECORD_HOST, old),
				"hosts \"%s\" have this rule already", name);
	if (at < old_count && !replace)
		return ctl_fail(dir->ctl, CTL_NO,
				"hosts \"%s\" have another rule for this project; --replace changes it", name);
	rules[at] = *rule;
	host.rule_count = at < old_count ? old_count : old_count + 1;
	code = old ? dir_update(dir, RECORD_HOST, old, &host)
		   : dir_append(dir, RECORD_HOST, &host, RECORD_HOST, NULL, in);
	return code < 0 ? dir_commit(dir) : code;
}

int directory_add_host_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Lets hosts serve a project: says which project roles sign in there and which may become root. A host\n"
		"is named in full, or by its beginning and one '*'; the longest name that fits a host wins alone.\n"
		"\nExamples:\n"
		"  tenantctl directory add-host 'gpu-*' acme/vision\n"
		"  tenantctl directory add-host gpu-07.acme.example acme/vision --login owner --sudo owner\n"
		"  tenantctl directory add-host '*' acme/vision --login owner,editor,viewer --service sshd --replace\n";
	_cleanup_(ctl_list_finish) struct ctl_list login = {0}, sudo = {0}, services = {0};
	const char *in = NULL;
	bool replace = false;
	const struct ctl_option options[] = {
		{"login", "ROLES", "project roles that sign in (default owner,editor)", .list = &login},
		{"sudo", "ROLES", "project roles that may become root (default none)", .list = &sudo},
		{"service", "NAMES", "PAM services that may be used (default all)", .list = &services},
		{"replace", NULL, "change the rule where there is another one", .flag = &replace},
		{"in", "FILE", "which of the directory's files a new host goes to", .value = &in},
	};
	const struct ctl_command command = {.name = "directory add-host",
					    .usage = "HOST|PREFIX* PROJECT [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 2,
					    .max = 2};
	static const char *usual_login[] = {"owner", "editor"};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct project_record *project;
	struct host_rule rule = {0};
	char name[PROJECT_NAME_SIZE];
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	project = dir_project(&dir, argv[1]);
	if (!project)
		return CTL_NO;
	rule.project_id = project->id;
	rule.login = login.count ? dir_strings(&login)
				 : (struct string_list){.items = usual_login, .count = ARRAY_LEN(usual_login)};
	rule.sudo = dir_strings(&sudo);
	rule.services = dir_strings(&services);
	code = put_rule(&dir, find_host(&dir, argv[0]), argv[0], &rule, replace, in);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "host", argv[0], in ? in : "", "hosts \"%s\" serve %s now", argv[0],
			dir_project_name(&dir, project, name));
}
