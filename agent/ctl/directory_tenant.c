/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory init, add-tenant, add-project.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/directory.h"
#include "records/rules.h"

#define BLOCK_DEFAULT 65536U
#define BLOCK_MIN 16U
#define AGENT_GROUP "tenantd"
#define TENANT_SLUG_MAX 16U

static const char empty_directory[] =
	"# The directory: who may sign in on this host. directory.yaml(5) explains every key;\n"
	"# `tenantctl directory add-tenant` and its sisters edit this file, `tenantctl directory check` checks it.\n"
	"version: 1\n";

/* The agent reads the file by its group. Read from /etc/group itself: tenantctl asks no name service. */
static gid_t agent_group(void)
{
	FILE *groups = fopen("/etc/group", "re");
	gid_t gid = getegid();

	for (struct group *group; groups && (group = fgetgrent(groups));)
		if (strcmp(group->gr_name, AGENT_GROUP) == 0) {
			gid = group->gr_gid;
			break;
		}
	if (groups)
		fclose(groups);
	return gid;
}

int directory_init_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Makes a directory file without any records, readable by the agent (root:tenantd 0640).\n"
		"Does nothing when there is one already.\n"
		"\nExample:\n  tenantctl directory init\n";
	const struct ctl_command command = {.name = "directory init", .usage = "", .text = text, .uses = CTL_USES_FILE};
	const struct dir dir = {.ctl = ctl};
	struct stat like = {.st_mode = 0640, .st_uid = geteuid(), .st_gid = agent_group()};
	int count, code = ctl_parse(ctl, &command, argc, argv, &count), lock, r;

	if (code >= 0)
		return code;
	lock = edit_lock(ctl->file, 10);
	if (lock < 0)
		return ctl_fail(ctl, CTL_BROKEN, "%s: %s", ctl->file, strerrordesc_np(-lock));
	if (access(ctl->file, F_OK) == 0) {
		edit_unlock(ctl->file, lock);
		return dir_done(&dir, false, "path", ctl->file, ctl->file, "%s is there already", ctl->file);
	}
	r = file_replace(AT_FDCWD, ctl->file, empty_directory, strlen(empty_directory), 0640, &like);
	edit_unlock(ctl->file, lock);
	if (r < 0)
		return ctl_fail(ctl, CTL_BROKEN, "%s: %s", ctl->file, strerrordesc_np(-r));
	return dir_done(&dir, true, "path", ctl->file, ctl->file, "made %s", ctl->file);
}

/* The start of a free block: behind the highest one, so that ids of tenants that are gone are not given
 * again; a gap only when there is no room behind. 0: none. */
static uint32_t free_block(const struct directory *d, uint32_t size)
{
	uint64_t behind = MANAGED_ID_FIRST;
	uint32_t cursor = 0;

	for (const struct tenant_record *tenant; (tenant = directory_next_tenant(d, &cursor));)
		behind = MAX_OF(behind, (uint64_t)tenant->id_first + tenant->id_count);
	if (behind + size - 1 <= MANAGED_ID_TENANT_LAST)
		return (uint32_t)behind;
	for (uint64_t start = MANAGED_ID_FIRST; start + size - 1 <= MANAGED_ID_TENANT_LAST;) {
		uint64_t next = 0;

		cursor = 0;
		for (const struct tenant_record *tenant; (tenant = directory_next_tenant(d, &cursor));)
			if (start < (uint64_t)tenant->id_first + tenant->id_count && start + size > tenant->id_first)
				next = MAX_OF(next, (uint64_t)tenant->id_first + tenant->id_count);
		if (!next)
			return (uint32_t)start;
		start = next;
	}
	return 0;
}

static int add_tenant(struct dir *dir, struct tenant_record *tenant, const char *in)
{
	int code = dir_append(dir, RECORD_TENANT, tenant, RECORD_TENANT, NULL, in);

	if (code < 0)
		code = dir_commit(dir);
	if (code >= 0)
		return code;
	return dir_done(dir, true, "tenant", tenant->id, in ? in : dir->ctl->file, "added tenant %s (%s), ids %u..%u",
			tenant->slug, tenant->id, tenant->id_first, tenant->id_first + tenant->id_count - 1);
}

