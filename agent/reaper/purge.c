/* SPDX-License-Identifier: MIT
 *
 * The end of everything that runs as a user. Their sessions were told and hung up each by itself (job.c); then comes
 * SIGHUP for all the rest, the grace time, and SIGKILL until nothing is left but what stands. It is on disk from its
 * beginning to its end, since of what escaped its session nothing else would tell a restarted agent.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/user_event.h"
#include "base/log.h"
#include "reaper/internal.h"

#define TELL_USEC (1 * USEC_PER_SEC)      /* sessions have so long to be told; the helper may hang */
#define STANDS_USEC (100 * USEC_PER_MSEC) /* a session has no scope yet: logind makes it after us */
#define STANDS_TRIES 20U                  /* and then it has none at all */
#define STANDS_LONG_USEC (30 * USEC_PER_SEC)
#define GONE_USEC (500 * USEC_PER_MSEC) /* for the kernel's word about the sessions */
#define COMPLAIN_TRIES 6U

struct purge *purge_find(const struct reaper *reaper, uint32_t uid)
{
	for (uint32_t i = 0; i < reaper->purge_high; i++)
		if (reaper->purges[i] && reaper->purges[i]->uid == uid)
			return reaper->purges[i];
	return NULL;
}

static void next(struct reaper *reaper, struct purge *purge, enum purge_step step, uint64_t due)
{
	purge->step = step;
	purge->due = due;
	reaper_arm(reaper, due);
}

static const struct user_record *user_of(const struct reaper *reaper, uint32_t uid)
{
	return reaper->directory ? directory_user_by_uid(reaper->directory, uid) : NULL;
}

/* Of one who is in no picture any more, by whose block the uid is in. */
static const struct tenant_record *tenant_of(const struct reaper *reaper, uint32_t uid)
{
	const struct user_record *user = user_of(reaper, uid);
	const struct tenant_record *tenant = NULL;
	uint32_t cursor = 0;

	if (user)
		return directory_tenant(reaper->directory, user->tenant_id);
	while (reaper->directory && (tenant = directory_next_tenant(reaper->directory, &cursor)))
		if (uid >= tenant->id_first && uid - tenant->id_first < tenant->id_count)
			break;
	return tenant;
}

static uint32_t grace_of(const struct reaper *reaper, uint32_t uid)
{
	return limits_rules(reaper->limits, tenant_of(reaper, uid)).grace_sec;
}

/* ---- what stands ------------------------------------------------------------------------------------------------- */

static bool stands(const struct verdict_world *world, const struct session *session)
{
	return !session->ending && !session->left_behind && verdict_is_sign_in(session) &&
	       verdict_session(world, session).cause == END_NONE;
}

bool purge_somebody_stands(const struct reaper *reaper, const char *user_id)
{
	const struct verdict_world world = reaper_world(reaper);
	const struct session *session;
	uint32_t cursor = 0;

	while ((session = session_next_of(reaper->table, user_id, &cursor)))
		if (stands(&world, session))
			return true;
	return false;
}

