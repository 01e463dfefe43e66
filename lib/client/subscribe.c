/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "client/handle.h"

/* A reply that has begun to arrive is waited for this long, however short the caller's wait is: half a
 * message cannot be given back. */
#define EVENT_ARRIVAL_USEC (2U * USEC_PER_SEC)

struct tenant_subscription {
	struct varlink_client *connection;
	struct varlink_reply reply; /* what `event` points into */
	struct tenant_event event;
	pid_t owner;
};

_public_ void tenant_subscription_free(struct tenant_subscription *subscription)
{
	if (!subscription)
		return;
	varlink_reply_finish(&subscription->reply);
	varlink_client_destroy(subscription->connection);
	free(subscription);
}
DEFINE_CLEANUP(struct tenant_subscription, tenant_subscription_free)

static int read_event(const struct varlink_reply *reply, struct tenant_event *ret)
{
	struct tenant_event event = {0};
	int64_t generation = 0;

	if (reply->error || !reply->continues || reply_text(reply->parameters, "event", true, &event.event) < 0 ||
	    reply_text(reply->parameters, "user", false, &event.user) < 0 ||
	    reply_text(reply->parameters, "user_id", false, &event.user_id) < 0 ||
	    reply_text(reply->parameters, "key_id", false, &event.key_id) < 0 ||
	    reply_text(reply->parameters, "project", false, &event.project) < 0 ||
	    reply_text(reply->parameters, "session", false, &event.session) < 0 ||
	    reply_text(reply->parameters, "cause", false, &event.cause) < 0 ||
	    reply_integer(reply->parameters, "generation", false, 0, INT64_MAX, &generation) < 0)
		return -EPROTO;
	event.generation = (uint64_t)generation;
	*ret = event;
	return 0;
}

_public_ int tenant_subscribe(struct tenant *tenant, struct tenant_subscription **ret)
{
	_cleanup_(tenant_subscription_freep) struct tenant_subscription *s = NULL;
	int r;

	if (!tenant || !ret)
		return -EINVAL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return client_fail(tenant, -ENOMEM, "out of memory");
	r = ask_agent_more(tenant, AGENT_INTERFACE "Subscribe", &s->connection, &s->reply);
	if (r < 0)
		return r;
	/* The agent's first word is that it listens. */
	if (read_event(&s->reply, &s->event) < 0 || strcmp(s->event.event, "ready") != 0)
		return client_fail_form(tenant, "Subscribe");
	s->owner = getpid();
	*ret = TAKE_PTR(s);
	return 0;
}

_public_ int tenant_subscription_fd(const struct tenant_subscription *subscription)
{
	return varlink_client_fd(subscription->connection);
}

/* 0 when something is there to be read; -ETIMEDOUT. */
static int wait_readable(const struct tenant_subscription *s, int milliseconds)
{
	struct pollfd pfd = {.fd = varlink_client_fd(s->connection), .events = POLLIN};
	uint64_t deadline = clock_boottime_usec() + (uint64_t)MAX_OF(milliseconds, 0) * USEC_PER_MSEC, now;
	int r, wait = milliseconds;

	if (varlink_client_has_frame(s->connection))
		return 0;
	for (;;) {
		r = poll(&pfd, 1, wait);
		if (r > 0)
			return pfd.revents & POLLNVAL ? -EBADF : 0;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (milliseconds < 0)
			continue;
		now = clock_boottime_usec();
		if (r == 0 || now >= deadline)
			return -ETIMEDOUT;
		wait = (int)((deadline - now + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
	}
}

_public_ int tenant_subscription_next(struct tenant_subscription *subscription, int milliseconds,
				      const struct tenant_event **ret)
{
	struct varlink_reply reply = {0};
	struct tenant_event event;
	int r;

	if (!subscription || !ret)
		return -EINVAL;
	/* Two processes that read one stream would each get halves. */
	if (subscription->owner != getpid())
		return -ENOTCONN;
	r = wait_readable(subscription, milliseconds);
	if (r < 0)
		return r;
	r = varlink_client_next(subscription->connection, EVENT_ARRIVAL_USEC, &reply);
	if (r == -ETIMEDOUT || r == -EPIPE)
		return -ECONNRESET;
	if (r < 0)
		return r == -EBADMSG ? -EPROTO : r;
	r = read_event(&reply, &event);
	if (r < 0) {
		varlink_reply_finish(&reply);
		return r;
	}
	varlink_reply_finish(&subscription->reply);
	subscription->reply = reply;
	subscription->event = event;
	*ret = &subscription->event;
	return 0;
}
