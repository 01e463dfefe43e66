/* SPDX-License-Identifier: MIT
 *
 * The HTTP server: libmicrohttpd's threads for input and output, workers for requests.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"
#include "base/problem.h"

struct app;
struct server;

/* Listens where the configuration says. */
int server_start(struct app *app, struct server **ret, struct problem *problem);
/* Reads the certificate's files again. */
int server_reload(struct server *server, struct problem *problem);
/* Requests and streams that are under way. */
uint32_t server_busy(struct server *server);
/* How long the oldest request that a worker runs has been running. */
uint64_t server_longest_usec(struct server *server);
/* Accepts no connections any more; those that there are go on. */
void server_quiesce(struct server *server);
/* Streams are cut, requests end, connections close. Takes NULL. */
void server_stop(struct server *server);
DEFINE_CLEANUP(struct server, server_stop)
