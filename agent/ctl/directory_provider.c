/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-provider, set-provider, remove-provider.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "ctl/directory.h"
#include "ctl/provider.h"
#include "records/values.h"

#define MORE_OPTIONS 3U

/* A file with a secret in it that everybody may read is worth a word. */
static void warn_of_file(const struct dir *dir, const char *path, const struct idp_record *idp)
{
	struct stat st;

	if ((*idp->client_secret || *idp->client_key) && stat(path, &st) == 0 && (st.st_mode & S_IRWXO))
		ctl_warn(dir->ctl, "%s has a secret in it and can be read by everybody: chmod 640 and chgrp tenantd it",
			 path);
}

/* Takes "preferred" from the tenant's provider that has it. */
static int unprefer_others(struct dir *dir, const struct idp_record *idp, struct idp_record *scratch)
{
	uint32_t cursor = 0;

	for (const struct idp_record *other; (other = directory_idps(dir->d, idp->tenant_id, &cursor));) {
		if (!other->preferred || strcmp(other->id, idp->id) == 0)
			continue;
		*scratch = *other;
		scratch->preferred = false;
		return dir_update(dir, RECORD_IDP, other, scratch);
	}
	return -1;
}

int directory_add_provider_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Adds an identity provider for single sign-on. KIND is oidc, google, microsoft, github or tenantd "
		"(the\n"
		"tenant's control plane). A secret is read from a file or standard input and stands in the directory\n"
		"file, which is for root and the group tenantd alone. `tenantctl sso test ID` tries it out.\n"
		"\nExamples:\n"
		"  tenantctl directory add-provider acme google --client-id 1-a.apps.googleusercontent.com \\\n"
		"      --secret-file google.secret --hosted-domain acme.example\n"
		"  tenantctl directory add-provider acme oidc --issuer https://login.acme.example/realms/staff \\\n"
		"      --client-id ml-hosts --amr mfa --preferred --in providers.yaml\n"
		"  tenantctl directory add-provider acme github --client-id Iv1.0123456789abcdef\n";
	_cleanup_(provider_finish) struct provider provider = {0};
	const char *id = NULL, *in = NULL;
	bool if_absent = false;
	struct ctl_option options[PROVIDER_OPTIONS_MAX + MORE_OPTIONS];
	size_t n = provider_options(&provider, options);
	const struct ctl_option more[MORE_OPTIONS] = {
		{"id", "ID", "its id (default: a random one)", .value = &id},
		{"in", "FILE", "which of the directory's files it goes to (default: its tenant's)", .value = &in},
		{"if-absent", NULL, "do nothing when the id is there", .flag = &if_absent},
	};
	const struct ctl_command command = {.name = "directory add-provider",
					    .usage = "TENANT KIND [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = n + MORE_OPTIONS,
					    .min = 2,
					    .max = 2};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	struct idp_record idp = {.name = "",
				 .issuer = "",
				 .client_id = "",
				 .client_secret = "",
				 .client_key = "",
				 .hosted_domain = "",
				 .token_audience = ""},
			  other;
	const struct tenant_record *tenant;
	char own_id[ID_MAX_BYTES + 1];
	const char *file;
	int count, code;

	memcpy(&options[n], more, sizeof(more));
	code = ctl_parse(ctl, &command, argc, argv, &count);
	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	tenant = dir_tenant(&dir, argv[0]);
	if (!tenant)
		return CTL_NO;
	if (id && directory_idp(dir.d, id)) {
		if (if_absent)
			return dir_done(&dir, false, "provider", id, "", "provider %s is there already", id);
		return ctl_fail(ctl, CTL_NO, "there is a provider %s already", id);
	}
	code = dir_new_id(ctl, "idp", id, own_id, sizeof(own_id));
	if (code > 0)
		return code;
	idp.id = own_id;
	idp.tenant_id = tenant->id;
	provider.kind = argv[1];
	code = provider_apply(ctl, &provider, &idp, true);
	if (code < 0 && idp.preferred)
		code = unprefer_others(&dir, &idp, &other);
	if (code < 0)
		code = dir_append(&dir, RECORD_IDP, &idp, RECORD_TENANT, tenant, in);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	file = in ? in : dir_file_of(&dir, RECORD_TENANT, tenant);
	warn_of_file(&dir, in ? dir_path_of(&dir, in) : file, &idp);
	return dir_done(&dir, true, "provider", idp.id, file,
			"added provider %s (%s) to tenant %s; try it: tenantctl "
			"sso test %s",
			idp.name, idp.id, tenant->slug, idp.id);
}

