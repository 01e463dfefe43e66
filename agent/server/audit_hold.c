/* SPDX-License-Identifier: MIT */
#include "server/audit_hold.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "server/call.h"
#include "server/internal.h"
#include "server/login_reply.h"
#include "spool/spool.h"

void audit_hold_forget(struct connection *c)
{
	struct audit_waits *waits = &c->server->audit;
	struct audit_wait *wait = &c->audit;

	wait->sequence = 0;
	if (!wait->listed)
		return;
	if (wait->next)
		wait->next->audit.previous = wait->previous;
	else
		waits->last = wait->previous;
	if (wait->previous)
		wait->previous->audit.next = wait->next;
	else
		waits->first = wait->next;
	wait->next = wait->previous = NULL;
	wait->listed = false;
}

/* Nearly always at the end: only an answer that was delayed waits for less than the newest. */
static void enlist(struct connection *c)
{
	struct audit_waits *waits = &c->server->audit;
	struct connection *before = waits->last;

	while (before && before->audit.sequence > c->audit.sequence)
		before = before->audit.previous;
	c->audit.previous = before;
	c->audit.next = before ? before->audit.next : waits->first;
	if (c->audit.next)
		c->audit.next->audit.previous = c;
	else
		waits->last = c;
	if (before)
		before->audit.next = c;
	else
		waits->first = c;
	c->audit.listed = true;
	c->hold = HOLD_AUDIT;
	c->hold_until = clock_boottime_usec() + AUDIT_HELD_USEC;
	waits->held++;
}

/* Nothing says any more that what was done is written down. */
static int put_refusal(struct connection *c, enum audit_form form)
{
	struct varlink_writer writer;

	if (form == AUDIT_FORM_STEP)
		return login_reply_cannot(c, REASON_AUDIT_FULL);
	varlink_reply_begin(&writer, &c->out);
	put_decision(&writer.json, "decision", REASON_AUDIT_FULL, NULL);
	return varlink_end(&writer, false);
}

/* The answer cannot wait. */
static void answer_unwritten(struct connection *c, size_t from, enum audit_form form)
{
	c->server->audit.late++;
	if (form == AUDIT_FORM_SAME || c->server->parts->config->audit.when_full != SPOOL_REFUSE ||
	    from > c->out.length)
		return;
	secret_wipe(c->out.data + from, c->out.length - from);
	c->out.length = from;
	if (put_refusal(c, form) < 0)
		connection_kill(c);
}

/* Not listed: its delay is not over yet. */
static void give_up(struct connection *c)
{
	c->audit.sequence = 0;
	answer_unwritten(c, c->audit.from, c->audit.form);
}

struct audit_mark audit_hold_mark(const struct server *server)
{
	const struct parts *parts = server->parts;

	(void)audit_kinds_kept(parts->audit);
	return (struct audit_mark){.sequence = parts->spool ? spool_last(parts->spool) : 0};
}

static bool is_excused(struct connection *c, const struct audit_mark *mark, const struct spool *spool)
{
	uint64_t kept = audit_kinds_kept(c->server->parts->audit);

	if (!kept || (kept & ~mark->excused) || c->audit.owed > spool_durable(spool))
		return false;
	c->audit.owed = spool_last(spool);
	return true;
}

void audit_hold_answer(struct connection *c, const struct audit_mark *mark, size_t from, enum audit_form form)
{
	const struct spool *spool = c->server->parts->spool;
	uint64_t last = spool ? spool_last(spool) : 0;

	if (mark && (last <= mark->sequence || is_excused(c, mark, spool)))
		return;
	if (last == 0 || last <= spool_durable(spool) || c->out.length <= from || c->dead || c->closing ||
	    (c->hold != HOLD_NONE && c->hold != HOLD_DELAY))
		return;
	if (c->server->audit.stuck) {
		answer_unwritten(c, from, form);
		return;
	}
	c->audit.sequence = last;
	c->audit.owed = 0;
	c->audit.from = from;
	c->audit.form = form;
	if (c->hold == HOLD_NONE)
		enlist(c);
}

void audit_hold_delayed(struct connection *c)
{
	const struct spool *spool = c->server->parts->spool;

	c->hold = HOLD_NONE;
	if (!spool || c->audit.sequence <= spool_durable(spool))
		c->audit.sequence = 0;
	else if (!c->server->audit.stuck)
		enlist(c);
	else
		give_up(c);
}

/* What it waited for is settled. */
static void go_on(struct connection *c)
{
	audit_hold_forget(c);
	c->hold = HOLD_NONE;
	if (c->in.length)
		server_queue(c->server, c);
	connection_settle(c);
}

void audit_hold_abandon(struct connection *c)
{
	buffer_clear(&c->out);
	c->sent = 0;
	c->drained_at = 0;
	go_on(c);
}

static void answer_all(struct server *server)
{
	struct connection *c;

	while ((c = server->audit.first)) {
		size_t from = c->audit.from;
		enum audit_form form = c->audit.form;

		audit_hold_forget(c);
		c->hold = HOLD_NONE;
		answer_unwritten(c, from, form);
		if (!c->dead)
			go_on(c);
	}
}

void audit_hold_expired(struct server *server)
{
	if (!server->audit.stuck)
		log_error("the disk takes no audit events for %llu s: answers do not wait for it any more",
			  AUDIT_HELD_USEC / USEC_PER_SEC);
	server->audit.stuck = true;
	answer_all(server);
}

void server_audit_durable(struct server *server, uint64_t sequence)
{
	struct connection *c;

	if (server->audit.stuck)
		log_notice("the disk takes audit events again");
	server->audit.stuck = false;
	server->audit.durable = sequence;
	while ((c = server->audit.first) && c->audit.sequence <= sequence)
		go_on(c);
	server_finish(server);
}

void server_audit_broken(struct server *server)
{
	server->audit.stuck = true;
	answer_all(server);
	server_finish(server);
}

void server_audit_whole(struct server *server)
{
	server->audit.stuck = false;
}

void server_audit_anew(struct server *server)
{
	answer_all(server);
	/* Those whose delay is not over wait for old numbers, too. */
	for (struct connection *c = server->connections, *next; c; c = next) {
		next = c->next;
		if (c->hold != HOLD_DELAY || c->audit.sequence == 0)
			continue;
		if (c->audit.sequence <= server->audit.durable)
			c->audit.sequence = 0;
		else
			give_up(c);
	}
	server->audit.durable = 0;
	server_finish(server);
}

bool server_audit_is_stuck(const struct server *server)
{
	return server->audit.stuck;
}
