/* SPDX-License-Identifier: MIT
 *
 * Inside of the reaper: only the files of this folder include it.
 *
 *     reaper.c    what to look at, when
 *     watch.c     deadlines of sessions, and their warnings
 *     job.c       the end of one session
 *     purge.c     the end of everything that runs as a user
 *     begun.c     which of those were begun, on disk
 *     stray.c     people who have processes and no session
 *     scan.c      who has processes here
 *     clock_set.c when somebody sets the clock
 *     words.c     what is said on terminals
 */
#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"
#include "reaper/reaper.h"
#include "reaper/verdict.h"

#define DETAIL_SIZE 256

/* How far the end of a session is. What is due at `due` is done then; in flight there is nothing to do but wait. */
enum job_step {
	JOB_NONE,
	JOB_HANG_UP,    /* due: to tell the terminal and send SIGHUP */
	JOB_HANGING_UP, /* in flight */
	JOB_KILL,       /* due: after the grace time */
	JOB_KILLING,    /* in flight */
	JOB_KILLED,     /* due: to look why it is still there */
};

/* One for each session of the table. */
struct watched {
	char id[SESSION_ID_CHARS + 1];
	uint32_t number; /* of its slot */
	uint32_t serial; /* tells it apart from who had the slot before */
	uint64_t due;    /* boot time; 0: nothing */
	bool looked_at;  /* by the pass that is under way */
	struct limits_deadline next;
	uint64_t idle_since;
	bool idle_asked;
	enum job_step step;
	enum end_cause cause;
	unsigned tries;
	bool complained;
};

enum purge_step {
	PURGE_TELL,    /* due: to look whether the sessions were told */
	PURGE_HANG_UP, /* due */
	PURGE_HANGING_UP,
	PURGE_KILL, /* due */
	PURGE_KILLING,
};
struct purge {
	uint32_t uid, number, serial;
	uint64_t due, since;
	enum purge_step step;
	enum end_cause cause;
	unsigned tries;
	bool hung_up; /* there is no way back */
	bool keeps;   /* some scopes are left alone by what is in flight */
	bool more;    /* what was asked for while it was in flight is not in it */
	bool waits;   /* for a session that stands, and that cannot be told apart from what must end */
	bool complained;
};

struct waiter {
	char id[SESSION_ID_CHARS + 1];
	uint64_t tag;
};

struct scan;
struct reaper {
	sd_event *event;
	sd_event_source *timer, *clock_source;
	struct session_table *table;
	struct helper_client *helper;
	struct audit *audit;
	const struct login_book *book;
	struct reaper_hooks hooks;
	const struct host_limits *limits;
	const struct directory *directory;
	struct idle *idle;
	int dirfd;
	uint64_t armed; /* 0: not */
	bool started, host_was_disabled;
	uint32_t serial;

	struct watched **watched;
	uint32_t watched_high, watched_size;
	struct hash_index by_id;

	struct purge **purges;
	uint32_t purge_high, purge_size;

	struct waiter *waiters;
	uint32_t waiter_count, waiter_size;

	/* The pass that is under way: all below `looked` were. */
	bool looking;
	uint32_t looked;
	uint32_t unknown;  /* of whom nobody could know, in the last pass … */
	bool scan_unknown; /* … and scan */

	struct scan *scan; /* NULL: none is under way */
	bool scan_wanted;
	/* Whose sign-ins were ended since the last scan: whatever runs as them began before. */
	uint32_t *expected;
	uint32_t expected_count, expected_size;
};

/* ---- reaper.c */
void reaper_arm(struct reaper *reaper, uint64_t due); /* boot time; 0: nothing */
void reaper_tick(struct reaper *reaper);
struct verdict_world reaper_world(const struct reaper *reaper);
struct watched *reaper_find(const struct reaper *reaper, const char *id);
const char *reaper_tenant_id(const struct reaper *reaper, const struct session *session); /* NULL: not known */
/* How long to wait before the next try. What the helper refuses it will refuse again, and write down each time. */
uint64_t reaper_backoff(unsigned tries, int result);
/* Everything that a verdict asks for. */
void reaper_obey(struct reaper *reaper, const struct session *session, const struct verdict *verdict);
/* Tags of requests to the helper. */
uint64_t job_tag(const struct watched *watched);
uint64_t purge_tag(const struct purge *purge);

/* ---- watch.c */
void watch_plan(struct reaper *reaper, struct watched *watched, const struct session *session);
void watch_due(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now);

/* ---- job.c */
/* 0; -EALREADY; others, and nothing is begun: what somebody wished cannot be done (-ENOTCONN: there is no helper). */
int job_begin(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail);
void job_resume(struct reaper *reaper, struct watched *watched, const struct session *session);
void job_due(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now);
void job_answered(struct reaper *reaper, struct watched *watched, int result);
/* The right came back: true when that was in time. */
bool job_withdraw(struct reaper *reaper, struct watched *watched, const struct session *session);
void job_waiters_told(struct reaper *reaper, const char *id, int result);
int job_wait(struct reaper *reaper, const char *id, uint64_t tag);

/* ---- purge.c */
struct purge *purge_find(const struct reaper *reaper, uint32_t uid);
/* `session` NULL: none led to it, so it is written to the audit here. */
void purge_begin(struct reaper *reaper, uint32_t uid, const struct session *session, enum end_cause cause,
		 const char *detail);
void purge_due(struct reaper *reaper, struct purge *purge, uint64_t now);
void purge_answered(struct reaper *reaper, struct purge *purge, int result);
void purge_forget(struct reaper *reaper, struct purge *purge);
/* Does a session of the person's stand that somebody signed in to? */
bool purge_somebody_stands(const struct reaper *reaper, const char *user_id);

/* ---- begun.c: one file a uid, which says the cause. */
int begun_open(const char *path);
int begun_write(int dirfd, uint32_t uid, enum end_cause cause);
void begun_remove(int dirfd, uint32_t uid);
typedef void (*begun_fn)(void *context, uint32_t uid, enum end_cause cause);
int begun_read(int dirfd, begun_fn found, void *context);

/* ---- stray.c */
/* The person's sign-ins were ended: the next scan, which is wanted by this, is to end what it finds of theirs. */
void stray_expect(struct reaper *reaper, uint32_t uid);
bool stray_turn(struct reaper *reaper); /* true: there is more to come */

/* ---- scan.c: the managed uids that have processes. Through /proc once, in slices. */
int scan_begin(struct scan **ret);
void scan_end(struct scan *scan); /* takes NULL */
/* Calls `found` once for each uid (and again, if it comes again much later). True: there is more to come. */
typedef void (*scan_fn)(void *context, uint32_t uid);
bool scan_slice(struct scan *scan, scan_fn found, void *context);

/* ---- clock_set.c */
int clock_watch(sd_event *event, void (*set)(void *context), void *context, sd_event_source **ret);

/* ---- words.c */
void words_ending(enum end_cause cause, const char *detail, uint32_t grace_sec, char *out, size_t size);
void words_warning(enum end_cause cause, uint64_t left_sec, char *out, size_t size);
