/* SPDX-License-Identifier: MIT
 *
 * What to look at, and when. One timer wakes the reaper; at each turn it looks at a slice of the sessions where a pass
 * is under way, at a slice of the processes where a scan is, and does what is due. A slice is small, and between two of
 * them the event loop, and whoever calls the agent, has its turn.
 */
#include "reaper/reaper.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "login/services.h"
#include "reaper/internal.h"
#include "session/idle.h"

#define SLICE 64U                     /* sessions of a pass, and things that are due, in one turn */
#define TURN_USEC (1 * USEC_PER_MSEC) /* between two turns with work left */
#define ACCURACY_USEC (1 * USEC_PER_MSEC)
#define BACKOFF_FIRST_USEC (50 * USEC_PER_MSEC)
#define BACKOFF_MOST_USEC (30 * USEC_PER_SEC)
#define REFUSED_USEC (300 * USEC_PER_SEC)
#define CHANGES_FEW 500U /* changed people that are looked at one by one */

#define TAG_JOB (1ULL << 63)
#define TAG_NUMBER 0x3fffffffULL

uint64_t reaper_backoff(unsigned tries, int result)
{
	uint64_t wait = BACKOFF_FIRST_USEC;

	if (result == -EPERM || result == -EINVAL)
		return REFUSED_USEC;

	while (tries-- > 1 && wait < BACKOFF_MOST_USEC)
		wait *= 2;
	return MIN_OF(wait, BACKOFF_MOST_USEC);
}

uint64_t job_tag(const struct watched *watched)
{
	return TAG_JOB | (uint64_t)watched->serial << 30 | watched->number;
}

uint64_t purge_tag(const struct purge *purge)
{
	return (uint64_t)purge->serial << 30 | purge->number;
}

void reaper_arm(struct reaper *reaper, uint64_t due)
{
	if (!due || (reaper->armed && reaper->armed <= due))
		return;
	if (sd_event_source_set_time(reaper->timer, due) < 0 ||
	    sd_event_source_set_enabled(reaper->timer, SD_EVENT_ONESHOT) < 0) {
		log_error("cannot arm the timer of sessions that end");
		return;
	}
	reaper->armed = due;
	if (reaper->hooks.wake)
		reaper->hooks.wake(reaper->hooks.context);
}

struct verdict_world reaper_world(const struct reaper *reaper)
{
	struct verdict_world world = {
		.directory = reaper->directory,
		.book = reaper->book,
		.host_id = "",
		.now = clock_realtime_sec(),
		.tenant_pending = reaper->hooks.tenant_pending,
		.context = reaper->hooks.context,
	};

	if (reaper->hooks.host)
		reaper->hooks.host(reaper->hooks.context, &world.host_id, &world.host_disabled);
	return world;
}

const char *reaper_tenant_id(const struct reaper *reaper, const struct session *session)
{
	const struct user_record *user;

	if (session->tenant_id && *session->tenant_id)
		return session->tenant_id;
	user = reaper->directory ? directory_user(reaper->directory, session->user_id) : NULL;
	return user ? user->tenant_id : NULL;
}

/* ---- what is watched -------------------------------------------------------------------------------------------- */

struct watched *reaper_find(const struct reaper *reaper, const char *id)
{
	uint32_t cursor = 0, number;

	while (hash_index_next(&reaper->by_id, hash_text(id), &cursor, &number))
		if (strcmp(reaper->watched[number]->id, id) == 0)
			return reaper->watched[number];
	return NULL;
}

static struct watched *add(struct reaper *reaper, const struct session *session)
{
	struct watched *watched = reaper_find(reaper, session->id);
	uint32_t number = 0;

	if (watched)
		return watched;
	while (number < reaper->watched_high && reaper->watched[number])
		number++;
	if (number == reaper->watched_size) {
		uint32_t size = reaper->watched_size ? 2 * reaper->watched_size : 64;
		struct watched **grown = reallocarray(reaper->watched, size, sizeof(struct watched *));

		if (!grown)
			return NULL;
		reaper->watched = grown;
		reaper->watched_size = size;
	}
	watched = calloc(1, sizeof(*watched));
	if (!watched || hash_index_put(&reaper->by_id, hash_text(session->id), number) < 0) {
		free(watched);
		return NULL;
	}
	memcpy(watched->id, session->id, sizeof(watched->id));
	watched->number = number;
	watched->serial = ++reaper->serial;
	reaper->watched[number] = watched;
	reaper->watched_high = MAX_OF(reaper->watched_high, number + 1);
	return watched;
}

void reaper_opened(struct reaper *reaper, const struct session *session)
{
	struct watched *watched = add(reaper, session);

	if (watched)
		watch_plan(reaper, watched, session);
	else
		log_error("out of memory: the limits of session %s are not watched", session->id);
}

