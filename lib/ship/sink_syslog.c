/* SPDX-License-Identifier: MIT
 *
 * Syslog over TLS. There are no answers, so a connection that broke may have lost anything since the last settling.
 */
#include <errno.h>

#include "base/clock.h"
#include "ship/sink.h"

#define WRITE_BYTES (256U * 1024) /* handed to the connection at once */

static enum ship_outcome give_up(struct sink *sink)
{
	tls_stream_free(TAKE_PTR(sink->stream));
	return SHIP_LATER;
}

static int connect_now(struct sink *sink, struct problem *problem)
{
	const struct ship_options *options = sink->options;

	if (sink->stream)
		return 0;
	sink->place = (struct tls_place){
		.host = options->host,
		.port = options->port,
		.ca_file = options->ca_file,
		.cert_file = options->cert_file,
		.key_file = options->key_file,
		.timeout_ms = sink->timeout_ms,
		.stop_fd = sink->stop_fd,
	};
	return tls_stream_open(&sink->place, &sink->stream, problem);
}

static int write_out(struct sink *sink, struct buffer *frames, struct problem *problem)
{
	int result = frames->failed ? problem_set(problem, ENOMEM, "out of memory") : 0;

	if (result == 0)
		result = tls_stream_write(sink->stream, frames->data, frames->length, problem);
	buffer_clear(frames);
	return result;
}

enum ship_outcome sink_syslog_send(struct sink *sink, const struct ship_event *events, uint32_t count,
				   struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer frames = {.wipe = true};
	int result = connect_now(sink, problem);

	for (uint32_t i = 0; result == 0 && i < count; i++) {
		(void)ship_syslog_write(&events[i], sink->service, &frames);
		if (frames.failed || frames.length >= WRITE_BYTES || i + 1 == count)
			result = write_out(sink, &frames, problem);
	}
	return result == 0 ? SHIP_TAKEN : give_up(sink);
}

enum ship_outcome sink_syslog_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
					 struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer frames = BUFFER_INIT;
	int result = connect_now(sink, problem);

	if (result < 0)
		return give_up(sink);
	(void)ship_syslog_write_checkpoint(origin, note, length, NULL, sink->service,
					   (int64_t)(clock_realtime_usec() / USEC_PER_MSEC), &frames);
	return write_out(sink, &frames, problem) == 0 ? SHIP_TAKEN : give_up(sink);
}

enum ship_outcome sink_syslog_settle(struct sink *sink, struct problem *problem)
{
	int result = tls_stream_end(sink->stream, problem);

	tls_stream_free(TAKE_PTR(sink->stream));
	return result == 0 ? SHIP_TAKEN : SHIP_LATER;
}
