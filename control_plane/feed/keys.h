/* SPDX-License-Identifier: MIT
 *
 * Which keys sign for a tenant's feed: read from the database once for each version of its trust document.
 */
#pragma once

#include "control_plane/db/db.h"
#include "control_plane/feed/signer.h"
#include "feed/feed.h"

struct keyring;
int keyring_create(struct signer *signer, struct keyring **ret);
void keyring_destroy(struct keyring *keyring); /* takes NULL */

/* Those that sign now: the newest last. Plain value. */
struct feed_signers {
	struct note_key keys[FEED_KEYS_MAX];
	uint32_t count;
};
/* As of this version of the trust document, which the caller read in the same transaction. -ENOKEY: the feed has no
 * key, or none that this program's seal key opens. */
int keyring_get(struct keyring *keyring, struct db_tx *tx, const char *tenant_id, uint64_t trust_version,
		struct feed_signers *ret);
/* Those that a replica without the database at hand has seen last; -ENOENT. */
int keyring_peek(struct keyring *keyring, const char *tenant_id, uint64_t trust_version, struct feed_signers *ret);
/* One signature of each. */
int keyring_sign(struct keyring *keyring, const struct feed_signers *signers, struct buffer *note);
