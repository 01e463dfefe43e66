/* SPDX-License-Identifier: MIT
 *
 * Tells other replicas of new revisions: NOTIFY on a connection of its own, after the commit, many in one. It only
 * makes them look sooner (NOTIFY inside of changing transactions would line all of them up at one lock).
 *
 * Payload: "<tenant id>:<epoch>.<revision>", several with spaces between.
 */
#pragma once

#include "control_plane/feed/internal.h"

int announcer_create(struct db *db, struct announcer **ret);
void announcer_destroy(struct announcer *announcer); /* takes NULL; says what is left */
/* Never fails: what cannot be said is found by the poll. */
void announcer_add(struct announcer *announcer, const char *tenant_id, uint64_t epoch, uint64_t revision);
/* The same at once, for a program that ends soon. */
int announce_now(struct db *db, const char *tenant_id, uint64_t epoch, uint64_t revision);
/* Calls `one` for each tenant of a payload; what is malformed is passed over. */
void announce_parse(const char *payload,
		    void (*one)(void *context, const char *tenant_id, uint64_t epoch, uint64_t revision),
		    void *context);
