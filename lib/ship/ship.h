/* SPDX-License-Identifier: MIT
 *
 * Events on their way to other systems: how they are written for them, and one connection to such a system. Agent and
 * control plane ship from places of their own, at least once and in order; who ships keeps the cursor.
 *
 * Threads: a sink belongs to one thread. Sending blocks, for `timeout_ms` at the most.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/problem.h"

#define SHIP_SINKS_MAX 8U
#define SHIP_NAME_MAX 33U /* with NUL */
#define SHIP_BATCH_MAX 4096U
#define SHIP_BATCH_BYTES (1024U * 1024) /* of events: no more at once, whatever their number */

enum ship_kind {
	SHIP_OTLP,   /* OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp), POST to `url` as it is */
	SHIP_SYSLOG, /* RFC 5424, framed by octets (RFC 6587, 3.4.1), over TLS (RFC 5425) */
	SHIP_HTTP,   /* checkpoints alone: POST of the note */
	SHIP_FILE,   /* checkpoints alone: a file for each log, replaced whole */
};
/* What an operator wrote. Strings live as long as its configuration. */
struct ship_options {
	const char *name; /* of the sink: [a-z0-9-]{1,32} */
	enum ship_kind kind;
	const char *url;                  /* OTLP, HTTP: https://…, or http:// to loopback */
	const char *host;                 /* syslog */
	uint16_t port;                    /* 6514 */
	const char *path;                 /* file: the folder */
	const char *ca_file;              /* NULL: the system's */
	const char *cert_file, *key_file; /* a client's certificate; both or none */
	const char *token_file;           /* OTLP, HTTP: a bearer token; NULL */
	bool events, checkpoints;
	uint32_t batch;      /* events at once, 1 to SHIP_BATCH_MAX */
	uint32_t timeout_ms; /* of one batch */
};
struct ship_list {
	struct ship_options *items;
	uint32_t count;
};
/* One event: the merged OCSF object and what is said around it. Borrowed. */
struct ship_event {
	const char *id, *kind, *host; /* host: whose it is; the control plane's own name for its events */
	const char *tenant;           /* slug or id; "" */
	uint32_t severity;            /* OCSF severity_id */
	int64_t time_ms;
	const char *ocsf; /* the object as one line of JSON */
	size_t ocsf_length;
};
int ship_otlp_write(const struct ship_event *events, uint32_t count, const char *service, const char *version,
		    struct buffer *ret);
/* One message with its frame ("<octets> <PRI>1 …"). Cut at 64 KiB, in the middle of no character. */
int ship_syslog_write(const struct ship_event *event, const char *app_name, struct buffer *ret);

/* A checkpoint's note as a message of its own: JSON {"origin":…,"note":…}, since lines of syslog hold no line ends. */
int ship_syslog_write_checkpoint(const char *origin, const char *note, size_t length, const char *host,
				 const char *app_name, int64_t time_ms, struct buffer *ret);

struct sink;
/* `options` is borrowed until sink_free. `service`, `version`: who ships; literals. */
int sink_new(const struct ship_options *options, const char *service, const char *version, struct sink **ret);
void sink_free(struct sink *sink); /* takes NULL */
DEFINE_CLEANUP(struct sink, sink_free)
/* From any thread, for good: what is under way ends within a moment, as SHIP_LATER. */
void sink_stop(struct sink *sink);
enum ship_outcome {
	SHIP_TAKEN, /* the peer has all of them, but for `*ret_rejected` that it named as no good (OTLP's partial
		     * success): dead letters. Syslog: the transport took them, and sink_settle says the rest */
	SHIP_LATER, /* nobody there, timeout, 401, 429, 5xx …: the same again, after *ret_wait_ms (0: not said) or one's
		     * own pause, and with it all that was sent since the last settling */
	SHIP_REJECTED, /* none of them, for good (400, 413, 422): one event is a dead letter; of several each half is to
			* be sent by itself. sink_send_all does that */
};
enum ship_outcome sink_send(struct sink *sink, const struct ship_event *events, uint32_t count, uint32_t *ret_rejected,
			    uint32_t *ret_wait_ms, struct problem *problem);
/* SHIP_TAKEN or SHIP_LATER. *ret_dead: how many of them nobody will ever take, with the last one's reason in the
 * problem. */
enum ship_outcome sink_send_all(struct sink *sink, const struct ship_event *events, uint32_t count, uint32_t *ret_dead,
				uint32_t *ret_wait_ms, struct problem *problem);
enum ship_outcome sink_send_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       uint32_t *ret_wait_ms, struct problem *problem);
/* Syslog has no answers: what the transport took is with the peer once the peer, told of the end, has read up to there
 * and ends the connection as well. A cursor moves only when nothing is unsettled. */
bool sink_unsettled(const struct sink *sink);
enum ship_outcome sink_settle(struct sink *sink, uint32_t *ret_wait_ms, struct problem *problem);

/* How long to wait after so many failures in a row (1 s doubling to 5 min, full jitter), and at least what the peer
 * asked for. */
uint32_t ship_pause_ms(uint32_t failures, uint32_t wait_ms);
