/* SPDX-License-Identifier: MIT
 *
 * Inside of the audit: only the files of this folder include it.
 */
#pragma once

#include "audit/audit.h"
#include "json/json_write.h"

/* OCSF classes that we write: uid = category * 1000 + number. */
enum ocsf_class {
	OCSF_ACCOUNT_CHANGE = 3001,
	OCSF_AUTHENTICATION = 3002,
	OCSF_AUTHORIZE_SESSION = 3003,
	OCSF_ENTITY_MANAGEMENT = 3004,
	OCSF_USER_ACCESS = 3005,
	OCSF_APPLICATION_LIFECYCLE = 6002,
	OCSF_API_ACTIVITY = 6003,
};

struct audit_kind_row {
	const char *word, *message_id, *title;
	int priority;
	enum ocsf_class class_uid;
	unsigned activity; /* of that class */
	unsigned severity; /* 1 informational … 5 critical */
	bool failure;
};
const struct audit_kind_row *audit_kind_row(enum audit_kind kind); /* NULL: no such kind */

/* Where and when: what the event itself does not say. */
struct audit_context {
	const char *host, *boot_id, *message;
	uint64_t sequence, time_usec;
};
/* Appends the OCSF object. Errors collect in the buffer. */
void ocsf_write(struct buffer *buffer, const struct audit_context *context, const struct audit_event *event);

/* The strings of an event that have a journal field of their own. */
struct audit_string {
	const char *field;
	size_t offset; /* of a const char * in struct audit_event */
};
extern const struct audit_string audit_strings[];
extern const size_t audit_string_count;

/* The journal's native protocol. */
struct journal;
int journal_open(struct journal **ret);
void journal_close(struct journal *journal); /* takes NULL */
/* `fields` are "NAME=value\n" lines. 0; negative: the journal did not take it. Waits 50 ms at the very most. */
int journal_send(struct journal *journal, const char *fields, size_t length);

/* Grouped events. */
struct audit_groups;
int audit_groups_create(struct audit_groups **ret);
void audit_groups_destroy(struct audit_groups *groups); /* takes NULL */
/* True: write it now. False: it was counted and comes out by audit_groups_next. */
bool audit_groups_admit(struct audit_groups *groups, const struct audit_event *event, uint64_t now_usec);
/* The next counted event whose time is over (any that waits, with `all`), valid until the next call; NULL: none. */
const struct audit_event *audit_groups_next(struct audit_groups *groups, uint64_t now_usec, bool all);
uint64_t audit_groups_due(const struct audit_groups *groups); /* 0: nothing waits */
