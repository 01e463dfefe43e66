/* SPDX-License-Identifier: MIT
 *
 * The socket server: listeners, connections and their limits.
 *
 * The server's epoll instance is the outer loop, and sd-event's descriptor is one of those it watches: a
 * call costs epoll_wait, recv and send, and nothing of sd-event's. (The other way round, as one source of
 * sd-event, each wake-up goes through two epoll instances; it costs more calls, and the kernel then wakes
 * us on another processor instead of the caller's, which is five times slower.) A wake-up drains what is
 * ready, each connection in turn and for a bounded piece of work, so a hostile client costs others at most
 * that piece. A call is read once and answered with one write. Nothing is armed while nothing waits: an
 * idle server never wakes up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/macros.h"
#include "server/parts.h"

struct server;

enum server_socket { SERVER_AGENT, SERVER_USERDB };

/* `parts` must outlive the server. */
int server_create(sd_event *event, const struct parts *parts, struct server **ret);
void server_destroy(struct server *server); /* takes NULL; connections are closed */
DEFINE_CLEANUP(struct server, server_destroy)

/* Serves, and runs the event loop, until sd_event_exit. Its exit code, or -errno. */
int server_run(struct server *server);
/* To be called when something of sd-event's was set (timers, deferred work) while the server was at work. */
void server_wake_loop(struct server *server);

/* Listens on a descriptor from systemd (taken over in every case), or on a path of its own. */
int server_listen_fd(struct server *server, int fd, enum server_socket kind);
int server_listen_path(struct server *server, const char *path, enum server_socket kind);
/* Serves one connected socket; the descriptor is taken over in every case. */
int server_add_connection(struct server *server, int fd, enum server_socket kind);

/* Answers every Reload that waits. `problem` NULL: it went well. */
void server_reload_done(struct server *server, bool changed, const char *problem);

/* One of the sessions that the EndSession or EndSessions with this tag asked for is gone (0, -ESRCH), or what hinders
 * it. The call is answered when it has heard of all of them. */
void server_end_session_done(struct server *server, uint64_t tag, int result);

/* Answers the Enroll with this tag: the host's id, or (problem not NULL) why not. */
void server_enroll_done(struct server *server, uint64_t tag, const char *host_id, const char *problem);

/* Answers the Answer that this connection waits for (login/sso.h); nothing where it is gone. The reply is the caller's
 * to wipe. */
struct login_reply;
void server_login_reply(struct server *server, uint64_t owner, const struct login_reply *reply);

/* Everything that was written into the spool, up to this one, is on disk: whoever waits for it is answered. */
void server_audit_durable(struct server *server, uint64_t sequence);
/* The spool cannot be written: nobody waits for it until something is on disk again (server/audit_hold.h), or it is
 * said that it can. */
void server_audit_broken(struct server *server);
void server_audit_whole(struct server *server);
/* Its numbers begin anew: nothing is heard any more of what somebody still waits for. */
void server_audit_anew(struct server *server);
bool server_audit_is_stuck(const struct server *server);

/* Something happened: to every subscriber that may know. */
struct server_event {
	const char *event; /* see Subscribe in the interface text */
	const char *user, *user_id, *key_id, *project, *session;
	const char *cause; /* why a session ends */
	bool has_uid;
	uint32_t uid; /* whom it concerns */
	uint64_t generation;
};
void server_publish(struct server *server, const struct server_event *event);

struct server_counts {
	uint32_t connections, subscribers;
	uint64_t accepted, turned_away, calls, refused, bad_messages, dropped_subscribers, timeouts;
};
struct server_counts server_counts(const struct server *server);
