/* SPDX-License-Identifier: MIT
 *
 * What the agent may ask of the root helper, at /run/tenantd-helper.sock (a sequenced-packet socket): one packet, one
 * verb, one packet back when it is done. The agent is not believed: the helper checks each part by itself, refuses what
 * is outside the managed ids, and writes every refusal to the journal.
 *
 * The helper keeps nothing in mind: how long to wait between SIGHUP and SIGKILL, and what to try again, is the agent's
 * (reaper/reaper.h), so that either of the two may be killed at any time.
 */
#pragma once

#include <stdint.h>

#define HELPER_SOCKET "/run/tenantd-helper.sock"
#define HELPER_MAGIC 0x746e6468U
#define HELPER_TEXT_MAX 512
#define HELPER_SCOPE_MAX 32
#define HELPER_KEEP_MAX 64

enum helper_verb {
	/* To the terminal: `text`, in a line of its own. Nothing where there is none. */
	HELPER_TELL = 1,
	/* To all of the session: SIGHUP and SIGCONT. Told first when there is a `text`. A leader that is not the user's
	 * (sshd, login) and its unprivileged half are left out as long as there is anything else: they end with what
	 * they hold, and do so in order. */
	HELPER_HANG_UP_SESSION,
	/* SIGKILL until nothing of it is left, or it does not help (-EBUSY, after HELPER_TRY_MSEC). */
	HELPER_KILL_SESSION,
	/* The same for everything that runs as `uid` or as one of its subordinate ids, in sessions, user@<uid>.service
	 * and outside of both (at, cron, containers), but for the scopes in `keep`. The person's service manager gets
	 * SIGTERM in place of SIGHUP, so that it stops its units in order. Lingering is switched off (where nothing is
	 * kept), so that nothing starts at the next boot. `leader` and `scope` are 0 and "". */
	HELPER_HANG_UP_USER,
	HELPER_KILL_USER,
};

#define HELPER_TRY_MSEC 3000

/* A session is named by its leader, by its logind scope ("session-<scope>.scope" of this uid), or by both (in two
 * different ones they are refused). With a leader that is gone, the scope alone; without a scope (cron, services, hosts
 * without logind) what descends from the leader and runs as the user, never the leader's own service. */
struct helper_request {
	uint32_t magic;
	uint32_t verb;
	uint32_t uid;                 /* whose it is: within the tenants' ids */
	int32_t leader;               /* 0: it is gone, or none is meant */
	uint64_t leader_start;        /* field 22 of /proc/PID/stat */
	uint32_t terminal;            /* device number of a terminal that the user owns; 0: none */
	uint32_t keep_count;          /* of a user: scopes that are left alone */
	char scope[HELPER_SCOPE_MAX]; /* NUL-terminated; "" */
	char keep[HELPER_KEEP_MAX][HELPER_SCOPE_MAX];
	char text[HELPER_TEXT_MAX]; /* NUL-terminated UTF-8 without control characters; "" */
};

struct helper_answer {
	/* 0: done; -ESRCH: there was nothing; -EPERM, -EINVAL: refused; -EBUSY: something is left (`left` of them,
	 * where they can be counted); others: the host is in trouble. */
	int32_t result;
	uint32_t left;
};
