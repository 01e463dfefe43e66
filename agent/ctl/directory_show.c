/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory check and show.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "ctl/directory.h"
#include "records/values.h"
#include "json/json_write.h"

int directory_check_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Reads all files as the agent would and says whether the directory is in order: 0 "
				   "yes; 1 no, with the place\n"
				   "and what to do; 3 there is no such file. The system's own file must also be "
				   "root's, and nobody else may\n"
				   "be able to write it.\n"
				   "\nExamples:\n"
				   "  tenantctl directory check\n"
				   "  tenantctl directory check --file staging/directory.yaml --json\n";
	const struct ctl_command command = {
		.name = "directory check", .usage = "[--file PATH]", .text = text, .uses = CTL_USES_FILE};
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct json_writer w = json_writer(&buffer);
	struct directory_files_options options = {.host_name = ""};
	_cleanup_(directory_files_freep) struct directory_files *files = NULL;
	struct directory_counts counts;
	struct problem problem = {0};
	int count, code = ctl_parse(ctl, &command, argc, argv, &count), r;

	if (code >= 0)
		return code;
	options.path = ctl->file;
	options.trust_any = strcmp(ctl->file, CTL_DEFAULT_DIRECTORY) != 0;
	r = directory_files_new(&options, &files);
	if (r == 0)
		r = directory_files_refresh(files, &problem);
	if (r < 0 && !problem.text[0])
		problem_set(&problem, -r, "%s: %s", ctl->file, strerrordesc_np(-r));
	if (r < 0)
		return ctl_fail_problem(ctl, r == -EINVAL ? CTL_NO : CTL_BROKEN, &problem);
	counts = directory_counts(directory_files_picture(files));
	if (!ctl->json) {
		ctl_say(ctl, "in order: %u tenants, %u projects, %u users, %u memberships, %u keys", counts.tenants,
			counts.projects, counts.users, counts.members, counts.keys);
		return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
	}
	json_begin(&w, NULL, '{');
	json_put_bool(&w, "ok", true);
	json_begin(&w, "files", '[');
	for (uint32_t i = 0; directory_files_path(files, i); i++)
		json_put_string(&w, NULL, directory_files_path(files, i));
	json_end(&w, ']');
	json_put_u64(&w, "tenants", counts.tenants);
	json_put_u64(&w, "projects", counts.projects);
	json_put_u64(&w, "users", counts.users);
	json_put_u64(&w, "members", counts.members);
	json_put_u64(&w, "keys", counts.keys);
	json_end(&w, '}');
	return ctl_print_json(&buffer);
}

/* One listing: rows go to the table or to the JSON array, never both. */
struct listing {
	struct dir *dir;
	const struct tenant_record *tenant; /* only its; NULL: all */
	const char *const *names;           /* of the columns */
	unsigned columns, at;
	struct ctl_table table;
	struct json_writer w;
};

/* JSON only: opens the row's object before its first column, closes it behind its last. */
static const char *begin_value(struct listing *list)
{
	unsigned column = list->at++ % list->columns;

	if (column == 0)
		json_begin(&list->w, NULL, '{');
	return list->names[column];
}

static void end_value(struct listing *list)
{
	if (list->at % list->columns == 0)
		json_end(&list->w, '}');
}

static void cell(struct listing *list, const char *value)
{
	if (!list->dir->ctl->json) {
		ctl_table_cell(&list->table, value);
		return;
	}
	json_put_string_if(&list->w, begin_value(list), value);
	end_value(list);
}

static void cell_number(struct listing *list, uint32_t value)
{
	if (!list->dir->ctl->json) {
		ctl_table_cellf(&list->table, "%u", value);
		return;
	}
	json_put_u64(&list->w, begin_value(list), value);
	end_value(list);
}

static void cell_strings(struct listing *list, const struct string_list *strings)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	if (list->dir->ctl->json) {
		json_begin(&list->w, begin_value(list), '[');
		for (uint32_t i = 0; i < strings->count; i++)
			json_put_string(&list->w, NULL, strings->items[i]);
		json_end(&list->w, ']');
		end_value(list);
		return;
	}
	for (uint32_t i = 0; i < strings->count; i++)
		buffer_printf(&text, "%s%s", i ? "," : "", strings->items[i]);
	ctl_table_cell(&list->table, buffer_text(&text));
}

static void cell_time(struct listing *list, int64_t time)
{
	char text[TIME_TEXT_SIZE];

	cell(list, time ? format_time(time, text) : "");
}

static bool of_tenant(const struct listing *list, const char *tenant_id)
{
	return !list->tenant || strcmp(list->tenant->id, tenant_id) == 0;
}