void reaper_gone(struct reaper *reaper, const struct session *session)
{
	struct watched *watched = reaper_find(reaper, session->id);
	struct purge *purge;

	if (watched) {
		hash_index_remove(&reaper->by_id, hash_text(session->id), watched->number);
		reaper->watched[watched->number] = NULL;
		free(watched);
	}
	job_waiters_told(reaper, session->id, 0);
	purge = purge_find(reaper, session->uid);
	if (purge && (purge->step == PURGE_TELL || purge->waits) && purge->due) {
		purge->due = clock_boottime_usec();
		reaper_arm(reaper, purge->due);
	}
}

bool reaper_user_is_ending(const struct reaper *reaper, uint32_t uid)
{
	const struct purge *purge = purge_find(reaper, uid);

	return purge && (purge->step == PURGE_HANGING_UP || purge->step == PURGE_KILLING);
}

/* ---- what a look leads to -------------------------------------------------------------------------------------------
 */

void reaper_obey(struct reaper *reaper, const struct session *session, const struct verdict *verdict)
{
	uint32_t uid = session->uid;

	if (verdict->cause == END_NONE)
		return;
	if (end_cause_is_of_user(verdict->cause))
		purge_begin(reaper, uid, session, verdict->cause, verdict->detail);
	(void)job_begin(reaper, session, verdict->cause, verdict->detail);
	/* Whoever held the credential may have left more behind than its session; but not where the person is here by
	 * another one, since the two cannot be told apart. */
	if (end_cause_is_of_credential(verdict->cause) && !purge_somebody_stands(reaper, session->user_id))
		purge_begin(reaper, uid, session, verdict->cause, verdict->detail);
}

/* Root's own su, and what people become within a session, lead to nothing: they belong to the session around them, and
 * where they are somebody's whose time is over, that person's other sessions or processes lead there. */
static bool leads_nowhere(const struct session *session, const struct verdict *verdict)
{
	return verdict->cause != END_ORDERED && !end_cause_is_of_credential(verdict->cause) && !verdict_is_own(session);
}

static void look(struct reaper *reaper, struct watched *watched, const struct verdict_world *world)
{
	const struct session *session = session_find(reaper->table, watched->id);
	struct verdict verdict;

	if (!session)
		return;
	verdict = verdict_session(world, session);
	reaper->unknown += verdict.unknown;
	if (verdict.cause == END_SIGN_INS_ENDED && service_rule(session->service)->implied)
		/* A manager that lingers: what whoever had signed in left there, and no session of it is in the table.
		 */
		purge_begin(reaper, session->uid, NULL, verdict.cause, verdict.detail);
	if (verdict.cause != END_NONE && leads_nowhere(session, &verdict))
		verdict.cause = END_NONE;
	/* Of what is on its way out perhaps not all is that the cause reaches. */
	if (watched->step == JOB_NONE || verdict.cause != END_NONE || verdict.unknown)
		reaper_obey(reaper, session, &verdict);
	else if (end_cause_is_of_directory(watched->cause))
		(void)job_withdraw(reaper, watched, session);
	if (watched->step == JOB_NONE)
		watch_plan(reaper, watched, session);
}

static void begin_pass(struct reaper *reaper)
{
	if (!reaper->started || !reaper->directory)
		return;
	reaper->looking = true;
	reaper->looked = 0;
	reaper->unknown = 0;
	reaper_arm(reaper, 1);
}

/* True: there is more to come. */
static bool pass_slice(struct reaper *reaper)
{
	const struct verdict_world world = reaper_world(reaper);

	for (unsigned i = 0; i < SLICE;) {
		if (reaper->looked >= reaper->watched_high) {
			reaper->looking = false;
			return false;
		}
		if (!reaper->watched[reaper->looked++])
			continue;
		look(reaper, reaper->watched[reaper->looked - 1], &world);
		i++;
	}
	return true;
}

/* ---- turns
 * ----------------------------------------------------------------------------------------------------------- */

static void run_due(struct reaper *reaper, uint64_t now, unsigned *left)
{
	for (uint32_t i = 0; i<reaper->watched_high && * left> 0; i++) {
		struct watched *watched = reaper->watched[i];
		const struct session *session;

		if (!watched || !watched->due || watched->due > now)
			continue;
		session = session_find(reaper->table, watched->id);
		watched->due = 0;
		if (!session)
			continue;
		(*left)--;
		if (watched->step == JOB_NONE)
			watch_due(reaper, watched, session, now);
		else
			job_due(reaper, watched, session, now);
	}
	for (uint32_t i = 0; i<reaper->purge_high && * left> 0; i++) {
		struct purge *purge = reaper->purges[i];

		if (!purge || !purge->due || purge->due > now)
			continue;
		(*left)--;
		purge_due(reaper, purge, now);
	}
}

