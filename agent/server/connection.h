/* SPDX-License-Identifier: MIT
 *
 * One connection: what it sent and was not looked at yet, what waits for it, and why it waits.
 *
 * A connection has one call at a time. While an answer is held back (throttled, waiting for a reload, a
 * stream that goes on) nothing more is read from it; the kernel's socket buffer pushes back.
 */
#pragma once

#include "base/buffer.h"
#include "server/audit_hold.h"
#include "server/callers.h"
#include "server/peer.h"
#include "server/server.h"
#include "server/timers.h"

enum hold {
	HOLD_NONE,
	HOLD_DELAY,  /* the answer is in `out` and leaves at `hold_until` */
	HOLD_AUDIT,  /* the answer is in `out` and leaves when what was written for it is on disk: `audit` */
	HOLD_RELOAD, /* waits for server_reload_done */
	HOLD_END,    /* waits for server_end_session_done: `ends` */
	HOLD_ENROLL, /* waits for server_enroll_done */
	HOLD_LOGIN,  /* waits for server_login_reply */
	HOLD_STREAM, /* `stream` makes the replies */
	HOLD_EVENTS, /* subscribed: until it hangs up */
};

struct connection;

/* Replies that are made piece by piece as the peer takes them. */
struct stream {
	/* Adds replies for one turn. 1: finished; 0: more to come; -errno. */
	int (*produce)(struct stream *stream, struct connection *connection);
	void (*destroy)(struct stream *stream);
};

/* Sessions that are being ended, of which a call waits to hear. */
struct end_wait {
	uint64_t tag;            /* 0: nobody waits */
	uint32_t asked, gone;    /* what the reply says */
	uint32_t waiting, heard; /* of so many something was heard */
	int problem;             /* that hinders one; 0: none */
};

struct connection {
	struct server *server;
	struct connection *next, *previous; /* of all */
	struct connection *queue_next;      /* of those with work left from their last turn */
	struct timer timer;
	uint64_t id; /* never used twice */
	int fd;
	enum server_socket kind;
	struct peer peer;
	struct caller *caller;
	enum hold hold;
	bool queued, eof, closing, dead;
	bool subscribed, subscribed_all;
	bool untrusted;   /* counts against the open share of connections */
	bool had_login;   /* may own unfinished logins */
	uint64_t local;   /* who signs somebody in by it at this host (login_local_place); 0: nobody */
	uint32_t watched; /* epoll events asked for */
	uint64_t hold_until, partial_since, drained_at;
	struct buffer in;
	size_t scanned;
	struct buffer out;
	size_t sent; /* of out */
	struct stream *stream;
	struct end_wait ends;
	struct audit_wait audit;
};

/* The epoll instance says something about it. */
void connection_ready(struct connection *connection, uint32_t events);
/* A bounded piece of the work that is left. */
void connection_turn(struct connection *connection);
/* Its deadline passed. */
void connection_expired(struct connection *connection);
/* Sends what is due and sets what to wait for: after somebody else put something into `out`. */
void connection_settle(struct connection *connection);
/* Closes once `out` is taken, or soon. Later calls are not read. */
void connection_close_after(struct connection *connection);
/* Closes now. The memory goes at the end of the wake-up. */
void connection_kill(struct connection *connection);
/* Bytes that wait for the peer. */
size_t connection_backlog(const struct connection *connection);
