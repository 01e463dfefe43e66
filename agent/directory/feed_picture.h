/* SPDX-License-Identifier: MIT
 *
 * One feed's records as units for directory_build. The records are spread over many small units (shards, by hash
 * of what they belong to), so that a delta makes anew only the few units that it touches, and the picture after it is
 * derived at the cost of those.
 *
 * A change is begun, filled, and then committed or rolled back: nobody sees half of a delta. Used by one thread; the
 * units that it gives out are immutable, reference-counted (atomic) and may go to another.
 */
#pragma once

#include "base/problem.h"
#include "directory/directory.h"
#include "records/records.h"
#include "json/json_read.h"

struct feed_picture;

/* `name`: the origin, for messages. */
int feed_picture_new(const char *name, const char *tenant_id, struct feed_picture **ret);
void feed_picture_free(struct feed_picture *picture); /* takes NULL; units live on with their references */

/* `replace`: from nothing (a snapshot, `expected` records), else on what there is (a delta). */
int feed_picture_begin(struct feed_picture *picture, bool replace, uint64_t expected);
/* A put of what is there replaces it. 0; -EINVAL with field and remedy (record_read_json) or a record of another
 * version order (a version that does not rise); -ENOMEM. After a failure only rollback. */
int feed_picture_put(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
		     struct json_view body, struct problem *problem);
/* -EINVAL when there is none. */
int feed_picture_delete(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
			struct problem *problem);
/* A key: sets revoked_at and the reason. Others: a put of the revocation record. */
int feed_picture_revoke(struct feed_picture *picture, enum record_kind kind, const char *id, uint64_t version,
			json_t *body, struct problem *problem);
int feed_picture_commit(struct feed_picture *picture);
void feed_picture_rollback(struct feed_picture *picture);

/* Of the last commit: borrowed until the next one. */
void feed_picture_units(const struct feed_picture *picture, struct unit *const **ret_units, uint32_t *ret_count);
/* A revocation that is in force for this host id; NULL. */
const struct revocation_record *feed_picture_host_revocation(const struct feed_picture *picture, const char *host_id);
uint64_t feed_picture_records(const struct feed_picture *picture);
uint64_t feed_picture_records_begun(const struct feed_picture *picture); /* with the change that was begun */
