/* SPDX-License-Identifier: MIT
 *
 * The feed's publisher: signing keys, streams, renewal of heads, snapshots, acknowledgements. One for the program
 * (app->publisher). It keeps nothing that the database does not have: any number of them run beside one another.
 */
#pragma once

#include "base/macros.h"
#include "base/problem.h"
#include "control_plane/app.h"

/* `serving`: with the threads that wake streams, renew heads, write acknowledgements and make snapshots; false for the
 * command line. app->db and app->seal_key are there already. */
int publisher_create(struct app *app, bool serving, struct publisher **ret, struct problem *problem);
/* Takes NULL. Every stream has been closed by its transport. */
void publisher_destroy(struct publisher *publisher);
DEFINE_CLEANUP(struct publisher, publisher_destroy)

/* Tells every stream, now and from here on, to go elsewhere after a time of its own, and ends it. */
void publisher_drain(struct publisher *publisher);

struct publisher_counts {
	uint64_t streams, streams_opened, streams_refused, streams_cut, gaps;
	uint64_t tenants;   /* with streams here */
	uint64_t revisions; /* published here */
	uint64_t heads;     /* renewed here */
	uint64_t snapshots; /* made here */
	uint64_t acks;      /* written here */
	uint64_t bytes;     /* of events in memory */
	uint64_t wake_usec; /* the newest wake-up: from the announcement to the last stream told */
};
struct publisher_counts publisher_counts(struct publisher *publisher);

/* A new tenant's feed: key, trust document, head of revision 0. In the transaction that makes the tenant (platform
 * scope); sets the transaction's tenant to this one from here on, so that its rows can be written. The authority is the
 * one that `tenant-control init` chose. */
int feed_create(struct db_tx *tx, struct app *app, const char *tenant_id);
/* <authority>/feed/<tenant id> into `out` (FEED_ORIGIN_MAX bytes); -EINVAL. */
int feed_origin(const char *authority, const char *tenant_id, char *out);
