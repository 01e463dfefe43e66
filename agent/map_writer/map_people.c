/* SPDX-License-Identifier: MIT */
#include "map_writer/map_people.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "directory/part.h"
#include "records/matrix.h"

static_assert(GROUP_LEVEL_COUNT - 1 <= NSS_MAP_RUN_LAST, "a run holds a project");
static_assert(MANAGED_ID_FIRST == NSS_MAP_ID_FIRST && MANAGED_ID_LAST == NSS_MAP_ID_LAST, "one range of ids");
static_assert(HOST_USERS_GID == NSS_MAP_USERS_GID, "one group of everybody");
/* Beside projects: the tenant and tenant-sudo. What `check` calls in order can be published. */
static_assert(USER_MEMBERSHIPS_MAX + 2 <= NSS_MAP_RUNS_MAX, "a person's groups fit");
static_assert(NAME_MAX_BYTES <= NSS_MAP_PERSON_NAME_MAX && GROUP_NAME_MAX_BYTES <= NSS_MAP_NAME_MAX, "names fit");
static_assert(GROUP_TEXT_SIZE <= NSS_MAP_NAME_MAX + 1, "group names fit");
static_assert(sizeof(struct nss_map_person) + NSS_MAP_PERSON_NAME_MAX + NSS_MAP_GECOS_MAX + 2 * 255 + 8 +
			      NSS_MAP_RUNS_MAX * sizeof(nss_map_run) <
		      NSS_MAP_BLOCK,
	      "a person fits into a block");

/* Adds a run, or raises the one that starts at the same gid. */
static int add_run(struct map_person *person, uint32_t gid, uint32_t level)
{
	nss_map_run run = map_run(gid, level);

	if (gid < MANAGED_ID_FIRST || gid > MANAGED_ID_LAST - level)
		return -EINVAL;
	for (uint32_t i = 0; i < person->run_count; i++)
		if (map_run_gid(person->runs[i]) == gid) {
			person->runs[i] = MAX_OF(person->runs[i], run);
			return 0;
		}
	if (person->run_count == NSS_MAP_RUNS_MAX)
		return -E2BIG;
	person->runs[person->run_count++] = run;
	return 0;
}

static int add_project(struct map_person *person, const struct tenant_record *tenant,
		       const struct project_record *project, const char *role)
{
	nss_map_run run;

	if (person->user->kind != USER_OPERATOR)
		return add_run(person, project->gid, matrix_group_level(tenant, role));
	if (project->gid > MANAGED_ID_LAST - GROUP_LEVEL_VIEWER)
		return -EINVAL;
	run = map_standing_run(project->gid, STANDING_OPERATOR);
	return add_run(person, map_run_gid(run), map_run_level(run));
}

static int add_groups(struct map_person *person, const struct directory *d, const struct map_options *options)
{
	const struct user_record *user = person->user;
	const struct tenant_record *tenant = directory_tenant(d, user->tenant_id);
	const struct member_record *member;
	uint32_t cursor = 0;
	int r;

	/* What all of a tenant, or of a project, may write is not for those who only look in. */
	if (tenant && user->kind != USER_OPERATOR) {
		r = add_run(person, tenant->gid, 0);
		if (r < 0)
			return r;
	}
	while ((member = directory_user_members(d, user->id, &cursor))) {
		const struct project_record *project;

		if (member->project_id[0] == '\0')
			continue; /* roles in the tenant give no rights to files */
		project = directory_project(d, member->project_id);
		if (!project)
			continue;
		if (!tenant || !text_equal(tenant->id, project->tenant_id))
			return -EINVAL;
		r = add_project(person, tenant, project, member->role);
		if (r < 0)
			return r;
	}
	if (options->sudo_member && options->sudo_member(options->context, d, user))
		return add_run(person, HOST_SUDO_GID, 0);
	return 0;
}

/* As the reader has it (map_check.c): the loader's list of reserved names is no concern of the map's. */
static bool is_map_name(const char *name)
{
	size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return length > 0 && length <= NSS_MAP_PERSON_NAME_MAX && name[length] == '\0' && name[0] != '-' &&
	       name[0] != '.' && strspn(name, "0123456789.-") < length;
}

