/* SPDX-License-Identifier: MIT
 *
 * What lives as long as the program: configuration, database, keys, the feed's publisher. Parts find each other here
 * and nowhere else.
 */
#pragma once

#include "control_plane/config.h"
#include "control_plane/db/db.h"
#include "crypto/seal.h"

struct publisher;  /* feed/publisher.h: signing keys, streams, head renewal, snapshots */
struct token_keys; /* auth/token_keys.h: keys of access tokens, rotation, revocations */
struct limiter;    /* http/limiter.h: rate limits */
struct metrics;    /* http/metrics.h */

struct app {
	const struct config *config;
	struct db *db;
	struct seal_key seal_key;
	struct publisher *publisher;
	struct token_keys *token_keys;
	struct limiter *limiter;
	struct metrics *metrics;
	bool draining; /* SIGTERM came: streams are told to go elsewhere, /readyz says no */
};
/* Opens everything but listeners. `serving`: with the threads that renew, notify and sweep; false for the command line.
 */
int app_open(const struct config *config, bool serving, struct app *ret, struct problem *problem);
void app_close(struct app *app);
