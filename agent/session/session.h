/* SPDX-License-Identifier: MIT
 *
 * The sessions that PAM opened, counted by what the kernel shows: each is a leader's pidfd, and ends
 * when that process does. Written to /run so that a restarted agent finds them again.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/problem.h"

#define SESSION_ID_CHARS 16

/* A controlling terminal, and the POSIX session that has it. */
struct session_terminal {
	uint32_t device; /* 0: none */
	pid_t owner;
	uint64_t owner_start;
};
bool session_terminal_same(const struct session_terminal *a, const struct session_terminal *b);

/* Somebody proved at this terminal who they are. */
#define SESSION_PROOFS_MAX 8U /* of one session; the oldest gives way */
#define SESSION_CREDENTIAL_SIZE 96
struct session_proof {
	struct session_terminal terminal;
	uint64_t at;        /* boot time */
	int64_t valid_from; /* the person's sessions_valid_from then */
	char credential[SESSION_CREDENTIAL_SIZE];
};

struct session {
	char id[SESSION_ID_CHARS + 1]; /* base62, random */
	char *user_id, *login, *tenant, *project, *role, *service, *source, *terminal, *credential;
	uint32_t uid;
	pid_t leader;
	uint64_t leader_start; /* field 22 of /proc/PID/stat: tells a reused pid apart */
	int64_t opened;
	/* When and by what the sign-in was that opened it, as a proof: terminal.device 0 until a terminal has had the
	 * good of it, then that one; at 0: it is none. */
	struct session_proof sign_in;
	struct session_proof proofs[SESSION_PROOFS_MAX]; /* given later; at 0: unused */
	uint64_t ending;                                 /* boot time when somebody asked to end it; 0: nobody has */
};

struct session_table;
typedef void (*session_ended_fn)(void *context, const struct session *session, const char *why);

int session_table_create(sd_event *event, const char *state_dir, session_ended_fn ended, void *context,
			 struct session_table **ret);
void session_table_destroy(struct session_table *table); /* takes NULL; the files stay for the next agent */
/* Finds the sessions of before: still the same process, or forgotten (without a call of `ended`: nobody saw
 * when). A file that is damaged is dropped, and `warn` (may be NULL) told. 0 and the count of sessions that go on. */
typedef void (*session_warn_fn)(void *context, const struct problem *problem);
int session_table_restore(struct session_table *table, session_warn_fn warn, void *context, uint32_t *ret_count);
/* Copies the strings; `id`, `leader_start` are filled in here. 0 and the session (valid until it ends);
 * -ESRCH: no such process; -ENOSPC: table full; others: it could not be written or watched. */
int session_open(struct session_table *table, const struct session *data, const struct session **ret);
/* PAM says it closed: a hint; the session goes at once, its processes are the kernel's matter. Calls `ended`.
 * -ENOENT: no such session. */
int session_close(struct session_table *table, const char *id);
/* It is being ended since `now_usec`, for session.ending. */
void session_mark_ending(struct session_table *table, const char *id, uint64_t now_usec);
/* A proof given in the session at a terminal, in place of an older one there; or the sign-in's terminal. -ENOENT: no
 * such session; others: it is not on disk, and a restarted agent will not know it. */
int session_add_proof(struct session_table *table, const char *id, const struct session_proof *proof);
int session_claim_sign_in(struct session_table *table, const char *id, const struct session_terminal *terminal);
const struct session *session_find(const struct session_table *table, const char *id);
const struct session *session_next(const struct session_table *table, uint32_t *cursor);
uint32_t session_count_user(const struct session_table *table, const char *user_id);
uint32_t session_count(const struct session_table *table);
