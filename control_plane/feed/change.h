/* SPDX-License-Identifier: MIT
 *
 * What a request changes in a tenant's feed. Handlers collect; the frame publishes in the same transaction, right
 * before commit: revision by row lock, delta, chain, signed head, the current bodies in feed_records, all or nothing.
 */
#pragma once

#include "control_plane/http/request.h"
#include "feed/delta.h"

struct change;
/* One for each request; operations go to the feed of `tenant_id`. */
int change_new(const char *tenant_id, struct change **ret);
void change_free(struct change *change); /* takes NULL */
DEFINE_CLEANUP(struct change, change_free)
/* The body's reference is taken. Errors collect and come out of change_publish. A second put of one record replaces the
 * first. */
void change_put(struct change *change, enum record_kind kind, const char *id, uint64_t version, json_t *body);
void change_delete(struct change *change, enum record_kind kind, const char *id, uint64_t version);
void change_revoke(struct change *change, enum record_kind kind, const char *id, uint64_t version, json_t *body,
		   json_t *record_body); /* record_body: what feed_records holds from now on */
bool change_is_empty(const struct change *change);
/* The revision that it got; 0: nothing was published. For ?wait= and answers. */
uint64_t change_revision(const struct change *change);
/* The same transaction changes another tenant's feed, too (of a host that serves several). Owned by `change`, published
 * and announced with it, with the transaction's tenant set to each in turn. Asked for in ascending order of tenant ids:
 * that is the order of locks. */
int change_also(struct change *change, const char *tenant_id, struct change **ret);
/* Checks every body with record_read_json (-EINVAL with the problem: our own fault, 500), signs, stores; several deltas
 * where one would be too large. What was published already is left alone, so a handler that needs the revision for its
 * answer may publish itself, as the last thing it does. */
int change_publish(struct change *change, struct app *app, struct db_tx *tx, struct problem *problem);
/* After the commit: wakes streams here and elsewhere. */
void change_announce(struct change *change, struct app *app);
