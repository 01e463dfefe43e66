/* SPDX-License-Identifier: MIT
 *
 * The verbs about records: `tenant-control user add …`. Each action is a row of a table that says which request it
 * makes; the request passes the same gate and handlers as one over HTTPS.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "base/macros.h"

enum record_option_type {
	OPTION_TEXT,
	OPTION_NUMBER,
	OPTION_LIST,  /* may be given several times, and with commas */
	OPTION_ITEM,  /* as a whole; may be given several times */
	OPTION_TIME,  /* 2027-01-31T08:00:00Z, or a span from now (90d): seconds since the epoch */
	OPTION_SPAN,  /* 7d: seconds */
	OPTION_JSON,  /* as it is */
	OPTION_PAIR,  /* NAME=FILE: a member of an object, its value the file's first line ("-": standard input) */
	OPTION_FILE,  /* a text: the file's first line ("-": standard input) */
	OPTION_KEY,   /* a text: the JSON object that the file holds */
	OPTION_OWN,   /* ISSUER=SUBJECT: an object in a list; may be given several times */
	OPTION_QUERY, /* not in the body, but behind the path */
	OPTION_FLAG,  /* without a value: true */
};
struct record_option {
	const char *name; /* "--ssh-key" */
	/* Of the body, or the query; "list.field": of the first object in that list (texts and lists). */
	const char *field;
	enum record_option_type type;
	const char *help;
};
struct record_action {
	const char *name;      /* "add" */
	const char *arguments; /* "LOGIN=login": a field of the body; "USER": {USER} of the path; in […]: optional */
	const char *method, *path;
	const char *help;
	const struct record_option *options;
	size_t option_count;
	const char *const *columns; /* of lists; NULL at the end */
};
struct record_noun {
	const char *name;  /* "user" */
	const char *about; /* some lines for --help */
	const struct record_action *actions;
	size_t action_count;
};
extern const struct record_noun record_nouns[];
extern const size_t record_noun_count;

/* What one action was given, as a request. */
struct record_call {
	const struct record_action *action;
	char *target; /* path and query; owned */
	json_t *body; /* owned; NULL: none */
};
void record_call_finish(struct record_call *call);
/* argv[0] is the action's name. 0, or CLI_USAGE after a line on stderr. */
int record_call_read(const struct record_noun *noun, int argc, char **argv, struct record_call *ret);

/* Help for a noun, on standard output. */
void record_print_help(const struct record_noun *noun);
/* A single record, one member a line; or a list as a table. */
void record_print_one(json_t *record);
void record_print_list(const json_t *items, const char *const *columns);
