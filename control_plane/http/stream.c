/* SPDX-License-Identifier: MIT
 *
 * The server's side of streams: a connection that is suspended while its stream has nothing to say.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/macros.h"
#include "control_plane/http/server_internal.h"

/* What libmicrohttpd keeps for an answer of unknown length; it reads into the connection's own buffer instead. */
#define BLOCK_BYTES 512U

struct stream_transport {
	struct streams *streams;
	struct stream_transport *next, *previous;
	struct stream *stream;
	struct MHD_Connection *connection;
	pthread_mutex_t lock;
	bool suspended, woken, cut;
};

static void resume(struct stream_transport *transport)
{
	transport->woken = true;
	if (!transport->suspended)
		return;
	transport->suspended = false;
	MHD_resume_connection(transport->connection);
}

void stream_wake(struct stream_transport *transport)
{
	pthread_mutex_lock(&transport->lock);
	resume(transport);
	pthread_mutex_unlock(&transport->lock);
}

static ssize_t read_stream(void *context, uint64_t position, char *data, size_t size)
{
	struct stream_transport *transport = context;
	ssize_t count;

	for (;;) {
		bool again;

		pthread_mutex_lock(&transport->lock);
		transport->woken = false;
		again = transport->cut;
		pthread_mutex_unlock(&transport->lock);
		if (again)
			return MHD_CONTENT_READER_END_OF_STREAM;
		count = transport->stream->class->read(transport->stream, data, size);
		if (count > 0)
			return count;
		if (count < 0)
			return MHD_CONTENT_READER_END_OF_STREAM;
		pthread_mutex_lock(&transport->lock);
		again = transport->woken;
		if (!again) {
			transport->suspended = true;
			MHD_suspend_connection(transport->connection);
		}
		pthread_mutex_unlock(&transport->lock);
		if (!again)
			return 0;
	}
}

static void close_stream(void *context)
{
	struct stream_transport *transport = context;
	struct streams *streams = transport->streams;

	/* After this nobody wakes it. */
	transport->stream->class->close(transport->stream);
	pthread_mutex_lock(&streams->lock);
	if (transport->next)
		transport->next->previous = transport->previous;
	if (transport->previous)
		transport->previous->next = transport->next;
	else
		streams->first = transport->next;
	streams->count--;
	pthread_mutex_unlock(&streams->lock);
	pthread_mutex_destroy(&transport->lock);
	free(transport);
}

struct MHD_Response *streams_open(struct streams *streams, struct MHD_Connection *connection, struct stream *stream)
{
	struct stream_transport *transport = calloc(1, sizeof(*transport));
	struct MHD_Response *response;

	if (!transport)
		return NULL;
	response =
		MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, transport, close_stream);
	if (!response) {
		free(transport);
		return NULL;
	}
	transport->streams = streams;
	transport->stream = stream;
	transport->connection = connection;
	pthread_mutex_init(&transport->lock, NULL);
	pthread_mutex_lock(&streams->lock);
	transport->next = streams->first;
	if (transport->next)
		transport->next->previous = transport;
	streams->first = transport;
	streams->count++;
	pthread_mutex_unlock(&streams->lock);
	stream->class->open(stream, transport);
	return response;
}

void streams_init(struct streams *streams)
{
	*streams = (struct streams){0};
	pthread_mutex_init(&streams->lock, NULL);
}

void streams_finish(struct streams *streams)
{
	pthread_mutex_destroy(&streams->lock);
}

uint32_t streams_count(struct streams *streams)
{
	uint32_t count;

	pthread_mutex_lock(&streams->lock);
	count = streams->count;
	pthread_mutex_unlock(&streams->lock);
	return count;
}

void streams_cut(struct streams *streams)
{
	pthread_mutex_lock(&streams->lock);
	for (struct stream_transport *t = streams->first; t; t = t->next) {
		pthread_mutex_lock(&t->lock);
		t->cut = true;
		resume(t);
		pthread_mutex_unlock(&t->lock);
	}
	pthread_mutex_unlock(&streams->lock);
}
