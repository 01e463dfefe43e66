/* SPDX-License-Identifier: MIT
 *
 * The channels of this replica: one for each tenant whose hosts are, or just were, connected here; and how they are
 * filled from the database.
 */
#pragma once

#include <pthread.h>

#include "control_plane/feed/internal.h"
#include "crypto/seal.h"

struct slot {
	struct channel *channel;
	const struct seal_key *key; /* of what rests sealed */
	pthread_mutex_t load;       /* one reader of the database; the others wait and find it done */
	_Atomic bool stale;         /* the database has more than the channel */
	uint32_t references;        /* under the lock of channels, as the next one */
	uint64_t idle_since;        /* CLOCK_BOOTTIME: without readers; 0: has some */
};

/* `key` is borrowed. */
int channels_create(const struct seal_key *key, struct channels **ret);
void channels_destroy(struct channels *channels); /* takes NULL */
/* With a reference. channels_find: NULL where there is none; channels_get makes one (NULL: out of memory). */
struct slot *channels_get(struct channels *channels, const char *tenant_id);
struct slot *channels_find(struct channels *channels, const char *tenant_id);
void channels_put(struct channels *channels, struct slot *slot); /* takes NULL */
/* All of them, each with a reference: malloc'd. */
int channels_list(struct channels *channels, struct slot ***ret, uint32_t *ret_count);
/* Forgets those that nobody has read from for long. */
void channels_sweep(struct channels *channels, uint64_t now);
uint64_t channels_bytes(const struct channels *channels);

/* Does the channel know all that was announced, and at least this revision of this epoch? */
bool slot_is_current(struct slot *slot, uint64_t epoch, uint64_t revision);
/* Brings the channel to what the database says, in a transaction of the tenant's scope, unless somebody else has just
 * made it current in that sense. *ret_news: readers should be woken. -ENOENT: no such feed. */
int slot_refresh(struct slot *slot, struct db_tx *tx, uint32_t stale_sec, uint64_t epoch, uint64_t revision,
		 bool *ret_news);
/* Reads older deltas until the channel begins at `after` + 1. -ESTALE: they are not kept, or too many to hold. */
int slot_extend(struct slot *slot, struct db_tx *tx, uint64_t epoch, uint64_t after);
