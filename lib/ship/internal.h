/* SPDX-License-Identifier: MIT
 *
 * Inside of shipping: only the files of this folder include it.
 */
#pragma once

#include <string.h>

#include "base/parse.h"
#include "ship/ship.h"

/* How many records an OTLP answer says it did not take, and why, escaped. 0: none, or no answer that can be read. */
uint64_t ship_otlp_rejected(const char *answer, size_t length, char *ret_message, size_t size);

/* ---- a connection over TLS (tls_stream.c) ------------------------------------------------------- */
/* One way: bytes go out, and what comes back is only whether they arrived. */
struct tls_stream;
struct tls_place {
	const char *host;
	uint16_t port;
	const char *ca_file, *cert_file, *key_file; /* NULL: the system's; none */
	uint32_t timeout_ms;                        /* of each call below */
	int stop_fd;                                /* readable: all of them end with -ECANCELED */
};
/* 0; -EACCES: it does not prove who it is; -ETIMEDOUT, -ECONNREFUSED …, with the problem. */
int tls_stream_open(const struct tls_place *place, struct tls_stream **ret, struct problem *problem);
int tls_stream_write(struct tls_stream *stream, const void *data, size_t length, struct problem *problem);
/* Tells the peer that this was all, and waits until it has read that and ends the connection, too. 0; -ECONNRESET and
 * others: who knows how much it has read. */
int tls_stream_end(struct tls_stream *stream, struct problem *problem);
void tls_stream_free(struct tls_stream *stream); /* takes NULL */
DEFINE_CLEANUP(struct tls_stream, tls_stream_free)
