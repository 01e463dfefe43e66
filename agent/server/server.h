/* SPDX-License-Identifier: MIT
 *
 * The socket server: listeners, connections and their limits.
 *
 * All connections live in an epoll instance of their own, whose descriptor is one source of the agent's
 * event loop; a wake-up drains what is ready, each connection in turn and for a bounded piece of work, so
 * a hostile client costs others at most that piece. A call is read once and answered with one write.
 * Nothing is armed while nothing waits: an idle server never wakes up.
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

/* Listens on a descriptor from systemd (taken over in every case), or on a path of its own. */
int server_listen_fd(struct server *server, int fd, enum server_socket kind);
int server_listen_path(struct server *server, const char *path, enum server_socket kind);
/* Serves one connected socket; the descriptor is taken over in every case. */
int server_add_connection(struct server *server, int fd, enum server_socket kind);

/* Answers every Reload that waits. `problem` NULL: it went well. */
void server_reload_done(struct server *server, bool changed, const char *problem);

/* Something happened: to every subscriber that may know. */
struct server_event {
	const char *event; /* see Subscribe in the interface text */
	const char *user, *user_id, *key_id, *project, *session;
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
