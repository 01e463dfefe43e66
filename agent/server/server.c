/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "server/call.h"
#include "server/end_reply.h"
#include "server/internal.h"
#include "server/login_reply.h"

/* ---- limits of connections ------------------------------------------------------------------ */

static bool is_trusted_uid(const struct server *server, uint32_t uid)
{
	const struct config *config = server->parts->config;

	/* sshd asks as the keys account: without its place nobody with an SSH key could sign in. */
	return uid == 0 || uid == config->keys_uid || config_may(config, uid, NULL) != 0;
}

/* NULL: there is room. Else the limit's name for the person. */
static const char *turned_away(const struct server *server, const struct caller *caller, bool trusted)
{
	const struct config *config = server->parts->config;
	uint32_t total = config->connections;
	uint32_t own = config->connections_per_user * (trusted ? TRUSTED_FACTOR : 1);

	if (server->counts.connections >= total)
		return "connections of this host";
	if (!trusted && server->untrusted >= total - total / RESERVED_SHARE)
		return "connections of this host";
	if (caller->uid != 0 && caller->connections >= own)
		return "connections of this user";
	return NULL;
}

/* Says why and closes; whoever does not listen just sees the end. */
static void say_too_many(int fd, const char *limit)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct varlink_writer writer;

	varlink_error_begin(&writer, &out, AGENT_ERROR_TOO_MANY);
	json_put_string(&writer.json, "limit", limit);
	if (varlink_end(&writer, false) >= 0)
		(void)!send(fd, out.data, out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* ---- connections -------------------------------------------------------------------------- */

int server_add_connection(struct server *server, int fd_taken, enum server_socket kind)
{
	_cleanup_(closep) int fd = fd_taken;
	struct epoll_event wanted = {.events = EPOLLIN | EPOLLRDHUP};
	struct connection *connection;
	struct caller *caller;
	const char *limit;
	struct peer peer;
	bool trusted;
	int result;

	result = peer_read(fd, &peer);
	if (result < 0)
		return result;
	caller = callers_get(&server->callers, peer.uid, clock_boottime_usec());
	if (!caller || timers_reserve(&server->timers, server->counts.connections + 1) < 0)
		return -ENOMEM;
	trusted = is_trusted_uid(server, peer.uid);
	limit = turned_away(server, caller, trusted);
	if (limit) {
		server->counts.turned_away++;
		say_too_many(fd, limit);
		return -EUSERS;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	wanted.data.ptr = connection;
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) < 0) {
		result = -errno;
		free(connection);
		return result;
	}
	*connection = (struct connection){
		.server = server,
		.next = server->connections,
		.id = ++server->last_id,
		.fd = TAKE_FD(fd),
		.kind = kind,
		.peer = peer,
		.caller = caller,
		.untrusted = !trusted,
		.watched = wanted.events,
		.in = {.limit = INPUT_MAX, .wipe = true},
		.out = {.limit = OUTPUT_MAX},
	};
	if (server->connections)
		server->connections->previous = connection;
	server->connections = connection;
	caller->connections++;
	server->untrusted += connection->untrusted;
	server->counts.connections++;
	server->counts.accepted++;
	return 0;
}

void server_forget(struct server *server, struct connection *connection)
{
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		server->connections = connection->next;
	timers_set(&server->timers, &connection->timer, 0);
	server->counts.connections--;
	server->untrusted -= connection->untrusted;
	connection->caller->connections--;
	if (connection->subscribed) {
		connection->caller->subscriptions--;
		server->counts.subscribers--;
	}
	connection->next = server->dead;
	server->dead = connection;
}

void server_queue(struct server *server, struct connection *connection)
{
	if (connection->queued || connection->dead)
		return;
	connection->queued = true;
	connection->queue_next = NULL;
	*server->queue_tail = connection;
	server->queue_tail = &connection->queue_next;
}

/* One turn for each that was waiting when we began. */
static void run_queue(struct server *server)
{
	struct connection *connection = server->queue;

	server->queue = NULL;
	server->queue_tail = &server->queue;
	while (connection) {
		struct connection *next = connection->queue_next;

		connection->queued = false;
		if (!connection->dead)
			connection_turn(connection);
		connection = next;
	}
}

static void bury(struct server *server)
{
	/* One that waits in the queue is freed when its turn comes round. */
	for (struct connection **at = &server->dead; *at;) {
		struct connection *connection = *at;

		if (connection->queued) {
			at = &connection->next;
			continue;
		}
		*at = connection->next;
		buffer_finish(&connection->in);
		buffer_finish(&connection->out);
		free(connection);
	}
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void pause_listeners(struct server *server, bool pause)
{
	for (unsigned i = 0; i < server->listener_count; i++) {
		struct listener *listener = &server->listeners[i];
		struct epoll_event wanted = {.events = pause ? 0 : EPOLLIN, .data.ptr = listener};

		if (epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, listener->fd, &wanted) < 0)
			log_error("cannot watch a listening socket: %m");
	}
	server->accept_paused_until = pause ? clock_boottime_usec() + ACCEPT_PAUSE_USEC : 0;
}

