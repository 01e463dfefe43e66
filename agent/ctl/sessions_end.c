/* SPDX-License-Identifier: MIT
 *
 * tenantctl sessions end.
 *
 * For configuration management the exit code says it all: 0, what was asked for is so (being ended, or with --wait
 * gone; none to end is so, too, where the right to it is there); 1, there is none that the caller may end, or something
 * is left after the wait; 3, nobody could do it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/sessions.h"

#define WAIT_MAX_SEC 600U
#define NOT_FOUND "io.tenantd.Agent.NotFound"

struct wish {
	const char *user, *tenant, *project, *reason, *wait_text;
	bool all;
	uint32_t wait_sec;
};

/* What came of all calls. */
struct outcome {
	int64_t asked, gone;
	json_t *missing; /* ids of which there is none for the caller */
	char problem[128];
};

/* One EndSession (`session`), or EndSessions. -1: go on; else the exit code, and why was told, but for "there is none"
 * (CTL_NO and *ret_none), which is the caller's to tell. */
static int call_end(struct ctl *ctl, const struct wish *wish, const char *session, uint32_t wait_sec,
		    struct outcome *outcome, bool *ret_none)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	struct json_writer *w = &call.writer.json;
	int result = ctl_call_begin(&call, ctl, session ? "EndSession" : "EndSessions", false);

	*ret_none = false;
	if (result >= 0)
		return result;
	call.expects_none = true;
	call.timeout_usec = CTL_CALL_USEC + wait_sec * USEC_PER_SEC;
	/* An empty name is said, too: left out, it would mean any. */
	if (session)
		json_put_string(w, "session", session);
	if (wish->user)
		json_put_string(w, "user", wish->user);
	if (wish->tenant)
		json_put_string(w, "tenant", wish->tenant);
	if (wish->project)
		json_put_string(w, "project", wish->project);
	if (wish->all)
		json_put_bool(w, "all", true);
	json_put_string_if(w, "reason", wish->reason);
	if (wait_sec)
		json_put_u64(w, "wait", wait_sec);
	result = ctl_call_end(&call);
	*ret_none = result == CTL_NO && text_equal(call.reply.error, NOT_FOUND);
	if (result >= 0)
		return result;
	outcome->asked += ctl_number(call.reply.parameters, "asked");
	outcome->gone += ctl_number(call.reply.parameters, "gone");
	if (*ctl_text(call.reply.parameters, "problem"))
		snprintf(outcome->problem, sizeof(outcome->problem), "%s", ctl_text(call.reply.parameters, "problem"));
	return -1;
}

/* Asks for all that were named, so that none has to wait for the one before it; `sessions` keeps those that there were.
 * -1: go on; else the exit code. */
static int ask_for_each(struct ctl *ctl, const struct wish *wish, char **sessions, int *count, struct outcome *outcome)
{
	int kept = 0;

	for (int i = 0; i < *count; i++) {
		bool none;
		int result = call_end(ctl, wish, sessions[i], *count == 1 ? wish->wait_sec : 0, outcome, &none);

		if (result >= 0 && !none)
			return result;
		if (!none) {
			sessions[kept++] = sessions[i];
			continue;
		}
		ctl_warn(ctl, "there is no session %s that you may end", sessions[i]);
		if (json_array_append_new(outcome->missing, json_string(sessions[i])) < 0)
			return CTL_BROKEN;
	}
	*count = kept;
	return -1;
}

/* Waits for those that were asked for; each is looked at, also when the time is over. */
static int wait_for_each(struct ctl *ctl, const struct wish *wish, char **sessions, int count, struct outcome *outcome)
{
	uint64_t deadline = clock_boottime_usec() + wish->wait_sec * USEC_PER_SEC;

	for (int i = 0; i < count; i++) {
		uint64_t now = clock_boottime_usec();
		uint32_t left = now < deadline ? (uint32_t)((deadline - now) / USEC_PER_SEC) : 0;
		struct outcome one = {0};
		bool none;
		int result = call_end(ctl, wish, sessions[i], MAX_OF(left, 1U), &one, &none);

		if (result >= 0 && !none)
			return result;
		outcome->gone += none ? 1 : one.gone;
		if (*one.problem)
			memcpy(outcome->problem, one.problem, sizeof(outcome->problem));
	}
	return -1;
}

static int end_named(struct ctl *ctl, const struct wish *wish, char **sessions, int count, struct outcome *outcome)
{
	int named = count, result = ask_for_each(ctl, wish, sessions, &count, outcome);

	if (result < 0 && wish->wait_sec && named > 1)
		result = wait_for_each(ctl, wish, sessions, count, outcome);
	return result;
}