static void show_tenants(struct listing *list)
{
	uint32_t cursor = 0;

	for (const struct tenant_record *tenant; (tenant = directory_next_tenant(list->dir->d, &cursor));) {
		if (!of_tenant(list, tenant->id))
			continue;
		cell(list, tenant->slug);
		cell(list, tenant->id);
		cell(list, tenant->name);
		cell_number(list, tenant->gid);
		cell_number(list, tenant->id_next);
		cell_number(list, tenant->id_first + tenant->id_count - tenant->id_next);
		cell(list, tenant->suspended ? "suspended" : "active");
	}
}

static void show_projects(struct listing *list)
{
	char name[PROJECT_NAME_SIZE];
	uint32_t cursor = 0;

	for (const struct project_record *project; (project = directory_next_project(list->dir->d, &cursor));) {
		if (!of_tenant(list, project->tenant_id))
			continue;
		cell(list, dir_project_name(list->dir, project, name));
		cell(list, project->id);
		cell_number(list, project->gid);
	}
}

static const char *slug_of(const struct listing *list, const char *tenant_id)
{
	const struct tenant_record *tenant = directory_tenant(list->dir->d, tenant_id);

	return tenant ? tenant->slug : tenant_id;
}

static void show_users(struct listing *list)
{
	uint32_t cursor = 0;

	for (const struct user_record *user; (user = directory_next_user(list->dir->d, &cursor));) {
		if (!of_tenant(list, user->tenant_id))
			continue;
		cell(list, user->login);
		cell(list, user->id);
		cell(list, slug_of(list, user->tenant_id));
		cell_number(list, user->uid);
		cell(list, value_user_kind_words[user->kind]);
		cell(list, user->status == USER_SUSPENDED ? "suspended" : "active");
		cell(list, user->name);
	}
}

static void show_members(struct listing *list)
{
	char name[PROJECT_NAME_SIZE];
	uint32_t cursor = 0;

	for (const struct member_record *member; (member = directory_next_member(list->dir->d, &cursor));) {
		const struct user_record *user = directory_user(list->dir->d, member->user_id);
		const struct project_record *project = directory_project(list->dir->d, member->project_id);

		if (!user || !of_tenant(list, user->tenant_id))
			continue;
		cell(list, user->login);
		cell(list, project ? dir_project_name(list->dir, project, name) : slug_of(list, member->tenant_id));
		cell(list, member->role);
	}
}

static const char *key_state(const struct key_record *key, int64_t now)
{
	if (key->revoked_at)
		return "revoked";
	if (key->not_after && key->not_after <= now)
		return "ended";
	if (key->not_before > now)
		return "not yet";
	return *key->successor ? "rotated" : "active";
}

static void show_keys(struct listing *list)
{
	int64_t now = clock_realtime_sec();
	uint32_t cursor = 0;

	for (const struct key_record *key; (key = directory_next_key(list->dir->d, &cursor));) {
		const struct user_record *user = directory_user(list->dir->d, key->user_id);

		if (!user || !of_tenant(list, user->tenant_id))
			continue;
		cell(list, key->id);
		cell(list, user->login);
		cell(list, key->label);
		cell(list, key_state(key, now));
		cell_time(list, key->not_after);
		cell(list, key->successor);
	}
}

static void show_hosts(struct listing *list)
{
	char name[PROJECT_NAME_SIZE];

	for (uint32_t file = 0; file < list->dir->file_count; file++) {
		const struct record_set *records = unit_records(directory_files_unit(list->dir->files, file));

		for (uint32_t i = 0; i < records->host_count; i++)
			for (uint32_t j = 0; j < records->hosts[i].rule_count; j++) {
				const struct host_rule *rule = &records->hosts[i].rules[j];
				const struct project_record *project =
					directory_project(list->dir->d, rule->project_id);

				if (!project || !of_tenant(list, project->tenant_id))
					continue;
				cell(list, records->hosts[i].name);
				cell(list, dir_project_name(list->dir, project, name));
				cell_strings(list, &rule->login);
				cell_strings(list, &rule->sudo);
				cell_strings(list, &rule->services);
			}
	}
}

/* Nothing secret: only how the client proves itself. */
static void show_providers(struct listing *list)
{
	uint32_t cursor = 0;

	for (const struct idp_record *idp; (idp = directory_next_idp(list->dir->d, &cursor));) {
		if (!of_tenant(list, idp->tenant_id))
			continue;
		cell(list, idp->id);
		cell(list, slug_of(list, idp->tenant_id));
		cell(list, idp->name);
		cell(list, value_idp_kind_words[idp->kind]);
		cell(list, idp->issuer);
		cell(list, value_client_auth_words[idp->client_auth]);
		cell(list, value_bind_words[idp->bind]);
		cell(list, idp->preferred ? "yes" : "");
	}
}

static void show_identities(struct listing *list)
{
	uint32_t cursor = 0;

	for (const struct user_record *user; (user = directory_next_user(list->dir->d, &cursor));)
		for (uint32_t i = 0; of_tenant(list, user->tenant_id) && i < user->identity_count; i++) {
			cell(list, user->login);
			cell(list, user->identities[i].issuer);
			cell(list, user->identities[i].subject);
		}
}

