/* SPDX-License-Identifier: MIT
 *
 * Deadlines of connections. libmicrohttpd's own timeout starts again with every byte; here headers, a body and an
 * answer have a time in which all of it must have gone through, TLS handshake included. A connection that is late is
 * shut down, which libmicrohttpd then sees as its end.
 */
#pragma once

#include <stdint.h>

#include "base/macros.h"

struct connections;
struct connection;

int connections_create(struct connections **ret);
void connections_destroy(struct connections *connections); /* takes NULL; all have gone */
DEFINE_CLEANUP(struct connections, connections_destroy)
/* NULL: out of memory. */
struct connection *connections_add(struct connections *connections, int fd);
void connections_remove(struct connections *connections, struct connection *connection);
/* From now; 0: none. */
void connection_deadline(struct connections *connections, struct connection *connection, uint64_t span_usec);
/* Where the request that is under way is kept, for whoever has to end it with the connection. */
void **connection_slot(struct connection *connection);
uint32_t connections_count(struct connections *connections);
