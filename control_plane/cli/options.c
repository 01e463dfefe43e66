/* SPDX-License-Identifier: MIT
 *
 * What all verbs share: options, opening the program, one request.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "control_plane/cli/cli.h"
#include "control_plane/http/request.h"
#include "control_plane/http/router.h"

int cli_options(int *argc, char **argv, struct cli_options *ret)
{
	int kept = 1;
	bool ended = false;

	*ret = (struct cli_options){0};
	for (int i = 1; i < *argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
			argv[kept++] = argv[i];
		} else if (!ended && strcmp(argv[i], "--config") == 0) {
			if (i + 1 == *argc) {
				fputs("tenant-control: --config needs a file\n", stderr);
				return CLI_USAGE;
			}
			ret->config_path = argv[++i];
		} else if (!ended && text_starts(argv[i], "--config=")) {
			ret->config_path = argv[i] + strlen("--config=");
		} else if (!ended && strcmp(argv[i], "--json") == 0) {
			ret->json = true;
		} else if (!ended && strcmp(argv[i], "--help") == 0) {
			ret->help = true;
		} else {
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	*argc = kept;
	return 0;
}

int cli_unknown(const char *verb, const char *word, const char *const *known, size_t count)
{
	const char *near = text_suggest(word, known, count);

	if (near)
		fprintf(stderr, "tenant-control %s: '%s' is not known; did you mean '%s'?\n", verb, word, near);
	else
		fprintf(stderr, "tenant-control %s: '%s' is not known; see tenant-control %s --help\n", verb, word,
			verb);
	return CLI_USAGE;
}

int cli_fail(const char *what, const struct problem *problem)
{
	char text[PROBLEM_FILE_MAX + 2 * PROBLEM_TEXT_MAX + 64];

	fprintf(stderr, "tenant-control: %s: %s\n", what, problem_render(problem, text, sizeof(text)));
	return CLI_FAILED;
}

/* The database knows us by the unix account that we have. */
int cli_become_service(struct problem *problem)
{
	const struct passwd *account = getpwnam(CLI_USER);

	if (geteuid() != 0) {
		if (account && account->pw_uid == geteuid())
			return 0;
		problem_remedy(problem, "run it as root");
		return problem_set(problem, EPERM, "only root and %s may do this", CLI_USER);
	}
	if (!account)
		return 0; /* a database that asks for something else than the account: the DSN says what */
	if (initgroups(CLI_USER, account->pw_gid) < 0 ||
	    setresgid(account->pw_gid, account->pw_gid, account->pw_gid) < 0 ||
	    setresuid(account->pw_uid, account->pw_uid, account->pw_uid) < 0)
		return problem_set(problem, errno, "cannot become %s: %s", CLI_USER, strerror(errno));
	return 0;
}

int cli_open(const struct cli_options *options, bool serving, struct cli *ret)
{
	const char *path = options->config_path ? options->config_path : CONTROL_CONFIG_PATH;
	struct problem problem = {0};

	*ret = (struct cli){0};
	if (config_load(path, options->config_path != NULL, &ret->config, &problem) < 0)
		return cli_fail("configuration", &problem);
	if (app_read_keys(ret->config, &ret->app, &problem) < 0 || (!serving && cli_become_service(&problem) < 0) ||
	    app_open(ret->config, serving, &ret->app, &problem) < 0) {
		config_free(TAKE_PTR(ret->config));
		return cli_fail("start", &problem);
	}
	ret->open = true;
	return 0;
}

void cli_close(struct cli *cli)
{
	if (cli->open)
		app_close(&cli->app);
	cli->open = false;
	config_free(TAKE_PTR(cli->config));
}

static int method_of(const char *name, enum http_method *ret)
{
	for (enum http_method m = 0; m < HTTP_METHOD_COUNT; m++) {
		if (strcmp(http_method_name(m), name) == 0) {
			*ret = m;
			return 0;
		}
	}
	return -EINVAL;
}

int cli_request(struct cli *cli, const char *method, const char *target, json_t *body, struct request *request)
{
	int result = request_init(request, &cli->app);

	request->body = body;
	if (result < 0)
		return result;
	result = method_of(method, &request->method);
	if (result < 0)
		return result;
	request->principal =
		(struct principal){.kind = PRINCIPAL_LOCAL, .id = "local", .name = "local", .credential = "local"};
	if (request_target(request, target))
		return 0;
	request_run(request);
	while (request->again) {
		struct timespec span = {.tv_sec = request->again_ms / 1000,
					.tv_nsec = (long)(request->again_ms % 1000) * 1000000L};

		(void)nanosleep(&span, NULL);
		if (request_run_again(request))
			break;
	}
	return 0;
}