/* The scopes that stay. False: something that stands could not be named. */
static bool keep(const struct reaper *reaper, uint32_t uid, struct helper_request *request)
{
	const struct verdict_world world = reaper_world(reaper);
	const struct session *session;
	uint32_t cursor = 0;

	while ((session = session_next(reaper->table, &cursor))) {
		if (session->uid != uid || !stands(&world, session))
			continue;
		if (!*session->scope || request->keep_count == HELPER_KEEP_MAX)
			return false;
		(void)snprintf(request->keep[request->keep_count++], HELPER_SCOPE_MAX, "%s", session->scope);
	}
	return true;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void complain(struct reaper *reaper, struct purge *purge, int result)
{
	const struct user_record *user = user_of(reaper, purge->uid);
	struct audit_event event;
	char detail[128];

	if (purge->complained)
		return;
	purge->complained = true;
	(void)snprintf(detail, sizeof(detail), "what runs as uid %u cannot be ended at the moment: %s", purge->uid,
		       strerrordesc_np(-result));
	log_error("%s", detail);
	event = (struct audit_event){
		.kind = AUDIT_SESSION_ENDING,
		.reason = REASON_BROKEN,
		.uid = purge->uid,
		.has_uid = true,
		.cause = end_cause_word(purge->cause),
		.detail = detail,
		.failure = true,
	};
	audit_about_user(&event, reaper->directory, user);
	audit_write(reaper->audit, &event);
}

static void again(struct reaper *reaper, struct purge *purge, enum purge_step step, int result)
{
	purge->tries++;
	if (purge->tries >= COMPLAIN_TRIES || result == -EPERM || result == -EINVAL)
		complain(reaper, purge, result);
	next(reaper, purge, step, clock_boottime_usec() + reaper_backoff(purge->tries, result));
}

/* What stands and cannot be told apart makes all of it wait: sessions that must end do so each by itself. */
static void ask(struct reaper *reaper, struct purge *purge, enum helper_verb verb, enum purge_step in_flight)
{
	struct helper_request request = {.verb = verb, .uid = purge->uid};
	enum purge_step step = purge->step;
	int r;

	if (!keep(reaper, purge->uid, &request)) {
		if (purge->tries < STANDS_TRIES)
			purge->tries++;
		if (purge->tries == STANDS_TRIES && !purge->waits) {
			purge->waits = true;
			log_notice("what else runs as uid %u ends when its newer session has, which no scope tells "
				   "apart",
				   purge->uid);
		}
		next(reaper, purge, step, clock_boottime_usec() + (purge->waits ? STANDS_LONG_USEC : STANDS_USEC));
		return;
	}
	if (purge->waits)
		purge->tries = 0;
	purge->waits = false;
	r = helper_client_call(reaper->helper, &request, purge_tag(purge));
	if (r < 0) {
		again(reaper, purge, step, r);
		return;
	}
	purge->keeps = request.keep_count > 0;
	next(reaper, purge, in_flight, 0);
}

static bool all_told(const struct reaper *reaper, uint32_t uid)
{
	const struct session *session;
	uint32_t cursor = 0;

	while ((session = session_next(reaper->table, &cursor)))
		if (session->uid == uid && session->ending && !session->hung_up)
			return false;
	return true;
}

void purge_forget(struct reaper *reaper, struct purge *purge)
{
	begun_remove(reaper->dirfd, purge->uid);
	reaper->purges[purge->number] = NULL;
	free(purge);
}

/* Has the right come back before anything was done? Some causes leave no trace in the picture once their sessions are
 * gone; those stay. */
static bool is_over(const struct reaper *reaper, const struct purge *purge)
{
	const struct verdict_world world = reaper_world(reaper);
	struct verdict verdict;

	if (purge->hung_up || purge->cause == END_SIGN_INS_ENDED || !end_cause_is_of_user(purge->cause))
		return false;
	verdict = verdict_user(&world, purge->uid);
	return verdict.cause == END_NONE && !verdict.unknown;
}

void purge_due(struct reaper *reaper, struct purge *purge, uint64_t now)
{
	purge->due = 0;
	switch (purge->step) {
	case PURGE_TELL:
		if (is_over(reaper, purge)) {
			purge_forget(reaper, purge);
			break;
		}
		if (!all_told(reaper, purge->uid) && now < purge->since + TELL_USEC) {
			next(reaper, purge, PURGE_TELL, purge->since + TELL_USEC);
			break;
		}
		/* Without a grace time the one would come right after the other. */
		purge->step = grace_of(reaper, purge->uid) ? PURGE_HANG_UP : PURGE_KILL;
		purge_due(reaper, purge, now);
		break;
	case PURGE_HANG_UP:
		if (is_over(reaper, purge))
			purge_forget(reaper, purge);
		else
			ask(reaper, purge, HELPER_HANG_UP_USER, PURGE_HANGING_UP);
		break;
	case PURGE_KILL:
		ask(reaper, purge, HELPER_KILL_USER, PURGE_KILLING);
		break;
	case PURGE_HANGING_UP:
	case PURGE_KILLING:
		break;
	}
}

/* Sessions of theirs that are still in the table soon end by themselves, or else each for itself. */
static void finish(struct reaper *reaper, struct purge *purge)
{
	uint64_t due = clock_boottime_usec() + GONE_USEC;
	uint32_t uid = purge->uid, cursor = 0;
	const struct session *session;

	purge_forget(reaper, purge);
	while ((session = session_next(reaper->table, &cursor))) {
		struct watched *watched = session->uid == uid ? reaper_find(reaper, session->id) : NULL;

		if (!watched || watched->step != JOB_KILL)
			continue;
		watched->due = due;
		reaper_arm(reaper, due);
	}
}

void purge_answered(struct reaper *reaper, struct purge *purge, int result)
{
	bool done = result == 0 || result == -ESRCH;

	switch ((int)purge->step) {
	case PURGE_HANGING_UP:
		if (!done && purge->tries < COMPLAIN_TRIES) {
			again(reaper, purge, PURGE_HANG_UP, result);
			break;
		}
		purge->hung_up = true;
		purge->tries = 0;
		next(reaper, purge, PURGE_KILL, clock_boottime_usec() + grace_of(reaper, purge->uid) * USEC_PER_SEC);
		break;
	case PURGE_KILLING:
		if (done && purge->more) {
			purge->more = false;
			purge->tries = 0;
			next(reaper, purge, PURGE_KILL,
			     clock_boottime_usec() + grace_of(reaper, purge->uid) * USEC_PER_SEC);
		} else if (done)
			finish(reaper, purge);
		else
			again(reaper, purge, PURGE_KILL, result);
		break;
	}
}

/* ---- begin --------------------------------------------------------------------------------------------------------
 */

static struct purge *add(struct reaper *reaper, uint32_t uid)
{
	struct purge *purge = calloc(1, sizeof(*purge)), **grown;
	uint32_t number = 0;

	if (!purge)
		return NULL;
	while (number < reaper->purge_high && reaper->purges[number])
		number++;
	if (number == reaper->purge_size) {
		uint32_t size = reaper->purge_size ? 2 * reaper->purge_size : 16;

		grown = reallocarray(reaper->purges, size, sizeof(struct purge *));
		if (!grown) {
			free(purge);
			return NULL;
		}
		reaper->purges = grown;
		reaper->purge_size = size;
	}
	purge->uid = uid;
	purge->number = number;
	purge->serial = ++reaper->serial;
	reaper->purges[number] = purge;
	reaper->purge_high = MAX_OF(reaper->purge_high, number + 1);
	return purge;
}

/* Something runs as somebody whom no session led to. */
static void report(struct reaper *reaper, uint32_t uid, enum end_cause cause, const char *detail)
{
	struct audit_event event = {
		.kind = AUDIT_SESSION_ENDING,
		.uid = uid,
		.has_uid = true,
		.cause = end_cause_word(cause),
		.detail = detail && *detail ? detail : "everything that runs as this user",
		.directory_generation = reaper->directory ? directory_generation(reaper->directory) : 0,
	};

	audit_about_user(&event, reaper->directory, user_of(reaper, uid));
	audit_write(reaper->audit, &event);
}

void purge_begin(struct reaper *reaper, uint32_t uid, const struct session *session, enum end_cause cause,
		 const char *detail)
{
	struct purge *purge = purge_find(reaper, uid);
	int r;

	if (uid < MANAGED_ID_FIRST || uid > MANAGED_ID_TENANT_LAST)
		return;
	if (purge) {
		/* What was waited for may have ended since. */
		if (end_cause_is_of_user(cause) && !end_cause_is_of_user(purge->cause)) {
			purge->cause = cause;
			(void)begun_write(reaper->dirfd, uid, cause);
		}
		/* Of what is kept there may be less by now. */
		purge->more |= purge->step == PURGE_KILLING && purge->keeps;
		return;
	}
	if (reaper->hooks.is_local && reaper->hooks.is_local(reaper->hooks.context, uid)) {
		log_warning("uid %u is an account of this host's own as well: nothing of it is ended", uid);
		return;
	}
	purge = add(reaper, uid);
	if (!purge) {
		log_error("out of memory: what else runs as uid %u is not ended", uid);
		return;
	}
	purge->cause = cause;
	purge->since = clock_boottime_usec();
	r = begun_write(reaper->dirfd, uid, cause);
	if (r < 0)
		log_warning("the end of what runs as uid %u will not outlive the agent: %s", uid, strerrordesc_np(-r));
	if (!session)
		report(reaper, uid, cause, detail);
	next(reaper, purge, PURGE_TELL, purge->since);
}
