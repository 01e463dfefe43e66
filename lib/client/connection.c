/* SPDX-License-Identifier: MIT
 *
 * A call on a handle: whose connection it is, whether that still lives, and what is sent again.
 *
 * What was sent may have been carried out although no reply came. So a call goes out a second time
 * only when repeating it changes nothing, and only when the first attempt went over a connection of
 * before, which an agent that was restarted has left behind.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "client/handle.h"

/* Sessions in one list; a peer that sends more is no agent. */
#define LIST_ITEMS_MAX ((size_t)1 << 18)

static uint64_t remaining(uint64_t deadline)
{
	uint64_t now = clock_boottime_usec();

	return deadline > now ? deadline - now : 0;
}

/* Waits for the other threads' calls, at most until the deadline: also so that a child of fork(), for
 * whom nobody will ever unlock, comes back with an error. */
static int lock_until(struct tenant *tenant, uint64_t timeout_usec)
{
	struct timespec until;

	if (pthread_mutex_trylock(&tenant->lock) == 0)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(timeout_usec / USEC_PER_SEC);
	until.tv_nsec += (long)(timeout_usec % USEC_PER_SEC) * 1000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	return -pthread_mutex_clocklock(&tenant->lock, CLOCK_MONOTONIC, &until);
}

/* Programs close descriptors that they do not own, and the number is soon somebody else's: then it is
 * neither used nor closed by us. */
