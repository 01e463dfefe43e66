/* SPDX-License-Identifier: MIT
 *
 * tenantctl enroll, unenroll, and how feeds are in tenantctl status.
 */
#include "ctl/enroll.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/verbs.h"

#define ENROLL_USEC (70 * 1000 * 1000ULL)
#define TOKEN_MAX 256

/* The first line of stdin. 0, or an exit code. */
static int read_token(const struct ctl *ctl, char out[TOKEN_MAX])
{
	size_t length = 0;

	while (length < TOKEN_MAX - 1) {
		ssize_t n = read(STDIN_FILENO, out + length, 1);

		if (n < 0)
			return ctl_fail(ctl, CTL_BROKEN, "cannot read stdin");
		if (n == 0 || out[length] == '\n')
			break;
		length++;
	}
	while (length > 0 && (out[length - 1] == '\r' || out[length - 1] == ' '))
		length--;
	out[length] = '\0';
	if (length == 0)
		return ctl_fail(ctl, CTL_USAGE, "there is no token on stdin");
	return 0;
}

static int enroll(struct ctl *ctl, const char *url, const char *token)
{
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int result = ctl_call_begin(&call, ctl, "Enroll", false);

	if (result >= 0)
		return result;
	call.timeout_usec = ENROLL_USEC;
	json_put_string(&call.writer.json, "url", url);
	json_put_string(&call.writer.json, "token", token);
	result = ctl_call_end(&call);
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	ctl_say(ctl, "enrolled as %s; tenantctl status shows what comes", ctl_text(call.reply.parameters, "host"));
	return CTL_OK;
}

int ctl_enroll(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "enroll",
		.usage = "URL TOKEN|-",
		.text = "Enrols this host at the control plane at URL with a one-time token (tnt_et_…). Root only.\n"
			"With - the token is read from stdin, so that it stands in no list of processes.\n"
			"Where the host is enrolled there already, nothing changes and the token is not used: run it "
			"as\n"
			"often as you like. A failure leaves everything as it was.\n"
			"Exit code: 0 enrolled; 1 refused, or the control plane cannot be reached; 3 no agent.\n"
			"\n"
			"  tenantctl enroll https://control.example.org - < token\n",
		.uses = CTL_USES_SOCKET,
		.min = 2,
		.max = 2,
	};
	char token[TOKEN_MAX];
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result >= 0)
		return result;
	if (!text_equal(argv[1], "-"))
		return enroll(ctl, argv[0], argv[1]);
	result = read_token(ctl, token);
	if (result == 0)
		result = enroll(ctl, argv[0], token);
	secret_wipe(token, sizeof(token));
	return result;
}

int ctl_unenroll(struct ctl *ctl, int argc, char **argv)
{
	static const struct ctl_command command = {
		.name = "unenroll",
		.text = "Leaves the control plane: this host's identity and everything learned from there is wiped, "
			"and "
			"its\n"
			"tenants' people cannot sign in here any more. Root only.\n",
		.uses = CTL_USES_SOCKET,
	};
	_cleanup_(ctl_call_finish) struct ctl_call call = {0};
	int count, result = ctl_parse(ctl, &command, argc, argv, &count);

	if (result < 0)
		result = ctl_call_plain(&call, ctl, "Unenroll");
	if (result >= 0)
		return result;
	if (ctl->json)
		return ctl_print_reply(call.reply.parameters);
	ctl_say(ctl, "this host has left its control plane");
	return CTL_OK;
}

static void add_age(struct ctl_table *table, const json_t *feed)
{
	int64_t age = ctl_number(feed, "age");

	if (!json_object_get(feed, "age"))
		ctl_table_cell(table, "never");
	else if (age < 120)
		ctl_table_cellf(table, "%lld s", (long long)age);
	else if (age < 7200)
		ctl_table_cellf(table, "%lld min", (long long)age / 60);
	else
		ctl_table_cellf(table, "%lld h", (long long)age / 3600);
}

void ctl_show_feeds(const struct ctl *ctl, const json_t *status)
{
	static const char *const titles[] = {"TENANT", "STATE", "FRESH", "REVISION", "AGE", "LAST PROBLEM"};
	const json_t *enrolment = json_object_get(status, "enrolment"), *item;
	struct ctl_table table;
	size_t i;

	if (ctl->json || !enrolment)
		return;
	if (!text_equal(ctl_text(enrolment, "state"), "unenrolled"))
		ctl_say(ctl, "control:      %s at %s as %s", ctl_text(enrolment, "state"), ctl_text(enrolment, "url"),
			ctl_text(enrolment, "host"));
	if (ctl_text(enrolment, "problem")[0])
		ctl_say(ctl, "              %s", ctl_text(enrolment, "problem"));
	json_array_foreach(json_object_get(status, "conflicts"), i, item)
	{
		const json_t *sources = json_object_get(item, "sources");

		ctl_say(ctl, "conflict:     %s %s is claimed by %s and %s: served by neither", ctl_text(item, "kind"),
			ctl_text(item, "claim"), json_string_value(json_array_get(sources, 0)),
			json_string_value(json_array_get(sources, 1)));
	}
	if (json_array_size(json_object_get(status, "feeds")) == 0)
		return;
	ctl_say(ctl, "%s", "");
	ctl_table_begin(&table, ARRAY_LEN(titles), titles);
	json_array_foreach(json_object_get(status, "feeds"), i, item)
	{
		const char *slug = ctl_text(item, "slug");

		ctl_table_cell(&table, slug[0] ? slug : ctl_text(item, "tenant"));
		ctl_table_cellf(&table, "%s%s", ctl_text(item, "state"),
				json_is_true(json_object_get(item, "from_file")) ? " (file)" : "");
		ctl_table_cell(&table, json_is_true(json_object_get(item, "stale")) ? "NO" : "yes");
		ctl_table_cellf(&table, "%lld.%lld", (long long)ctl_number(item, "epoch"),
				(long long)ctl_number(item, "revision"));
		add_age(&table, item);
		ctl_table_cell(&table, ctl_text(item, "problem"));
	}
	ctl_table_print(&table, stdout);
	ctl_table_finish(&table);
}
