/* SPDX-License-Identifier: MIT
 *
 * The table's inside, for the files that make it up: session.c (in and out), marks.c (what is noted down about one),
 * restore.c (after a restart).
 */
#pragma once

#include "base/hash.h"
#include "session/session.h"

#define SESSIONS_MAX 8192U /* a descriptor each */

struct slot {
	struct session session;
	struct session_table *table;
	sd_event_source *leader; /* owns the pidfd; NULL: it is gone */
	uint32_t number;
};

struct session_table {
	sd_event *event;
	int dirfd;
	struct session_hooks hooks;
	struct slot **slots;  /* SESSIONS_MAX */
	uint32_t count, high; /* slots from `high` on were never used */
	struct hash_index by_id, by_user, by_leader;
};

struct slot *table_find(const struct session_table *table, const char *id); /* NULL: none */
/* Watches the leader and enters the slot. On failure the caller still owns it. */
int table_enter(struct session_table *table, struct slot *slot);
/* Out of the table and off the disk, and only then told: `ended` sees the table without it. `why` NULL: nobody is. */
void table_end(struct session_table *table, struct slot *slot, const char *why);

void slot_free(struct slot *slot); /* takes NULL */
DEFINE_CLEANUP(struct slot, slot_free)
