/* SPDX-License-Identifier: MIT
 *
 * tenantctl status, reload, metrics, whoami, check: questions without a secret.
 */
#include <stdio.h>

#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/enroll.h"
#include "ctl/verbs.h"

static void show_audit(const struct ctl *ctl, const json_t *audit)
{
	const json_t *item;
	size_t i;

	if (!audit)
		return;
	if (!json_is_true(json_object_get(audit, "spool"))) {
		ctl_say(ctl, "audit:        in the journal alone, there is no spool");
		return;
	}
	ctl_say(ctl, "audit:        chain %s, event %lld; %lld of %lld MiB%s", ctl_text(audit, "chain"),
		(long long)ctl_number(audit, "last"), (long long)ctl_number(audit, "bytes") >> 20,
		(long long)ctl_number(audit, "max_bytes") >> 20,
		json_is_true(json_object_get(audit, "stuck")) ? "; the disk takes no events" : "");
	if (ctl_text(audit, "problem")[0])
		ctl_say(ctl, "              %s", ctl_text(audit, "problem"));
	if (ctl_number(audit, "dropped"))
		ctl_say(ctl, "              %lld events found no room", (long long)ctl_number(audit, "dropped"));
	if (ctl_number(json_object_get(audit, "witness"), "forked"))
		ctl_say(ctl, "              %lld LOGS ARE NOT WHAT THEY WERE: %s",
			(long long)ctl_number(json_object_get(audit, "witness"), "forked"),
			ctl_text(json_object_get(audit, "witness"), "problem"));
	json_array_foreach(json_object_get(audit, "consumers"), i, item)
	{
		if (ctl_number(item, "waiting"))
			ctl_say(ctl, "              %lld wait for %s", (long long)ctl_number(item, "waiting"),
				ctl_text(item, "name"));
	}
}

int ctl_status(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "status",
		.text = "How the agent is, and each tenant's feed where this host belongs to a control plane (root).\n"
			"Exit code for monitoring: 0 ready, and all feeds are fresh; 1 degraded (an older directory\n"
			"answers, a feed is stale or refused, a name is claimed twice, events cannot be kept); 3\n"
			"broken (nothing answers, or nobody can be signed in).\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	const char *state, *problem;
	char when[TIME_TEXT_SIZE];
	const json_t *p;
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_plain(&call, ctl, "Status");
	if (result >= 0)
		return result;
	p = call.reply.parameters;
	state = ctl_text(p, "state");
	if (ctl->json && ctl_print_reply(p) != CTL_OK)
		return CTL_BROKEN;
	problem = ctl_text(p, "problem");
	ctl_say(ctl, "state:        %s", state);
	if (problem[0])
		ctl_say(ctl, "problem:      %s", problem);
	ctl_say(ctl, "host:         %s", ctl_text(p, "host"));
	ctl_say(ctl, "version:      %s", ctl_text(p, "version"));
	if (json_object_get(p, "loaded_at"))
		ctl_say(ctl, "directory:    generation %lld, loaded %s", (long long)ctl_number(p, "generation"),
			format_time(ctl_number(p, "loaded_at"), when));
	ctl_say(ctl, "records:      %lld people, %lld projects, %lld tenants, %lld memberships, %lld keys",
		(long long)ctl_number(p, "users"), (long long)ctl_number(p, "projects"),
		(long long)ctl_number(p, "tenants"), (long long)ctl_number(p, "members"),
		(long long)ctl_number(p, "keys"));
	ctl_say(ctl, "names (NSS):  %s",
		json_is_true(json_object_get(p, "map_published")) ? "published" : "NOT published");
	ctl_say(ctl, "sessions:     %lld", (long long)ctl_number(p, "sessions"));
	if (json_object_get(p, "connections"))
		ctl_say(ctl, "connections:  %lld", (long long)ctl_number(p, "connections"));
	if (ctl_number(p, "audit_lost"))
		ctl_say(ctl, "audit:        %lld events were not taken by the journal",
			(long long)ctl_number(p, "audit_lost"));
	show_audit(ctl, json_object_get(p, "audit"));
	ctl_show_feeds(ctl, p);
	if (text_equal(state, "ready"))
		return CTL_OK;
	return text_equal(state, "degraded") ? CTL_NO : CTL_BROKEN;
}

