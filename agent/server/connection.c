/* SPDX-License-Identifier: MIT */
#include "server/connection.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "server/end_reply.h"
#include "server/internal.h"
#include "server/login_reply.h"

size_t connection_backlog(const struct connection *c)
{
	return c->out.length - c->sent;
}

static void end_stream(struct connection *c)
{
	struct stream *stream = TAKE_PTR(c->stream);

	if (stream)
		stream->destroy(stream);
}

/* Or whoever asks and hangs up again and again would leave as many behind that wait. */
static void forget_end(struct connection *c)
{
	uint64_t tag = c->ends.tag;

	c->ends.tag = 0;
	if (tag)
		c->server->parts->forget_end(c->server->parts->context, tag);
}

void connection_kill(struct connection *c)
{
	struct server *server = c->server;

	if (c->dead)
		return;
	c->dead = true;
	end_stream(c);
	forget_end(c);
	audit_hold_forget(c);
	if (c->had_login)
		login_cancel_owner(server->parts->logins, c->id, clock_boottime_usec());
	close(TAKE_FD(c->fd)); /* takes it out of the epoll instance, too: no copy of it exists */
	server_forget(server, c);
}

void connection_close_after(struct connection *c)
{
	end_stream(c);
	audit_hold_forget(c);
	c->hold = HOLD_NONE;
	c->closing = true;
	buffer_clear(&c->in);
	c->scanned = 0;
	c->partial_since = 0;
	c->drained_at = clock_boottime_usec();
	connection_settle(c);
}

/* May what is in `out` leave now? */
static bool may_send(const struct connection *c)
{
	return c->hold != HOLD_DELAY && c->hold != HOLD_AUDIT && connection_backlog(c) > 0;
}

static void flush(struct connection *c)
{
	while (may_send(c)) {
		ssize_t sent = send(c->fd, c->out.data + c->sent, connection_backlog(c), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0) {
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				connection_kill(c);
				return;
			}
			if (!c->drained_at)
				c->drained_at = clock_boottime_usec();
			/* Keep the front free of what is gone, so a slow reader does not grow it for ever. */
			if (c->sent > OUTPUT_PAUSE) {
				buffer_consume(&c->out, c->sent);
				c->sent = 0;
			}
			return;
		}
		c->sent += (size_t)sent;
		if (connection_backlog(c) == 0) {
			c->drained_at = 0;
			c->sent = 0;
			/* People at a prompt may be many, and stay for minutes. */
			if (c->out.capacity > BUFFER_KEEP || c->had_login)
				buffer_finish(&c->out);
			else
				buffer_clear(&c->out);
			c->out.limit = OUTPUT_MAX;
			if (c->closing || (c->eof && c->hold == HOLD_NONE && !c->queued && c->in.length == 0)) {
				connection_kill(c);
				return;
			}
		} else if (c->drained_at) {
			c->drained_at = clock_boottime_usec();
		}
	}
	if (c->closing && connection_backlog(c) == 0)
		connection_kill(c);
}

static uint64_t deadline(const struct connection *c)
{
	if (c->closing)
		return c->drained_at + CLOSING_USEC;
	if (c->hold == HOLD_DELAY || c->hold == HOLD_AUDIT || c->hold == HOLD_RELOAD || c->hold == HOLD_END ||
	    c->hold == HOLD_ENROLL || c->hold == HOLD_LOGIN)
		return c->hold_until;
	if (connection_backlog(c) > 0)
		return c->drained_at + DRAIN_USEC;
	if (c->partial_since)
		return c->partial_since + MESSAGE_USEC;
	return 0;
}

void connection_settle(struct connection *c)
{
	struct epoll_event wanted = {.data.ptr = c};

	if (!c->dead)
		flush(c);
	if (c->dead)
		return;
	/* A hang-up is always told. Half of one (RDHUP) only while we would read anyway. */
	if (c->hold == HOLD_NONE && !c->closing && !c->eof && connection_backlog(c) < OUTPUT_PAUSE && !c->queued)
		wanted.events = EPOLLIN | EPOLLRDHUP;
	if (may_send(c))
		wanted.events |= EPOLLOUT;
	if (wanted.events != c->watched) {
		if (epoll_ctl(c->server->epoll_fd, EPOLL_CTL_MOD, c->fd, &wanted) < 0) {
			connection_kill(c);
			return;
		}
		c->watched = wanted.events;
	}
	timers_set(&c->server->timers, &c->timer, deadline(c));
}

/* Runs the calls that are whole in `input`, a few; returns how many bytes are done with. */
static size_t run_calls(struct connection *c, const struct buffer *input)
{
	size_t done = 0;

	for (unsigned calls = 0; calls < CALLS_PER_TURN; calls++) {
		struct buffer rest = {.data = input->data + done, .length = input->length - done};
		size_t length;
		int result;

		if (c->dead || c->closing || c->hold != HOLD_NONE || connection_backlog(c) >= OUTPUT_PAUSE)
			return done;
		result = varlink_frame_next(&rest, &c->scanned, &length);
		if (result < 0) { /* longer than any message: nothing after it can be understood */
			c->server->counts.bad_messages++;
			connection_kill(c);
			return done;
		}
		if (result == 0)
			return done;
		c->scanned = 0;
		methods_dispatch(c, rest.data, length);
		secret_wipe(rest.data, length);
		done += length + 1;
	}
	if (done < input->length && memchr(input->data + done, 0, input->length - done))
		server_queue(c->server, c);
	return done;
}

