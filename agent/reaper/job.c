/* SPDX-License-Identifier: MIT
 *
 * The end of one session. Every step may fail, be cut short, or have been done before: it is tried again until the
 * table does not have the session any more, since that is what the kernel shows.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/session_event.h"
#include "base/log.h"
#include "reaper/internal.h"

#define FOR_PURGE_USEC (250 * USEC_PER_MSEC) /* while all of the person's is about to be killed */
#define GONE_USEC (2 * USEC_PER_SEC)         /* for the kernel's word, once everything was killed */
#define COMPLAIN_TRIES 6U

/* ---- who waits ----------------------------------------------------------------------------------------------------
 */

int job_wait(struct reaper *reaper, const char *id, uint64_t tag)
{
	struct waiter *grown;

	if (!tag)
		return 0;
	if (reaper->waiter_count == reaper->waiter_size) {
		uint32_t size = reaper->waiter_size ? 2 * reaper->waiter_size : 16;

		grown = reallocarray(reaper->waiters, size, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		reaper->waiters = grown;
		reaper->waiter_size = size;
	}
	reaper->waiters[reaper->waiter_count] = (struct waiter){.tag = tag};
	(void)snprintf(reaper->waiters[reaper->waiter_count++].id, sizeof(grown->id), "%s", id);
	return 0;
}

void job_waiters_told(struct reaper *reaper, const char *id, int result)
{
	for (uint32_t i = 0; i < reaper->waiter_count;) {
		uint64_t tag = reaper->waiters[i].tag;

		if (strcmp(reaper->waiters[i].id, id) != 0) {
			i++;
			continue;
		}
		/* Off the list first: whoever hears it may ask for something else. */
		reaper->waiters[i] = reaper->waiters[--reaper->waiter_count];
		if (reaper->hooks.ended)
			reaper->hooks.ended(reaper->hooks.context, tag, result);
		i = 0;
	}
}

void reaper_forget_tag(struct reaper *reaper, uint64_t tag)
{
	for (uint32_t i = 0; i < reaper->waiter_count;) {
		if (reaper->waiters[i].tag == tag)
			reaper->waiters[i] = reaper->waiters[--reaper->waiter_count];
		else
			i++;
	}
}

/* ---- the steps ------------------------------------------------------------------------------------------------ */

static uint32_t grace_of(const struct reaper *reaper, const struct session *session)
{
	const char *tenant_id = reaper_tenant_id(reaper, session);
	const struct tenant_record *tenant =
		reaper->directory && tenant_id ? directory_tenant(reaper->directory, tenant_id) : NULL;

	return limits_rules(reaper->limits, tenant).grace_sec;
}

static void next(struct reaper *reaper, struct watched *watched, enum job_step step, uint64_t due)
{
	watched->step = step;
	watched->due = due;
	reaper_arm(reaper, due);
}

static int ask(struct reaper *reaper, const struct watched *watched, const struct session *session,
	       enum helper_verb verb, const char *text)
{
	struct helper_request request = {
		.verb = verb,
		.uid = session->uid,
		.leader = session->left_behind ? 0 : session->leader,
		.leader_start = session->leader_start,
		.terminal = session->terminal_device,
	};

	(void)snprintf(request.scope, sizeof(request.scope), "%s", session->scope);
	(void)snprintf(request.text, sizeof(request.text), "%s", text);
	return helper_client_call(reaper->helper, &request, job_tag(watched));
}

/* Said once of each session; everything is tried again all the same. */
static void complain(struct reaper *reaper, struct watched *watched, const struct session *session, int result)
{
	struct audit_event event = session_event(AUDIT_SESSION_ENDING, session);
	char detail[128];

	if (watched->complained)
		return;
	watched->complained = true;
	(void)snprintf(detail, sizeof(detail), "it cannot be ended at the moment: %s", strerrordesc_np(-result));
	log_error("session %s of %s: %s", session->id, session->login, detail);
	event.reason = REASON_BROKEN;
	event.cause = end_cause_word(watched->cause);
	event.detail = detail;
	event.failure = true;
	audit_write(reaper->audit, &event);
}

static void again(struct reaper *reaper, struct watched *watched, const struct session *session, enum job_step step,
		  int result)
{
	watched->tries++;
	if (watched->tries >= COMPLAIN_TRIES || result == -EPERM || result == -EINVAL || result == -ENOENT ||
	    result == -ECONNREFUSED) {
		complain(reaper, watched, session, result);
		job_waiters_told(reaper, watched->id, result);
	}
	next(reaper, watched, step, clock_boottime_usec() + reaper_backoff(watched->tries, result));
}

static int hang_up(struct reaper *reaper, struct watched *watched, const struct session *session, const char *detail)
{
	char text[HELPER_TEXT_MAX];
	int r;

	words_ending(watched->cause, detail, grace_of(reaper, session), text, sizeof(text));
	r = ask(reaper, watched, session, HELPER_HANG_UP_SESSION, text);
	if (r >= 0)
		next(reaper, watched, JOB_HANGING_UP, 0);
	return r;
}

static void kill_all(struct reaper *reaper, struct watched *watched, const struct session *session)
{
	int r = ask(reaper, watched, session, HELPER_KILL_SESSION, "");

	if (r < 0)
		again(reaper, watched, session, JOB_KILL, r);
	else
		next(reaper, watched, JOB_KILLING, 0);
}

static void report(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail)
{
	struct audit_event event = session_event(AUDIT_SESSION_ENDING, session);

	event.source = session->source;
	event.terminal = session->terminal;
	event.credential = session->credential;
	event.cause = end_cause_word(cause);
	event.detail = detail && *detail ? detail : NULL;
	event.directory_generation = reaper->directory ? directory_generation(reaper->directory) : 0;
	audit_write(reaper->audit, &event);
	if (reaper->hooks.ending)
		reaper->hooks.ending(reaper->hooks.context, session, cause, detail ? detail : "");
}

/* Nothing but somebody's word leads to it: the directory would not say it again. */
static bool is_wish(enum end_cause cause)
{
	return cause == END_ASKED || cause == END_TOO_MANY;
}

int job_begin(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail)
{
	struct watched *watched = reaper_find(reaper, session->id);
	int r;

	if (!watched)
		return -ENOENT;
	if (watched->step != JOB_NONE)
		return -EALREADY;
	watched->cause = cause;
	watched->tries = 0;
	watched->complained = false;
	r = session_mark_ending(reaper->table, session->id, clock_boottime_usec(), end_cause_word(cause));
	if (r < 0)
		log_warning("the end of session %s will not outlive the agent: %s", session->id, strerrordesc_np(-r));
	r = hang_up(reaper, watched, session, detail);
	if (r < 0 && is_wish(cause)) { /* whoever wished it is told, and may wish it again */
		watched->cause = END_NONE;
		(void)session_unmark_ending(reaper->table, session->id);
		return r == -ENOENT || r == -ECONNREFUSED ? -ENOTCONN : r;
	}
	report(reaper, session, cause, detail);
	if (r >= 0)
		return 0;
	watched->tries = 1;
	next(reaper, watched, JOB_HANG_UP, clock_boottime_usec() + reaper_backoff(1, r));
	return 0;
}

/* Of an agent before this one. How long ago SIGHUP was sent nobody wrote down: not before it was to be ended. */
void job_resume(struct reaper *reaper, struct watched *watched, const struct session *session)
{
	uint64_t now = clock_boottime_usec(), grace = grace_of(reaper, session) * USEC_PER_SEC;

	watched->cause = end_cause_from_word(session->ending_cause);
	watched->tries = 0;
	if (!session->hung_up) {
		next(reaper, watched, JOB_HANG_UP, now);
		return;
	}
	next(reaper, watched, JOB_KILL, MIN_OF(MAX_OF(now, session->ending + grace), now + grace));
}

static void killed(struct reaper *reaper, struct watched *watched, const struct session *session)
{
	watched->tries++;
	/* Everything in it is gone, but for the leader: a service of the host that opened the session for somebody
	 * (JupyterHub), and that goes on. */
	if (watched->tries == 1 && !session->left_behind) {
		char id[sizeof(watched->id)];

		memcpy(id, watched->id, sizeof(id));
		next(reaper, watched, JOB_KILLED, clock_boottime_usec() + GONE_USEC);
		(void)session_close(reaper->table, id); /* and with it, most times, what is watched */
		return;
	}
	kill_all(reaper, watched, session);
}

void job_due(struct reaper *reaper, struct watched *watched, const struct session *session, uint64_t now)
{
	const struct purge *purge = purge_find(reaper, session->uid);
	int r;

	watched->due = 0;
	switch (watched->step) {
	case JOB_HANG_UP:
		r = hang_up(reaper, watched, session, NULL);
		if (r < 0)
			again(reaper, watched, session, JOB_HANG_UP, r);
		break;
	case JOB_KILL:
		/* One stroke for all of the person's, where that comes anyway and soon. */
		if (purge && !purge->waits && purge->tries == 0)
			next(reaper, watched, JOB_KILL, now + FOR_PURGE_USEC);
		else
			kill_all(reaper, watched, session);
		break;
	case JOB_KILLED:
		killed(reaper, watched, session);
		break;
	case JOB_NONE:
	case JOB_HANGING_UP:
	case JOB_KILLING:
		break;
	}
}

void job_answered(struct reaper *reaper, struct watched *watched, int result)
{
	const struct session *session = session_find(reaper->table, watched->id);
	bool done = result == 0 || result == -ESRCH;
	uint64_t now = clock_boottime_usec();
	struct purge *purge;

	if (!session)
		return;
	switch ((int)watched->step) {
	case JOB_HANGING_UP:
		if (!done && watched->tries < COMPLAIN_TRIES) {
			again(reaper, watched, session, JOB_HANG_UP, result);
			break;
		}
		(void)session_mark_hung_up(reaper->table, watched->id);
		watched->tries = 0;
		next(reaper, watched, JOB_KILL, now + grace_of(reaper, session) * USEC_PER_SEC);
		purge = purge_find(reaper, session->uid);
		if (purge && purge->step == PURGE_TELL) { /* it may have been the last that it waited for */
			purge->due = now;
			reaper_arm(reaper, now);
		}
		break;
	case JOB_KILLING:
		if (!done) {
			again(reaper, watched, session, JOB_KILL, result);
			break;
		}
		watched->tries = 0;
		next(reaper, watched, JOB_KILLED, now + GONE_USEC);
		break;
	}
}

bool job_withdraw(struct reaper *reaper, struct watched *watched, const struct session *session)
{
	/* In flight it may have been sent already. */
	if (watched->step != JOB_HANG_UP || session->hung_up)
		return false;
	if (session_unmark_ending(reaper->table, watched->id) < 0)
		return false;
	log_notice("session %s of %s is not ended after all: the right came back before anything was done", session->id,
		   session->login);
	watched->step = JOB_NONE;
	watched->cause = END_NONE;
	watched->due = 0;
	job_waiters_told(reaper, watched->id, -ECANCELED);
	return true;
}
