/* SPDX-License-Identifier: MIT */
#include "ctl/directory.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "json/json_write.h"

#define LOCK_SECONDS 10U
#define SUGGEST_MAX 4096U

static const struct ctl_verb verbs[] = {
	{"check", directory_check_verb, "is the directory in order?"},
	{"show", directory_show_verb,
	 "list tenants, projects, users, members, keys, hosts, providers, identities or grants"},
	{"init", directory_init_verb, "make an empty directory file"},
	{"add-tenant", directory_add_tenant_verb, "a tenant, with a free block of ids"},
	{"add-project", directory_add_project_verb, "a project of a tenant"},
	{"add-user", directory_add_user_verb, "a person, a service account or an operator's account"},
	{"suspend-user", directory_suspend_user_verb, "let a user in no more"},
	{"resume-user", directory_resume_user_verb, "let a suspended user in again"},
	{"add-member", directory_add_member_verb, "give a user a role"},
	{"remove-member", directory_remove_member_verb, "take a user's role away"},
	{"add-key", directory_add_key_verb, "make an API key; it is shown once"},
	{"rotate-key", directory_rotate_key_verb, "make a key's successor; the old one works on for a while"},
	{"revoke-key", directory_revoke_key_verb, "end a key now"},
	{"add-host", directory_add_host_verb, "let hosts serve a project"},
	{"add-host-rule", directory_add_host_verb, "the same as add-host"},
	{"remove-host", directory_remove_host_verb, "let hosts serve a project no more"},
	{"add-provider", directory_add_provider_verb, "an identity provider, for single sign-on"},
	{"set-provider", directory_set_provider_verb, "change parts of a provider"},
	{"remove-provider", directory_remove_provider_verb, "let nobody sign in by a provider any more"},
	{"bind", directory_bind_verb, "list an identity at a provider as a user's"},
	{"unbind", directory_unbind_verb, "take identities from a user"},
	{"set-sudo", directory_set_sudo_verb, "what sudo wants to see of a tenant's people"},
	{"set-sessions", directory_set_sessions_verb, "how many sessions there may be, and how long they last"},
	{"add-grant", directory_add_grant_verb, "let an operator look in for a while"},
	{"remove-grant", directory_remove_grant_verb, "let an operator look in no more"},
};

static const char intro[] =
	"Checks, shows and edits the directory file. Edits leave comments and layout as they are; what cannot\n"
	"be edited so is refused. All files are checked together before one is replaced, under a lock.\n"
	"People, projects and tenants are named by login, slug (acme/vision) or id.\n"
	"\n"
	"Examples:\n"
	"  tenantctl directory init\n"
	"  tenantctl directory add-tenant acme --name 'Acme Robotics'\n"
	"  tenantctl directory add-project acme/vision\n"
	"  tenantctl directory add-user alice --tenant acme --name 'Alice Example'\n"
	"  tenantctl directory add-member alice acme/vision editor\n"
	"  tenantctl directory add-key alice --label laptop\n"
	"  tenantctl directory add-host '*' acme/vision --sudo owner\n";

