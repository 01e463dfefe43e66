/* SPDX-License-Identifier: MIT
 *
 * tenantctl: what its verbs share. A verb is one function in the const table of main.c; it parses its
 * arguments with ctl_parse, does its work, prints through the helpers below and returns an exit code.
 *
 * People read tables on stdout and errors on stderr. With --json exactly one JSON value goes to stdout
 * (for errors: {"error": {...}}), nothing to stderr. No colours. Secrets are never taken from argv, but for
 * enrolment tokens, which are good for one use and can come from stdin, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/problem.h"

enum ctl_exit {
	CTL_OK = 0,
	CTL_NO = 1,     /* denied, not found, or a check found something */
	CTL_USAGE = 2,  /* the command line makes no sense */
	CTL_BROKEN = 3, /* could not find out: agent unreachable, file unreadable */
};

#define CTL_DEFAULT_DIRECTORY "/etc/tenantd/directory.yaml"
#define CTL_DEFAULT_SOCKET "/run/tenantd/agent.sock"

/* What every verb knows; filled by ctl_parse from the options that all verbs share. */
struct ctl {
	bool json;
	const char *file;   /* --file: the directory file */
	const char *socket; /* --socket: the agent's socket */
};

struct ctl_verb {
	const char *name;
	int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0] is the verb; gives an enum ctl_exit */
	const char *summary;                                /* one line, no full stop */
};

/* Dispatches argv[0] to the table; `prefix` ("tenantctl directory") and `intro` stand in its help. */
int ctl_dispatch(struct ctl *ctl, const char *prefix, const char *intro, const struct ctl_verb *verbs, size_t count,
		 int argc, char **argv);

/* An option of one verb. Exactly one of the three targets is set. `list` may be given several times and
 * takes comma-separated values, too. */
struct ctl_list {
	const char **items;
	size_t count;
};
void ctl_list_finish(struct ctl_list *list);

struct ctl_option {
	const char *name;    /* without the dashes */
	const char *metavar; /* NULL for flags */
	const char *help;
	const char **value;
	bool *flag;
	struct ctl_list *list;
};

/* Which of the shared options a verb takes (--json and --help always). */
#define CTL_USES_FILE 1U
#define CTL_USES_SOCKET 2U

struct ctl_command {
	const char *name;  /* "directory add-user" */
	const char *usage; /* "LOGIN --tenant TENANT [OPTIONS]" */
	const char *text;  /* what it does, with examples; lines of at most 100 columns */
	unsigned uses;
	const struct ctl_option *options;
	size_t option_count;
	int min, max; /* positional arguments; max -1: any number */
};

/* Sorts argv (argv[0] is skipped) into options and positional arguments, which are moved to the front
 * of argv: *ret_count of them, starting at argv[0]. Options may stand anywhere; "--" ends them.
 * -1: go on; otherwise the exit code to return with (help was shown, or the usage error was told). */
int ctl_parse(struct ctl *ctl, const struct ctl_command *command, int argc, char **argv, int *ret_count);

/* Tells what went wrong and gives `exit_code` back, for `return ctl_fail(…)`. */
int ctl_fail(const struct ctl *ctl, int exit_code, const char *format, ...) _printf_(3, 4);
int ctl_fail_problem(const struct ctl *ctl, int exit_code, const struct problem *problem);
/* For people only: one line on stdout; silent with --json. */
void ctl_say(const struct ctl *ctl, const char *format, ...) _printf_(2, 3);
/* For people, on stderr: a warning; silent with --json. */
void ctl_warn(const struct ctl *ctl, const char *format, ...) _printf_(2, 3);

/* Prints the buffer's JSON value and a newline; gives CTL_OK, or CTL_BROKEN when stdout is gone. */
int ctl_print_json(struct buffer *json);

/* A table: columns as wide as their widest cell. Cells are copied; control characters are escaped. */
struct ctl_table {
	unsigned columns;
	char **cells;
	size_t count, capacity;
	bool failed;
};
void ctl_table_begin(struct ctl_table *table, unsigned columns, const char *const *titles);
void ctl_table_cell(struct ctl_table *table, const char *text); /* NULL and "" show as "-" */
void ctl_table_cellf(struct ctl_table *table, const char *format, ...) _printf_(2, 3);
void ctl_table_print(const struct ctl_table *table, FILE *out);
void ctl_table_finish(struct ctl_table *table);

/* Agent-facing and directory verbs; see main.c for the table. */
int ctl_directory(struct ctl *ctl, int argc, char **argv);
