/* SPDX-License-Identifier: MIT
 *
 * What the files of the server share: the only ones that know libmicrohttpd.
 */
#pragma once

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <pthread.h>

#include "control_plane/app.h"
#include "control_plane/http/connections.h"
#include "control_plane/http/request.h"
#include "control_plane/http/server.h"
#include "control_plane/http/stream.h"
#include "control_plane/http/workers.h"

#define BODY_MAX (1024U * 1024U)
#define BODY_LARGE_MAX (2U * 1024U * 1024U + 4096U) /* of ROUTE_LARGE */

/* ---- streams (stream.c) -------------------------------------------------------------------------- */
struct streams {
	pthread_mutex_t lock;
	struct stream_transport *first;
	uint32_t count;
};
void streams_init(struct streams *streams);
void streams_finish(struct streams *streams);
/* The stream is closed with the response. NULL: out of memory, and it still is the caller's. */
struct MHD_Response *streams_open(struct streams *streams, struct MHD_Connection *connection, struct stream *stream);
uint32_t streams_count(struct streams *streams);
/* Ends all of them where they are. */
void streams_cut(struct streams *streams);

/* ---- certificates (tls.c) ------------------------------------------------------------------------ */
struct tls;
int tls_load(const char *certificate, const char *key, struct tls **ret, struct problem *problem);
/* Reads the files again; what was good stays when they are not. Handshakes under way keep theirs. */
int tls_reload(struct tls *tls, struct problem *problem);
void tls_free(struct tls *tls); /* takes NULL */
/* For MHD_OPTION_HTTPS_CERT_CALLBACK, which has no context: there is one server in a program. */
int tls_retrieve(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
		 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, struct gnutls_pcert_st **certificates,
		 unsigned *count, struct gnutls_privkey_st **key);

/* ---- one request on its connection (exchange.c) ------------------------------------------------ */
struct server {
	struct app *app;
	struct MHD_Daemon *daemon;
	struct workers *workers;
	struct connections *connections;
	struct streams streams;
	struct tls *tls; /* NULL: plain */
	_Atomic uint32_t exchanges;
	int listener;
};
void *exchange_begin(void *context, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
				const char *version, const char *upload, size_t *upload_size, void **state);
void exchange_end(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code);
/* The connection is gone. */
void exchange_forget(struct connection *connection);

/* ---- what libmicrohttpd lets through (hygiene.c) -------------------------------------------------- */
/* 0; 1: a problem was set, and the connection must end after it. */
int hygiene_check(struct request *request, struct MHD_Connection *connection, const char *method, const char *url,
		  const char *target, const char *version);
/* All X-Forwarded-For headers, joined; NULL: none. In the arena. */
const char *hygiene_forwarded(struct request *request, struct MHD_Connection *connection);
