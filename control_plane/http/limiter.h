/* SPDX-License-Identifier: MIT
 *
 * Rate limits: a token bucket for each source and each principal, in a table of fixed size. Any thread.
 *
 * Each replica counts for itself. A flood of new sources pushes out the fullest buckets first, so those that are being
 * held back stay held back.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct limiter;

enum limit_kind {
	LIMIT_SOURCE,    /* an address (IPv6: its /64) that is not signed in */
	LIMIT_FAILURES,  /* the same, for credentials that were refused */
	LIMIT_PRINCIPAL, /* who is signed in */
	LIMIT_CODES,     /* wrong codes that people typed on the page for devices, from everywhere */
	LIMIT_KIND_COUNT,
};
/* Requests a minute; as many may come at once. 0: without limit. */
int limiter_create(uint32_t per_source, uint32_t per_principal, struct limiter **ret);
void limiter_destroy(struct limiter *limiter); /* takes NULL */
DEFINE_CLEANUP(struct limiter, limiter_destroy)

/* Takes one token. 0, or the seconds (at least 1) until there is one. `now_usec`: CLOCK_BOOTTIME. */
uint32_t limiter_take(struct limiter *limiter, enum limit_kind kind, const char *key, uint64_t now_usec);
/* The same answer without taking. */
uint32_t limiter_ask(struct limiter *limiter, enum limit_kind kind, const char *key, uint64_t now_usec);
/* What stands for an address as a key: IPv4 whole, IPv6 by its /64. `out` holds INET6_ADDRSTRLEN. */
const char *limiter_source_key(const struct in6_addr *address, char *out);
