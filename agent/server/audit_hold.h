/* SPDX-License-Identifier: MIT
 *
 * Answers wait for the audit: what a call wrote into the spool is on disk before its answer leaves. Others are served
 * meanwhile, and their events go to disk together.
 *
 * A disk that takes too long holds nobody up for ever. Whoever waits is then answered, and so is everybody after them
 * until something is on disk again: as it was decided where audit.spool.when_full is `drop`, with "audit-full" where it
 * is `refuse` and the answer would let somebody in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;
struct server;

/* What an answer turns into that may not leave. */
enum audit_form {
	AUDIT_FORM_SAME,     /* lets nobody in: it leaves all the same */
	AUDIT_FORM_STEP,     /* of Login and Answer */
	AUDIT_FORM_DECISION, /* of Authorize and OpenSession */
};

/* In each connection. */
struct audit_wait {
	uint64_t sequence; /* what its answer waits for; 0: nothing */
	uint64_t owed;     /* up to here an answer did not wait: the next one that could be excused does */
	size_t from;       /* where that answer begins in `out` */
	enum audit_form form;
	bool listed;
	struct connection *next, *previous; /* by sequence */
};
/* In the server. */
struct audit_waits {
	struct connection *first, *last;
	bool stuck;       /* nobody waits any more */
	uint64_t durable; /* what was heard last, of the numbers that count now */
	uint64_t held, late;
};

/* How far the spool was before a call. */
struct audit_mark {
	uint64_t sequence;
	uint64_t excused; /* kinds of events (1 << kind) for which alone the answer does not wait */
};
struct audit_mark audit_hold_mark(const struct server *server);
/* An answer stands in `out` from `from` on. Holds it back where more was written since the mark and is not on disk yet.
 * `mark` NULL: whatever was written. */
void audit_hold_answer(struct connection *connection, const struct audit_mark *mark, size_t from, enum audit_form form);
/* The answer's delay is over: sets what it waits for now. */
void audit_hold_delayed(struct connection *connection);
/* The peer is gone: nobody reads the answer, and calls behind it have their turn. */
void audit_hold_abandon(struct connection *connection);
void audit_hold_forget(struct connection *connection); /* it waits no more */
void audit_hold_expired(struct server *server);        /* somebody waited for too long */