static void accept_some(struct server *server, const struct listener *listener)
{
	for (unsigned i = 0; i < ACCEPTS_PER_WAKEUP; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int result;

		if (fd < 0) {
			if (errno == EAGAIN)
				return;
			if (errno == ECONNABORTED || errno == EINTR)
				continue;
			/* Out of descriptors or memory: trying again at once would only spin. */
			log_error("cannot accept a connection: %m");
			pause_listeners(server, true);
			return;
		}
		result = server_add_connection(server, fd, listener->kind);
		if (result < 0 && result != -EUSERS)
			log_error("cannot serve a connection: %s", strerror(-result));
	}
}

void server_finish(struct server *server)
{
	if (server->working) /* whoever works will be here at the end */
		return;
	bury(server);
	server->parts->after_work(server->parts->context);
}

/* How long epoll may wait: not at all with work left, until the next deadline, or for ever. */
static int wait_msec(const struct server *server)
{
	const struct timer *first = timers_first(&server->timers);
	uint64_t when = first ? first->when : 0, now;

	if (server->queue)
		return 0;
	if (server->accept_paused_until && (!when || server->accept_paused_until < when))
		when = server->accept_paused_until;
	if (!when)
		return -1;
	now = clock_boottime_usec();
	if (when <= now)
		return 0;
	return (int)MIN_OF((when - now + 999) / 1000, (uint64_t)INT32_MAX);
}

static void run_timers(struct server *server)
{
	const struct timer *first = timers_first(&server->timers);
	uint64_t now;
	struct timer *timer;

	if (!first && !server->accept_paused_until)
		return;
	now = clock_boottime_usec();
	if (server->accept_paused_until && server->accept_paused_until <= now)
		pause_listeners(server, false);
	while ((timer = timers_first(&server->timers)) && timer->when <= now) {
		struct connection *connection =
			(struct connection *)((char *)timer - offsetof(struct connection, timer));

		timers_set(&server->timers, timer, 0);
		connection_expired(connection);
	}
}

/* The connection that an event is about; NULL: a listener's or the loop's. */
static struct connection *connection_of(struct server *server, const struct epoll_event *event)
{
	const struct listener *listener = event->data.ptr;

	if (event->data.ptr == server ||
	    (listener >= server->listeners && listener < server->listeners + LISTENERS_MAX))
		return NULL;
	return event->data.ptr;
}

/* First all that is asked is worked out, then the answers leave: each would wake its client, which would take the
 * processor from us and find the others' answers not there yet. */
int server_step(struct server *server, int timeout_msec)
{
	struct epoll_event events[READY_PER_WAKEUP];
	int count = epoll_wait(server->epoll_fd, events, READY_PER_WAKEUP, timeout_msec);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	server->working = true;
	for (int i = 0; i < count; i++) {
		struct connection *connection = connection_of(server, &events[i]);

		if (connection) {
			if (!connection->dead)
				connection_ready(connection, events[i].events);
		} else if (events[i].data.ptr == server) {
			server->loop_is_due = true;
		} else {
			accept_some(server, events[i].data.ptr);
		}
	}
	for (int i = 0; i < count; i++) {
		struct connection *connection = connection_of(server, &events[i]);

		if (connection && !connection->dead)
			connection_settle(connection);
	}
	if (server->queue)
		run_queue(server);
	run_timers(server);
	server->working = false;
	server_finish(server);
	return 0;
}

void server_wake_loop(struct server *server)
{
	server->loop_is_due = true;
}

int server_run(struct server *server)
{
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = server};
	int result = 0;

	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, sd_event_get_fd(server->event), &wanted) < 0)
		return -errno;
	server->loop_is_due = true;
	while (result >= 0 && sd_event_get_state(server->event) != SD_EVENT_FINISHED) {
		if (server->loop_is_due) {
			server->loop_is_due = false;
			/* Until nothing is ready, which also arms its timers. */
			do
				result = sd_event_run(server->event, 0);
			while (result > 0 && sd_event_get_state(server->event) != SD_EVENT_FINISHED);
			if (result < 0 || server->loop_is_due)
				continue;
			if (sd_event_get_state(server->event) == SD_EVENT_FINISHED)
				break;
		}
		result = server_step(server, wait_msec(server));
	}
	(void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, sd_event_get_fd(server->event), NULL);
	if (result < 0)
		return result;
	return sd_event_get_exit_code(server->event, &result) < 0 ? 0 : result;
}

/* ---- making and ending ---------------------------------------------------------------------- */

int server_create(sd_event *event, const struct parts *parts, struct server **ret)
{
	_cleanup_(server_destroyp) struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->event = sd_event_ref(event);
	server->parts = parts;
	server->queue_tail = &server->queue;
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll_fd < 0)
		return -errno;
	*ret = TAKE_PTR(server);
	return 0;
}