static uint64_t next_due(const struct reaper *reaper)
{
	uint64_t due = UINT64_MAX;

	for (uint32_t i = 0; i < reaper->watched_high; i++)
		if (reaper->watched[i] && reaper->watched[i]->due)
			due = MIN_OF(due, reaper->watched[i]->due);
	for (uint32_t i = 0; i < reaper->purge_high; i++)
		if (reaper->purges[i] && reaper->purges[i]->due)
			due = MIN_OF(due, reaper->purges[i]->due);
	return due == UINT64_MAX ? 0 : due;
}

void reaper_tick(struct reaper *reaper)
{
	uint64_t now = clock_boottime_usec(), due;
	unsigned left = SLICE;
	bool more;

	reaper->armed = 0;
	more = reaper->looking && pass_slice(reaper);
	if (!more)
		more = stray_turn(reaper);
	run_due(reaper, now, &left);
	due = next_due(reaper);
	/* What is over is done at the next turn, and that is after the others'. */
	if (more || reaper->looking || reaper->scan_wanted || (due && due <= now))
		due = now + TURN_USEC;
	reaper->armed = 0;
	reaper_arm(reaper, due);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	reaper_tick(userdata);
	return 0;
}

/* ---- what wakes it ------------------------------------------------------------------------------------------------
 */

struct touched {
	struct reaper *reaper;
	const struct verdict_world *world;
	uint32_t count;
	bool scan;
};

static void on_change(void *context, enum record_kind kind, enum change_kind change, const void *old_record,
		      const void *new_record)
{
	const void *record = new_record ? new_record : old_record;
	struct touched *touched = context;
	const struct user_record *user = NULL;

	if (kind == RECORD_USER && old_record && new_record &&
	    ((const struct user_record *)new_record)->sessions_valid_from >
		    ((const struct user_record *)old_record)->sessions_valid_from)
		stray_expect(touched->reaper, ((const struct user_record *)new_record)->uid);
	if (touched->scan)
		return;
	switch ((int)kind) {
	case RECORD_TENANT:
	case RECORD_PROJECT:
		touched->scan |= change != CHANGE_ADDED;
		return;
	case RECORD_HOST:
		touched->scan = true;
		return;
	case RECORD_USER:
		user = record;
		/* One that is gone, or is somebody else's number now. */
		if (!new_record || (old_record && ((const struct user_record *)old_record)->uid != user->uid)) {
			touched->scan = true;
			return;
		}
		break;
	case RECORD_MEMBER:
		user = directory_user(touched->world->directory, ((const struct member_record *)record)->user_id);
		break;
	case RECORD_GRANT:
		user = directory_user(touched->world->directory, ((const struct grant_record *)record)->user_id);
		break;
	default:
		return;
	}
	touched->scan =
		++touched->count > CHANGES_FEW || (user && verdict_user(touched->world, user->uid).cause != END_NONE);
}

void reaper_take_picture(struct reaper *reaper, const struct directory *before, const struct directory *after)
{
	struct verdict_world world;
	struct touched touched = {.reaper = reaper};

	reaper->directory = after;
	if (!reaper->started || !after)
		return;
	if (before) {
		world = reaper_world(reaper);
		touched.world = &world;
		if (directory_diff(before, after, on_change, &touched) < 0)
			touched.scan = true;
	} else {
		touched.scan = true;
	}
	reaper->scan_wanted |= touched.scan || reaper->scan_unknown;
	begin_pass(reaper);
}

void reaper_look_again(struct reaper *reaper)
{
	const struct verdict_world world = reaper_world(reaper);

	if (reaper->unknown == 0 && !reaper->scan_unknown && world.host_disabled == reaper->host_was_disabled)
		return;
	reaper->host_was_disabled = world.host_disabled;
	reaper->scan_wanted |= reaper->started;
	begin_pass(reaper);
}

void reaper_credentials_changed(struct reaper *reaper)
{
	begin_pass(reaper);
}

void reaper_set_limits(struct reaper *reaper, const struct host_limits *limits)
{
	reaper->limits = limits;
	begin_pass(reaper);
}

/* All that people meant by the hour of the day is at another distance now. */
static void on_clock(void *context)
{
	begin_pass(context);
}

static void on_begun(void *context, uint32_t uid, enum end_cause cause)
{
	struct reaper *reaper = context;

	/* Told to the audit when it was begun. */
	purge_begin(reaper, uid, NULL, cause, "what was begun before this agent was started goes on");
}

