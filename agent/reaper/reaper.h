/* SPDX-License-Identifier: MIT
 *
 * The reaper ends what must end, by the root helper, until the kernel shows that it is gone.
 *
 * What must end is worked out again from the picture in force and the table of sessions (verdict.h) whenever one of
 * them changes and at every start, and what was begun is in the sessions' state files: an agent that is killed half way
 * goes on where it was. Nothing polls: the reaper sleeps until a picture, a deadline, or the kernel wakes it. Much at
 * once is done in slices, so that nobody's call waits for it.
 *
 * One session: its terminal is told why, SIGHUP, the grace time, SIGKILL, and again until its cgroup is empty. A user:
 * the same for all sessions at once, then everything else that runs as that uid or as one of its subordinate ids, but
 * for sessions that somebody signed in to and that stand. Each end is one audit event and one event for subscribers,
 * with its cause.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "base/macros.h"
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
	/* This host's id at the control plane ("" where it has none), and whether that took it out of service. */
	void (*host)(void *context, const char **ret_id, bool *ret_disabled);
	/* Has somebody in /etc/passwd this uid? Theirs is never touched, whatever the directory says. */
	bool (*is_local)(void *context, uint32_t uid);
	/* A session is being ended from now on: for subscribers. `detail` may be "". */
	void (*ending)(void *context, const struct session *session, enum end_cause cause, const char *detail);
	/* An end that somebody waits for (`tag` of reaper_end): it is gone (0), or what hinders it. */
	void (*ended)(void *context, uint64_t tag, int result);
	/* A timer was set, which an event loop that is busy elsewhere may want to know. */
	void (*wake)(void *context);
	void *context;
};

/* `state_dir` is made where it is missing: which people's end was begun. All else is borrowed. The helper client's
 * answers come in by reaper_answered. */
int reaper_create(sd_event *event, struct session_table *table, struct helper_client *helper, struct audit *audit,
		  const struct login_book *book, const char *state_dir, const struct reaper_hooks *hooks,
		  struct reaper **ret);
void reaper_destroy(struct reaper *reaper); /* takes NULL; what is under way goes on with the next agent */
DEFINE_CLEANUP(struct reaper, reaper_destroy)
void reaper_answered(struct reaper *reaper, uint64_t tag, int result);

/* Borrowed until the next call. NULL: none. */
void reaper_set_limits(struct reaper *reaper, const struct host_limits *limits);
/* A picture is in force (`before` NULL: the first), and is borrowed until the next call. Ends what does not stand in
 * it. */
void reaper_take_picture(struct reaper *reaper, const struct directory *before, const struct directory *after);
/* What the hooks say may have changed: looks again where that matters. */
void reaper_look_again(struct reaper *reaper);
/* What credentials stand by changed outside of the picture: an identity that a first sign-in bound was taken away. */
void reaper_credentials_changed(struct reaper *reaper);
/* After session_table_restore, once: goes on with what was begun, and looks (this one time through all processes of the
 * host) for people who do not stand and have something running. */
void reaper_start(struct reaper *reaper);
/* A session was opened: its deadlines. */
void reaper_opened(struct reaper *reaper, const struct session *session);
/* It is out of the table (before the table frees it). */
void reaper_gone(struct reaper *reaper, const struct session *session);
/* Is all that runs as the uid being hit right now? A session that is opened meanwhile would be hit as well. */
bool reaper_user_is_ending(const struct reaper *reaper, uint32_t uid);

/* Nobody waits for this tag any more. */
void reaper_forget_tag(struct reaper *reaper, uint64_t tag);

/* Ends one session. `tag` 0: nobody waits; else `ended` follows, unless the result is negative. 0; -EALREADY: it is
 * being ended (and `ended` follows all the same); -ENOTCONN: there is no
 * helper, and the session goes on. */
int reaper_end(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail,
	       uint64_t tag);
