/* SPDX-License-Identifier: MIT
 *
 * Ends that can be foreseen. Each session has one moment at which something is to be done about it; idle time is asked
 * for when it would be over, and what was found out moves that moment on.
 */
#include <stdio.h>

#include "reaper/internal.h"
#include "session/idle.h"

static struct limits_clock clock_now(void)
{
	return (struct limits_clock){.boot_usec = clock_boottime_usec(), .realtime = clock_realtime_sec()};
}

void watch_plan(struct reaper *reaper, struct watched *watched, const struct session *session)
{
	const struct limits_clock now = clock_now();

	if (watched->step != JOB_NONE)
		return;
	/* Until somebody has been asked: as if it had been quiet ever since it was opened. */
	if (!watched->idle_since)
		watched->idle_since = limits_opened(session, &now);
	watched->next = limits_next(reaper->limits, reaper->directory, session, watched->idle_since, &now);
	watched->due = 0;
	if (watched->next.cause == END_NONE)
		return;
	watched->due = watched->next.at;
	if (watched->next.warn_at && !session->warned && watched->next.warn_at < watched->due)
		watched->due = watched->next.warn_at;
	/* What is over already is done at the next turn, not within this call. */
	if (!watched->due)
		watched->due = 1;
	reaper_arm(reaper, watched->due);
}

static void warn(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now)
{
	struct helper_request request = {
		.verb = HELPER_TELL,
		.uid = session->uid,
		.leader = session->left_behind ? 0 : session->leader,
		.leader_start = session->leader_start,
	};
	uint64_t left = watched->next.at > now ? watched->next.at - now : 0;

	session_mark_warned(reaper->table, session->id, true);
	if (!session->terminal_device)
		return;                              /* there is nowhere to say it */
	request.terminal = session->terminal_device; /* looked for just now, by the mark */
	(void)snprintf(request.scope, sizeof(request.scope), "%s", session->scope);
	words_warning(watched->next.cause, (left + USEC_PER_SEC / 2) / USEC_PER_SEC, request.text,
		      sizeof(request.text));
	(void)helper_client_call(reaper->helper, &request, 0); /* a warning that is lost is no reason to go on longer */
}

static void act(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now)
{
	enum end_cause cause = watched->next.cause;

	if (now < watched->next.at) {
		if (watched->next.warn_at && now >= watched->next.warn_at && !session->warned)
			warn(reaper, watched, session, now);
		watched->due = watched->next.at;
		reaper_arm(reaper, watched->due);
		return;
	}
	if (cause == END_GRANT_ENDED) {
		/* The person's matter, and so the verdict's; where it does not see it yet it is asked again soon. */
		const struct verdict_world world = reaper_world(reaper);
		const struct verdict verdict = verdict_session(&world, session);

		reaper_obey(reaper, session, &verdict);
		if (watched->step == JOB_NONE) {
			watched->due = now + USEC_PER_SEC;
			reaper_arm(reaper, watched->due);
		}
		return;
	}
	(void)job_begin(reaper, session, cause, NULL);
}

static void on_idle(void *context, const char *session_id, uint64_t since_usec)
{
	struct reaper *reaper = context;
	struct watched *watched = reaper_find(reaper, session_id);
	const struct session *session = session_find(reaper->table, session_id);
	uint64_t now = clock_boottime_usec();

	if (!watched || !session || !watched->idle_asked)
		return;
	watched->idle_asked = false;
	if (watched->step != JOB_NONE)
		return;
	/* Whom nobody can say it of is busy. */
	watched->idle_since = since_usec && since_usec <= now ? since_usec : now;
	watch_plan(reaper, watched, session);
	if (watched->next.cause == END_IDLE &&
	    (now >= watched->next.at || (watched->next.warn_at && now >= watched->next.warn_at))) {
		act(reaper, watched, session, now);
		return;
	}
	if (session->warned) { /* of an end that is further away again */
		session_mark_warned(reaper->table, session->id, false);
		watch_plan(reaper, watched, session);
	}
}

void watch_due(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now)
{
	watched->due = 0;
	if (watched->next.cause == END_NONE || watched->idle_asked)
		return;
	if (watched->next.cause == END_IDLE) {
		watched->idle_asked = true;
		idle_ask(reaper->idle, session, on_idle, reaper);
		return;
	}
	act(reaper, watched, session, now);
}
