/* SPDX-License-Identifier: MIT
 *
 * tenantctl watch: what happens, as it does.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

static int print_event(const struct ctl *ctl, const json_t *event)
{
	static const char *const keys[] = {"user", "key_id", "project", "session", "cause"};
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