static int end_fitting(struct ctl *ctl, const struct wish *wish, struct outcome *outcome)
{
	bool none;
	int result = call_end(ctl, wish, NULL, wish->wait_sec, outcome, &none);

	return none ? ctl_fail(ctl, CTL_NO, "there are no sessions of these that you may end") : result;
}

static int tell(const struct ctl *ctl, const struct wish *wish, const struct outcome *outcome)
{
	int64_t left = outcome->asked - outcome->gone;
	size_t missing = json_array_size(outcome->missing);
	bool fell_short = *outcome->problem || (wish->wait_sec && left > 0) || missing > 0;

	if (ctl->json) {
		_cleanup_(json_decrefp) json_t *answer =
			json_pack("{s:I, s:I, s:s*, s:O*}", "asked", (json_int_t)outcome->asked, "gone",
				  (json_int_t)outcome->gone, "problem", *outcome->problem ? outcome->problem : NULL,
				  "missing", missing ? outcome->missing : NULL);

		if (!answer || ctl_print_reply(answer) != CTL_OK)
			return CTL_BROKEN;
		return fell_short ? CTL_NO : CTL_OK;
	}
	if (outcome->asked == 0 && missing == 0)
		ctl_say(ctl, "No sessions.");
	else if (outcome->asked > 0 && !wish->wait_sec)
		ctl_say(ctl, "%lld session%s being ended.", (long long)outcome->asked,
			outcome->asked == 1 ? " is" : "s are");
	else if (outcome->asked > 0 && left == 0)
		ctl_say(ctl, "%lld session%s ended.", (long long)outcome->gone, outcome->gone == 1 ? " has" : "s have");
	else if (outcome->asked > 0)
		ctl_say(ctl, "%lld of %lld sessions have ended; the agent goes on.", (long long)outcome->gone,
			(long long)outcome->asked);
	if (*outcome->problem)
		ctl_warn(ctl, "something hinders it: %s", outcome->problem);
	return fell_short ? CTL_NO : CTL_OK;
}

int sessions_end_verb(struct ctl *ctl, int argc, char **argv)
{
	struct wish wish = {0};
	_cleanup_(json_decrefp) json_t *missing = json_array();
	struct outcome outcome = {.missing = missing};
	const struct ctl_option options[] = {
		{.name = "user", .metavar = "USER", .help = "all of theirs (a login or an id)", .value = &wish.user},
		{.name = "tenant", .metavar = "TENANT", .help = "all of the tenant's", .value = &wish.tenant},
		{.name = "project",
		 .metavar = "PROJECT",
		 .help = "all opened for it (\"tenant/project\" or an id)",
		 .value = &wish.project},
		{.name = "all", .help = "all of all tenants' people (root)", .flag = &wish.all},
		{.name = "reason", .metavar = "TEXT", .help = "for the person and the audit", .value = &wish.reason},
		{.name = "wait",
		 .metavar = "SEC",
		 .help = "until nothing is left of them, at most so long (600)",
		 .value = &wish.wait_text},
	};
	const struct ctl_command command = {
		.name = "sessions end",
		.usage = "SESSION… | --user USER | --project PROJECT | --tenant TENANT | --all",
		.text = "Ends sessions with everything that runs in them: the terminal is told why, SIGHUP, and "
			"SIGKILL to\n"
			"what is left after the grace time (`grace` of the tenant's policy and agent.yaml).\n"
			"People end their own; holders of session.manage those of the project or tenant; root all.\n"
			"Several of --user, --project and --tenant together mean the sessions that fit all of them.\n"
			"Exit code: 0 being ended (with --wait: gone; none is gone, too); 1 there is none that you "
			"may\n"
			"end, or something is left; 3 nobody could.\n"
			"\n"
			"  tenantctl sessions end --project acme/vision --reason 'GPU upgrade' --wait 60\n",
		.uses = CTL_USES_SOCKET,
		.options = options,
		.option_count = ARRAY_LEN(options),
		.max = -1,
	};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);
	bool by_filter = wish.user || wish.tenant || wish.project || wish.all;

	if (result >= 0)
		return result;
	if (wish.wait_text && (parse_u32(wish.wait_text, &wish.wait_sec) < 0 || wish.wait_sec > WAIT_MAX_SEC))
		return ctl_fail(ctl, CTL_USAGE, "--wait takes seconds, at most %u", WAIT_MAX_SEC);
	if (by_filter == (count > 0) || (wish.all && (wish.user || wish.tenant || wish.project)))
		return ctl_fail(ctl, CTL_USAGE,
				"say which: sessions by their ids, or --user, --project, --tenant, or --all alone");
	result = by_filter ? end_fitting(ctl, &wish, &outcome) : end_named(ctl, &wish, argv, count, &outcome);
	return result < 0 ? tell(ctl, &wish, &outcome) : result;
}
