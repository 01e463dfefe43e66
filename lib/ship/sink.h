/* SPDX-License-Identifier: MIT
 *
 * A sink's own state, and what each kind does.
 */
#pragma once

#include "http/http.h"
#include "ship/internal.h"

struct sink {
	const struct ship_options *options;
	const char *service, *version;
	uint32_t timeout_ms;
	int stop_fd;
	struct http *http; /* OTLP, HTTP: NULL: not needed yet */
	/* Syslog: */
	struct tls_place place;
	struct tls_stream *stream; /* NULL: nothing is on its way */
};
bool sink_stopped(const struct sink *sink);

enum ship_outcome sink_otlp_send(struct sink *sink, const struct ship_event *events, uint32_t count,
				 uint32_t *ret_rejected, uint32_t *ret_wait_ms, struct problem *problem);
enum ship_outcome sink_otlp_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       uint32_t *ret_wait_ms, struct problem *problem);
enum ship_outcome sink_http_checkpoint(struct sink *sink, const char *note, size_t length, uint32_t *ret_wait_ms,
				       struct problem *problem);
enum ship_outcome sink_syslog_send(struct sink *sink, const struct ship_event *events, uint32_t count,
				   struct problem *problem);
enum ship_outcome sink_syslog_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
					 struct problem *problem);
enum ship_outcome sink_syslog_settle(struct sink *sink, struct problem *problem);
enum ship_outcome sink_file_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       struct problem *problem);
