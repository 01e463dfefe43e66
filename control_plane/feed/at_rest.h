/* SPDX-License-Identifier: MIT
 *
 * How parts of a feed rest in the database. Hosts need the secrets that a tenant's identity providers gave it, so these
 * stand in deltas, records and snapshots; a backup of the database shall not be enough to read them. What holds such a
 * record is sealed there (AES-256-GCM, bound to the tenant), and opened when it is read for hosts. All else stands as
 * it is: sealed bytes cannot be taken for a delta, a body or a snapshot.
 */
#pragma once

#include "crypto/seal.h"

/* Does a record of this kind ("idp") hold what must not be read from the database? */
bool at_rest_is_secret(const char *kind);

/* Texts. Appends the sealed form; what is stored afterwards is a text, too. */
int at_rest_seal_text(const struct seal_key *key, const char *tenant_id, const char *text, size_t length,
		      struct buffer *ret);
/* What `stored` says: itself, or what was sealed, in `room`. NULL: it cannot be opened, or out of memory. */
const char *at_rest_open_text(const struct seal_key *key, const char *tenant_id, const char *stored,
			      struct buffer *room, size_t *ret_length);

/* Bytes. 0, -ENOMEM, -EIO. at_rest_open: 1: they stand as they are; -EBADMSG. */
int at_rest_seal(const struct seal_key *key, const char *tenant_id, struct buffer *bytes);
int at_rest_open(const struct seal_key *key, const char *tenant_id, const void *bytes, size_t length,
		 struct buffer *ret);
