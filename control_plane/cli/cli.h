/* SPDX-License-Identifier: MIT
 *
 * tenant-control's command line: verbs, options that all of them have, and the program opened for one verb.
 *
 * A verb that works on records makes a struct request and calls request_run() like the server does: the same gate,
 * handlers and events. It runs as root (and becomes the service's account once its files are read) or as that account.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "control_plane/app.h"

#define CLI_USER "tenant-control"

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

struct verb {
	const char *name;
	const char *arguments; /* "[--check-config]" */
	const char *summary;   /* one line */
	/* argv[0] is the verb. The exit status. */
	int (*run)(int argc, char **argv);
};
struct verb_table {
	const struct verb *verbs;
	size_t count;
};

/* Options that all verbs have: --config FILE, --json, --help. What remains stays in argv, in its order. */
struct cli_options {
	const char *config_path; /* NULL: CONTROL_CONFIG_PATH */
	bool json, help;
};
/* Takes them out of argv, before a "--"; 0, or CLI_USAGE after a line on stderr. */
int cli_options(int *argc, char **argv, struct cli_options *ret);
/* "did you mean": an option or argument that is not known. Returns CLI_USAGE. */
int cli_unknown(const char *verb, const char *word, const char *const *known, size_t count);
/* A problem on stderr. Returns CLI_FAILED. */
int cli_fail(const char *what, const struct problem *problem);

/* As root: becomes CLI_USER where there is such an account, since the database knows us by it. Else: only CLI_USER may.
 */
int cli_become_service(struct problem *problem);

struct cli {
	struct config *config;
	struct app app;
	bool open;
};
/* Reads the configuration; as root becomes CLI_USER where there is such an account. 0, or the exit status after a line
 * on stderr. `serving` as in app_open. */
int cli_open(const struct cli_options *options, bool serving, struct cli *ret);
void cli_close(struct cli *cli);

/* One request of the command line: request_init, principal, target, body (taken; NULL: none), request_run, and
 * request_run_again until it has answered. The response is left in `request`, for request_finish by the caller. 0, or
 * -errno when there is not even a response. */
struct request;
int cli_request(struct cli *cli, const char *method, const char *target, json_t *body, struct request *request);
