/* SPDX-License-Identifier: MIT
 *
 * The sessions that PAM opened, as the kernel shows them: each is a leader's pidfd and, where logind gave it one, a
 * scope, i.e. a cgroup. It is open while the leader lives and PAM has not closed it, and left behind while there are
 * processes in the scope after that (nohup). Written to /run so that a restarted agent finds them again.
 *
 * Nothing is polled, and a session that nothing happens to costs nothing but memory and a descriptor.
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

#define SESSION_SCOPE_SIZE 32

struct session {
	char id[SESSION_ID_CHARS + 1]; /* base62, random */
	char *user_id, *login, *tenant, *project, *role, *service, *source, *terminal, *credential;
	/* Ids that stay when names change, "" where there is none (or an older agent opened it). */
	char *tenant_id, *project_id;
	char *provider;     /* the identity provider's id behind "sso:…" and its "token:…"; "" */
	char *grant_id;     /* an operator's session: the grant … */
	char *operator;     /* … and who it is, for people */
	char *grant_reason; /* … and why */
	uint32_t uid;
	pid_t leader;
	uint64_t leader_start; /* field 22 of /proc/PID/stat: tells a reused pid apart */
	int64_t opened;
	uint64_t opened_usec; /* the same as boot time, which nobody sets; 0: an older agent opened it */
	/* When and by what the sign-in was that opened it, as a proof: terminal.device 0 until a terminal has had the
	 * good of it, then that one; at 0: it is none. Where a one-time code opened it (`credential`), what that was
	 * made by, which is no proof. */
	struct session_proof sign_in;
	struct session_proof proofs[SESSION_PROOFS_MAX]; /* given later; at 0: unused */
	/* The person's sessions_valid_from in the picture that it was opened by, whether or not there was a proof: what
	 * has moved on since then ends it, and no clock of two machines is compared. -1: an older agent's, unknown. */
	int64_t valid_from;
	/* The newest revocation of sessions (its `at`) of the tenant when it was opened: such an order ends what it
	 * found, and no clock of two machines is compared. */
	int64_t orders_known;
	/* logind's session, once the kernel shows the leader in its scope: "<scope>" of session-<scope>.scope; "" */
	char scope[SESSION_SCOPE_SIZE];
	uint64_t scope_inode; /* which cgroup of that name: a name is given again, this number is not before a reboot */
	/* Of the terminal that the front end gave, looked for when something is to be said there: where the person is
	 * warned, or the session is to be ended; 0: none. */
	uint32_t terminal_device;
	bool left_behind; /* the leader is gone or PAM closed it, something in the scope is still there */
	/* It is being ended: since when (boot time; 0: it is not), why (end_cause_word), and how far. */
	uint64_t ending;
	char ending_cause[24];
	bool hung_up; /* SIGHUP went out */
	bool warned;  /* the person was told of the end that is foreseen next */
};

struct session_table;
/* What happens to a session. Any of them may be NULL. */
struct session_hooks {
	/* It is left behind, for a second already: what goes with the leader or right after it is no news. */
	void (*left_behind)(void *context, const struct session *session);
	/* Its end was taken back (session_unmark_ending). */
	void (*goes_on)(void *context, const struct session *session);
	/* Nothing of it is left; out of the table already, freed after the call. `why`: "closed" (PAM said so, and
	 * nothing was in the scope, or is any more), "process-ended". */
	void (*ended)(void *context, const struct session *session, const char *why);
	void *context;
};

/* `hooks` may be NULL. */
int session_table_create(sd_event *event, const char *state_dir, const struct session_hooks *hooks,
			 struct session_table **ret);
void session_table_destroy(struct session_table *table); /* takes NULL; the files stay for the next agent */
/* Finds the sessions of before: still the same process, or processes still in the same scope, or forgotten (without a
 * call of `ended`: nobody saw when). A file that is damaged is dropped, and `warn` (may be NULL) told. 0 and the count
 * of sessions that go on. */
typedef void (*session_warn_fn)(void *context, const struct problem *problem);
int session_table_restore(struct session_table *table, session_warn_fn warn, void *context, uint32_t *ret_count);
/* Copies the strings; `id`, `leader_start` are filled in here. 0 and the session (valid until it ends);
 * -ESRCH: no such process; -ENOSPC: table full; others: it could not be written or watched. */
int session_open(struct session_table *table, const struct session *data, const struct session **ret);
/* PAM says it closed: a hint. Without a scope it has ended; else it is left behind from now on, until nothing is in the
 * scope but perhaps a leader that goes on with something else. -ENOENT: no such session. */
int session_close(struct session_table *table, const char *id);
/* It is being ended from `now_usec` on, for this cause; how far that is; that the person was warned (or not any more).
 * On disk when they return: 0, -ENOENT, or why it is not, in which case a restarted agent will not know. */
int session_mark_ending(struct session_table *table, const char *id, uint64_t now_usec, const char *cause);
int session_mark_hung_up(struct session_table *table, const char *id);
void session_mark_warned(struct session_table *table, const char *id, bool warned);
/* Not to be ended after all (the right came back before the first signal). */
int session_unmark_ending(struct session_table *table, const char *id);
/* A proof given in the session at a terminal, in place of an older one there; or the sign-in's terminal. -ENOENT: no
 * such session; others: it is not on disk, and a restarted agent will not know it. */
int session_add_proof(struct session_table *table, const char *id, const struct session_proof *proof);
int session_claim_sign_in(struct session_table *table, const char *id, const struct session_terminal *terminal);
const struct session *session_find(const struct session_table *table, const char *id);
const struct session *session_next(const struct session_table *table, uint32_t *cursor);
/* Of one user only, or with this leader (a pid that may have been given again: compare the start); start with
 * *cursor = 0; NULL at the end. None may be opened or end on the way. */
const struct session *session_next_of(const struct session_table *table, const char *user_id, uint32_t *cursor);
const struct session *session_next_led(const struct session_table *table, pid_t leader, uint32_t *cursor);
uint32_t session_count_user(const struct session_table *table, const char *user_id);
uint32_t session_count(const struct session_table *table);
