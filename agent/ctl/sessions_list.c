/* SPDX-License-Identifier: MIT
 *
 * tenantctl sessions list, and show.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/sessions.h"

struct wanted {
	const char *session, *user, *tenant, *project;
};

/* All that fit, from as many replies as it takes. -1: go on; else the exit code. */
static int get_sessions(struct ctl *ctl, const struct wanted *wanted, json_t *all)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int result = ctl_call_begin(&call, ctl, "Sessions", true);

	if (result >= 0)
		return result;
	/* An empty name is said, too: left out, it would mean any. */
	if (wanted->session)
		json_put_string(&call.writer.json, "session", wanted->session);
	if (wanted->user)
		json_put_string(&call.writer.json, "user", wanted->user);
	if (wanted->tenant)
		json_put_string(&call.writer.json, "tenant", wanted->tenant);
	if (wanted->project)
		json_put_string(&call.writer.json, "project", wanted->project);
	json_put_bool(&call.writer.json, "idle", true);
	result = ctl_call_end(&call);
	for (;;) {
		if (result >= 0)
			return result;
		if (!all || json_array_extend(all, json_object_get(call.reply.parameters, "sessions")) < 0)
			return ctl_fail(ctl, CTL_BROKEN, "the answer makes no sense");
		if (!call.reply.continues)
			return -1;
		result = ctl_call_next(&call, CTL_CALL_USEC);
	}
}

static const char *state_of(const json_t *session, char *out, size_t size)
{
	const char *cause = ctl_text(session, "cause");

	snprintf(out, size, "%s%s%s%s", ctl_text(session, "state"), *cause ? " (" : "", cause, *cause ? ")" : "");
	return out;
}

static void add_row(struct ctl_table *table, const json_t *session)
{
	char when[TIME_TEXT_SIZE], state[64], span[32];
	const char *tenant = ctl_text(session, "tenant"), *project = ctl_text(session, "project");
	bool has_idle = json_object_get(session, "idle") != NULL;

	ctl_table_cell(table, ctl_text(session, "session"));
	ctl_table_cell(table, ctl_text(session, "user"));
	ctl_table_cellf(table, "%s%s%s", tenant, *project ? "/" : "", project);
	ctl_table_cell(table, ctl_text(session, "role"));
	ctl_table_cell(table, ctl_text(session, "service"));
	ctl_table_cell(table, ctl_text(session, "source"));
	ctl_table_cell(table, *ctl_text(session, "tty") ? ctl_text(session, "tty") : ctl_text(session, "terminal"));
	ctl_table_cell(table, state_of(session, state, sizeof(state)));
	ctl_table_cell(table, has_idle ? format_span((uint64_t)ctl_number(session, "idle"), span, sizeof(span)) : "");
	ctl_table_cell(table, format_time(ctl_number(session, "opened"), when));
}

static int print_list(json_t *all)
{
	static const char *const titles[] = {"SESSION", "USER", "PROJECT", "ROLE", "SERVICE",
					     "FROM",    "TTY",  "STATE",   "IDLE", "SINCE"};
	size_t count = json_array_size(all), i;
	struct ctl_table table;
	const json_t *session;

	if (count) {
		ctl_table_begin(&table, ARRAY_LEN(titles), titles);
		json_array_foreach(all, i, session) add_row(&table, session);
		ctl_table_print(&table, stdout);
		ctl_table_finish(&table);
		putchar('\n');
	}
	if (count)
		printf("%zu session%s.\n", count, count == 1 ? "" : "s");
	else
		printf("No sessions.\n");
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int sessions_list_verb(struct ctl *ctl, int argc, char **argv)
{
	struct wanted wanted = {0};
	const struct ctl_option options[] = {
		{.name = "user", .metavar = "USER", .help = "only theirs (a login or an id)", .value = &wanted.user},
		{.name = "tenant", .metavar = "TENANT", .help = "only of this tenant", .value = &wanted.tenant},
		{.name = "project",
		 .metavar = "PROJECT",
		 .help = "only those opened for it (\"tenant/project\" or an id)",
		 .value = &wanted.project},
	};
	const struct ctl_command command = {
		.name = "sessions list",
		.usage = "[--user USER] [--tenant TENANT] [--project PROJECT]",
		.text = "Who is signed in, of those whom you may see. STATE: open; left-behind (the person is gone,\n"
			"something that they started is not); ending, and why. IDLE: since a key was pressed there.\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
	};
	_cleanup_(json_decrefp) json_t *all = json_array();
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = get_sessions(ctl, &wanted, all);
	if (result >= 0)
		return result;
	if (ctl->json) {
		_cleanup_(json_decrefp) json_t *answer = json_pack("{s:O}", "sessions", all);

		return answer ? ctl_print_reply(answer) : CTL_BROKEN;
	}
	return print_list(all);
}

static void show(const char *title, const char *text)
{
	char escaped[512];

	if (*text)
		printf("%12s: %s\n", title, text_escape(text, strlen(text), escaped, sizeof(escaped)));
}

static void show_two(const char *title, const char *text, const char *more)
{
	char line[512];

	snprintf(line, sizeof(line), *more ? "%s (%s)" : "%s", text, more);
	show(title, *text ? line : more);
}

static int print_one(const json_t *session)
{
	char line[512], when[TIME_TEXT_SIZE], span[32];
	int64_t opened = ctl_number(session, "opened"), leader = ctl_number(session, "leader");
	const char *project = ctl_text(session, "project");

	show("Session", ctl_text(session, "session"));
	show("State", state_of(session, line, sizeof(line)));
	show_two("User", ctl_text(session, "user"), ctl_text(session, "user_id"));
	snprintf(line, sizeof(line), "%lld", (long long)ctl_number(session, "uid"));
	show("UID", line);
	show_two("Operator", ctl_text(session, "operator"), ctl_text(session, "grant"));
	show("Looks in for", ctl_text(session, "grant_reason"));
	show_two("Tenant", ctl_text(session, "tenant"), ctl_text(session, "tenant_id"));
	show_two("Project", project, *project ? ctl_text(session, "project_id") : "");
	show("Role", ctl_text(session, "role"));
	show("Service", ctl_text(session, "service"));
	show("From", ctl_text(session, "source"));
	show_two("Terminal", ctl_text(session, "tty"), ctl_text(session, "terminal"));
	show("Credential", ctl_text(session, "credential"));
	show("Provider", ctl_text(session, "provider"));
	show("Scope", *ctl_text(session, "scope") ? ctl_text(session, "scope") : "");
	if (leader) {
		snprintf(line, sizeof(line), "%lld", (long long)leader);
		show("Leader", line);
	}
	show_two("Since", format_time(opened, when),
		 format_span((uint64_t)MAX_OF(clock_realtime_sec() - opened, (int64_t)0), span, sizeof(span)));
	if (json_object_get(session, "idle"))
		show("Idle", format_span((uint64_t)ctl_number(session, "idle"), span, sizeof(span)));
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int sessions_show_verb(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "sessions show",
		.usage = "SESSION",
		.text = "All about one session. Exit code 1 when you see none of this id.\n",
		.uses = CTL_USES_SOCKET,
		.min = 1,
		.max = 1,
	};
	_cleanup_(json_decrefp) json_t *all = json_array();
	struct wanted wanted = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	wanted.session = argv[0];
	result = get_sessions(ctl, &wanted, all);
	if (result >= 0)
		return result;
	if (json_array_size(all) != 1)
		return ctl_fail(ctl, CTL_NO, "there is none: session");
	return ctl->json ? ctl_print_reply(json_array_get(all, 0)) : print_one(json_array_get(all, 0));
}
