/* SPDX-License-Identifier: MIT
 *
 * A connection that LISTENs. Its descriptor is an epoll instance that stays the same while connections come and go: it
 * holds the connection's socket, or the timer until the next attempt to make one.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "base/secret.h"
#include "control_plane/db/internal.h"

#define RETRY_FIRST_MS 100U
#define RETRY_MAX_MS 5000U

struct db_listener {
	char *dsn, *channel;
	PGconn *pg; /* NULL: away */
	int epoll, timer;
	uint32_t retry_ms;
};

static void set_timer(struct db_listener *listener, uint32_t ms)
{
	struct itimerspec spec = {.it_value = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}};

	(void)timerfd_settime(listener->timer, 0, &spec, NULL);
}

static void drop(struct db_listener *listener)
{
	PQfinish(listener->pg); /* its socket leaves the epoll instance by being closed */
	listener->pg = NULL;
	listener->retry_ms = listener->retry_ms == 0 ? RETRY_FIRST_MS : MIN_OF(2 * listener->retry_ms, RETRY_MAX_MS);
	set_timer(listener, listener->retry_ms);
}

static bool start(struct db_listener *listener)
{
	struct problem problem = {0};
	struct epoll_event event = {.events = EPOLLIN};
	char *quoted, *sql = NULL;
	PGresult *result;
	bool done = false;

	listener->pg = connection_open(listener->dsn, &problem);
	if (!listener->pg) {
		log_problem(LOG_DEBUG, "waiting for changes", &problem);
		return false;
	}
	quoted = PQescapeIdentifier(listener->pg, listener->channel, strlen(listener->channel));
	if (quoted && asprintf(&sql, "LISTEN %s", quoted) < 0)
		sql = NULL;
	PQfreemem(quoted);
	if (sql) {
		result = PQexec(listener->pg, sql);
		done = PQresultStatus(result) == PGRES_COMMAND_OK;
		PQclear(result);
	}
	free(sql);
	if (!done || epoll_ctl(listener->epoll, EPOLL_CTL_ADD, PQsocket(listener->pg), &event) < 0)
		return false;
	listener->retry_ms = 0;
	set_timer(listener, 0);
	return true;
}

int db_listen(struct db *db, const char *channel, struct db_listener **ret)
{
	_cleanup_(db_listener_freep) struct db_listener *listener = calloc(1, sizeof(*listener));
	struct epoll_event event = {.events = EPOLLIN};

	if (!listener)
		return -ENOMEM;
	listener->epoll = listener->timer = -1;
	listener->dsn = strdup(db->dsn);
	listener->channel = strdup(channel);
	if (!listener->dsn || !listener->channel)
		return -ENOMEM;
	listener->epoll = epoll_create1(EPOLL_CLOEXEC);
	listener->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (listener->epoll < 0 || listener->timer < 0 ||
	    epoll_ctl(listener->epoll, EPOLL_CTL_ADD, listener->timer, &event) < 0)
		return -errno;
	if (!start(listener))
		drop(listener);
	*ret = TAKE_PTR(listener);
	return 0;
}

int db_listener_fd(const struct db_listener *listener)
{
	return listener->epoll;
}

int db_listener_read(struct db_listener *listener, void (*notified)(void *context, const char *payload), void *context)
{
	PGnotify *one;
	uint64_t ticks;

	if (!listener->pg) {
		if (read(listener->timer, &ticks, sizeof(ticks)) < 0) /* not yet */
			return 0;
		if (!start(listener))
			drop(listener);
		/* What was sent meanwhile was not heard. */
		return -EAGAIN;
	}
	if (PQconsumeInput(listener->pg) != 1 || PQstatus(listener->pg) != CONNECTION_OK) {
		drop(listener);
		return -EAGAIN;
	}
	while ((one = PQnotifies(listener->pg))) {
		notified(context, one->extra);
		PQfreemem(one);
	}
	return 0;
}

void db_listener_free(struct db_listener *listener)
{
	if (!listener)
		return;
	PQfinish(listener->pg);
	closep(&listener->epoll);
	closep(&listener->timer);
	secret_free_heap(listener->dsn);
	free(listener->channel);
	free(listener);
}
