/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-grant, remove-grant.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/directory.h"
#include "records/rules.h"
#include "records/values.h"

#define GRANT_MAX_SECONDS (366U * 86400U)

/* 0, or the exit code after telling. */
static int take_end(const struct ctl *ctl, const char *span, int64_t *ret)
{
	uint64_t seconds;

	if (!span)
		return ctl_fail(ctl, CTL_USAGE, "for how long? give --for SPAN, such as 2h");
	if (parse_duration(span, &seconds) < 0 || seconds == 0 || seconds > GRANT_MAX_SECONDS)
		return ctl_fail(ctl, CTL_USAGE, "--for \"%s\" is not a span of time such as 2h, a year at most", span);
	*ret = clock_realtime_sec() + (int64_t)seconds;
	return 0;
}

static int take_text(const struct ctl *ctl, const char *option, enum value_kind kind, const char *text)
{
	struct problem problem = {0};
	struct value_fault fault;

	if (!*text || value_check(kind, text, strlen(text), &fault) == 0)
		return 0;
	value_refuse(&problem, option, text, strlen(text), &fault);
	return ctl_fail_problem(ctl, CTL_USAGE, &problem);
}

int directory_add_grant_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Lets an operator of the platform look in, with an account of their own at the tenant (add-user\n"
		"--operator) that is a viewer in projects (add-member), for a while. The reason is the tenant's to "
		"read.\n"
		"\nExample:\n"
		"  tenantctl directory add-grant olga --operator olga@platform.example --for 2h --reason 'ticket "
		"4711'\n";
	const char *name = "", *operator_id = "", *reason = "", *span = NULL, *id = NULL, *in = NULL;
	const struct ctl_option options[] = {
		{"operator", "NAME", "who it is: an e-mail address or a name", .value = &name},
		{"operator-id", "ID", "the operator's id", .value = &operator_id},
		{"reason", "TEXT", "why (required)", .value = &reason},
		{"for", "SPAN", "how long from now on (required)", .value = &span},
		{"id", "ID", "the grant's id (default: a random one)", .value = &id},
		{"in", "FILE", "which of the directory's files it goes to (default: the account's)", .value = &in},
	};
	const struct ctl_command command = {.name = "directory add-grant",
					    .usage = "USER --operator NAME --for SPAN --reason TEXT [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct grant_record *other;
	const struct user_record *user;
	struct problem problem = {0};
	struct grant_record grant = {.not_before = 0};
	char own_id[ID_MAX_BYTES + 1], time[TIME_TEXT_SIZE];
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	code = take_end(ctl, span, &grant.not_after);
	if (code == 0)
		code = take_text(ctl, "--operator", VALUE_TEXT, name);
	if (code == 0)
		code = take_text(ctl, "--operator-id", VALUE_ID, operator_id);
	if (code == 0)
		code = take_text(ctl, "--reason", VALUE_TEXT, reason);
	if (code > 0)
		return code;
	grant.operator_id = operator_id;
	grant.operator_name = name;
	grant.reason = reason;
	if (rules_grant(&grant, &problem) < 0)
		return ctl_fail_problem(ctl, CTL_USAGE, &problem);
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user)
		return CTL_NO;
	other = directory_grant_of(dir.d, user->id);
	if (other)
		return ctl_fail(ctl, CTL_NO, "%s has a grant already, %s until %s; `remove-grant` takes it away",
				user->login, other->id, format_time(other->not_after, time));
	code = dir_new_id(ctl, "grt", id, own_id, sizeof(own_id));
	if (code > 0)
		return code;
	grant.id = own_id;
	grant.tenant_id = user->tenant_id;
	grant.user_id = user->id;
	code = dir_append(&dir, RECORD_GRANT, &grant, RECORD_USER, user, in);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "grant", grant.id,
			in ? dir_path_of(&dir, in) : dir_file_of(&dir, RECORD_USER, user),
			"%s may look in until %s (%s)", user->login, format_time(grant.not_after, time), grant.id);
}

/* By its id, or by whose it is. */
static const struct grant_record *find_grant(const struct dir *dir, const char *word)
{
	const struct user_record *user = directory_user_by_login(dir->d, word);
	const struct grant_record *grant;
	uint32_t cursor = 0;

	if (user)
		return directory_grant_of(dir->d, user->id);
	while ((grant = directory_next_grant(dir->d, &cursor)))
		if (strcmp(grant->id, word) == 0 || strcmp(grant->user_id, word) == 0)
			return grant;
	return NULL;
}

int directory_remove_grant_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Takes an operator's grant away: the account is nobody from now on, and its sessions "
		"end.\n"
		"\nExample:\n  tenantctl directory remove-grant olga\n";
	const struct ctl_command command = {.name = "directory remove-grant",
					    .usage = "GRANT|USER",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct grant_record *grant;
	const struct user_record *user;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	grant = find_grant(&dir, argv[0]);
	if (!grant)
		return dir_done(&dir, false, "grant", argv[0], "", "there is no grant %s, and none of such a user",
				argv[0]);
	user = directory_user(dir.d, grant->user_id);
	code = dir_remove(&dir, RECORD_GRANT, grant);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "grant", grant->id, dir_file_of(&dir, RECORD_GRANT, grant),
			"%s looks in no more (%s)", user ? user->login : grant->user_id, grant->id);
}