int directory_add_tenant_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Adds a tenant with a block of uids and gids of its own. Its group has the slug's name.\n"
		"\nExamples:\n"
		"  tenantctl directory add-tenant acme --name 'Acme Robotics'\n"
		"  tenantctl directory add-tenant acme --allow-from 10.0.0.0/8 --region eu --if-absent\n";
	const char *name = "", *region = "", *id = NULL, *ids_count = NULL, *in = NULL;
	_cleanup_(ctl_list_finish) struct ctl_list from = {0};
	bool if_absent = false;
	const struct ctl_option options[] = {
		{"name", "TEXT", "what people call it", .value = &name},
		{"region", "WORD", "where its data belongs", .value = &region},
		{"allow-from", "CIDR", "where its people may come from (repeat, or separate by commas)", .list = &from},
		{"ids-count", "N", "size of its block of ids (default 65536)", .value = &ids_count},
		{"id", "ID", "its id (default: a random one)", .value = &id},
		{"in", "FILE", "which of the directory's files it goes to", .value = &in},
		{"if-absent", NULL, "do nothing when it is there", .flag = &if_absent},
	};
	const struct ctl_command command = {.name = "directory add-tenant",
					    .usage = "SLUG [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct tenant_record *other;
	struct tenant_record tenant = {.key_warn_days = RULES_KEY_WARN_DAYS, .sessions = session_rules_default()};
	uint32_t size = BLOCK_DEFAULT;
	char own_id[ID_MAX_BYTES + 1];
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (!text_is_slug(argv[0]) || strlen(argv[0]) > TENANT_SLUG_MAX)
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" is not a tenant's slug: a-z 0-9 and '-', at most 16", argv[0]);
	if (ids_count &&
	    (parse_u32(ids_count, &size) < 0 || size < BLOCK_MIN || size > MANAGED_ID_TENANT_LAST - MANAGED_ID_FIRST))
		return ctl_fail(ctl, CTL_USAGE, "--ids-count must be a number from %u up", BLOCK_MIN);
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	other = directory_tenant_by_slug(dir.d, argv[0]);
	if (other && if_absent)
		return dir_done(&dir, false, "tenant", other->id, dir_file_of(&dir, RECORD_TENANT, other),
				"tenant %s is there already", other->slug);
	if (other)
		return ctl_fail(ctl, CTL_NO, "there is a tenant %s already (%s)", other->slug, other->id);
	tenant.id_first = free_block(dir.d, size);
	if (!tenant.id_first)
		return ctl_fail(ctl, CTL_NO, "no block of %u ids is free", size);
	code = dir_new_id(ctl, "ten", id, own_id, sizeof(own_id));
	if (code == 0)
		code = dir_cidrs(ctl, &from, &tenant.allow_from);
	if (code > 0)
		return code;
	tenant.id = own_id;
	tenant.slug = argv[0];
	tenant.name = name;
	tenant.region = region;
	tenant.gid = tenant.id_first;
	tenant.id_count = size;
	tenant.id_next = tenant.id_first + 1;
	code = add_tenant(&dir, &tenant, in);
	free(tenant.allow_from.items);
	return code;
}

static int add_project(struct dir *dir, const struct tenant_record *tenant, struct project_record *project,
		       const char *in)
{
	struct tenant_record advanced = *tenant;
	int code;

	if ((uint64_t)tenant->id_next + GROUP_LEVEL_COUNT > (uint64_t)tenant->id_first + tenant->id_count)
		return ctl_fail(dir->ctl, CTL_NO, "the id block of tenant %s is used up", tenant->slug);
	project->tenant_id = tenant->id;
	project->gid = tenant->id_next;
	advanced.id_next += GROUP_LEVEL_COUNT;
	code = dir_update(dir, RECORD_TENANT, tenant, &advanced);
	if (code < 0)
		code = dir_append(dir, RECORD_PROJECT, project, RECORD_TENANT, tenant, in);
	if (code < 0)
		code = dir_commit(dir);
	if (code >= 0)
		return code;
	return dir_done(dir, true, "project", project->id, in ? in : dir_file_of(dir, RECORD_TENANT, tenant),
			"added project %s/%s (%s), groups %s-%s… with gids %u..%u", tenant->slug, project->slug,
			project->id, tenant->slug, project->slug, project->gid, project->gid + GROUP_LEVEL_COUNT - 1);
}

int directory_add_project_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Adds a project. It gives four groups: TENANT-PROJECT, and -viewer, -editor, -owner behind it.\n"
		"\nExamples:\n"
		"  tenantctl directory add-project acme/vision\n"
		"  tenantctl directory add-project acme/vision --allow-from 10.1.0.0/16 --if-absent\n";
	const char *id = NULL, *in = NULL;
	_cleanup_(ctl_list_finish) struct ctl_list from = {0};
	bool if_absent = false;
	const struct ctl_option options[] = {
		{"allow-from", "CIDR", "where its members may come from (repeat, or separate by commas)",
		 .list = &from},
		{"id", "ID", "its id (default: a random one)", .value = &id},
		{"in", "FILE", "which of the directory's files it goes to (default: its tenant's)", .value = &in},
		{"if-absent", NULL, "do nothing when it is there", .flag = &if_absent},
	};
	const struct ctl_command command = {.name = "directory add-project",
					    .usage = "TENANT/SLUG [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct project_record *other;
	const struct tenant_record *tenant;
	struct project_record project = {0};
	char own_id[ID_MAX_BYTES + 1], *slash, full[PROJECT_NAME_SIZE];
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	slash = strchr(argv[0], '/');
	if (!slash || !text_is_slug(slash + 1))
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" is not of the form TENANT/SLUG, such as acme/vision", argv[0]);
	*slash = '\0';
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	tenant = dir_tenant(&dir, argv[0]);
	if (!tenant)
		return CTL_NO;
	snprintf(full, sizeof(full), "%s/%s", tenant->slug, slash + 1);
	other = directory_project_by_name(dir.d, full);
	if (other && if_absent)
		return dir_done(&dir, false, "project", other->id, dir_file_of(&dir, RECORD_PROJECT, other),
				"project %s is there already", full);
	if (other)
		return ctl_fail(ctl, CTL_NO, "there is a project %s already (%s)", full, other->id);
	code = dir_new_id(ctl, "prj", id, own_id, sizeof(own_id));
	if (code == 0)
		code = dir_cidrs(ctl, &from, &project.allow_from);
	if (code > 0)
		return code;
	project.id = own_id;
	project.slug = slash + 1;
	code = add_project(&dir, tenant, &project, in);
	free(project.allow_from.items);
	return code;
}
