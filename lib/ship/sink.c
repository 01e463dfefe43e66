/* SPDX-License-Identifier: MIT
 *
 * One sink, whatever its kind.
 */
#include "ship/sink.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/secret.h"

#define PAUSE_LEAST_MS 1000U
#define PAUSE_MOST_MS 300000U
#define DEFAULT_TIMEOUT_MS 10000U

int sink_new(const struct ship_options *options, const char *service, const char *version, struct sink **ret)
{
	_cleanup_(sink_freep) struct sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return -ENOMEM;
	sink->options = options;
	sink->service = service;
	sink->version = version;
	sink->timeout_ms = options->timeout_ms ? options->timeout_ms : DEFAULT_TIMEOUT_MS;
	sink->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (sink->stop_fd < 0)
		return -errno;
	*ret = TAKE_PTR(sink);
	return 0;
}

void sink_free(struct sink *sink)
{
	if (!sink)
		return;
	http_destroy(sink->http);
	tls_stream_free(sink->stream);
	if (sink->stop_fd >= 0)
		close(sink->stop_fd);
	free(sink);
}

void sink_stop(struct sink *sink)
{
	const uint64_t one = 1;

	/* Once written it stays readable: nobody reads it. */
	while (write(sink->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

bool sink_stopped(const struct sink *sink)
{
	struct pollfd fd = {.fd = sink->stop_fd, .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

enum ship_outcome sink_send(struct sink *sink, const struct ship_event *events, uint32_t count, uint32_t *ret_rejected,
			    uint32_t *ret_wait_ms, struct problem *problem)
{
	*ret_rejected = *ret_wait_ms = 0;
	switch (sink->options->kind) {
	case SHIP_OTLP:
		return sink_otlp_send(sink, events, count, ret_rejected, ret_wait_ms, problem);
	case SHIP_SYSLOG:
		return sink_syslog_send(sink, events, count, problem);
	case SHIP_HTTP:
	case SHIP_FILE:
		break;
	}
	(void)problem_set(problem, EINVAL, "this kind of sink takes checkpoints alone");
	return SHIP_LATER;
}

enum ship_outcome sink_send_all(struct sink *sink, const struct ship_event *events, uint32_t count, uint32_t *ret_dead,
				uint32_t *ret_wait_ms, struct problem *problem)
{
	uint32_t done = 0, piece = count, dead = 0;

	*ret_wait_ms = 0;
	while (done < count) {
		uint32_t rejected = 0;
		enum ship_outcome outcome;

		piece = MIN_OF(piece, count - done);
		outcome = sink_send(sink, events + done, piece, &rejected, ret_wait_ms, problem);
		if (outcome == SHIP_LATER)
			return SHIP_LATER;
		if (outcome == SHIP_REJECTED && piece > 1) {
			piece = (piece + 1) / 2;
			continue;
		}
		dead += outcome == SHIP_REJECTED ? 1 : MIN_OF(rejected, piece);
		done += piece;
		piece = MIN_OF(piece * 2, count); /* back to whole batches behind the bad one */
	}
	*ret_dead = dead;
	return SHIP_TAKEN;
}

enum ship_outcome sink_send_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       uint32_t *ret_wait_ms, struct problem *problem)
{
	*ret_wait_ms = 0;
	switch (sink->options->kind) {
	case SHIP_OTLP:
		return sink_otlp_checkpoint(sink, origin, note, length, ret_wait_ms, problem);
	case SHIP_SYSLOG:
		return sink_syslog_checkpoint(sink, origin, note, length, problem);
	case SHIP_HTTP:
		return sink_http_checkpoint(sink, note, length, ret_wait_ms, problem);
	case SHIP_FILE:
		return sink_file_checkpoint(sink, origin, note, length, problem);
	}
	return SHIP_LATER;
}

bool sink_unsettled(const struct sink *sink)
{
	return sink->stream != NULL;
}

enum ship_outcome sink_settle(struct sink *sink, uint32_t *ret_wait_ms, struct problem *problem)
{
	*ret_wait_ms = 0;
	return sink->stream ? sink_syslog_settle(sink, problem) : SHIP_TAKEN;
}

uint32_t ship_pause_ms(uint32_t failures, uint32_t wait_ms)
{
	uint32_t most = PAUSE_LEAST_MS, random = 0;

	for (uint32_t i = 1; i < failures && most < PAUSE_MOST_MS; i++)
		most = MIN_OF(most * 2, PAUSE_MOST_MS);
	(void)random_bytes(&random, sizeof(random));
	return MIN_OF(wait_ms, PAUSE_MOST_MS) + (uint32_t)((uint64_t)random * most >> 32);
}
