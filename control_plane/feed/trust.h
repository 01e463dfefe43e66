/* SPDX-License-Identifier: MIT
 *
 * Trust documents: a feed's beginning, new keys, new epochs. All in a transaction of the tenant's scope.
 */
#pragma once

#include "control_plane/feed/internal.h"

/* First call of a rotation: version n + 1 lists the old keys and a new one, signed by all of them; heads carry all
 * their signatures. Second call (`finish`): version n + 2 lists the newest only, and the old ones are forgotten. Hosts
 * that were away meanwhile take one version after the other. -EALREADY: there is no rotation to finish, or one to
 * finish first. */
int trust_rotate(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, bool finish,
		 uint64_t *ret_version);
/* The database is not the one that hosts have seen (it was restored): the next epoch begins at revision 0, with what
 * feed_records holds as its first deltas. */
int trust_new_epoch(struct publisher *publisher, struct db_tx *tx, const char *tenant_id, struct feed_row *ret);