void map_person_fill_texts(struct map_person *ret, const struct user_record *user)
{
	size_t gecos = strlen(user->name);

	if (gecos > NSS_MAP_GECOS_MAX) {
		gecos = NSS_MAP_GECOS_MAX;
		while (gecos > 0 && ((uint8_t)user->name[gecos] & 0xc0) == 0x80)
			gecos--; /* whole characters */
	}
	ret->user = user;
	ret->login_length = (uint32_t)strlen(user->login);
	ret->gecos_length = (uint32_t)gecos;
	ret->home_length = (uint32_t)strlen(user->home);
	ret->shell_length = (uint32_t)strlen(user->shell);
	ret->text_size = ret->login_length + ret->gecos_length + ret->home_length + ret->shell_length + 4;
	ret->run_count = 0;
}

int map_person_fill(struct map_person *ret, const struct directory *d, const struct map_options *options,
		    const struct user_record *user)
{
	if (!is_map_name(user->login) || !text_is_passwd_field(user->name) || !text_is_safe_path(user->home) ||
	    !text_is_safe_path(user->shell) || user->uid < MANAGED_ID_FIRST || user->uid > MANAGED_ID_TENANT_LAST)
		return -EINVAL;
	map_person_fill_texts(ret, user);
	return add_groups(ret, d, options);
}

static uint64_t runs_offset(const struct map_person *person)
{
	return sizeof(struct nss_map_person) + ((person->text_size + 3U) & ~3U);
}

uint64_t map_person_size(const struct map_person *person)
{
	return runs_offset(person) + person->run_count * sizeof(nss_map_run);
}

static char *put_text(char *at, const char *text, size_t length)
{
	memcpy(at, text, length);
	at[length] = '\0';
	return at + length + 1;
}

void map_person_write(const struct map_person *person, struct nss_map_record *record)
{
	struct nss_map_person *out = (struct nss_map_person *)(void *)record;
	const struct user_record *user = person->user;
	char *at = (char *)(out + 1);

	record->kind = NSS_MAP_PERSON;
	record->name_length = (uint8_t)person->login_length;
	record->id = user->uid;
	out->text_size = (uint16_t)person->text_size;
	out->run_count = (uint16_t)person->run_count;
	out->gecos_length = (uint16_t)person->gecos_length;
	out->home_length = (uint8_t)person->home_length;
	out->shell_length = (uint8_t)person->shell_length;
	at = put_text(at, user->login, person->login_length);
	at = put_text(at, user->name, person->gecos_length);
	at = put_text(at, user->home, person->home_length);
	put_text(at, user->shell, person->shell_length);
	for (uint32_t i = 0; i < person->run_count; i++) {
		nss_map_run run = htole32(person->runs[i]);

		memcpy((uint8_t *)out + runs_offset(person) + i * sizeof(run), &run, sizeof(run));
	}
}

bool map_next_family(const struct directory *d, struct map_family_cursor *cursor, struct map_family *ret)
{
	const struct tenant_record *tenant;
	const struct project_record *project;

	switch (cursor->stage) {
	case 0:
		tenant = directory_next_tenant(d, &cursor->cursor);
		if (tenant) {
			*ret = (struct map_family){tenant->gid, 1, tenant, NULL};
			return true;
		}
		cursor->cursor = 0;
		cursor->stage++;
		__attribute__((fallthrough));
	case 1:
		while ((project = directory_next_project(d, &cursor->cursor))) {
			tenant = directory_tenant(d, project->tenant_id);
			if (!tenant)
				continue;
			*ret = (struct map_family){project->gid, GROUP_LEVEL_COUNT, tenant, project};
			return true;
		}
		cursor->stage++;
		*ret = (struct map_family){HOST_SUDO_GID, 1, NULL, NULL};
		return true;
	case 2:
		cursor->stage++;
		*ret = (struct map_family){HOST_USERS_GID, 1, NULL, NULL};
		return true;
	default:
		return false;
	}
}

char *map_family_name(const struct map_family *family, uint32_t level, char out[NSS_MAP_NAME_MAX + 1])
{
	const char *host = family->gid == HOST_SUDO_GID ? HOST_SUDO_GROUP : HOST_USERS_GROUP;
	const char *name = family->tenant ? family->tenant->slug : host;

	if (family->tenant && family->project)
		return group_text(family->tenant->slug, family->project->slug, level, out);
	put_text(out, name, strnlen(name, NSS_MAP_NAME_MAX));
	return out;
}
