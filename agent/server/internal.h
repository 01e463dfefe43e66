/* SPDX-License-Identifier: MIT
 *
 * The server's own state, for the files of this folder.
 */
#pragma once

#include "server/connection.h"
#include "server/limits.h"
#include "server/methods.h"

struct listener {
	int fd;
	enum server_socket kind;
	bool paused;
	char *path; /* to remove at the end; NULL when the socket is systemd's */
};

#define LISTENERS_MAX 4

struct server {
	sd_event *event;
	const struct parts *parts;
	int epoll_fd;
	struct listener listeners[LISTENERS_MAX];
	unsigned listener_count;
	struct connection *connections, *dead, *queue, **queue_tail;
	uint64_t last_id;
	bool loop_is_due; /* sd-event has something to do or to arm */
	bool working;     /* within a wake-up: nothing is freed and no timer armed before its end */
	uint64_t accept_paused_until;
	struct timers timers;
	struct callers callers;
	struct audit_waits audit;
	uint32_t untrusted; /* connections that count against the open share */
	struct server_counts counts;
	uint64_t method_calls[METHODS_MAX];
	char scratch[INPUT_MAX]; /* what one read brings; wiped after each use */
};

void server_forget(struct server *server, struct connection *connection); /* takes it off all lists */
/* One wake-up of server_run, which waits at most so long (-1: for ever). 0 or -errno. */
int server_step(struct server *server, int timeout_msec);
/* Buries the dead; nothing within a wake-up, which ends with it. */
void server_finish(struct server *server);
void server_queue(struct server *server, struct connection *connection);
