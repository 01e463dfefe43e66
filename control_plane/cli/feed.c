/* SPDX-License-Identifier: MIT
 *
 * tenant-control feed show|rotate-key|new-epoch: requests of the command line like others.
 */
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "control_plane/cli/cli.h"
#include "control_plane/http/request.h"
#include "json/json_read.h"

static const char help[] = "tenant-control feed show TENANT\n"
			   "tenant-control feed rotate-key TENANT [--finish]\n"
			   "tenant-control feed new-epoch TENANT\n\n"
			   "  show        origin, epoch, revision, keys\n"
			   "  rotate-key  adds a signing key; once all hosts have seen it, --finish drops the old one\n"
			   "  new-epoch   after the database was restored from a backup: hosts take the feed as new\n\n"
			   "TENANT is an id or a slug. Options: --json, --config FILE.\n";

static void print_object(const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		size_t i;
		json_t *item;

		if (json_is_string(value))
			printf("%s: %s\n", name, json_string_value(value));
		else if (json_is_integer(value))
			printf("%s: %lld\n", name, (long long)json_integer_value(value));
		json_array_foreach(value, i, item) printf("%s: %s\n", name, json_string_value(item));
	}
}

static int print_answer(const struct request *request, bool json)
{
	const struct buffer *body = &request->response.body;
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct problem problem = {0};
	bool fine = request->response.status < 400;

	if (body->length == 0 || json_read(body->data, body->length, &object, &problem) < 0) {
		fprintf(stderr, "tenant-control feed: there was no answer\n");
		return CLI_FAILED;
	}
	if (!fine && !json) {
		const char *detail = json_string_value(json_object_get(object, "detail"));

		fprintf(stderr, "tenant-control feed: %s\n",
			detail ? detail : json_string_value(json_object_get(object, "title")));
	} else if (json) {
		(void)fwrite(body->data, 1, body->length, stdout);
		(void)putchar('\n');
	} else {
		print_object(object);
	}
	return fflush(stdout) == 0 && fine ? CLI_OK : CLI_FAILED;
}

static int ask(const struct cli_options *options, const char *method, const char *target, json_t *body)
{
	struct request request = {0};
	struct cli cli;
	int status = cli_open(options, false, &cli);

	if (status != CLI_OK) {
		json_decref(body);
		return status;
	}
	status = cli_request(&cli, method, target, body, &request) < 0 ? CLI_FAILED
								       : print_answer(&request, options->json);
	request_finish(&request);
	cli_close(&cli);
	return status;
}

static int run_feed(int argc, char **argv)
{
	static const char *const verbs[] = {"show", "rotate-key", "new-epoch"};
	struct cli_options options;
	char target[256];
	bool finish = false;

	if (cli_options(&argc, argv, &options) != 0)
		return CLI_USAGE;
	if (options.help) {
		fputs(help, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	if (argc == 4 && strcmp(argv[3], "--finish") == 0 && strcmp(argv[1], "rotate-key") == 0) {
		finish = true;
		argc--;
	}
	if (argc != 3) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	if (strchr(argv[2], '/') || strchr(argv[2], '?') || strlen(argv[2]) > 64)
		return cli_unknown("feed", argv[2], NULL, 0);
	if (strcmp(argv[1], "show") == 0) {
		(void)snprintf(target, sizeof(target), "/v1/tenants/%s/feed", argv[2]);
		return ask(&options, "GET", target, NULL);
	}
	if (strcmp(argv[1], "rotate-key") == 0) {
		(void)snprintf(target, sizeof(target), "/v1/tenants/%s/feed/keys", argv[2]);
		return ask(&options, "POST", target, json_pack("{s:b}", "finish", finish));
	}
	if (strcmp(argv[1], "new-epoch") == 0) {
		(void)snprintf(target, sizeof(target), "/v1/tenants/%s/feed/epochs", argv[2]);
		return ask(&options, "POST", target, NULL);
	}
	return cli_unknown("feed", argv[1], verbs, ARRAY_LEN(verbs));
}

int verb_export(int argc, char **argv);

static const struct verb verbs[] = {
	{"feed", "show|rotate-key|new-epoch TENANT", "a tenant's feed: its state, keys and epoch", run_feed},
	{"export", "TENANT FOLDER [--valid-for DAYS]", "a tenant's feed as files, for hosts that are never online",
	 verb_export},
};
extern const struct verb_table feed_verbs;
const struct verb_table feed_verbs = {.verbs = verbs, .count = ARRAY_LEN(verbs)};
