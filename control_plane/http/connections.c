/* SPDX-License-Identifier: MIT */
#include "control_plane/http/connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"

struct connection {
	struct connection *next, *previous;
	uint64_t due_usec; /* 0: none */
	int fd;
	void *slot;
};

struct connections {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct connection *first;
	uint32_t count;
	bool stopping;
};

static void *watch(void *context)
{
	struct connections *connections = context;

	pthread_mutex_lock(&connections->lock);
	while (!connections->stopping) {
		struct timespec until;
		uint64_t now = clock_boottime_usec();

		/* Removed before its descriptor is closed, under the same lock: no other file has this number now. */
		for (struct connection *c = connections->first; c; c = c->next) {
			if (c->due_usec != 0 && c->due_usec <= now) {
				(void)shutdown(c->fd, SHUT_RDWR);
				c->due_usec = 0;
			}
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 1;
		(void)pthread_cond_timedwait(&connections->wake, &connections->lock, &until);
	}
	pthread_mutex_unlock(&connections->lock);
	return NULL;
}

int connections_create(struct connections **ret)
{
	struct connections *connections = calloc(1, sizeof(*connections));
	pthread_condattr_t attributes;
	int result;

	if (!connections)
		return -ENOMEM;
	pthread_mutex_init(&connections->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&connections->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	result = pthread_create(&connections->thread, NULL, watch, connections);
	if (result) {
		pthread_cond_destroy(&connections->wake);
		pthread_mutex_destroy(&connections->lock);
		free(connections);
		return -result;
	}
	*ret = connections;
	return 0;
}

void connections_destroy(struct connections *connections)
{
	if (!connections)
		return;
	pthread_mutex_lock(&connections->lock);
	connections->stopping = true;
	pthread_cond_signal(&connections->wake);
	pthread_mutex_unlock(&connections->lock);
	pthread_join(connections->thread, NULL);
	pthread_cond_destroy(&connections->wake);
	pthread_mutex_destroy(&connections->lock);
	free(connections);
}

struct connection *connections_add(struct connections *connections, int fd)
{
	struct connection *connection = calloc(1, sizeof(*connection));

	if (!connection)
		return NULL;
	connection->fd = fd;
	pthread_mutex_lock(&connections->lock);
	connection->next = connections->first;
	if (connection->next)
		connection->next->previous = connection;
	connections->first = connection;
	connections->count++;
	pthread_mutex_unlock(&connections->lock);
	return connection;
}

void connections_remove(struct connections *connections, struct connection *connection)
{
	if (!connection)
		return;
	pthread_mutex_lock(&connections->lock);
	if (connection->next)
		connection->next->previous = connection->previous;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connections->first = connection->next;
	connections->count--;
	pthread_mutex_unlock(&connections->lock);
	free(connection);
}

void connection_deadline(struct connections *connections, struct connection *connection, uint64_t span_usec)
{
	if (!connection)
		return;
	pthread_mutex_lock(&connections->lock);
	connection->due_usec = span_usec ? clock_boottime_usec() + span_usec : 0;
	pthread_mutex_unlock(&connections->lock);
}

void **connection_slot(struct connection *connection)
{
	return &connection->slot;
}

uint32_t connections_count(struct connections *connections)
{
	uint32_t count;

	pthread_mutex_lock(&connections->lock);
	count = connections->count;
	pthread_mutex_unlock(&connections->lock);
	return count;
}
