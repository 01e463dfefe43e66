/* SPDX-License-Identifier: MIT
 *
 * Events on their way to other systems: how they are written for them, and one connection to such a system. Agent and
 * control plane ship from places of their own, at least once and in order; who ships keeps the cursor.
 *
 * Threads: a sink belongs to one thread. `ship_send` blocks, for `timeout_ms` at the most.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/macros.h"
#include "base/problem.h"

enum ship_kind {
	SHIP_OTLP,   /* OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp), POST to `url` as it is */
	SHIP_SYSLOG, /* RFC 5424, framed by octets (RFC 6587, 3.4.1), over TLS (RFC 5425) */
	SHIP_HTTP,   /* checkpoints alone: POST of the note */
	SHIP_FILE,   /* checkpoints alone: replaced whole */
};
/* What an operator wrote. Strings live as long as its configuration. */
struct ship_options {
	const char *name; /* of the sink: [a-z0-9-]{1,32} */
	enum ship_kind kind;
	const char *url;                  /* OTLP, HTTP: https://…, or http:// to loopback */
	const char *host;                 /* syslog */
	uint16_t port;                    /* 6514 */
	const char *path;                 /* file */
	const char *ca_file;              /* NULL: the system's */
	const char *cert_file, *key_file; /* a client's certificate; both or none */
	const char *token_file;           /* OTLP, HTTP: a bearer token; NULL */
	bool events, checkpoints;
	uint32_t batch;      /* events at once, 1 to 4096 */
	uint32_t timeout_ms; /* of one batch */
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

struct sink;
int sink_new(const struct ship_options *options, struct sink **ret);
void sink_free(struct sink *sink); /* takes NULL */
DEFINE_CLEANUP(struct sink, sink_free)
enum ship_outcome {
	SHIP_TAKEN, /* all of them: the peer said so (syslog: the transport took them and the connection still stands)
		     */
	SHIP_LATER, /* nobody there, timeout, 429, 5xx: the same again, after *ret_wait_ms or one's own pause */
	SHIP_REJECTED, /* these, for good (400, 413, partial success): `*ret_rejected` of them are dead letters. More
			* than one in a batch: send each alone to find it */
};
enum ship_outcome sink_send(struct sink *sink, const struct ship_event *events, uint32_t count, uint32_t *ret_rejected,
			    uint32_t *ret_wait_ms, struct problem *problem);
enum ship_outcome sink_send_checkpoint(struct sink *sink, const char *origin, const char *note, size_t length,
				       uint32_t *ret_wait_ms, struct problem *problem);