/* What --clear takes away. */
static int clear(const struct ctl *ctl, const struct ctl_list *names, struct idp_record *idp)
{
	static const char *const known[] = {"scopes",         "acr",  "amr",     "domains",   "hosted-domain",
					    "token-audience", "bind", "max-age", "preferred", "secret",
					    "name",           NULL};
	struct value_fault fault;
	uint32_t which;

	for (size_t i = 0; i < names->count; i++) {
		if (value_choice(names->items[i], known, &which, &fault) < 0)
			return ctl_fail(ctl, CTL_USAGE, "--clear knows no \"%s\"; %s", names->items[i], fault.remedy);
		if (which < 4)
			*(struct string_list *[]){&idp->scopes, &idp->acr, &idp->amr, &idp->domains}[which] =
				(struct string_list){0};
		else if (which == 4)
			idp->hosted_domain = "";
		else if (which == 5)
			idp->token_audience = "";
		else if (which == 6)
			idp->bind = IDP_BIND_LISTED;
		else if (which == 7)
			idp->max_age_sec = 0;
		else if (which == 8)
			idp->preferred = false;
		else if (which == 9)
			idp->client_secret = idp->client_key = "";
		else
			idp->name = "";
		if (which == 9)
			idp->client_auth = IDP_CLIENT_NONE;
	}
	return -1;
}

static const struct idp_record *find_provider(const struct dir *dir, const char *id)
{
	const struct idp_record *idp = directory_idp(dir->d, id);

	if (!idp)
		ctl_fail(dir->ctl, CTL_NO,
			 "there is no provider \"%s\"; `tenantctl directory show providers` lists them", id);
	return idp;
}

int directory_set_provider_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Changes what is given of an identity provider and leaves the rest. --clear takes parts away: scopes,\n"
		"acr, amr, domains, hosted-domain, token-audience, bind, max-age, preferred, secret (or key), name.\n"
		"--preferred takes it from the tenant's other one. People who are signing in by it start again.\n"
		"\nExamples:\n"
		"  tenantctl directory set-provider idp_google --secret-file - < new.secret\n"
		"  tenantctl directory set-provider idp_staff --amr mfa --clear acr\n";
	_cleanup_(provider_finish) struct provider provider = {0};
	_cleanup_(ctl_list_finish) struct ctl_list cleared = {0};
	struct ctl_option options[PROVIDER_OPTIONS_MAX + MORE_OPTIONS];
	size_t n = provider_options(&provider, options);
	const struct ctl_command command = {.name = "directory set-provider",
					    .usage = "ID [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = n + 2,
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct idp_record *old;
	struct idp_record idp, other;
	int count, code;

	options[n] = (struct ctl_option){"kind", "KIND", "oidc, google, microsoft, github or tenantd",
					 .value = &provider.kind};
	options[n + 1] = (struct ctl_option){"clear", "PARTS", "take these away", .list = &cleared};
	code = ctl_parse(ctl, &command, argc, argv, &count);
	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	old = find_provider(&dir, argv[0]);
	if (!old)
		return CTL_NO;
	idp = *old;
	code = clear(ctl, &cleared, &idp);
	if (code < 0)
		code = provider_apply(ctl, &provider, &idp, true);
	if (code >= 0)
		return code;
	if (record_equal(RECORD_IDP, old, &idp))
		return dir_done(&dir, false, "provider", old->id, "", "provider %s is so already", old->id);
	if (idp.preferred && !old->preferred)
		code = unprefer_others(&dir, &idp, &other);
	if (code < 0)
		code = dir_update(&dir, RECORD_IDP, old, &idp);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	warn_of_file(&dir, dir_file_of(&dir, RECORD_IDP, old), &idp);
	return dir_done(&dir, true, "provider", old->id, dir_file_of(&dir, RECORD_IDP, old), "changed provider %s (%s)",
			idp.name, old->id);
}

int directory_remove_provider_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] = "Takes an identity provider away: nobody signs in by it any more. Identities that "
				   "users list stay listed.\n"
				   "\nExample:\n  tenantctl directory remove-provider idp_google\n";
	const struct ctl_command command = {.name = "directory remove-provider",
					    .usage = "ID",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct idp_record *idp;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	idp = directory_idp(dir.d, argv[0]);
	if (!idp)
		return dir_done(&dir, false, "provider", argv[0], "", "there is no provider %s", argv[0]);
	code = dir_remove(&dir, RECORD_IDP, idp);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "provider", idp->id, dir_file_of(&dir, RECORD_IDP, idp), "removed provider %s (%s)",
			idp->name, idp->id);
}
