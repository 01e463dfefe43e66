/* SPDX-License-Identifier: MIT
 *
 * What the server works on. agent.c owns it and keeps it current; the server only reads it, and asks for
 * what is more than an answer through the two functions at its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "config.h"
#include "directory/directory.h"
#include "feed/feeds.h"
#include "login/login.h"
#include "reaper/cause.h"
#include "reaper/limits.h"
#include "session/session.h"

#define PARTS_PROBLEM_MAX 1600

enum agent_state {
	AGENT_READY,
	AGENT_DEGRADED, /* an older picture answers: the newest could not be loaded or published */
	AGENT_BROKEN,   /* no picture at all */
};

struct bindings;
struct shipping;
struct spool;
struct sso;

struct parts {
	const struct config *config;
	struct directory *directory; /* NULL: none yet */
	struct login_book *logins;
	struct session_table *sessions;
	struct audit *audit;
	struct spool *spool;       /* NULL: there is none */
	struct shipping *shipping; /* NULL: there are no sinks */
	enum agent_state state;
	char problem[PARTS_PROBLEM_MAX]; /* "" when ready */
	int64_t loaded_at;
	bool map_published;
	struct freshness freshness;    /* of the tenants that feeds bring */
	struct host_view host;         /* of the control plane, and what comes from it */
	const struct feed_view *feeds; /* borrowed */
	uint32_t feed_count;
	struct host_token *host_token; /* of the feeds' thread, for single sign-on's */
	struct sso *sso;               /* NULL: turned off */
	struct bindings *bindings;     /* identities that first sign-ins bound; NULL while the agent comes and goes */
	const struct host_limits *limits; /* of sessions, the host's own; NULL: none */

	/* Reads configuration and directory again; server_reload_done follows. */
	void (*reload)(void *context);
	/* Has the session ended, as reaper_end (reaper/reaper.h) does; with a tag server_end_session_done follows,
	 * unless the result is negative (-EALREADY: it follows all the same), before it returns or later. The session
	 * itself is in the table when it returns. */
	int (*end_session)(void *context, const struct session *session, enum end_cause cause, const char *detail,
			   uint64_t tag);
	/* Nobody waits for what has this tag any more. */
	void (*forget_end)(void *context, uint64_t tag);
	/* A session is in the table. NULL in tests. */
	void (*session_opened)(void *context, const struct session *session);
	/* Identities that first sign-ins bound were taken away: what was opened by them is to end. */
	void (*credentials_changed)(void *context);
	/* Is everything that runs as the person being ended right now? Then a new session would end with it. NULL in
	 * tests. */
	bool (*user_is_ending)(void *context, const char *user_id, uint32_t uid);
	/* Joins a control plane; server_enroll_done with the tag follows. `unenroll` is done when it returns. */
	void (*enroll)(void *context, const char *url, const char *token, uint64_t tag);
	void (*unenroll)(void *context);
	/* After each wake-up's work: what was done may have set a deadline somewhere else. */
	void (*after_work)(void *context);
	void *context;
};
