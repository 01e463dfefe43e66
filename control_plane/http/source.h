/* SPDX-License-Identifier: MIT
 *
 * Where a request comes from: the peer, or what a trusted proxy says of it in X-Forwarded-For.
 */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "records/records.h"

/* IPv4 as v4-mapped; :: where it is neither. */
struct in6_addr source_of_peer(const struct sockaddr *peer);
/* `forwarded`: all X-Forwarded-For headers joined by commas, or NULL. Read from its end, since only what trusted
 * proxies have appended can be believed: the first address that is no trusted proxy's. */
struct in6_addr source_find(const struct in6_addr *peer, const struct cidr_list *trusted, const char *forwarded);
/* "192.0.2.1" for v4-mapped ones. `out` holds INET6_ADDRSTRLEN. */
const char *source_format(const struct in6_addr *source, char *out);
