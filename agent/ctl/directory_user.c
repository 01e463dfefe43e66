/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-user, suspend-user, resume-user.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "ctl/directory.h"

#define PUBLIC_KEY_FILE_MAX 65536U
#define HOME_SIZE 64U

/* The lines of a .pub file; comments and empty lines left out. Allocated one by one. */
static int read_ssh_keys(const struct ctl *ctl, const struct ctl_list *paths, struct string_list *ret)
{
	for (size_t i = 0; i < paths->count; i++) {
		_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
		int r = file_read(AT_FDCWD, paths->items[i], PUBLIC_KEY_FILE_MAX, FILE_TRUST_ANY, 0, &text, NULL);
		char *save = NULL;

		if (r < 0)
			return ctl_fail(ctl, CTL_BROKEN, "%s: %s", paths->items[i], strerrordesc_np(-r));
		if (!buffer_text(&text))
			return ctl_fail(ctl, CTL_BROKEN, "out of memory");
		if (strstr(text.data, "PRIVATE KEY"))
			return ctl_fail(ctl, CTL_USAGE, "%s is a private key; give the .pub file beside it",
					paths->items[i]);
		for (char *line = strtok_r(text.data, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
			const char **items;
			char *copy;

			if (*line == '#')
				continue;
			items = reallocarray(ret->items, ret->count + 1, sizeof(*items));
			copy = items ? strdup(line) : NULL;
			if (items)
				ret->items = items;
			if (!copy)
				return ctl_fail(ctl, CTL_BROKEN, "out of memory");
			items[ret->count++] = copy;
		}
	}
	return 0;
}

static void free_strings(struct string_list *list)
{
	for (uint32_t i = 0; i < list->count; i++)
		free((char *)(uintptr_t)list->items[i]);
	free(list->items);
}

static int add_user(struct dir *dir, const struct tenant_record *tenant, struct user_record *user, const char *in)
{
	static const char *const kind_words[] = {
		[USER_PERSON] = "user", [USER_SERVICE] = "service account", [USER_OPERATOR] = "operator's account"};
	struct tenant_record advanced = *tenant;
	int code;

	if (tenant->id_next >= (uint64_t)tenant->id_first + tenant->id_count)
		return ctl_fail(dir->ctl, CTL_NO, "the id block of tenant %s is used up", tenant->slug);
	user->tenant_id = tenant->id;
	user->uid = tenant->id_next;
	advanced.id_next++;
	code = dir_update(dir, RECORD_TENANT, tenant, &advanced);
	if (code < 0)
		code = dir_append(dir, RECORD_USER, user, RECORD_TENANT, tenant, in);
	if (code < 0)
		code = dir_commit(dir);
	if (code >= 0)
		return code;
	return dir_done(dir, true, "user", user->id, in ? in : dir_file_of(dir, RECORD_TENANT, tenant),
			"added %s %s (%s), uid %u", kind_words[user->kind], user->login, user->id, user->uid);
}

int directory_add_user_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Adds a person, with --service a service account, or with --operator the account by which an operator "
		"of\n"
		"the platform looks in (`add-grant`). The uid comes from the tenant's block and is never given again.\n"
		"A role comes with `add-member`, an API key with `add-key`.\n"
		"\nExamples:\n"
		"  tenantctl directory add-user alice --tenant acme --name 'Alice Example' --email alice@acme.example\n"
		"  tenantctl directory add-user bob --tenant acme --ssh-key ~/bob.pub\n"
		"  tenantctl directory add-user acme-ci --tenant acme --service --shell /usr/sbin/nologin "
		"--if-absent\n";
	const char *tenant_name = NULL, *name = "", *email = "", *home = NULL, *shell = "/bin/bash", *id = NULL,
		   *in = NULL;
	_cleanup_(ctl_list_finish) struct ctl_list ssh_keys = {0};
	bool service = false, operator= false, if_absent = false;
	const struct ctl_option options[] = {
		{"tenant", "TENANT", "whose user it is (required)", .value = &tenant_name},
		{"name", "TEXT", "the person's name", .value = &name},
		{"email", "ADDRESS", "their e-mail address", .value = &email},
		{"home", "PATH", "home directory (default /home/LOGIN)", .value = &home},
		{"shell", "PATH", "login shell (default /bin/bash)", .value = &shell},
		{"ssh-key", "FILE", "a .pub file whose keys let the user in (repeat)", .list = &ssh_keys},
		{"service", NULL, "a service account, not a person", .flag = &service},
		{
			"operator",
			NULL,
			"an operator's account, nobody without a grant",
			.flag = &operator},
			{"id", "ID", "the user's id (default: a random one)", .value = &id},
			{"in", "FILE", "which of the directory's files it goes to (default: its tenant's)",
			 .value = &in},
			{"if-absent", NULL, "do nothing when the login is there", .flag = &if_absent},
		};
	const struct ctl_command command = {.name = "directory add-user",
					    .usage = "LOGIN --tenant TENANT [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct tenant_record *tenant;
	const struct user_record *other;
	struct user_record user = {.name = name, .status_reason = ""};
	char own_id[ID_MAX_BYTES + 1], usual_home[HOME_SIZE];
	const char *fault;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (!tenant_name)
		return ctl_fail(ctl, CTL_USAGE, "whose user? give --tenant TENANT");
	if (service && operator)
		return ctl_fail(ctl, CTL_USAGE, "an account is either a service's or an operator's");
	fault = text_login_name_fault(argv[0]);
	if (fault)
		return ctl_fail(ctl, CTL_USAGE, "\"%s\" cannot be a login name: it %s", argv[0], fault);
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	tenant = dir_tenant(&dir, tenant_name);
	if (!tenant)
		return CTL_NO;
	other = directory_user_by_login(dir.d, argv[0]);
	if (other && if_absent && strcmp(other->tenant_id, tenant->id) == 0)
		return dir_done(&dir, false, "user", other->id, dir_file_of(&dir, RECORD_USER, other),
				"user %s is there already", other->login);
	if (other)
		return ctl_fail(ctl, CTL_NO, "there is a user %s already (%s)", other->login, other->id);
	snprintf(usual_home, sizeof(usual_home), "/home/%s", argv[0]);
	user.name = name;
	user.email = email;
	user.login = argv[0];
	user.home = home ? home : usual_home;
	user.shell = shell;
	user.kind = service ? USER_SERVICE : (operator? USER_OPERATOR : USER_PERSON);
	user.id = own_id;
	code = dir_new_id(ctl, "usr", id, own_id, sizeof(own_id));
	if (code == 0)
		code = read_ssh_keys(ctl, &ssh_keys, &user.ssh_keys);
	if (code == 0)
		code = add_user(&dir, tenant, &user, in);
	free_strings(&user.ssh_keys);
	return code;
}

static int set_status(struct ctl *ctl, int argc, char **argv, const struct ctl_command *command,
		      enum user_status status, const char **reason)
{
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct user_record *user;
	struct user_record changed;
	const char *word = status == USER_SUSPENDED ? "suspended" : "active";
	int count, code = ctl_parse(ctl, command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user)
		return CTL_NO;
	changed = *user;
	changed.status = status;
	changed.status_reason = *reason;
	if (user->status == status && (strcmp(user->status_reason, *reason) == 0 || !**reason))
		return dir_done(&dir, false, "user", user->id, "", "user %s is %s already", user->login, word);
	code = dir_update(&dir, RECORD_USER, user, &changed);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "user", user->id, dir_file_of(&dir, RECORD_USER, user), "user %s is %s now",
			user->login, word);
}

int directory_suspend_user_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Lets a user in no more, by any key or on any host, until `resume-user`. Their "
				   "sessions end, with whatever\n"
				   "else runs as them.\n"
				   "\nExample:\n  tenantctl directory suspend-user alice --reason 'left the company'\n";
	const char *reason = "";
	const struct ctl_option options[] = {{"reason", "TEXT", "why; the person reads it", .value = &reason}};
	const struct ctl_command command = {.name = "directory suspend-user",
					    .usage = "USER [--reason TEXT]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};

	return set_status(ctl, argc, argv, &command, USER_SUSPENDED, &reason);
}

int directory_resume_user_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Lets a suspended user in again. Keys that were revoked stay revoked.\n"
				   "\nExample:\n  tenantctl directory resume-user alice\n";
	const char *reason = "";
	const struct ctl_command command = {.name = "directory resume-user",
					    .usage = "USER",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 1,
					    .max = 1};

	return set_status(ctl, argc, argv, &command, USER_ACTIVE, &reason);
}
