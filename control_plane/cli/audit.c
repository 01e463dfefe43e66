/* SPDX-License-Identifier: MIT
 *
 * tenant-control audit …: the verbs, and those of them that are one question.
 */
#include "control_plane/cli/audit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "control_plane/cli/records.h"
#include "control_plane/http/request.h"
#include "json/json_read.h"

#define TARGET_MAX 4096U
#define FOLLOW_SEC 2
#define TAIL_LINES "20"
#define PAGE_MAX "1000"
#define ESCAPED_MAX 1024U

static const char help[] =
	"tenant-control audit events [FILTERS] [--order oldest] [--limit N]   what happened, newest first\n"
	"tenant-control audit search [FILTERS]                                all of it\n"
	"tenant-control audit tail [-f] [FILTERS]                             the newest, and what comes\n"
	"tenant-control audit export [--from INDEX] [--to INDEX] [FILTERS]    with proofs, on standard output\n"
	"tenant-control audit verify FILE …                                   checks exports and checkpoints, offline\n"
	"tenant-control audit checkpoint                                      the newest one, signed\n"
	"tenant-control audit proof EVENT                                     that an event is in the log\n"
	"tenant-control audit erase PERSON                                    destroys somebody's personal data\n"
	"tenant-control audit retention [--personal DAYS] [--entries DAYS]    how long what is kept\n\n"
	"Of the platform's log, or with --tenant TENANT of a tenant's (export: --log ID of a deleted one's).\n"
	"FILTERS: --kind, --actor, --person, --project, --host (ids), --class, --outcome success|failure, --since,\n"
	"--until (2026-11-22T08:00:00Z), --id.\n"
	"Options: --json, --config FILE. Reading is itself an event of the log that is read.\n";

static const char *const columns[] = {"at", "kind", "outcome", "actor", "target", "host_name", "source", NULL};

/* ---- what was asked for ---------------------------------------------------------------------------------------------
 */

void audit_call_finish(struct audit_call *call)
{
	json_decref(call->query);
	*call = (struct audit_call){0};
}

/* "--since T", "--since=T": a member of the query. 1: taken; 0: another word; CLI_USAGE. */
static int take_query(int argc, char **argv, int *i, struct audit_call *call)
{
	static const char *const names[] = {"kind",  "actor", "person", "project", "host", "class", "outcome", "since",
					    "until", "id",    "order",  "limit",   "from", "to",    "tenant",  "log"};
	const char *word = argv[*i], *value;

	for (size_t n = 0; n < ARRAY_LEN(names); n++) {
		size_t length = strlen(names[n]);

		if (!text_starts(word, "--") || strncmp(word + 2, names[n], length) != 0)
			continue;
		if (word[2 + length] == '=') {
			value = word + 2 + length + 1;
		} else if (word[2 + length] != '\0') {
			continue;
		} else if (*i + 1 >= argc) {
			fprintf(stderr, "tenant-control audit: %s needs a value\n", word);
			return CLI_USAGE;
		} else {
			value = argv[++*i];
		}
		if (strcmp(names[n], "tenant") == 0)
			call->tenant = value;
		else if (strcmp(names[n], "log") == 0)
			call->log = value;
		else if (json_object_set_new(call->query, names[n], json_string(value)) < 0) {
			fprintf(stderr, "tenant-control audit: --%s is not text\n", names[n]);
			return CLI_USAGE;
		}
		return 1;
	}
	return 0;
}

