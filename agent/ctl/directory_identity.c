/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory bind, unbind.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/directory.h"
#include "records/values.h"

/* An issuer by itself, or by a provider's id. NULL: told. */
static const char *find_issuer(const struct dir *dir, const struct user_record *user, const char *word)
{
	const struct idp_record *idp = directory_idp(dir->d, word);
	struct problem problem = {0};
	struct value_fault fault;

	if (idp && strcmp(idp->tenant_id, user->tenant_id) != 0) {
		ctl_fail(dir->ctl, CTL_NO, "provider %s belongs to another tenant than %s", idp->id, user->login);
		return NULL;
	}
	if (idp)
		return idp->issuer;
	if (value_check(VALUE_ISSUER, word, strlen(word), &fault) == 0)
		return word;
	value_refuse(&problem, "ISSUER", word, strlen(word), &fault);
	ctl_fail_problem(dir->ctl, CTL_USAGE, &problem);
	return NULL;
}

static bool has_provider(const struct dir *dir, const char *tenant_id, const char *issuer)
{
	uint32_t cursor = 0;

	for (const struct idp_record *idp; (idp = directory_idps(dir->d, tenant_id, &cursor));)
		if (strcmp(idp->issuer, issuer) == 0)
			return true;
	return false;
}

static int change(struct dir *dir, const struct user_record *user, const struct user_record *changed)
{
	int code = dir_update(dir, RECORD_USER, user, changed);

	return code < 0 ? dir_commit(dir) : code;
}

int directory_bind_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Lists an identity at an identity provider as a user's: who signs in there as SUBJECT is that user.\n"
		"ISSUER is its URL or a provider's id; SUBJECT the provider's own unchanging name for the person "
		"(\"sub\";\n"
		"at GitHub the account's number), never an e-mail address. `tenantctl sso test` shows it.\n"
		"\nExamples:\n"
		"  tenantctl directory bind alice idp_google 110169484474386276334\n"
		"  tenantctl directory bind alice https://github.com 583231\n";
	const struct ctl_command command = {.name = "directory bind",
					    .usage = "USER ISSUER|PROVIDER SUBJECT",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 3,
					    .max = 3};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	struct identity_record identities[USER_IDENTITIES_MAX + 1];
	const struct user_record *user, *owner;
	struct problem problem = {0};
	struct user_record changed;
	struct value_fault fault;
	const char *issuer;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (value_check(VALUE_SUBJECT, argv[2], strlen(argv[2]), &fault) < 0) {
		value_refuse(&problem, "SUBJECT", argv[2], strlen(argv[2]), &fault);
		return ctl_fail_problem(ctl, CTL_USAGE, &problem);
	}
	code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user || !(issuer = find_issuer(&dir, user, argv[1])))
		return CTL_NO;
	owner = directory_user_by_identity(dir.d, user->tenant_id, issuer, argv[2]);
	if (owner == user)
		return dir_done(&dir, false, "user", user->id, dir_file_of(&dir, RECORD_USER, user),
				"%s has this identity already", user->login);
	if (owner)
		return ctl_fail(ctl, CTL_NO, "this identity is %s's; `tenantctl directory unbind %s %s` takes it away",
				owner->login, owner->login, issuer);
	if (user->identity_count >= USER_IDENTITIES_MAX)
		return ctl_fail(ctl, CTL_NO, "%s has %u identities already", user->login, user->identity_count);
	if (strchr(argv[2], '@'))
		ctl_warn(ctl,
			 "a subject with '@' in it looks like an e-mail address; those are given to others one day");
	if (!has_provider(&dir, user->tenant_id, issuer))
		ctl_warn(ctl, "the tenant has no provider of this issuer yet");
	if (user->identity_count > 0) /* else there is no array at all */
		memcpy(identities, user->identities, user->identity_count * sizeof(*identities));
	identities[user->identity_count] = (struct identity_record){issuer, argv[2]};
	changed = *user;
	changed.identities = identities;
	changed.identity_count++;
	code = change(&dir, user, &changed);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "user", user->id, dir_file_of(&dir, RECORD_USER, user),
			"%s signs in as \"%s\" of %s now", user->login, argv[2], issuer);
}

int directory_unbind_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Takes identities from a user: one, all of an issuer, or all. It is about those that the directory\n"
		"lists; what a first sign-in bound on this host is `tenantctl sso unbind`'s. Sessions that\n"
		"began with one end.\n"
		"\nExamples:\n"
		"  tenantctl directory unbind alice\n"
		"  tenantctl directory unbind alice https://github.com\n"
		"  tenantctl directory unbind alice idp_google 110169484474386276334\n";
	const struct ctl_command command = {.name = "directory unbind",
					    .usage = "USER [ISSUER|PROVIDER [SUBJECT]]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 1,
					    .max = 3};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	struct identity_record identities[USER_IDENTITIES_MAX + 1];
	const struct user_record *user;
	const char *issuer = NULL;
	struct user_record changed;
	uint32_t gone;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user || (count > 1 && !(issuer = find_issuer(&dir, user, argv[1]))))
		return CTL_NO;
	changed = *user;
	changed.identities = identities;
	changed.identity_count = 0;
	for (uint32_t i = 0; i < user->identity_count; i++)
		if ((issuer && strcmp(user->identities[i].issuer, issuer) != 0) ||
		    (count > 2 && strcmp(user->identities[i].subject, argv[2]) != 0))
			identities[changed.identity_count++] = user->identities[i];
	gone = user->identity_count - changed.identity_count;
	if (!gone)
		return dir_done(&dir, false, "user", user->id, dir_file_of(&dir, RECORD_USER, user),
				"%s has no such identity", user->login);
	code = change(&dir, user, &changed);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "user", user->id, dir_file_of(&dir, RECORD_USER, user), "took %u identit%s from %s",
			gone, gone == 1 ? "y" : "ies", user->login);
}
