/* SPDX-License-Identifier: MIT
 *
 * The platform's word on which tenants a host serves, signed by its authority key (docs/feed.md). The note is kept with
 * the host, and made anew when it does not say any more what is so.
 */
#pragma once

#include "control_plane/feed/publisher.h"
#include "feed/feed.h"

struct assignment_note {
	struct buffer note;
	char authority[NOTE_VKEY_MAX];
};
/* Of `wanted`, host and tenants count. In platform scope. 0 with the kept note, when it says just that; 1: another is
 * needed; -errno. */
int assignment_kept(struct publisher *publisher, struct db_tx *tx, const struct feed_assignment *wanted,
		    struct assignment_note *ret);
/* The host's row, so that nobody else makes a note for it: before its tenants are read. */
int assignment_lock(struct db_tx *tx, const char *host_id);
/* The kept one, or a new one with a higher version; the authority key too, where there is none yet. */
int assignment_renew(struct publisher *publisher, struct db_tx *tx, const struct feed_assignment *wanted,
		     struct assignment_note *ret);
/* The authority's key, ready to sign. In platform scope. 1: there is none yet. */
int assignment_authority(struct publisher *publisher, struct db_tx *tx, struct note_key *ret);
/* The same, made where there is none: the transaction has to be committed then. */
int assignment_make_authority(struct publisher *publisher, struct db_tx *tx, struct note_key *ret);
/* That the host is out of service, for the host itself: it may not have been there to hear it. In platform scope. 0
 * with the note; 1: there is no authority key yet, so no host knows one; -errno. */
int assignment_disabled(struct publisher *publisher, struct db_tx *tx, const char *host_id, const char *kid,
			struct buffer *ret);
