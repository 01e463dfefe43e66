/* SPDX-License-Identifier: MIT
 *
 * The reaper ends what must end, by the root helper, until the kernel shows that it is gone.
 *
 * What must end is worked out again from the picture in force and the table of sessions (verdict.h) whenever one of
 * them changes and at every start, and what was begun is in the sessions' state files: an agent that is killed half way
 * goes on where it was. Nothing polls: the reaper sleeps until a picture, a deadline, or the kernel wakes it.
 *
 * One session: its terminal is told why, SIGHUP, the grace time, SIGKILL, and again until its cgroup is empty. A user:
 * the same for all sessions at once, then everything else that runs as that uid or as one of its subordinate ids, but
 * for sessions that stand. Each end is one audit event and one event for subscribers, with its cause.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "directory/directory.h"
#include "helper_client.h"
#include "login/login.h"
#include "reaper/cause.h"
#include "reaper/limits.h"
#include "session/session.h"

struct reaper;

struct reaper_hooks {
	/* verdict.h */
	bool (*tenant_pending)(void *context, const char *tenant_id);
	/* A session is being ended from now on: for subscribers and the audit. `detail` may be "". */
	void (*ending)(void *context, const struct session *session, enum end_cause cause, const char *detail);
	/* An end that somebody waits for (`tag` of reaper_end): it is gone (0), or what hinders it. */
	void (*ended)(void *context, uint64_t tag, int result);
	void *context;
};

int reaper_create(sd_event *event, struct session_table *table, struct helper_client *helper, struct audit *audit,
		  const struct login_book *book, const struct reaper_hooks *hooks, struct reaper **ret);
void reaper_destroy(struct reaper *reaper); /* takes NULL; what is under way goes on with the next agent */

/* Borrowed until the next call. */
void reaper_set_limits(struct reaper *reaper, const struct host_limits *limits);
/* A picture is in force (`before` NULL: the first). Ends what does not stand in it. */
void reaper_take_picture(struct reaper *reaper, const struct directory *before, const struct directory *after);
/* The control plane took the host out of service: what feeds brought in is gone or about to be. */
void reaper_host_disabled(struct reaper *reaper);
/* After session_table_restore, once: goes on with what was begun, and looks (this one time through all processes of the
 * host) for people who do not stand and have something running. */
void reaper_start(struct reaper *reaper);
/* A session was opened: its deadlines. */
void reaper_opened(struct reaper *reaper, const struct session *session);
/* It is out of the table (before the table frees it). */
void reaper_gone(struct reaper *reaper, const struct session *session);

/* Ends one session. `tag` 0: nobody waits; else `ended` follows, unless the result is negative. 0; -EALREADY: it is
 * being ended (and `ended` follows all the same); -ENOTCONN: there is no helper. */
int reaper_end(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail,
	       uint64_t tag);
