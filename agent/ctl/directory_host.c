/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-host, remove-host.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ctl/directory.h"

static const struct host_record *find_host(const struct dir *dir, const char *name)
{
	for (uint32_t file = 0; file < dir->file_count; file++) {
		const struct record_set *records = unit_records(directory_files_unit(dir->files, file));

		for (uint32_t i = 0; i < records->host_count; i++)
			if (strcasecmp(records->hosts[i].name, name) == 0)
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
	struct host_record host = {.name = old ? old->name : name, .rules = rules};
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

/* The host without the rule for this project. */
static int drop_rule(struct dir *dir, const struct host_record *old, uint32_t at)
{
	_cleanup_(freep) struct host_rule *rules = calloc(old->rule_count, sizeof(*rules));
	struct host_record host = {.name = old->name, .rules = rules, .rule_count = old->rule_count - 1};
	int code;

	if (!rules)
		return ctl_fail(dir->ctl, CTL_BROKEN, "out of memory");
	for (uint32_t i = 0; i < host.rule_count; i++)
		rules[i] = old->rules[i < at ? i : i + 1];
	code = dir_update(dir, RECORD_HOST, old, &host);
	return code < 0 ? dir_commit(dir) : code;
}

static int remove_host(struct dir *dir, const struct host_record *host)
{
	int code = dir_remove(dir, RECORD_HOST, host);

	if (code < 0)
		code = dir_commit(dir);
	if (code >= 0)
		return code;
	return dir_done(dir, true, "host", host->name, dir_file_of(dir, RECORD_HOST, host),
			"hosts \"%s\" have no rules of their own any more; a shorter name may fit them now",
			host->name);
}

int directory_remove_host_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Lets hosts serve a project no more. The host's record stays, also without any rule left: then nobody\n"
		"signs in there. Without PROJECT the whole record goes, and the rules of a shorter name that fits, "
		"such as\n"
		"'*', hold for these hosts from then on. Nothing happens when there is no such rule.\n"
		"\nExamples:\n"
		"  tenantctl directory remove-host 'gpu-*' acme/vision\n"
		"  tenantctl directory remove-host gpu-07.acme.example\n";
	const struct ctl_command command = {.name = "directory remove-host",
					    .usage = "HOST|PREFIX* [PROJECT]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 1,
					    .max = 2};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct project_record *project;
	const struct host_record *host;
	char name[PROJECT_NAME_SIZE];
	uint32_t at = 0;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	host = find_host(&dir, argv[0]);
	if (count < 2 && !host)
		return dir_done(&dir, false, "host", argv[0], "", "there are no rules for \"%s\"", argv[0]);
	if (count < 2)
		return remove_host(&dir, host);
	project = dir_project(&dir, argv[1]);
	if (!project)
		return CTL_NO;
	dir_project_name(&dir, project, name);
	while (host && at < host->rule_count && strcmp(host->rules[at].project_id, project->id) != 0)
		at++;
	if (!host || at == host->rule_count)
		return dir_done(&dir, false, "host", argv[0], "", "hosts \"%s\" do not serve %s", argv[0], name);
	code = drop_rule(&dir, host, at);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "host", argv[0], dir_file_of(&dir, RECORD_HOST, host),
			"hosts \"%s\" do not serve %s any more%s", argv[0], name,
			host->rule_count == 1 ? "; they serve nobody now" : "");
}