int ctl_directory(struct ctl *ctl, int argc, char **argv)
{
	return ctl_dispatch(ctl, "tenantctl directory", intro, verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}

static int told(const struct dir *dir, int exit_code)
{
	return ctl_fail_problem(dir->ctl, exit_code, &dir->problem);
}

int dir_open(struct ctl *ctl, bool for_editing, struct dir *ret)
{
	const struct directory_files_options options = {.path = ctl->file, .trust_any = true};
	int r;

	*ret = (struct dir){.ctl = ctl, .lock = -1};
	if (for_editing) {
		ret->lock = edit_lock(ctl->file, LOCK_SECONDS);
		if (ret->lock == -EWOULDBLOCK)
			return ctl_fail(ctl, CTL_BROKEN, "another tenantctl is editing %s; try again", ctl->file);
		if (ret->lock < 0)
			return ctl_fail(ctl, CTL_BROKEN, "%s: %s", ctl->file, strerrordesc_np(-ret->lock));
	}
	r = directory_files_new(&options, &ret->files);
	if (r == 0)
		r = directory_files_refresh(ret->files, &ret->problem);
	if (r < 0 && !ret->problem.text[0])
		problem_set(&ret->problem, -r, "%s: %s", ctl->file, strerrordesc_np(-r));
	if (r < 0)
		return told(ret, r == -EINVAL ? CTL_NO : CTL_BROKEN);
	ret->d = directory_files_picture(ret->files);
	while (directory_files_path(ret->files, ret->file_count))
		ret->file_count++;
	ret->edits = calloc(ret->file_count, sizeof(*ret->edits));
	if (!ret->edits)
		return ctl_fail(ctl, CTL_BROKEN, "out of memory");
	return -1;
}

void dir_close(struct dir *dir)
{
	for (uint32_t i = 0; dir->edits && i < dir->file_count; i++)
		edit_free(dir->edits[i]);
	free(dir->edits);
	directory_files_free(dir->files);
	if (dir->lock >= 0)
		edit_unlock(dir->ctl->file, dir->lock);
	*dir = (struct dir){.lock = -1};
}

/* The file and the index in it of a record of the picture. */
static bool find_record(const struct dir *dir, enum record_kind kind, const void *record, uint32_t *ret_file,
			uint32_t *ret_index)
{
	for (uint32_t file = 0; file < dir->file_count; file++) {
		const struct record_set *records = unit_records(directory_files_unit(dir->files, file));
		uint32_t count = records_count(records, kind);
		const char *first = count ? records_at(records, kind, 0) : NULL, *at = record;

		if (count && at >= first && at < first + count * record_size(kind)) {
			*ret_file = file;
			*ret_index = (uint32_t)((size_t)(at - first) / record_size(kind));
			return true;
		}
	}
	return false;
}

const char *dir_file_of(const struct dir *dir, enum record_kind kind, const void *record)
{
	uint32_t file, index;

	return find_record(dir, kind, record, &file, &index) ? directory_files_path(dir->files, file) : "";
}

static int get_edit(struct dir *dir, uint32_t file, struct edit **ret)
{
	int r = 0;

	if (!dir->edits[file])
		r = edit_open(directory_files_path(dir->files, file), directory_files_unit(dir->files, file),
			      &dir->edits[file], &dir->problem);
	*ret = dir->edits[file];
	return r;
}

static int edited(struct dir *dir, int r)
{
	if (r == 0)
		return -1;
	if (!dir->problem.text[0])
		problem_set(&dir->problem, -r, "cannot edit: %s", strerrordesc_np(-r));
	/* Refused is "no"; all else is broken. */
	return told(dir, r == -EOPNOTSUPP || r == -EINVAL ? CTL_NO : CTL_BROKEN);
}

static bool same_file(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return strcmp(path, name) == 0 || (slash && strcmp(slash + 1, name) == 0);
}

const char *dir_path_of(const struct dir *dir, const char *in)
{
	for (uint32_t file = 0; file < dir->file_count; file++)
		if (same_file(directory_files_path(dir->files, file), in))
			return directory_files_path(dir->files, file);
	return "";
}

int dir_append(struct dir *dir, enum record_kind kind, const void *record, enum record_kind beside_kind,
	       const void *beside, const char *in)
{
	uint32_t file = 0, index;
	struct edit *edit;
	int r;

	if (beside)
		find_record(dir, beside_kind, beside, &file, &index);
	if (in) {
		for (file = 0; file < dir->file_count; file++)
			if (same_file(directory_files_path(dir->files, file), in))
				break;
		if (file == dir->file_count)
			return ctl_fail(dir->ctl, CTL_NO,
					"there is no file \"%s\"; make it with the line \"version: 1\" first", in);
	}
	r = get_edit(dir, file, &edit);
	if (r == 0)
		r = edit_append(edit, kind, record, &dir->problem);
	return edited(dir, r);
}

int dir_update(struct dir *dir, enum record_kind kind, const void *old, const void *now)
{
	uint32_t file, index;
	struct edit *edit;
	int r;

	if (!find_record(dir, kind, old, &file, &index))
		return ctl_fail(dir->ctl, CTL_BROKEN, "the record is in none of the files");
	r = get_edit(dir, file, &edit);
	if (r == 0)
		r = edit_update(edit, kind, index, now, &dir->problem);
	return edited(dir, r);
}

int dir_remove(struct dir *dir, enum record_kind kind, const void *old)
{
	uint32_t file, index;
	struct edit *edit;
	int r;

	if (!find_record(dir, kind, old, &file, &index))
		return ctl_fail(dir->ctl, CTL_BROKEN, "the record is in none of the files");
	r = get_edit(dir, file, &edit);
	if (r == 0)
		r = edit_remove(edit, kind, index, &dir->problem);
	return edited(dir, r);
}

static int finish_all(struct dir *dir, struct unit **units)
{
	for (uint32_t i = 0; i < dir->file_count; i++) {
		int r = 0;

		if (dir->edits[i])
			r = edit_finish(dir->edits[i], &units[i], &dir->problem);
		else
			units[i] = unit_ref(directory_files_unit(dir->files, i));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Files with blocks of ids (`next`) go first: whatever happens in between, no id is given twice. */
static int write_all(struct dir *dir)
{
	for (int with_tenants = 1; with_tenants >= 0; with_tenants--)
		for (uint32_t i = 0; i < dir->file_count; i++) {
			const struct record_set *records = unit_records(directory_files_unit(dir->files, i));
			int r;

			if (!dir->edits[i] || (records->tenant_count > 0) != (with_tenants == 1))
				continue;
			r = edit_write(dir->edits[i]);
			if (r < 0) {
				problem_at(&dir->problem, directory_files_path(dir->files, i), 0, 0);
				return problem_set(&dir->problem, -r, "cannot replace the file: %s",
						   strerrordesc_np(-r));
			}
		}
	return 0;
}

int dir_commit(struct dir *dir)
{
	struct unit **units = calloc(dir->file_count, sizeof(*units));
	_cleanup_(directory_unrefp) struct directory *checked = NULL;
	int r = units ? finish_all(dir, units) : -ENOMEM, code;

	if (r == 0)
		r = directory_build(units, dir->file_count, "", dir->d, &checked, &dir->problem);
	code = edited(dir, r);
	for (uint32_t i = 0; units && i < dir->file_count; i++)
		unit_unref(units[i]);
	free(units);
	if (code >= 0)
		return code;
	r = write_all(dir);
	return r < 0 ? told(dir, CTL_BROKEN) : -1;
}

/* The nearest of the names that `next` gives. */
static int not_found(const struct dir *dir, const char *what, const char *name, const char *const *names, size_t count)
{
	const char *near = text_suggest(name, names, count);
	char escaped[128];

	text_escape(name, strlen(name), escaped, sizeof(escaped));
	if (near)
		return ctl_fail(dir->ctl, CTL_NO, "there is no %s \"%s\"; did you mean \"%s\"?", what, escaped, near);
	return ctl_fail(dir->ctl, CTL_NO, "there is no %s \"%s\"; `tenantctl directory show %ss` lists them", what,
			escaped, what);
}

const struct tenant_record *dir_tenant(struct dir *dir, const char *name)
{
	const struct tenant_record *tenant = directory_tenant_by_slug(dir->d, name), *other;
	const char *names[SUGGEST_MAX];
	uint32_t cursor = 0;
	size_t count = 0;

	if (!tenant)
		tenant = directory_tenant(dir->d, name);
	while (!tenant && count < SUGGEST_MAX && (other = directory_next_tenant(dir->d, &cursor)))
		names[count++] = other->slug;
	if (!tenant)
		not_found(dir, "tenant", name, names, count);
	return tenant;
}

const char *dir_project_name(const struct dir *dir, const struct project_record *project, char out[PROJECT_NAME_SIZE])
{
	const struct tenant_record *tenant = directory_tenant(dir->d, project->tenant_id);

	snprintf(out, PROJECT_NAME_SIZE, "%s/%s", tenant ? tenant->slug : "?", project->slug);
	return out;
}

const struct project_record *dir_project(struct dir *dir, const char *name)
{
	const struct project_record *project = directory_project_by_name(dir->d, name), *other;
	struct ctl_table names = {0};
	uint32_t cursor = 0;
	char text[PROJECT_NAME_SIZE];

	while (!project && names.count < SUGGEST_MAX && (other = directory_next_project(dir->d, &cursor)))
		ctl_table_cell(&names, dir_project_name(dir, other, text));
	if (!project)
		not_found(dir, "project", name, (const char *const *)names.cells, names.count);
	ctl_table_finish(&names);
	return project;
}

const struct user_record *dir_user(struct dir *dir, const char *name)
{
	const struct user_record *user = directory_user_by_login(dir->d, name), *other;
	const char *names[SUGGEST_MAX];
	uint32_t cursor = 0;
	size_t count = 0;

	if (!user)
		user = directory_user(dir->d, name);
	while (!user && count < SUGGEST_MAX && (other = directory_next_user(dir->d, &cursor)))
		names[count++] = other->login;
	if (!user)
		not_found(dir, "user", name, names, count);
	return user;
}

int dir_refuse_secret(const struct ctl *ctl, const char *word)
{
	if (!api_key_has_shape(word, strlen(word)))
		return -1;
	return ctl_fail(ctl, CTL_USAGE,
			"never give a key itself on a command line: others can read it there. Revoke it now, and name "
			"keys by their id (key_ and the 16 digits after the second '_')");
}

const struct key_record *dir_key(struct dir *dir, const char *name)
{
	const struct key_record *key;
	char id[4 + API_KEY_ID_CHARS + 1];

	key = directory_key(dir->d, name);
	if (!key && strlen(name) == API_KEY_ID_CHARS) {
		snprintf(id, sizeof(id), "key_%s", name);
		key = directory_key(dir->d, id);
	}
	if (!key)
		not_found(dir, "key", name, NULL, 0);
	return key;
}

int dir_cidrs(const struct ctl *ctl, const struct ctl_list *list, struct cidr_list *ret)
{
	struct cidr *items = calloc(list->count + 1, sizeof(*items));

	if (!items)
		return ctl_fail(ctl, CTL_BROKEN, "out of memory");
	for (size_t i = 0; i < list->count; i++)
		if (parse_cidr(list->items[i], &items[i]) < 0) {
			free(items);
			return ctl_fail(
				ctl, CTL_USAGE,
				"\"%s\" is not an address block such as 10.0.0.0/8, with no bits set past the prefix",
				list->items[i]);
		}
	*ret = (struct cidr_list){.items = items, .count = (uint32_t)list->count};
	return 0;
}

int dir_new_id(const struct ctl *ctl, const char *prefix, const char *wanted, char *out, size_t size)
{
	char digits[17];

	if (wanted) {
		if (!text_is_id(wanted) || strlen(wanted) >= size)
			return ctl_fail(ctl, CTL_USAGE,
					"\"%s\" is not an id: a letter, then letters, digits and '_', 40 in all",
					wanted);
		snprintf(out, size, "%s", wanted);
		return 0;
	}
	if (base62_random(digits, sizeof(digits) - 1) < 0)
		return ctl_fail(ctl, CTL_BROKEN, "the kernel gives no random numbers");
	snprintf(out, size, "%s_%s", prefix, digits);
	return 0;
}

struct string_list dir_strings(const struct ctl_list *list)
{
	return (struct string_list){.items = list->items, .count = (uint32_t)list->count};
}

int dir_done(const struct dir *dir, bool changed, const char *kind, const char *id, const char *file,
	     const char *format, ...)
{
	_cleanup_(buffer_finish) struct buffer buffer = BUFFER_INIT;
	struct json_writer w = json_writer(&buffer);
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!dir->ctl->json) {
		ctl_say(dir->ctl, "%s", text);
		return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
	}
	json_begin(&w, NULL, '{');
	json_put_bool(&w, "changed", changed);
	json_put_string(&w, kind, id);
	json_put_string_if(&w, "file", file);
	json_put_string(&w, "text", text);
	json_end(&w, '}');
	return ctl_print_json(&buffer);
}