static bool descriptor_is_ours(const struct tenant *tenant)
{
	struct stat st;

	return fstat(varlink_client_fd(tenant->connection), &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_dev == tenant->device && st.st_ino == tenant->inode;
}

static void disconnect(struct tenant *tenant)
{
	if (!tenant->connection)
		return;
	if (descriptor_is_ours(tenant))
		varlink_client_destroy(tenant->connection);
	else
		varlink_client_abandon(tenant->connection);
	tenant->connection = NULL;
}

/* Alive: made by this process, still the same descriptor, not hung up, and nothing unasked-for in it. */
static bool connection_is_usable(const struct tenant *tenant)
{
	char byte;

	return tenant->connection && tenant->owner == getpid() && descriptor_is_ours(tenant) &&
	       recv(varlink_client_fd(tenant->connection), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int fail_io(const struct tenant *tenant, int error, const char *method)
{
	if (error == -ENOENT || error == -ECONNREFUSED)
		return client_fail(tenant, error, "no agent listens at %s", tenant->path);
	if (error == -ETIMEDOUT)
		return client_fail(tenant, error, "the agent at %s did not answer %s in time", tenant->path, method);
	if (error == -ENOTCONN)
		return client_fail(tenant, error, "the connection to the agent at %s is gone", tenant->path);
	if (error == -ECONNRESET || error == -EPIPE)
		return client_fail(tenant, -ECONNRESET, "the agent at %s went away during %s", tenant->path, method);
	if (error == -EBADMSG)
		return client_fail(tenant, -EPROTO, "what answers at %s does not speak the agent's protocol",
				   tenant->path);
	return client_fail(tenant, error, "asking the agent at %s failed: %s", tenant->path, strerrordesc_np(-error));
}

static int open_connection(const struct tenant *tenant, uint64_t deadline, struct varlink_client **ret)
{
	uint64_t left = remaining(deadline);

	return left == 0 ? -ETIMEDOUT : varlink_client_connect(tenant->path, left, ret);
}

static int connect_handle(struct tenant *tenant, uint64_t deadline)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *connection = NULL;
	struct stat st;
	int r;

	disconnect(tenant);
	r = open_connection(tenant, deadline, &connection);
	if (r < 0)
		return r;
	if (fstat(varlink_client_fd(connection), &st) < 0)
		return -errno;
	tenant->device = st.st_dev;
	tenant->inode = st.st_ino;
	tenant->owner = getpid();
	tenant->connection = TAKE_PTR(connection);
	return 0;
}

static int compose_call(struct varlink_client *connection, const char *method, bool more, compose_fn compose,
			const void *arguments)
{
	struct varlink_writer w;

	varlink_call_begin(&w, varlink_client_outgoing(connection), method, more, false);
	if (compose)
		compose(&w.json, arguments);
	return varlink_end(&w, false);
}

/* One call, so that it can be sent twice. */
struct request {
	const char *method;
	unsigned flags;
	const char *list; /* NULL: one reply */
	compose_fn compose;
	const void *arguments;
	uint64_t deadline;
};

/* What is left, in whole milliseconds: the connection spares a system call when the time is that of before. */
static uint64_t exchange_time(uint64_t deadline)
{
	return (remaining(deadline) + USEC_PER_MSEC - 1) / USEC_PER_MSEC * USEC_PER_MSEC;
}

static int append_list(json_t *to, json_t *from)
{
	if (!json_is_array(to) || !json_is_array(from) || json_array_size(to) + json_array_size(from) > LIST_ITEMS_MAX)
		return -EBADMSG;
	return json_array_extend(to, from) < 0 ? -ENOMEM : 0;
}

/* The later replies of a list that came in parts. */
static int receive_rest(struct tenant *tenant, const struct request *request, struct varlink_reply *first)
{
	bool continues = first->continues;
	int r = 0;

	while (r == 0 && continues) {
		struct varlink_reply next = {0};
		uint64_t left = exchange_time(request->deadline);

		r = left == 0 ? -ETIMEDOUT : varlink_client_next(tenant->connection, left, &next);
		if (r < 0)
			break;
		continues = next.continues;
		r = next.error ? -EBADMSG
			       : append_list(json_object_get(first->parameters, request->list),
					     json_object_get(next.parameters, request->list));
		varlink_reply_finish(&next);
	}
	return r;
}

static int attempt(struct tenant *tenant, const struct request *request, struct varlink_reply *ret)
{
	struct varlink_reply reply = {0};
	uint64_t left;
	int r;

	r = compose_call(tenant->connection, request->method, request->list != NULL, request->compose,
			 request->arguments);
	if (r < 0)
		return r;
	left = exchange_time(request->deadline);
	r = left == 0 ? -ETIMEDOUT : varlink_client_exchange(tenant->connection, left, &reply);
	if (r < 0)
		return r;
	if (reply.continues)
		r = request->list && !reply.error ? receive_rest(tenant, request, &reply) : -EBADMSG;
	if (r < 0) {
		varlink_reply_finish(&reply);
		return r;
	}
	*ret = reply;
	return 0;
}

static bool may_repeat(int error)
{
	return error == -ECONNRESET || error == -EPIPE || error == -ENOTCONN;
}

static int call_locked(struct tenant *tenant, const struct request *request, struct varlink_reply *ret)
{
	bool reused = connection_is_usable(tenant);
	int r;

	if (!reused) {
		if (request->flags & CALL_ATTACHED)
			return -ENOTCONN;
		r = connect_handle(tenant, request->deadline);
		if (r < 0)
			return r;
	}
	r = attempt(tenant, request, ret);
	if (reused && may_repeat(r) && !(request->flags & (CALL_ONCE | CALL_ATTACHED))) {
		r = connect_handle(tenant, request->deadline);
		if (r >= 0)
			r = attempt(tenant, request, ret);
	}
	/* After a failure a late reply could be taken for the next call's. */
	if (r < 0)
		disconnect(tenant);
	return r;
}

static int call(struct tenant *tenant, struct request *request, unsigned timeout_msec, struct varlink_reply *ret)
{
	uint64_t timeout_usec = timeout_msec * USEC_PER_MSEC;
	struct varlink_reply reply = {0};
	int r;

	request->deadline = clock_boottime_usec() + timeout_usec;
	client_error_clear(tenant);
	r = lock_until(tenant, timeout_usec);
	if (r < 0)
		return client_fail(tenant, r, "another call on this handle did not end in time");
	r = call_locked(tenant, request, &reply);
	pthread_mutex_unlock(&tenant->lock);
	if (r == -EMSGSIZE)
		return client_fail(tenant, r, "the arguments of %s are too long", request->method);
	if (r < 0)
		return fail_io(tenant, r, request->method);
	if (reply.error) {
		r = client_fail_reply(tenant, &reply);
		varlink_reply_finish(&reply);
		return r;
	}
	*ret = reply;
	return 0;
}

int ask_agent(struct tenant *tenant, const char *method, unsigned flags, compose_fn compose, const void *arguments,
	      struct varlink_reply *ret)
{
	struct request request = {.method = method, .flags = flags, .compose = compose, .arguments = arguments};

	return call(tenant, &request, client_timeout(tenant), ret);
}

int ask_agent_for(struct tenant *tenant, const char *method, unsigned flags, unsigned extra_msec, compose_fn compose,
		  const void *arguments, struct varlink_reply *ret)
{
	struct request request = {.method = method, .flags = flags, .compose = compose, .arguments = arguments};

	return call(tenant, &request, client_timeout(tenant) + extra_msec, ret);
}

int ask_agent_list(struct tenant *tenant, const char *method, const char *list, compose_fn compose,
		   const void *arguments, struct varlink_reply *ret)
{
	struct request request = {.method = method, .list = list, .compose = compose, .arguments = arguments};

	return call(tenant, &request, client_timeout(tenant), ret);
}

int ask_agent_more(struct tenant *tenant, const char *method, struct varlink_client **ret_connection,
		   struct varlink_reply *ret)
{
	uint64_t deadline = clock_boottime_usec() + client_timeout(tenant) * USEC_PER_MSEC, left;
	_cleanup_(varlink_client_destroyp) struct varlink_client *connection = NULL;
	struct varlink_reply reply = {0};
	int r;

	client_error_clear(tenant);
	r = open_connection(tenant, deadline, &connection);
	if (r >= 0)
		r = compose_call(connection, method, true, NULL, NULL);
	if (r >= 0) {
		left = remaining(deadline);
		r = left == 0 ? -ETIMEDOUT : varlink_client_exchange(connection, left, &reply);
	}
	if (r < 0)
		return fail_io(tenant, r, method);
	if (reply.error) {
		r = client_fail_reply(tenant, &reply);
		varlink_reply_finish(&reply);
		return r;
	}
	*ret_connection = TAKE_PTR(connection);
	*ret = reply;
	return 0;
}

_public_ void tenant_free(struct tenant *tenant)
{
	if (!tenant)
		return;
	disconnect(tenant);
	pthread_mutex_destroy(&tenant->lock);
	free(tenant->path);
	free(tenant);
}
