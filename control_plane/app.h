/* SPDX-License-Identifier: MIT
 *
 * What lives as long as the program: configuration, database, keys, the feed's publisher. Parts find each other here
 * and nowhere else.
 */
#pragma once

#include "control_plane/config.h"
#include "control_plane/db/db.h"
#include "crypto/digest.h"
#include "crypto/seal.h"

struct publisher;  /* feed/publisher.h: signing keys, streams, head renewal, snapshots */
struct token_keys; /* auth/token_keys.h: keys of access tokens, rotation, revocations */
struct limiter;    /* http/limiter.h: rate limits */
struct metrics;    /* http/metrics.h */
struct audit_log;  /* audit/audit.h: the central log, its sequencer and sinks */
struct sinks;      /* audit/sinks.h: where its events go besides */
struct sweeper;    /* sweeper.h */

struct app {
	const struct config *config;
	struct db *db;
	struct seal_key seal_key;
	bool has_internal_secret;
	uint8_t internal_secret_hash[SHA256_BYTES];
	struct publisher *publisher;
	struct token_keys *token_keys;
	struct limiter *limiter;
	struct metrics *metrics;
	struct audit_log *audit_log;
	struct sinks *sinks;     /* NULL: none, or on the command line */
	struct sweeper *sweeper; /* NULL on the command line */
	_Atomic bool draining;   /* SIGTERM came: streams are told to go elsewhere, /readyz says no */
};
/* The seal key and the secret of /internal, from their files: as root, before the account is changed. */
int app_read_keys(const struct config *config, struct app *app, struct problem *problem);
/* Opens everything but listeners, after app_read_keys. `serving`: with the threads that renew, notify and sweep; false
 * for the command line. */
int app_open(const struct config *config, bool serving, struct app *app, struct problem *problem);
void app_close(struct app *app);