void server_destroy(struct server *server)
{
	if (!server)
		return;
	while (server->connections)
		connection_kill(server->connections);
	run_queue(server);
	bury(server);
	for (unsigned i = 0; i < server->listener_count; i++) {
		close(server->listeners[i].fd);
		if (server->listeners[i].path) {
			(void)unlink(server->listeners[i].path);
			free(server->listeners[i].path);
		}
	}
	sd_event_unref(server->event);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	timers_finish(&server->timers);
	callers_finish(&server->callers);
	secret_wipe(server->scratch, sizeof(server->scratch));
	free(server);
}

int server_listen_fd(struct server *server, int fd_taken, enum server_socket kind)
{
	_cleanup_(closep) int fd = fd_taken;
	struct listener *listener = &server->listeners[server->listener_count];
	struct epoll_event wanted = {.events = EPOLLIN, .data.ptr = listener};
	int flags;

	if (server->listener_count == LISTENERS_MAX)
		return -ENOSPC;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &wanted) < 0)
		return -errno;
	*listener = (struct listener){.fd = TAKE_FD(fd), .kind = kind};
	server->listener_count++;
	return 0;
}

int server_listen_path(struct server *server, const char *path, enum server_socket kind)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(freep) char *copy = strdup(path);
	struct stat st;
	int result;

	if (fd < 0)
		return -errno;
	if (!copy)
		return -ENOMEM;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	/* What a killed agent left behind; nothing else may stand there. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, 0666) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	result = server_listen_fd(server, TAKE_FD(fd), kind);
	if (result >= 0)
		server->listeners[server->listener_count - 1].path = TAKE_PTR(copy);
	return result;
}

struct server_counts server_counts(const struct server *server)
{
	return server->counts;
}

/* An answer that was waited for is in `out`, from `before` on: it leaves, and calls sent behind it get their turn. */
static void resume(struct server *server, struct connection *c, int result, size_t before, enum audit_form form)
{
	if (result < 0) {
		connection_kill(c);
		return;
	}
	audit_hold_answer(c, NULL, before, form);
	if (c->in.length)
		server_queue(server, c);
	connection_settle(c);
}

void server_reload_done(struct server *server, bool changed, const char *problem)
{
	for (struct connection *c = server->connections, *next; c; c = next) {
		struct varlink_writer writer;
		size_t before = c->out.length;

		next = c->next;
		if (c->hold != HOLD_RELOAD)
			continue;
		c->hold = HOLD_NONE;
		if (problem) {
			varlink_error_begin(&writer, &c->out, AGENT_ERROR_RELOAD_FAILED);
			json_put_string(&writer.json, "problem", problem);
		} else {
			varlink_reply_begin(&writer, &c->out);
			json_put_bool(&writer.json, "changed", changed);
		}
		resume(server, c, varlink_end(&writer, false), before, AUDIT_FORM_SAME);
	}
	server_finish(server);
}

void server_end_session_done(struct server *server, uint64_t tag, int result)
{
	for (struct connection *c = server->connections; tag && c; c = c->next) {
		struct end_wait *ends = &c->ends;

		if (ends->tag != tag)
			continue;
		ends->heard++;
		if (result >= 0 || result == -ESRCH)
			ends->gone++;
		else
			ends->problem = result;
		/* Heard of before the call has asked for the last one, it answers by itself. */
		if (c->hold == HOLD_END && ends->heard >= ends->waiting) {
			size_t before = c->out.length;

			c->hold = HOLD_NONE;
			resume(server, c, end_reply_put(c), before, AUDIT_FORM_SAME);
		}
		break;
	}
	server_finish(server);
}

void server_login_reply(struct server *server, uint64_t owner, const struct login_reply *reply)
{
	for (struct connection *c = server->connections; c; c = c->next) {
		size_t before = c->out.length;

		if (c->id != owner || c->hold != HOLD_LOGIN)
			continue;
		c->hold = HOLD_NONE;
		resume(server, c, login_reply_put(c, reply, clock_boottime_usec()), before, AUDIT_FORM_STEP);
		break;
	}
	server_finish(server);
}

void server_enroll_done(struct server *server, uint64_t tag, const char *host_id, const char *problem)
{
	for (struct connection *c = server->connections; c; c = c->next) {
		struct varlink_writer writer;
		size_t before = c->out.length;

		if (c->id != tag || c->hold != HOLD_ENROLL)
			continue;
		c->hold = HOLD_NONE;
		if (problem) {
			varlink_error_begin(&writer, &c->out, AGENT_ERROR_ENROLL_FAILED);
			json_put_string(&writer.json, "problem", problem);
		} else {
			varlink_reply_begin(&writer, &c->out);
			json_put_string(&writer.json, "host", host_id);
		}
		resume(server, c, varlink_end(&writer, false), before, AUDIT_FORM_SAME);
		break;
	}
	server_finish(server);
}
