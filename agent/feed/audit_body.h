/* SPDX-License-Identifier: MIT
 *
 * One request with audit events: made of what the spool has, and looked into when the answer comes.
 */
#pragma once

#include "base/buffer.h"
#include "spool/spool.h"
#include "trail/chain.h"

struct audit_body {
	struct buffer data; /* empty: none is made */
	size_t groups_at;   /* where the groups begin in it */
	struct note_key key;
	char chain[CHAIN_ID_CHARS + 1];
	uint64_t first, past;    /* the events in it; equal: none */
	uint64_t at;             /* where the chain ended when it was made */
	struct tlog_hash before; /* hash of the event before `first` */
	bool knows_before;
};
static inline bool audit_body_is_made(const struct audit_body *body)
{
	return body->data.length > 0;
}
void audit_body_clear(struct audit_body *body);
struct audit_body_options {
	size_t bytes_max;
	const char *host_id; /* as which it is sent */
};
/* Groups that are not sent. Plain value; {0}: none. */
struct audit_body_skip {
	uint64_t first, past;
};
/* From `next` on, about bytes_max at the most, without groups of which each event names another host: this one was that
 * before it was enrolled as what it is, and what it wrote then is no business of this control plane. 0; 1: there are no
 * events from there on, and it only says where the chain is; -EAGAIN: all that was looked at is to be skipped, so once
 * more. `known`: what is known of the place before `next` otherwise. */
int audit_body_make(struct audit_body *body, struct spool_reader *reader, uint64_t next, const struct chain_head *known,
		    const struct audit_body_options *options, struct audit_body_skip *skip);
/* The hash of the event that one of its groups ends with, or that came before all of them. -ENODATA: of no other. */
int audit_body_hash(const struct audit_body *body, uint64_t sequence, struct tlog_hash *ret);
/* Borrowed from the body. -ENODATA: it is not in it. */
int audit_body_record(const struct audit_body *body, uint64_t sequence, struct group_record *ret);

/* The hash of any event that the spool still knows, `sequence` 0: of the chain's beginning. -ENODATA: it does not. */
int audit_place_hash(struct spool_reader *reader, const struct chain_head *known, uint64_t sequence,
		     struct tlog_hash *ret);
