/* SPDX-License-Identifier: MIT
 *
 * tenantctl audit status: is everything kept, who has it already, and are the logs what they were?
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/audit.h"

/* How people are told of a time; "never" for none. */
static const char *ago(int64_t at, char *out, size_t size)
{
	char span[32];

	if (!at)
		return "never";
	(void)snprintf(out, size, "%s ago",
		       format_span((uint64_t)MAX_OF(clock_realtime_sec() - at, (int64_t)0), span, sizeof(span)));
	return out;
}

static void show_spool(const struct ctl *ctl, const json_t *audit)
{
	ctl_say(ctl, "chain:        %s, at event %lld (on disk: %lld, the oldest here: %lld)", ctl_text(audit, "chain"),
		(long long)ctl_number(audit, "last"), (long long)ctl_number(audit, "durable"),
		(long long)ctl_number(audit, "oldest"));
	ctl_say(ctl, "spool:        %lld of %lld KiB; answers wait for: %s; when it is full: %s",
		(long long)ctl_number(audit, "bytes") >> 10, (long long)ctl_number(audit, "max_bytes") >> 10,
		ctl_text(audit, "durability"), ctl_text(audit, "when_full"));
	if (ctl_number(audit, "dropped"))
		ctl_say(ctl, "not kept:     %lld events since the agent's start",
			(long long)ctl_number(audit, "dropped"));
	if (json_is_true(json_object_get(audit, "stuck")) || ctl_text(audit, "problem")[0])
		ctl_say(ctl, "problem:      %s",
			ctl_text(audit, "problem")[0] ? ctl_text(audit, "problem") : "the disk takes no events");
}

static void show_consumers(const struct ctl *ctl, const json_t *audit)
{
	const json_t *list = json_object_get(audit, "consumers"), *item;
	size_t i;

	json_array_foreach(list, i, item) ctl_say(ctl, "waiting:      %lld events for %s",
						  (long long)ctl_number(item, "waiting"), ctl_text(item, "name"));
}

static void show_sinks(const struct ctl *ctl, const json_t *audit)
{
	const json_t *list = json_object_get(audit, "sinks"), *item;
	char when[48];
	size_t i;

	json_array_foreach(list, i, item)
	{
		ctl_say(ctl, "sink:         %s (%s): took %lld events, the last %s; %lld it will never take",
			ctl_text(item, "name"), ctl_text(item, "kind"), (long long)ctl_number(item, "sent"),
			ago(ctl_number(item, "taken_at"), when, sizeof(when)), (long long)ctl_number(item, "dead"));
		if (ctl_text(item, "problem")[0])
			ctl_say(ctl, "              %s", ctl_text(item, "problem"));
	}
}

static void show_fleet(const struct ctl *ctl, const json_t *audit)
{
	const json_t *delivery = json_object_get(audit, "delivery"), *witness = json_object_get(audit, "witness");
	char when[48];

	if (delivery) {
		ctl_say(ctl, "delivery:     %lld events sent since the start, last receipt %s",
			(long long)ctl_number(delivery, "sent"),
			ago(ctl_number(delivery, "last_receipt"), when, sizeof(when)));
		if (ctl_text(delivery, "problem")[0])
			ctl_say(ctl, "              %s", ctl_text(delivery, "problem"));
	}
	if (witness) {
		ctl_say(ctl, "witness:      of %lld logs, all in order %s", (long long)ctl_number(witness, "logs"),
			ago(ctl_number(witness, "last_good"), when, sizeof(when)));
		if (ctl_number(witness, "forked"))
			ctl_say(ctl,
				"FORKED:       %lld logs were rewritten, cut short or shown in two forms "
				"(tenantctl audit search --kind audit-log-forked)",
				(long long)ctl_number(witness, "forked"));
		if (ctl_text(witness, "problem")[0])
			ctl_say(ctl, "              %s", ctl_text(witness, "problem"));
	}
}

static bool has_problem(const json_t *audit, const char *key)
{
	return ctl_text(key ? json_object_get(audit, key) : audit, "problem")[0] != '\0';
}

/* What somebody should look at. */
static bool is_fine(const json_t *audit)
{
	const json_t *sinks = json_object_get(audit, "sinks"), *sink;
	size_t i;

	json_array_foreach(sinks, i, sink) if (has_problem(sink, NULL) || ctl_number(sink, "dead")) return false;
	return json_is_true(json_object_get(audit, "spool")) && !json_is_true(json_object_get(audit, "stuck")) &&
	       !ctl_number(audit, "dropped") && !ctl_number(json_object_get(audit, "witness"), "forked") &&
	       !has_problem(audit, NULL) && !has_problem(audit, "delivery") && !has_problem(audit, "witness");
}

int audit_status_verb(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "audit status",
		.text = "How events are kept on this host, who waits for how many, and what the logs of the control\n"
			"plane look like from here (root). Exit code for monitoring: 0 all is kept and in order; 1\n"
			"something is not: no spool, a disk that takes nothing, events that were not kept, a sink or\n"
			"the control plane that cannot be reached, a log that was rewritten; 3 nobody answers.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);
	const json_t *audit;

	if (result < 0)
		result = ctl_call_plain(&call, ctl, "Status");
	if (result >= 0)
		return result;
	audit = json_object_get(call.reply.parameters, "audit");
	if (!audit)
		return ctl_fail(ctl, CTL_BROKEN, "the agent tells that to root alone");
	if (ctl->json && ctl_print_reply(audit) != CTL_OK)
		return CTL_BROKEN;
	if (!json_is_true(json_object_get(audit, "spool"))) {
		ctl_say(ctl, "spool:        none: events are kept in the journal alone (tenantctl status says why)");
	} else {
		show_spool(ctl, audit);
		show_consumers(ctl, audit);
		show_sinks(ctl, audit);
		show_fleet(ctl, audit);
	}
	return is_fine(audit) ? CTL_OK : CTL_NO;
}
