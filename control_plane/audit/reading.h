/* SPDX-License-Identifier: MIT
 *
 * Reading a log: entries with their personal data opened, by filter. Who may read is the routes' matter.
 */
#pragma once

#include "control_plane/audit/audit.h"

/* Zero and NULL: any. Texts are exact. */
struct audit_filter {
	int64_t since_ms, until_ms; /* of the event's own time; until is exclusive; 0: open */
	uint64_t from, to;          /* indices; to is exclusive; 0: the end */
	const char *actor, *project_id, *host_id, *kind, *event_id, *person;
	uint32_t class_uid;
	enum leaf_outcome outcome;
	bool newest_first;
};
struct audit_row {
	uint64_t index;
	const char *leaf; /* as it was hashed; borrowed, as all texts are */
	const char *event_id, *kind, *host_id, *host_name;
	uint32_t severity_id;
	int64_t time_ms, at_ms;           /* at: when it got its place */
	struct personal_list personal;    /* those that could be opened … */
	uint32_t parts[LEAF_PERSONS_MAX]; /* … and which of the leaf's each is */
	uint32_t erased_count;            /* … and those whose key is gone */
	char erased[LEAF_PERSONS_MAX][LEAF_ID_MAX];
	json_t *event; /* leaf and personal data merged */
};
/* At most `limit` rows, in turn. Non-zero of `each` stops and is returned. It must not use the transaction. */
int audit_read(struct app *app, struct db_tx *tx, const char *log_id, const struct audit_filter *filter, uint32_t limit,
	       int (*each)(void *context, const struct audit_row *row), void *context);