int ctl_reload(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "reload",
		.text = "Lets the agent read configuration and directory again, and waits until it has. Root only.\n"
			"Exit code: 0 both are in force; 1 one did not load, and the last good one stays (the text "
			"says "
			"why).\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_begin(&call, ctl, "Reload", false);
	call.timeout_usec = CTL_RELOAD_USEC;
	if (result < 0)
		result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	ctl_say(ctl, json_is_true(json_object_get(call.reply.parameters, "changed")) ? "reloaded"
										     : "read again, nothing changed");
	return CTL_OK;
}

int ctl_metrics(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "metrics",
		.text = "Prints counters as OpenMetrics text, for example for node_exporter's textfile collector.\n"
			"Root, and services with the right `metrics` in agent.yaml.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_plain(&call, ctl, "Metrics");
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	fputs(ctl_text(call.reply.parameters, "text"), stdout);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

static int print_whoami(const json_t *parameters)
{
	static const char *const titles[] = {"TENANT", "PROJECT", "ROLE"};
	const json_t *principal = json_object_get(parameters, "principal"), *member;
	struct ctl_table table;
	size_t i;

	printf("%s (uid %lld, %s) of %s\n", ctl_text(principal, "user"), (long long)ctl_number(principal, "uid"),
	       ctl_text(principal, "kind"), ctl_text(principal, "tenant"));
	if (*ctl_text(principal, "operator"))
		printf("%s, by the grant %s\n", ctl_text(principal, "operator"), ctl_text(principal, "grant"));
	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	json_array_foreach(json_object_get(parameters, "memberships"), i, member)
	{
		ctl_table_cell(&table, ctl_text(member, "tenant"));
		ctl_table_cell(&table, ctl_text(member, "project"));
		ctl_table_cell(&table, ctl_text(member, "role"));
	}
	ctl_table_print(&table, stdout);
	ctl_table_finish(&table);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int ctl_whoami(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "whoami",
		.text = "Who you are to the platform, and your roles. Exit code 1 when you are not in the directory.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_plain(&call, ctl, "WhoAmI");
	if (result >= 0)
		return result;
	return ctl->json ? ctl_print_reply(call.reply.parameters) : print_whoami(call.reply.parameters);
}

int ctl_check(struct ctl *ctl, int argc, char **argv)
{
	const char *uid_text = NULL;
	const struct ctl_option options[] = {
		{.name = "uid",
		 .metavar = "UID",
		 .help = "about this uid instead of a user by name",
		 .value = &uid_text},
	};
	const struct ctl_command command = {
		.name = "check",
		.usage = "[USER] PROJECT ACTION",
		.text = "May the person do ACTION in PROJECT (\"tenant/project\" or an id), by role alone? Without "
			"USER: you.\n"
			"Actions: project.view, dataset.write, experiment.run, model.deploy, alert.configure,\n"
			"member.manage, project.delete, key.manage, session.manage, host.login, host.sudo.\n"
			"Exit code: 0 allowed; 1 denied; 3 nobody could decide.\n"
			"\n"
			"  tenantctl check alice acme/vision dataset.write\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
		.min = 2,
		.max = 3,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	uint32_t uid = 0;
	int count, code, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	if (uid_text && (count == 3 || parse_u32(uid_text, &uid) < 0))
		return ctl_fail(ctl, CTL_USAGE, "--uid takes a number, and no USER beside it");
	result = ctl_call_begin(&call, ctl, "CheckAccess", false);
	if (result >= 0)
		return result;
	if (uid_text)
		json_put_u64(&call.writer.json, "uid", uid);
	if (count == 3)
		json_put_string(&call.writer.json, "user", argv[0]);
	json_put_string(&call.writer.json, "project", argv[count - 2]);
	json_put_string(&call.writer.json, "action", argv[count - 1]);
	result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	code = ctl_decision(ctl, call.reply.parameters);
	if (ctl->json && ctl_print_reply(call.reply.parameters) != CTL_OK)
		return CTL_BROKEN;
	return code;
}
