/* SPDX-License-Identifier: MIT
 *
 * tenantctl sso: which providers there are, and what first sign-ins bound on this host.
 */
#include "ctl/sso.h"

#include <stdio.h>

#include "base/parse.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

static const struct ctl_verb verbs[] = {
	{"providers", sso_providers_verb, "identity providers of this host's tenants"},
	{"test", sso_test_verb, "sign in at a provider as a person would, explained step by step"},
	{"bindings", sso_bindings_verb, "identities that first sign-ins bound on this host"},
	{"unbind", sso_unbind_verb, "forget what was bound to a user"},
};

static const char intro[] =
	"Single sign-on at identity providers. They stand in the directory, or come by a tenant's feed\n"
	"(`tenantctl directory add-provider`, directory.yaml(5)).\n"
	"\n"
	"Examples:\n"
	"  tenantctl sso providers\n"
	"  tenantctl sso test idp_google --user alice\n"
	"  tenantctl sso test https://login.example.com/realms/staff --client-id ml-hosts\n"
	"  tenantctl sso unbind alice\n";

int ctl_sso(struct ctl *ctl, int argc, char **argv)
{
	return ctl_dispatch(ctl, "tenantctl sso", intro, verbs, ARRAY_LEN(verbs), argc - 1, argv + 1);
}

/* All pages of a list. -1: go on; else the exit code. */
static int get_all(struct ctl *ctl, const char *method, const char *key, const char *user, json_t *all)
{
	int64_t from = 0;

	for (;;) {
		_cleanup_(ctl_call_finish) struct ctl_call call = {0};
		int result = ctl_call_begin(&call, ctl, method, false);

		if (result >= 0)
			return result;
		json_put_string_if(&call.writer.json, "user", user);
		if (from)
			json_put_i64(&call.writer.json, "from", from);
		result = ctl_call_end(&call);
		if (result >= 0)
			return result;
		if (json_array_extend(all, json_object_get(call.reply.parameters, key)) < 0)
			return ctl_fail(ctl, CTL_BROKEN, "the answer makes no sense");
		if (ctl_number(call.reply.parameters, "next") <= from)
			return -1;
		from = ctl_number(call.reply.parameters, "next");
	}
}

static int print_all(const struct ctl *ctl, const char *key, json_t *all)
{
	_cleanup_(json_decrefp) json_t *answer = json_pack("{s:O}", key, all);

	return answer ? ctl_print_reply(answer) : ctl_fail(ctl, CTL_BROKEN, "out of memory");
}

int sso_providers_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char *const titles[] = {"PROVIDER",    "TENANT", "NAME",      "KIND",  "ISSUER",
					     "CLIENT AUTH", "BIND",   "PREFERRED", "SOURCE"};
	static const struct ctl_command command = {
		.name = "sso providers",
		.usage = "",
		.text = "Identity providers of the tenants that this host knows, from files and feeds. Root only. "
			"Secrets\n"
			"are never shown.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(json_decrefp) json_t *all = json_array();
	struct ctl_table table;
	const json_t *provider;
	size_t i;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = get_all(ctl, "Providers", "providers", NULL, all);
	if (result >= 0)
		return result;
	if (ctl->json)
		return print_all(ctl, "providers", all);
	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	json_array_foreach(all, i, provider)
	{
		ctl_table_cell(&table, ctl_text(provider, "id"));
		ctl_table_cell(&table, ctl_text(provider, "tenant"));
		ctl_table_cell(&table, ctl_text(provider, "name"));
		ctl_table_cell(&table, ctl_text(provider, "kind"));
		ctl_table_cell(&table, ctl_text(provider, "issuer"));
		ctl_table_cell(&table, ctl_text(provider, "client_auth"));
		ctl_table_cell(&table, ctl_text(provider, "bind"));
		ctl_table_cell(&table, json_is_true(json_object_get(provider, "preferred")) ? "yes" : "");
		ctl_table_cell(&table, json_is_true(json_object_get(provider, "from_feed")) ? "feed" : "files");
	}
	ctl_table_print(&table, stdout);
	ctl_table_finish(&table);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int sso_bindings_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char *const titles[] = {"USER", "TENANT", "ISSUER", "SUBJECT", "SINCE"};
	const char *user = NULL;
	const struct ctl_option options[] = {{"user", "USER", "only theirs", .value = &user}};
	const struct ctl_command command = {
		.name = "sso bindings",
		.usage = "[--user USER]",
		.text = "Identities that first sign-ins on this host bound to users, because the provider's `bind` is\n"
			"verified_email. What the directory lists is `tenantctl directory show identities`. Root "
			"only.\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	_cleanup_(json_decrefp) json_t *all = json_array();
	char when[TIME_TEXT_SIZE];
	struct ctl_table table;
	const json_t *binding;
	size_t i;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = get_all(ctl, "Bindings", "bindings", user, all);
	if (result >= 0)
		return result;
	if (ctl->json)
		return print_all(ctl, "bindings", all);
	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	json_array_foreach(all, i, binding)
	{
		const char *login = ctl_text(binding, "user"), *tenant = ctl_text(binding, "tenant");

		ctl_table_cell(&table, *login ? login : ctl_text(binding, "user_id"));
		ctl_table_cell(&table, *tenant ? tenant : ctl_text(binding, "tenant_id"));
		ctl_table_cell(&table, ctl_text(binding, "issuer"));
		ctl_table_cell(&table, ctl_text(binding, "subject"));
		ctl_table_cell(&table, format_time(ctl_number(binding, "at"), when));
	}
	ctl_table_print(&table, stdout);
	ctl_table_finish(&table);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int sso_unbind_verb(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "sso unbind",
		.usage = "USER [ISSUER]",
		.text = "Forgets what first sign-ins on this host bound to a user (login or id), at one issuer or at "
			"all.\n"
			"Their next sign-in may bind again. What the directory lists is `tenantctl directory "
			"unbind`'s.\n"
			"Sessions that such an identity opened end (unless the directory lists it). Root only. Exit "
			"code 1 when nothing was bound.\n",
		.uses = CTL_USES_SOCKET,
		.min = 1,
		.max = 2,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	long long removed;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_begin(&call, ctl, "Unbind", false);
	if (result >= 0)
		return result;
	json_put_string(&call.writer.json, "user", argv[0]);
	if (count > 1)
		json_put_string(&call.writer.json, "issuer", argv[1]);
	result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	removed = ctl_number(call.reply.parameters, "removed");
	ctl_say(ctl, "forgot %lld identit%s of %s", removed, removed == 1 ? "y" : "ies", argv[0]);
	return CTL_OK;
}