static void run_stream(struct connection *c)
{
	int result;

	if (connection_backlog(c) >= OUTPUT_PAUSE)
		return;
	result = c->stream->produce(c->stream, c);
	if (c->dead)
		return;
	if (result == 0) {
		server_queue(c->server, c);
		return;
	}
	end_stream(c);
	c->hold = HOLD_NONE;
	if (result < 0) {
		connection_kill(c);
		return;
	}
	if (c->in.length)
		server_queue(c->server, c);
}

static void note_partial(struct connection *c)
{
	if (!c->in.length || c->queued || c->hold != HOLD_NONE)
		c->partial_since = 0;
	else if (!c->partial_since)
		c->partial_since = clock_boottime_usec();
}

void connection_turn(struct connection *c)
{
	if (c->dead)
		return;
	if (c->hold == HOLD_STREAM) {
		run_stream(c);
	} else if (c->hold == HOLD_NONE && !c->closing && c->in.length) {
		size_t done = run_calls(c, &c->in);

		if (c->dead)
			return;
		if (c->in.length) /* a handler may have dropped it all */
			buffer_consume(&c->in, done);
		if (!c->in.length && c->in.capacity > BUFFER_KEEP)
			buffer_finish(&c->in);
	}
	if (c->dead)
		return;
	note_partial(c);
	if (c->eof && !c->queued && c->hold == HOLD_NONE && connection_backlog(c) == 0) {
		connection_kill(c);
		return;
	}
	connection_settle(c);
}

/* Reads once. What a whole message needs is looked at where it was received; only a rest is kept. */
static void receive(struct connection *c)
{
	struct server *server = c->server;
	struct buffer input = {.data = server->scratch, .length = 0};
	size_t done;
	ssize_t got = recv(c->fd, server->scratch, sizeof(server->scratch), MSG_DONTWAIT);

	if (got < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			connection_kill(c);
		return;
	}
	if (got == 0) {
		c->eof = true;
		/* The end within a message: nobody can finish it. */
		if (!c->queued && !(c->in.length && memchr(c->in.data, 0, c->in.length)))
			buffer_clear(&c->in);
		connection_turn(c);
		return;
	}
	if (c->in.length) {
		if (buffer_add(&c->in, server->scratch, (size_t)got) < 0) {
			server->counts.bad_messages++;
			connection_kill(c);
		}
		secret_wipe(server->scratch, (size_t)got);
		connection_turn(c);
		return;
	}
	input.length = (size_t)got;
	done = run_calls(c, &input);
	if (!c->dead && !c->closing && done < input.length &&
	    buffer_add(&c->in, input.data + done, input.length - done) < 0)
		connection_kill(c);
	if (done < input.length)
		secret_wipe(input.data + done, input.length - done);
	if (!c->dead)
		note_partial(c);
}

void connection_ready(struct connection *c, uint32_t events)
{
	/* Gone altogether: whatever it waited for is not wanted any more. */
	if (events & (EPOLLHUP | EPOLLERR)) {
		if (c->hold == HOLD_AUDIT) {
			audit_hold_abandon(c);
			return;
		}
		/* … but calls that it sent and did not wait for are still carried out. */
		if (!(events & EPOLLIN) || c->hold != HOLD_NONE) {
			connection_kill(c);
			return;
		}
	}
	if (events & (EPOLLIN | EPOLLRDHUP)) {
		receive(c);
		return;
	}
	if (events & EPOLLOUT)
		connection_turn(c);
}

void connection_expired(struct connection *c)
{
	if (c->hold == HOLD_DELAY && clock_boottime_usec() >= c->hold_until) {
		audit_hold_delayed(c);
		connection_turn(c);
		return;
	}
	if (c->hold == HOLD_AUDIT) {
		audit_hold_expired(c->server);
		return;
	}
	if (c->hold == HOLD_RELOAD) {
		struct varlink_writer writer;

		c->hold = HOLD_NONE;
		varlink_error_begin(&writer, &c->out, "io.tenantd.Agent.ReloadFailed");
		json_put_string(&writer.json, "problem", "it takes longer than five minutes; see Status");
		if (varlink_end(&writer, false) >= 0) {
			connection_settle(c);
			return;
		}
	}
	if (c->hold == HOLD_ENROLL) {
		struct varlink_writer writer;

		c->hold = HOLD_NONE;
		varlink_error_begin(&writer, &c->out, "io.tenantd.Agent.EnrollFailed");
		json_put_string(&writer.json, "problem", "it takes longer than a minute; see Status");
		if (varlink_end(&writer, false) >= 0) {
			connection_settle(c);
			return;
		}
	}
	if (c->hold == HOLD_END) { /* as far as it got */
		c->hold = HOLD_NONE;
		forget_end(c);
		if (end_reply_put(c) >= 0) {
			if (c->in.length)
				server_queue(c->server, c);
			connection_settle(c);
			return;
		}
	}
	if (c->hold == HOLD_LOGIN) {
		c->hold = HOLD_NONE;
		if (login_reply_cannot(c, REASON_BROKEN) >= 0) {
			connection_settle(c);
			return;
		}
	}
	c->server->counts.timeouts++;
	connection_kill(c);
}