void reaper_start(struct reaper *reaper)
{
	const struct session *session;
	uint32_t cursor = 0;
	int r;

	reaper->started = true;
	while ((session = session_next(reaper->table, &cursor))) {
		struct watched *watched = add(reaper, session);

		if (!watched)
			log_error("out of memory: session %s is not watched", session->id);
		else if (session->ending)
			job_resume(reaper, watched, session);
	}
	r = begun_read(reaper->dirfd, on_begun, reaper);
	if (r < 0)
		log_error("cannot read whose end was begun: %s", strerrordesc_np(-r));
	reaper->scan_wanted = true;
	begin_pass(reaper);
}

int reaper_end(struct reaper *reaper, const struct session *session, enum end_cause cause, const char *detail,
	       uint64_t tag)
{
	struct watched *watched = reaper_find(reaper, session->id);
	int r;

	if (!watched) { /* there was no memory for it when it was opened */
		watched = add(reaper, session);
		if (!watched)
			return -ENOMEM;
	}
	r = job_wait(reaper, session->id, tag);
	if (r < 0)
		return r;
	if (watched->step != JOB_NONE) {
		/* Somebody wants it now: what was put off is tried again at once. */
		if (watched->step == JOB_HANG_UP || (watched->step == JOB_KILL && watched->tries > 0)) {
			watched->due = clock_boottime_usec();
			reaper_arm(reaper, watched->due);
		}
		return -EALREADY;
	}
	r = job_begin(reaper, session, cause, detail);
	if (r >= 0 || r == -EALREADY)
		return r;
	/* Nobody is to be told later what is told now. */
	for (uint32_t i = reaper->waiter_count; tag && i > 0; i--) {
		if (reaper->waiters[i - 1].tag != tag || strcmp(reaper->waiters[i - 1].id, session->id) != 0)
			continue;
		reaper->waiters[i - 1] = reaper->waiters[--reaper->waiter_count];
		break;
	}
	return r;
}

void reaper_answered(struct reaper *reaper, uint64_t tag, int result)
{
	uint32_t number = tag & TAG_NUMBER;

	if (!tag)
		return; /* nobody waits for it */
	if (tag & TAG_JOB) {
		struct watched *watched = number < reaper->watched_high ? reaper->watched[number] : NULL;

		if (watched && job_tag(watched) == tag)
			job_answered(reaper, watched, result);
	} else {
		struct purge *purge = number < reaper->purge_high ? reaper->purges[number] : NULL;

		if (purge && purge_tag(purge) == tag)
			purge_answered(reaper, purge, result);
	}
}

/* ---- making and ending
 * ------------------------------------------------------------------------------------------------ */

int reaper_create(sd_event *event, struct session_table *table, struct helper_client *helper, struct audit *audit,
		  const struct login_book *book, const char *state_dir, const struct reaper_hooks *hooks,
		  struct reaper **ret)
{
	_cleanup_(reaper_destroyp) struct reaper *reaper = calloc(1, sizeof(*reaper));
	int r;

	if (!reaper)
		return -ENOMEM;
	reaper->event = sd_event_ref(event);
	reaper->table = table;
	reaper->helper = helper;
	reaper->audit = audit;
	reaper->book = book;
	reaper->hooks = *hooks;
	reaper->dirfd = begun_open(state_dir);
	r = reaper->dirfd;
	if (r >= 0)
		r = hash_index_init(&reaper->by_id, 64);
	if (r >= 0)
		r = sd_event_add_time(event, &reaper->timer, CLOCK_BOOTTIME, 0, ACCURACY_USEC, on_timer, reaper);
	if (r >= 0)
		r = sd_event_source_set_enabled(reaper->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = clock_watch(event, on_clock, reaper, &reaper->clock_source);
	if (r >= 0)
		r = idle_create(event, &reaper->idle);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(reaper);
	return 0;
}

void reaper_destroy(struct reaper *reaper)
{
	if (!reaper)
		return;
	idle_destroy(reaper->idle);
	scan_end(reaper->scan);
	free(reaper->expected);
	for (uint32_t i = 0; i < reaper->watched_high; i++)
		free(reaper->watched[i]);
	free(reaper->watched);
	for (uint32_t i = 0; i < reaper->purge_high; i++)
		free(reaper->purges[i]);
	free(reaper->purges);
	free(reaper->waiters);
	hash_index_finish(&reaper->by_id);
	sd_event_source_disable_unref(reaper->timer);
	sd_event_source_disable_unref(reaper->clock_source);
	if (reaper->dirfd >= 0)
		close(reaper->dirfd);
	sd_event_unref(reaper->event);
	free(reaper);
}