static int take_words(int argc, char **argv, const char *argument, struct audit_call *call)
{
	static const char *const known[] = {"--tenant", "--kind",  "--actor",  "--person", "--project",
					    "--host",   "--class", "--since",  "--until",  "--outcome",
					    "--id",     "--order", "--limit",  "--from",   "--to",
					    "--follow", "--json",  "--config", "--log"};
	int taken;

	for (int i = 1; i < argc; i++) {
		taken = take_query(argc, argv, &i, call);
		if (taken == CLI_USAGE)
			return CLI_USAGE;
		if (taken == 1)
			continue;
		if (strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--follow") == 0)
			call->follow = true;
		else if ((argv[i][0] != '-' || argv[i][1] == '\0') && argument && !call->argument)
			call->argument = argv[i];
		else
			return cli_unknown("audit", argv[i], known, ARRAY_LEN(known));
	}
	if (argument && !call->argument) {
		fprintf(stderr, "tenant-control audit %s %s: which one?\n", argv[0], argument);
		return CLI_USAGE;
	}
	return 0;
}

int audit_call_read(int argc, char **argv, const char *argument, struct audit_call *ret, bool *ret_done)
{
	struct audit_call call = {.query = json_object()};
	int status = cli_options(&argc, argv, &call.options);

	*ret_done = true;
	if (status == 0 && call.options.help) {
		fputs(help, stdout);
		audit_call_finish(&call);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	if (status == 0 && !call.query)
		status = CLI_FAILED;
	if (status == 0)
		status = take_words(argc, argv, argument, &call);
	if (status == 0 && call.tenant && strpbrk(call.tenant, "/?#%"))
		status = cli_unknown("audit", call.tenant, NULL, 0);
	if (status == 0 && call.log && (strcmp(argv[0], "export") != 0 || call.tenant || strpbrk(call.log, "/?#%")))
		status = cli_unknown("audit", call.log, NULL, 0);
	if (status != 0) {
		audit_call_finish(&call);
		return status;
	}
	*ret_done = false;
	*ret = call;
	return CLI_OK;
}

/* ---- one question ---------------------------------------------------------------------------------------------------
 */

static void add_encoded(struct buffer *target, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		bool plain = (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
			     strchr("-._~", *p);

		(void)buffer_printf(target, plain ? "%c" : "%%%02X", *p);
	}
}

static const char *target_of(const struct audit_call *call, const char *path, struct buffer *target)
{
	const char *name, *separator = "?";
	json_t *value;

	(void)buffer_add_text(target, call->tenant ? "/v1/tenants/" : "/v1/");
	if (call->tenant) {
		add_encoded(target, call->tenant);
		(void)buffer_add_char(target, '/');
	}
	(void)buffer_add_text(target, path);
	json_object_foreach(call->query, name, value)
	{
		(void)buffer_printf(target, "%s%s=", separator, name);
		add_encoded(target, json_string_value(value));
		separator = "&";
	}
	return buffer_text(target);
}

static int refused(const char *verb, const struct buffer *body)
{
	_cleanup_(json_decrefp) json_t *problem = NULL;
	struct problem fault = {0};
	const char *detail = NULL, *title = NULL, *field = NULL;
	char escaped[ESCAPED_MAX];

	if (body->length > 0 && json_read(body->data, body->length, &problem, &fault) == 0) {
		detail = json_string_value(json_object_get(problem, "detail"));
		title = json_string_value(json_object_get(problem, "title"));
		field = json_string_value(json_object_get(problem, "field"));
	}
	if (!detail)
		detail = title ? title : "there was no answer";
	fprintf(stderr, "tenant-control audit %s: %s%s%s\n", verb, field ? field : "", field ? ": " : "",
		text_escape(detail, strlen(detail), escaped, sizeof(escaped)));
	return CLI_FAILED;
}

/* `body`, `stream`: where what the answer has of them goes. */
static int ask(struct cli *cli, const struct audit_call *call, const char *verb, const char *method, const char *path,
	       struct buffer *body, struct stream **stream)
{
	_cleanup_(buffer_finish) struct buffer target = BUFFER_INIT;
	struct request request = {0};
	const char *text = target_of(call, path, &target);
	int status = CLI_FAILED;

	if (text && cli_request(cli, method, text, NULL, &request) == 0) {
		status = request.response.status < 400 ? CLI_OK : refused(verb, &request.response.body);
		if (status == CLI_OK)
			(void)buffer_add(body, request.response.body.data, request.response.body.length);
		if (status == CLI_OK && stream)
			*stream = TAKE_PTR(request.response.stream);
	}
	request_finish(&request);
	return status == CLI_OK && body->failed ? CLI_FAILED : status;
}

int audit_ask(struct cli *cli, const struct audit_call *call, const char *verb, const char *method, const char *path,
	      struct buffer *ret)
{
	return ask(cli, call, verb, method, path, ret, NULL);
}

int audit_ask_stream(struct cli *cli, const struct audit_call *call, const char *verb, const char *path,
		     struct stream **ret)
{
	_cleanup_(buffer_finish) struct buffer body = BUFFER_INIT;
	int status = ask(cli, call, verb, "GET", path, &body, ret);

	return status == CLI_OK && !*ret ? CLI_FAILED : status;
}

/* A verb that is one question. `print` gets the body. */
static int ask_once(int argc, char **argv, const char *argument, const char *method, const char *path,
		    int (*print)(const struct audit_call *call, struct buffer *body))
{
	_cleanup_(audit_call_finish) struct audit_call call = {0};
	_cleanup_(buffer_finish) struct buffer body = {.wipe = true};
	bool done;
	struct cli cli;
	int status = audit_call_read(argc, argv, argument, &call, &done);
	char whole[TARGET_MAX];

	if (done)
		return status;
	(void)snprintf(whole, sizeof(whole), "%s", path);
	if (argument && strchr("/", path[strlen(path) - 1])) {
		if (strpbrk(call.argument, "/?#%"))
			return cli_unknown("audit", call.argument, NULL, 0);
		(void)snprintf(whole, sizeof(whole), "%s%s", path, call.argument);
	} else if (argument && json_object_set_new(call.query, "id", json_string(call.argument)) < 0) {
		return cli_unknown("audit", call.argument, NULL, 0);
	}
	status = cli_open(&call.options, false, &cli);
	if (status != CLI_OK)
		return status;
	status = audit_ask(&cli, &call, argv[0], method, whole, &body);
	if (status == CLI_OK)
		status = print(&call, &body);
	cli_close(&cli);
	return fflush(stdout) == 0 ? status : CLI_FAILED;
}

/* ---- events ---------------------------------------------------------------------------------------------------------
 */

static int read_page(const struct buffer *body, json_t **ret)
{
	struct problem problem = {0};

	return json_read(body->data, body->length, ret, &problem) < 0 ? CLI_FAILED : CLI_OK;
}

static void print_items(const struct audit_call *call, const json_t *items)
{
	size_t i;
	json_t *item;

	if (!call->options.json) {
		record_print_list(items, columns);
		return;
	}
	json_array_foreach(items, i, item)
	{
		(void)json_dumpf(item, stdout, JSON_COMPACT);
		(void)putchar('\n');
	}
}

/* One page; *ret_next is its cursor, or NULL. */
static int show_page(struct cli *cli, const struct audit_call *call, const char *verb, json_t **ret_page)
{
	_cleanup_(buffer_finish) struct buffer body = {.wipe = true};
	int status = audit_ask(cli, call, verb, "GET", "events", &body);

	return status == CLI_OK ? read_page(&body, ret_page) : status;
}

int audit_verb_events(int argc, char **argv)
{
	_cleanup_(audit_call_finish) struct audit_call call = {0};
	bool done, all = strcmp(argv[0], "search") == 0;
	struct cli cli;
	int status = audit_call_read(argc, argv, NULL, &call, &done);

	if (done)
		return status;
	if (all && json_object_set_new(call.query, "limit", json_string(PAGE_MAX)) < 0)
		return CLI_FAILED;
	status = cli_open(&call.options, false, &cli);
	if (status != CLI_OK)
		return status;
	do {
		_cleanup_(json_decrefp) json_t *page = NULL;
		json_t *next;

		status = show_page(&cli, &call, argv[0], &page);
		next = json_object_get(page, "next");
		if (status == CLI_OK)
			print_items(&call, json_object_get(page, "items"));
		all = all && json_is_string(next) && json_object_set(call.query, "cursor", next) == 0;
	} while (all && status == CLI_OK);
	cli_close(&cli);
	return fflush(stdout) == 0 ? status : CLI_FAILED;
}

/* The newest ones, the oldest of them first. *ret_index: of the last one. */
static int show_tail(struct cli *cli, struct audit_call *call, json_int_t *ret_index)
{
	_cleanup_(json_decrefp) json_t *page = NULL, *turned = json_array();
	int status = show_page(cli, call, "tail", &page);
	const json_t *items = json_object_get(page, "items");

	if (status != CLI_OK || !turned)
		return CLI_FAILED;
	for (size_t i = json_array_size(items); i-- > 0;)
		(void)json_array_append(turned, json_array_get(items, i));
	if (json_array_size(items) > 0)
		*ret_index = json_integer_value(json_object_get(json_array_get(items, 0), "index"));
	print_items(call, turned);
	return CLI_OK;
}

static int show_newer(struct cli *cli, struct audit_call *call, json_int_t *index)
{
	_cleanup_(json_decrefp) json_t *page = NULL;
	char cursor[24];
	const json_t *items;
	int status;

	(void)snprintf(cursor, sizeof(cursor), "%lld", (long long)*index);
	if (*index >= 0 && json_object_set_new(call->query, "cursor", json_string(cursor)) < 0)
		return CLI_FAILED;
	status = show_page(cli, call, "tail", &page);
	items = json_object_get(page, "items");
	if (status == CLI_OK && json_array_size(items) > 0) {
		print_items(call, items);
		*index =
			json_integer_value(json_object_get(json_array_get(items, json_array_size(items) - 1), "index"));
	}
	return status;
}

int audit_verb_tail(int argc, char **argv)
{
	_cleanup_(audit_call_finish) struct audit_call call = {0};
	const struct timespec pause = {.tv_sec = FOLLOW_SEC};
	json_int_t index = -1;
	bool done;
	struct cli cli;
	int status = audit_call_read(argc, argv, NULL, &call, &done);

	if (done)
		return status;
	if (!json_object_get(call.query, "limit") &&
	    json_object_set_new(call.query, "limit", json_string(TAIL_LINES)) < 0)
		return CLI_FAILED;
	status = cli_open(&call.options, false, &cli);
	if (status != CLI_OK)
		return status;
	status = show_tail(&cli, &call, &index);
	if (json_object_set_new(call.query, "order", json_string("oldest")) < 0)
		status = CLI_FAILED;
	while (call.follow && status == CLI_OK && fflush(stdout) == 0) {
		(void)nanosleep(&pause, NULL);
		status = show_newer(&cli, &call, &index);
	}
	cli_close(&cli);
	return fflush(stdout) == 0 ? status : CLI_FAILED;
}

/* ---- single things ----------------------------------------------------------------------------- */

static int print_body(const struct audit_call *call, struct buffer *body)
{
	(void)call;
	if (body->length > 0)
		(void)fwrite(body->data, 1, body->length, stdout);
	if (body->length > 0 && body->data[body->length - 1] != '\n')
		(void)putchar('\n');
	return CLI_OK;
}

static int print_erased(const struct audit_call *call, struct buffer *body)
{
	(void)body;
	if (call->options.json)
		puts("{\"erased\":true}");
	else
		printf("the personal data of %s in this log are gone\n", call->argument);
	return CLI_OK;
}

int audit_verb_checkpoint(int argc, char **argv)
{
	return ask_once(argc, argv, NULL, "GET", "audit/checkpoint", print_body);
}

int audit_verb_proof(int argc, char **argv)
{
	return ask_once(argc, argv, "EVENT", "GET", "audit/proofs/inclusion", print_body);
}

int audit_verb_erase(int argc, char **argv)
{
	return ask_once(argc, argv, "PERSON", "DELETE", "audit/persons/", print_erased);
}

/* ---- the verbs ------------------------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} actions[] = {
	{"events", audit_verb_events},         {"search", audit_verb_events},       {"tail", audit_verb_tail},
	{"export", audit_verb_export},         {"proof", audit_verb_proof},         {"erase", audit_verb_erase},
	{"checkpoint", audit_verb_checkpoint}, {"retention", audit_verb_retention}, {"verify", audit_verb_verify},
};

static int run_audit(int argc, char **argv)
{
	const char *names[ARRAY_LEN(actions)];
	int at = 1;

	/* main put options that stood in front of the verb here. */
	while (at < argc && argv[at][0] == '-')
		at += strcmp(argv[at], "--config") == 0 ? 2 : 1;
	for (size_t i = 0; i < ARRAY_LEN(actions); i++) {
		names[i] = actions[i].name;
		if (at < argc && strcmp(argv[at], actions[i].name) == 0) {
			char *name = argv[at];

			memmove(&argv[2], &argv[1], (size_t)(at - 1) * sizeof(*argv));
			argv[1] = name;
			return actions[i].run(argc - 1, argv + 1);
		}
	}
	if (at < argc)
		return cli_unknown("audit", argv[at], names, ARRAY_LEN(names));
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			fputs(help, stdout);
			return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
		}
	}
	fputs(help, stderr);
	return CLI_USAGE;
}

static const struct verb verbs[] = {
	{"audit", "events|search|tail|export|verify|checkpoint|proof|erase|retention …",
	 "the audit log: read, proved, exported, checked", run_audit},
};
extern const struct verb_table audit_verbs;
const struct verb_table audit_verbs = {.verbs = verbs, .count = ARRAY_LEN(verbs)};