static const char *grant_state(const struct grant_record *grant, int64_t now)
{
	if (grant->not_before > now)
		return "not yet";
	return grant->not_after <= now ? "ended" : "in force";
}

static void show_grants(struct listing *list)
{
	int64_t now = clock_realtime_sec();
	uint32_t cursor = 0;

	for (const struct grant_record *grant; (grant = directory_next_grant(list->dir->d, &cursor));) {
		const struct user_record *user = directory_user(list->dir->d, grant->user_id);

		if (!user || !of_tenant(list, grant->tenant_id))
			continue;
		cell(list, grant->id);
		cell(list, user->login);
		cell(list, slug_of(list, grant->tenant_id));
		cell(list, *grant->operator_name ? grant->operator_name : grant->operator_id);
		cell(list, grant_state(grant, now));
		cell_time(list, grant->not_after);
		cell(list, grant->reason);
	}
}

static const struct {
	const char *what;
	void (*show)(struct listing *list);
	unsigned columns;
	const char *titles[8];
	const char *names[8];
} listings[] = {
	{"tenants",
	 show_tenants,
	 7,
	 {"TENANT", "ID", "NAME", "GID", "NEXT", "FREE", "STATUS"},
	 {"slug", "id", "name", "gid", "next", "free", "status"}},
	{"projects", show_projects, 3, {"PROJECT", "ID", "GID"}, {"name", "id", "gid"}},
	{"users",
	 show_users,
	 7,
	 {"LOGIN", "ID", "TENANT", "UID", "KIND", "STATUS", "NAME"},
	 {"login", "id", "tenant", "uid", "kind", "status", "name"}},
	{"members", show_members, 3, {"LOGIN", "IN", "ROLE"}, {"login", "in", "role"}},
	{"keys",
	 show_keys,
	 6,
	 {"KEY", "LOGIN", "LABEL", "STATE", "ENDS", "SUCCESSOR"},
	 {"id", "login", "label", "state", "not_after", "successor"}},
	{"hosts",
	 show_hosts,
	 5,
	 {"HOSTS", "PROJECT", "LOGIN", "SUDO", "SERVICES"},
	 {"name", "project", "login", "sudo", "services"}},
	{"providers",
	 show_providers,
	 8,
	 {"PROVIDER", "TENANT", "NAME", "KIND", "ISSUER", "CLIENT AUTH", "BIND", "PREFERRED"},
	 {"id", "tenant", "name", "kind", "issuer", "client_auth", "bind", "preferred"}},
	{"grants",
	 show_grants,
	 7,
	 {"GRANT", "LOGIN", "TENANT", "OPERATOR", "STATE", "ENDS", "REASON"},
	 {"id", "login", "tenant", "operator", "state", "not_after", "reason"}},
	{"identities", show_identities, 3, {"LOGIN", "ISSUER", "SUBJECT"}, {"login", "issuer", "subject"}},
};

int directory_show_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Lists the directory's records: tenants, projects, users (default), members, keys, "
				   "hosts, providers,\n"
				   "identities or grants. Verifiers, SSH keys and providers' secrets are left out.\n"
				   "\nExamples:\n"
				   "  tenantctl directory show\n"
				   "  tenantctl directory show keys --tenant acme\n"
				   "  tenantctl directory show members --json\n";
	const char *tenant = NULL, *what = "users";
	const struct ctl_option options[] = {{"tenant", "TENANT", "only this tenant's", .value = &tenant}};
	const struct ctl_command command = {
		.name = "directory show",
		.usage = "[tenants|projects|users|members|keys|hosts|providers|identities|grants] "
			 "[--tenant TENANT]",
		.text = text,
		.uses = CTL_USES_FILE,
		.options = options,
		.option_count = ARRAY_LEN(options),
		.max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct listing list = {.dir = &dir, .w = json_writer(&buffer)};
	size_t which = 0;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (count > 0)
		what = argv[0];
	while (which < ARRAY_LEN(listings) && strcmp(listings[which].what, what) != 0)
		which++;
	if (which == ARRAY_LEN(listings))
		return ctl_fail(ctl, CTL_USAGE,
				"show what? tenants, projects, users, members, keys, hosts, providers, identities or "
				"grants, "
				"not \"%s\"",
				what);
	code = dir_open(ctl, false, &dir);
	if (code >= 0)
		return code;
	if (tenant && !(list.tenant = dir_tenant(&dir, tenant)))
		return CTL_NO;
	list.columns = listings[which].columns;
	list.names = listings[which].names;
	if (ctl->json)
		json_begin(&list.w, NULL, '[');
	else
		ctl_table_begin(&list.table, list.columns, listings[which].titles);
	listings[which].show(&list);
	if (ctl->json) {
		json_end(&list.w, ']');
		return ctl_print_json(&buffer);
	}
	ctl_table_print(&list.table, stdout);
	ctl_table_finish(&list.table);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}
