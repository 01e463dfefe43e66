/* SPDX-License-Identifier: MIT
 *
 * tenant-control audit: the log read, proved, exported and checked. Each verb has argv[0] as its own name; the exit
 * status is returned.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "control_plane/cli/cli.h"

int audit_verb_events(int argc, char **argv); /* events, search */
int audit_verb_tail(int argc, char **argv);
int audit_verb_export(int argc, char **argv);
int audit_verb_checkpoint(int argc, char **argv);
int audit_verb_proof(int argc, char **argv);
int audit_verb_erase(int argc, char **argv);
int audit_verb_retention(int argc, char **argv);
int audit_verb_verify(int argc, char **argv); /* offline: no configuration, no database, no special account */

/* ---- what they share ------------------------------------------------------------------------- */
/* Options that ask for something: of the query, and which log. */
struct audit_call {
	struct cli_options options;
	const char *tenant; /* NULL: the platform's log */
	const char *log;    /* that has ended, by its id: of export alone */
	json_t *query;      /* owned: object of texts */
	bool follow;
	const char *argument; /* the one beside the options; NULL: none */
};
void audit_call_finish(struct audit_call *call);
/* 0, or the exit status after a line on stderr (also CLI_OK, after help). `argument`: what it is called in the help;
 * NULL: there is none. */
int audit_call_read(int argc, char **argv, const char *argument, struct audit_call *ret, bool *ret_done);
/* GET or DELETE of the log's `path` ("events", "audit/checkpoint") with the call's query. The body, in `ret`; a problem
 * is told on stderr. CLI_OK or CLI_FAILED. */
int audit_ask(struct cli *cli, const struct audit_call *call, const char *verb, const char *method, const char *path,
	      struct buffer *ret);
/* The same for an answer that is a stream, which is the caller's to close. */
struct stream;
int audit_ask_stream(struct cli *cli, const struct audit_call *call, const char *verb, const char *path,
		     struct stream **ret);
