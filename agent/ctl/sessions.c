/* SPDX-License-Identifier: MIT
 *
 * tenantctl sessions: who is here; and watch: what happens.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

static void add_row(struct ctl_table *table, const json_t *session)
{
	char when[TIME_TEXT_SIZE];

	ctl_table_cell(table, ctl_text(session, "session"));
	ctl_table_cell(table, ctl_text(session, "user"));
	ctl_table_cell(table, ctl_text(session, "tenant"));
	ctl_table_cell(table, ctl_text(session, "project"));
	ctl_table_cell(table, ctl_text(session, "role"));
	ctl_table_cell(table, ctl_text(session, "service"));
	ctl_table_cell(table, ctl_text(session, "source"));
	ctl_table_cell(table, ctl_text(session, "terminal"));
	ctl_table_cell(table, format_time(ctl_number(session, "opened"), when));
	ctl_table_cellf(table, "%lld", (long long)ctl_number(session, "leader"));
}

static int list_sessions(struct ctl *ctl, const char *user)
{
	static const char *const titles[] = {"SESSION", "USER", "TENANT", "PROJECT", "ROLE",
					     "SERVICE", "FROM", "TTY",    "SINCE",   "LEADER"};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	_cleanup_(json_decrefp) json_t *all = json_array();
	struct ctl_table table;
	const json_t *session;
	size_t i;
	int result = ctl_call_begin(&call, ctl, "Sessions", true);

	if (result >= 0)
		return result;
	json_put_string_if(&call.writer.json, "user", user);
	result = ctl_call_end(&call);
	for (;;) {
		if (result >= 0)
			return result;
		if (!all || json_array_extend(all, json_object_get(call.reply.parameters, "sessions")) < 0)
			return ctl_fail(ctl, CTL_BROKEN, "the answer makes no sense");
		if (!call.reply.continues)
			break;
		result = ctl_call_next(&call, CTL_CALL_USEC);
	}
	if (ctl->json) {
		_cleanup_(json_decrefp) json_t *answer = json_pack("{s:O}", "sessions", all);

		return answer ? ctl_print_reply(answer) : CTL_BROKEN;
	}
	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	json_array_foreach(all, i, session) add_row(&table, session);
	ctl_table_print(&table, stdout);
	ctl_table_finish(&table);
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

static int end_session(struct ctl *ctl, const char *session, const char *reason)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int result = ctl_call_begin(&call, ctl, "EndSession", false);

	if (result >= 0)
		return result;
	call.timeout_usec = CTL_END_USEC;
	json_put_string(&call.writer.json, "session", session);
	json_put_string_if(&call.writer.json, "reason", reason);
	result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	ctl_say(ctl, "session %s is being ended", session);
	return CTL_OK;
}

int ctl_sessions(struct ctl *ctl, int argc, char **argv)
{
	const char *user = NULL, *reason = NULL;
	const struct ctl_option options[] = {
		{.name = "user", .metavar = "USER", .help = "only theirs", .value = &user},
		{.name = "reason", .metavar = "TEXT", .help = "with end: what the audit says", .value = &reason},
	};
	const struct ctl_command command = {
		.name = "sessions",
		.usage = "[--user USER] | end SESSION [--reason TEXT]",
		.text = "Who is signed in: your own sessions, or all of them for root and for services that may see "
			"them.\n"
			"`end` ends one: SIGHUP to all of its processes, and SIGKILL to what is left five seconds "
			"later.\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
		.max = 2,
	};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	if (count == 0 && !reason)
		return list_sessions(ctl, user);
	if (count == 2 && text_equal(argv[0], "end") && !user)
		return end_session(ctl, argv[1], reason);
	return ctl_fail(ctl, CTL_USAGE, "`tenantctl sessions` lists, `tenantctl sessions end SESSION` ends one");
}

static int print_event(const struct ctl *ctl, const json_t *event)
{
	static const char *const keys[] = {"user", "key_id", "project", "session"};
	char when[TIME_TEXT_SIZE];

	if (ctl->json)
		return ctl_print_reply(event);
	printf("%s %s", format_time(clock_realtime_sec(), when), ctl_text(event, "event"));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (json_object_get(event, keys[i]))
			printf(" %s=%s", keys[i], ctl_text(event, keys[i]));
	putchar('\n');
	return fflush(stdout) == 0 ? CTL_OK : CTL_BROKEN;
}

int ctl_watch(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "watch",
		.text = "Prints events as they happen, one a line, until interrupted: revoked keys, suspended people,\n"
			"changed roles, sessions. Root and services with the right `subscribe` hear all; others what\n"
			"concerns themselves. Exit code 3 when the agent goes away: start again, and look anew.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_begin(&call, ctl, "Subscribe", true);
	if (result < 0)
		result = ctl_call_end(&call);
	while (result < 0) {
		if (print_event(ctl, call.reply.parameters) != CTL_OK)
			return CTL_BROKEN;
		if (!call.reply.continues)
			return CTL_OK;
		result = ctl_call_next(&call, UINT64_MAX);
	}
	return result;
}
