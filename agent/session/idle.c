/* SPDX-License-Identifier: MIT
 *
 * The system bus may be down, or a daemon there may hang: nothing here waits for it. A question that was not answered
 * in time is answered with "nobody can say". The connection lasts as long as there are questions.
 */
#include "session/idle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "session/logind_session.h"
#include "session/terminal.h"

#define USEC_PER_SEC 1000000ULL
#define ANSWER_USEC (1500U * 1000U) /* two seconds are promised */
#define ACCURACY_USEC (100U * 1000U)
#define STEP_SEC 5 /* of the wall clock against the other one: what NTP turns slowly is none */

struct ask {
	struct idle *idle;
	struct ask *previous, *next;
	char id[SESSION_ID_CHARS + 1];
	pid_t leader;
	idle_fn answer;
	void *context;
	sd_bus_slot *reply;
	sd_event_source *late;
};

struct idle {
	sd_event *event;
	sd_bus *bus;
	sd_event_source *hang_up;
	struct ask *asks;
	/* Terminals have their times by the wall clock. When that was set, whatever they say is worth nothing, and it
	 * is as if somebody had pressed a key everywhere. */
	int64_t offset_sec; /* wall clock - time since boot */
	uint64_t stepped;   /* boot time at which it was noticed */
};

static int64_t clock_offset(void)
{
	return clock_realtime_sec() - (int64_t)(clock_boottime_usec() / USEC_PER_SEC);
}

int idle_create(sd_event *event, struct idle **ret)
{
	struct idle *idle = calloc(1, sizeof(*idle));

	if (!idle)
		return -ENOMEM;
	idle->event = sd_event_ref(event);
	idle->offset_sec = clock_offset();
	*ret = idle;
	return 0;
}

static void free_ask(struct ask *ask)
{
	if (ask->previous)
		ask->previous->next = ask->next;
	else
		ask->idle->asks = ask->next;
	if (ask->next)
		ask->next->previous = ask->previous;
	sd_bus_slot_unref(ask->reply);
	sd_event_source_disable_unref(ask->late);
	free(ask);
}

static void drop_bus(struct idle *idle)
{
	idle->hang_up = sd_event_source_disable_unref(idle->hang_up);
	idle->bus = sd_bus_close_unref(idle->bus);
}

void idle_destroy(struct idle *idle)
{
	if (!idle)
		return;
	while (idle->asks)
		free_ask(idle->asks);
	drop_bus(idle);
	sd_event_unref(idle->event);
	free(idle);
}

static int hang_up(sd_event_source *source, void *userdata)
{
	struct idle *idle = userdata;

	if (!idle->asks)
		drop_bus(idle);
	else
		idle->hang_up = sd_event_source_disable_unref(idle->hang_up);
	return 0;
}

/* The last thing that is done with it: whoever gets the answer may ask again, or want no more of this. */
static void give_answer(struct ask *ask, uint64_t since_usec)
{
	struct idle *idle = ask->idle;
	char id[SESSION_ID_CHARS + 1];
	idle_fn answer = ask->answer;
	void *context = ask->context;

	memcpy(id, ask->id, sizeof(id));
	free_ask(ask);
	/* Not from within the connection's own call. */
	if (!idle->asks && idle->bus && !idle->hang_up)
		(void)sd_event_add_defer(idle->event, &idle->hang_up, hang_up, idle);
	answer(context, id, since_usec);
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
	give_answer(userdata, 0);
	return 0;
}

/* Boot time, not before a key may have been pressed; at most now. */
static uint64_t since(struct idle *idle, int64_t last_key)
{
	int64_t offset = clock_offset();
	uint64_t now = clock_boottime_usec(), at;

	if (llabs(offset - idle->offset_sec) > STEP_SEC) {
		idle->offset_sec = offset;
		idle->stepped = now;
	}
	at = last_key > offset ? (uint64_t)(last_key - offset) * USEC_PER_SEC : 1;
	return MIN_OF(MAX_OF(at, idle->stepped), now);
}

static uint64_t monotonic_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000U;
}

static int replied(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
	struct ask *ask = userdata;
	struct logind_session session;
	uint64_t now = monotonic_usec(), ago;

	if (sd_bus_message_is_method_error(message, NULL) || logind_session_read(message, &session) < 0 ||
	    session.leader != (uint32_t)ask->leader || !session.idle_since) {
		give_answer(ask, 0);
		return 0;
	}
	ago = now > session.idle_since ? now - session.idle_since : 0;
	if (session.is_terminal) {
		/* By the wall clock, which logind has turned into the other: see since(). */
		give_answer(ask, since(ask->idle,
				       clock_realtime_sec() - (int64_t)(ago / USEC_PER_SEC) + TERMINAL_KEY_STEP_SEC));
		return 0;
	}
	now = clock_boottime_usec();
	give_answer(ask, session.is_idle && now > ago ? now - ago : 0);
	return 0;
}

static int send_question(struct ask *ask, const char *scope)
{
	struct idle *idle = ask->idle;
	int r;

	if (idle->bus && sd_bus_is_open(idle->bus) <= 0)
		idle->bus = sd_bus_close_unref(idle->bus); /* those who had asked there have been told, or will be */
	if (!idle->bus) {
		r = sd_bus_open_system(&idle->bus);
		if (r < 0)
			return r;
		r = sd_bus_attach_event(idle->bus, idle->event, SD_EVENT_PRIORITY_NORMAL);
		if (r < 0)
			return r;
	}
	return logind_session_ask(idle->bus, scope, &ask->reply, replied, ask);
}

static void ask_logind(struct idle *idle, const struct session *session, idle_fn answer, void *context)
{
	struct ask *ask = calloc(1, sizeof(*ask));

	if (!ask) {
		answer(context, session->id, 0);
		return;
	}
	*ask = (struct ask){
		.idle = idle, .next = idle->asks, .leader = session->leader, .answer = answer, .context = context};
	memcpy(ask->id, session->id, sizeof(ask->id));
	if (idle->asks)
		idle->asks->previous = ask;
	idle->asks = ask;
	if (sd_event_add_time_relative(idle->event, &ask->late, CLOCK_MONOTONIC, ANSWER_USEC, ACCURACY_USEC, too_late,
				       ask) < 0 ||
	    send_question(ask, session->scope) < 0)
		give_answer(ask, 0);
}

void idle_ask(struct idle *idle, const struct session *session, idle_fn answer, void *context)
{
	uint32_t devices[SESSION_TERMINALS_MAX];
	int64_t last = 0;
	int64_t key;
	unsigned count = session->left_behind ? 0 : session_terminals(session, devices);
	bool known = false;

	for (unsigned i = 0; i < count; i++)
		if (terminal_last_key(devices[i], session->uid, &key) == 0) {
			last = known ? MAX_OF(last, key) : key;
			known = true;
		}
	if (known)
		answer(context, session->id, since(idle, last));
	else if (*session->scope && !session->left_behind)
		ask_logind(idle, session, answer, context);
	else
		answer(context, session->id, 0);
}
