/* SPDX-License-Identifier: MIT */
#include "control_plane/cli/records.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "control_plane/cli/cli.h"
#include "control_plane/http/request.h"
#include "json/json_read.h"

enum { CLI_NOT_FOUND = 3 };
#define ESCAPED_MAX 1024U

static const struct record_noun *find_noun(const char *name)
{
	for (size_t i = 0; i < record_noun_count; i++)
		if (strcmp(record_nouns[i].name, name) == 0)
			return &record_nouns[i];
	return NULL;
}

/* ---- answers
 * --------------------------------------------------------------------------------------------------------- */

static int refuse(const struct record_noun *noun, const struct record_action *action, unsigned status,
		  const json_t *problem)
{
	const char *title = json_string_value(json_object_get(problem, "title"));
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	const char *field = json_string_value(json_object_get(problem, "field"));
	char escaped[ESCAPED_MAX];

	fprintf(stderr, "tenant-control %s %s: %s", noun->name, action->name, title ? title : "it failed");
	if (field)
		fprintf(stderr, " (%s)", text_escape(field, strlen(field), escaped, sizeof(escaped)));
	if (detail)
		fprintf(stderr, ": %s", text_escape(detail, strlen(detail), escaped, sizeof(escaped)));
	fputc('\n', stderr);
	return status == 404 ? CLI_NOT_FOUND : CLI_FAILED;
}

static int print_json(const json_t *answer)
{
	if (json_dumpf(answer, stdout, JSON_INDENT(2)) < 0)
		return CLI_FAILED;
	putchar('\n');
	return CLI_OK;
}

static void print_acks(const json_t *acks)
{
	long long hosts = json_integer_value(json_object_get(acks, "hosts"));
	long long have = json_integer_value(json_object_get(acks, "acknowledged"));
	long long away = json_integer_value(json_object_get(acks, "away"));

	printf("%lld of %lld hosts have taken it in", have, hosts);
	if (away > 0)
		printf("; %lld are away and will, when they come back", away);
	putchar('\n');
}

/* What became of those that were to end. */
static void print_ended(const json_t *sessions)
{
	long long asked = json_integer_value(json_object_get(sessions, "asked"));
	long long gone = json_integer_value(json_object_get(sessions, "gone"));
	long long away = json_integer_value(json_object_get(sessions, "away"));

	printf("%lld of %lld sessions are gone", gone, asked);
	if (away > 0)
		printf("; %lld are on hosts that say nothing", away);
	putchar('\n');
}

static int print_record(json_t *answer, bool json)
{
	_cleanup_(json_decrefp) json_t *ended = json_incref(json_object_get(answer, "sessions"));
	json_t *acks = json_object_get(answer, "acks");

	if (json)
		return print_json(answer);
	json_object_del(answer, "version");
	if (acks) {
		_cleanup_(json_decrefp) json_t *kept = json_incref(acks);

		json_object_del(answer, "acks");
		json_object_del(answer, "sessions");
		record_print_one(answer);
		print_acks(kept);
		if (ended)
			print_ended(ended);
		return CLI_OK;
	}
	record_print_one(answer);
	if (json_object_get(answer, "secret") || json_object_get(answer, "token"))
		fputs("Keep it now: it is not shown again.\n", stderr);
	return CLI_OK;
}

/* ---- requests
 * -------------------------------------------------------------------------------------------------------- */

static json_t *read_answer(const struct request *request)
{
	const struct buffer *body = &request->response.body;
	struct problem problem = {0};
	json_t *answer = NULL;

	return body->length > 0 && json_read(body->data, body->length, &answer, &problem) == 0 ? answer : NULL;
}

/* All pages of a list, as one. */
static int collect(struct cli *cli, const struct record_noun *noun, const struct record_call *call, json_t *items)
{
	char cursor[1024] = "";

	do {
		struct request request;
		_cleanup_(json_decrefp) json_t *answer = NULL;
		_cleanup_(freep) char *target = NULL;
		const char *next;
		unsigned status;

		if (asprintf(&target, "%s%climit=1000%s%s", call->target, strchr(call->target, '?') ? '&' : '?',
			     *cursor ? "&cursor=" : "", cursor) < 0) {
			target = NULL;
			return CLI_FAILED;
		}
		if (cli_request(cli, call->action->method, target, NULL, &request) < 0) {
			request_finish(&request);
			return CLI_FAILED;
		}
		answer = read_answer(&request);
		status = request.response.status;
		request_finish(&request);
		if (status != 200)
			return refuse(noun, call->action, status, answer);
		json_array_extend(items, json_object_get(answer, "items"));
		next = json_string_value(json_object_get(answer, "next"));
		snprintf(cursor, sizeof(cursor), "%s", next ? next : "");
	} while (*cursor);
	return CLI_OK;
}

static int run_list(struct cli *cli, const struct record_noun *noun, const struct record_call *call, bool json)
{
	_cleanup_(json_decrefp) json_t *items = json_array();
	int r = items ? collect(cli, noun, call, items) : CLI_FAILED;

	if (r != CLI_OK)
		return r;
	if (json)
		return print_json(items);
	record_print_list(items, call->action->columns);
	return CLI_OK;
}

static int run_one(struct cli *cli, const struct record_noun *noun, struct record_call *call, bool json)
{
	_cleanup_(json_decrefp) json_t *answer = NULL;
	struct request request;
	unsigned status;
	int r = cli_request(cli, call->action->method, call->target, TAKE_PTR(call->body), &request);

	answer = r == 0 ? read_answer(&request) : NULL;
	status = request.response.status;
	request_finish(&request);
	if (r < 0 || status >= 300)
		return refuse(noun, call->action, status, answer);
	return answer ? print_record(answer, json) : CLI_OK;
}

static int run(int argc, char **argv)
{
	const struct record_noun *noun = find_noun(argv[0]);
	struct cli_options options;
	struct record_call call;
	struct cli cli;
	int r = cli_options(&argc, argv, &options);

	if (r != 0 || !noun)
		return CLI_USAGE;
	if (options.help || argc < 2) {
		record_print_help(noun);
		return options.help && fflush(stdout) == 0 ? CLI_OK : CLI_USAGE;
	}
	r = record_call_read(noun, argc - 1, argv + 1, &call);
	if (r == 0)
		r = cli_open(&options, false, &cli);
	if (r == 0) {
		r = call.action->columns ? run_list(&cli, noun, &call, options.json)
					 : run_one(&cli, noun, &call, options.json);
		cli_close(&cli);
	}
	record_call_finish(&call);
	return r == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : r;
}

static const struct verb verbs[] = {
	{"tenant", "ACTION …", "tenants: list, add, show, set, suspend, resume, remove", run},
	{"user", "ACTION …", "people and service accounts", run},
	{"project", "ACTION …", "projects", run},
	{"member", "ACTION …", "roles of people in tenant and projects", run},
	{"key", "ACTION …", "API keys: add, rotate, revoke", run},
	{"role", "ACTION …", "roles of a tenant's own", run},
	{"host-rule", "ACTION …", "which hosts serve which projects", run},
	{"connector", "ACTION …", "credentials of third parties", run},
	{"provider", "ACTION …", "identity providers: single sign-on", run},
	{"host", "ACTION …", "enrolled hosts and enrolment tokens", run},
	{"session", "ACTION …", "people's sessions on hosts: list, show, end", run},
	{"operator", "ACTION …", "operators and their grants", run},
	{"impersonation", "ACTION …", "operators who look into a tenant", run},
	{"event", "list", "what happened", run},
};
const struct verb_table record_verbs = {verbs, ARRAY_LEN(verbs)};
