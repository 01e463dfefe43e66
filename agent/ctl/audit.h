/* SPDX-License-Identifier: MIT
 *
 * Between tenantctl's verbs of audit events.
 */
#pragma once

#include <systemd/sd-journal.h>

#include "ctl/ctl.h"

int audit_status_verb(struct ctl *ctl, int argc, char **argv); /* audit_status.c */
int audit_tail_verb(struct ctl *ctl, int argc, char **argv);   /* audit_journal.c */
int audit_search_verb(struct ctl *ctl, int argc, char **argv); /* audit_journal.c */
int audit_verify_verb(struct ctl *ctl, int argc, char **argv); /* audit_verify.c: asks nobody */

/* Which events are asked for (audit_query.c). As on the command line, then as they are looked for. */
struct audit_query {
	const char *user, *tenant, *project, *session, *outcome, *id, *since, *until, *lines, *journal;
	struct ctl_list kinds;
	uint64_t since_usec, until_usec; /* 0: open; until is exclusive */
	uint64_t most;                   /* of the newest; 0: all */
	bool success_alone;
};
void audit_query_finish(struct audit_query *query);
/* What the texts mean. -1: go on; else the exit code, and why was told. */
int audit_query_read(const struct ctl *ctl, struct audit_query *query);
/* The journal, with all that a match can say. As audit_query_read. */
int audit_query_open(const struct ctl *ctl, const struct audit_query *query, sd_journal **ret);
/* What a match cannot say, of the entry where the journal is. */
bool audit_query_fits(const struct audit_query *query, sd_journal *journal);

/* One entry for people, a line; or for machines, its OCSF object without a line's end (audit_print.c). False: stdout
 * is gone. */
void audit_print_titles(void);
bool audit_print_line(sd_journal *journal);
bool audit_print_object(sd_journal *journal);
/* A field of the entry where the journal is: "" where it has none. Owned; NULL: no memory. */
char *audit_field(sd_journal *journal, const char *name);
