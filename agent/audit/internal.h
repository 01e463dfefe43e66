/* SPDX-License-Identifier: MIT
 *
 * Inside of the audit: only the files of this folder include it.
 */
#pragma once

#include "audit/audit.h"
#include "audit/people.h"
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
	bool own_words; /* detail and data are the agent's, about machines alone: they stand in the leaf */
};
const struct audit_kind_row *audit_kind_row(enum audit_kind kind); /* NULL: no such kind */

/* Where and when: what the event itself does not say. */
struct audit_context {
	const char *host, *host_id;
	const char *id; /* of the event */
	uint64_t sequence, time_usec;
	const struct leaf_link *link; /* NULL: it is kept in the journal alone */
	struct people people;
	/* Of those whose personal data there are. */
	uint32_t commitment_count;
	struct {
		const char *person;
		uint8_t hash[SHA256_BYTES];
	} commitments[LEAF_PERSONS_MAX];
};
/* Appends the OCSF object, or one part of it (view.h). Of a person of whom nothing is said: nothing. Errors collect in
 * the buffer. */
void ocsf_write(struct buffer *buffer, const struct audit_context *context, const struct audit_event *event, int part);

/* An event as the store takes it: the leaf, and the line of its personal data; and as the journal has it, all in one
 * object. Fills in the context's commitments. 0, -EMSGSIZE: one of them is too large, -ENOMEM, -EIO. */
struct audit_record {
	struct buffer leaf, personal, whole;
};
int audit_record_make(struct audit_context *context, const struct audit_event *event, struct audit_record *ret);
void audit_record_finish(struct audit_record *record); /* wipes */

/* An event whose every value is short, printable and free of secrets, in copies where it was not. */
struct audit_clean {
	struct audit_event event;
	char **copies; /* as many as there are strings */
	char *data_json;
};
/* `most`: bytes of one value. */
int audit_clean_event(const struct audit_event *event, size_t most, struct audit_clean *ret); /* 0, -ENOMEM */
void audit_clean_finish(struct audit_clean *clean);
/* A service's own object as one line of JSON that can stand in an event: no control characters however they are
 * written, no secrets, nothing that a merge patch takes for something else. Owned; NULL: it is none, or too large. */
char *audit_clean_object(const char *json);

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
