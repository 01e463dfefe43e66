/* SPDX-License-Identifier: MIT
 *
 * The table's inside, for the files that make it up: session.c (in and out), marks.c (what is noted down about one),
 * left_behind.c (what is in a scope without its leader), logind.c (which scope it is), restore.c (after a restart).
 */
#pragma once

#include <limits.h>

#include "base/hash.h"
#include "base/macros.h"
#include "session/session.h"

#define SESSIONS_MAX 8192U /* a descriptor each */

struct slot {
	struct session session;
	struct session_table *table;
	sd_event_source *leader; /* owns the pidfd; NULL: it is gone */
	/* Of what is left behind: whether there are processes in the scope, and whether there is a scope. */
	sd_event_source *populated, *folder;
	sd_event_source *later;
	bool closed;    /* PAM said so */
	bool announced; /* the hook was called, or the agent before us did */
	bool restored;  /* just now: not looked at yet */
	uint32_t number;
};

struct session_table {
	sd_event *event;
	int dirfd;
	struct session_hooks hooks;
	struct slot **slots;  /* SESSIONS_MAX */
	uint32_t count, high; /* slots from `high` on were never used */
	struct hash_index by_id, by_user, by_leader;
	sd_event_source *logind;
	char logind_folder[PATH_MAX], logind_awaited[NAME_MAX + 1]; /* logind.c */
};

struct slot *table_find(const struct session_table *table, const char *id); /* NULL: none */
/* Enters the slot. On failure the caller still owns it. */
int table_enter(struct session_table *table, struct slot *slot);
/* -ESRCH: the leader is gone. */
int slot_watch_leader(struct slot *slot);
/* Out of the table and off the disk, and only then told: `ended` sees the table without it. `why` NULL: nobody is. */
void table_end(struct session_table *table, struct slot *slot, const char *why);
/* Out of the table, while its file waits for the next agent. */
void table_forget(struct session_table *table, struct slot *slot);

/* Its leader is gone, or PAM closed it: it goes on as left behind while there are others in its scope, and ends with
 * the last of them, or at once. The slot may be gone then. */
void left_behind_begin(struct slot *slot);

void slot_free(struct slot *slot); /* takes NULL */
DEFINE_CLEANUP(struct slot, slot_free)
