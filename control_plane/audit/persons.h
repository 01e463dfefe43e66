/* SPDX-License-Identifier: MIT
 *
 * Persons' keys (docs/audit-log.md, "Personal data and erasure"): each person has one in each log, and it is all that
 * opens their personal data. It rests sealed under the platform's key; destroying it erases.
 *
 * Keys are read anew in each transaction and never kept longer: what is erased is erased in all replicas at once. An
 * event that is written while its person is erased may still be sealed under the key that goes; then it is erased, too.
 */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "control_plane/db/db.h"
#include "crypto/seal.h"
#include "trail/leaf.h"

/* The keys that a log has of these persons (each may be named more than once), by one query. `make`: new ones for who
 * has none. `tx` is in the log's scope. Borrows nothing. */
struct person_keys;
int person_keys_load(const struct seal_key *platform, struct db_tx *tx, const char *log_id, const char *const *persons,
		     uint32_t count, bool make, struct person_keys **ret);
void person_keys_free(struct person_keys *keys); /* takes NULL; wipes */
DEFINE_CLEANUP(struct person_keys, person_keys_free)

/* Appends one patch with its salt, sealed. -ENOKEY: the person was not among those that were named. */
int person_seal(const struct person_keys *keys, const struct personal *personal, struct buffer *ret);
/* `ret` is set only on success. -ENOKEY: erased; -EBADMSG: not what person_seal made for this person of this log. */
int person_open(const struct person_keys *keys, const char *person, const void *sealed, size_t length,
		struct personal *ret);
/* Destroys the key. */
int person_erase(struct db_tx *tx, const char *log_id, const char *person, bool *ret_was_there);
